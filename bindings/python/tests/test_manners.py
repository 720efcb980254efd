"""How the library behaves inside another's process: quiet, within its threads, flat in memory, safe in children.

Each test runs a program of its own, so that no other test's threads or memory are counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

COUNT_THREADS = """
import os
def threads():
    return len(os.listdir("/proc/self/task"))
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
"""


def run(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    """Runs a program; what it says on stdout and stderr is in the result."""
    code = COUNT_THREADS + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
    )


def passes(program: str, *arguments: object, **environment: str) -> None:
    """Runs a program whose asserts must hold and which must say nothing."""
    result = run(program, *arguments, **environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_import_loads_nothing():
    passes("""
        import sys
        before = threads()
        import blan
        assert threads() == before
        assert "libblan" not in open("/proc/self/maps").read()
        assert not {"torch", "PIL", "cv2", "typer", "rich"} & set(sys.modules)
    """)


def test_no_thread_before_the_first_work_and_no_more_than_asked(model_path, photo):
    program = """
        import sys
        import numpy
        before = threads()
        import blan
        blan.system()
        assert threads() == before
        limit = before + int(sys.argv[3]) - 1
        model = blan.load(sys.argv[1], threads=int(sys.argv[3]))
        for photos in ([sys.argv[2]] * 10, sys.argv[2]):
            assert threads() <= limit, (before, threads())
            model.predict(photos, aligned=True)
        assert threads() <= limit, (before, threads())
    """
    for count in (1, 2, 3):
        passes(program, model_path, photo, count)


def test_cpu_time_stays_within_one_thread(model_path, photo):
    passes(
        """
        import sys, time
        import blan
        model = blan.load(sys.argv[1], threads=1)
        model.predict([sys.argv[2]] * 8, aligned=True)
        wall, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < 1:
            model.predict([sys.argv[2]] * 8, aligned=True)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert cpu <= 1.1 * wall, (cpu, wall)
        """,
        model_path,
        photo,
    )


def test_threads_sleep_between_calls(model_path, photo):
    passes(
        """
        import sys, time
        import blan
        model = blan.load(sys.argv[1], threads=2)
        model.predict([sys.argv[2]] * 8, aligned=True)
        time.sleep(0.5)
        cpu = time.process_time()
        time.sleep(1)
        assert time.process_time() - cpu < 0.1
        """,
        model_path,
        photo,
    )


def test_zero_threads_respects_the_affinity_mask(model_path):
    passes(
        """
        import os, sys
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import blan
        assert blan.system().default_threads == 1
        assert blan.load(sys.argv[1]).threads == 1
        """,
        model_path,
    )


def test_zero_threads_respects_omp_num_threads(model_path):
    program = "import sys, blan; assert blan.load(sys.argv[1]).threads == 1"
    passes(program, model_path, OMP_NUM_THREADS="1")


def test_failures_are_quiet_too(model_path, photo):
    passes(
        """
        import sys
        import blan
        model = blan.load(sys.argv[1])
        data = open(sys.argv[2], "rb").read()
        for cut in range(0, len(data), 500):
            model.predict(data[:cut] or b"x", on_error="keep", aligned=True)
        for bad in (b"", b"x" * 100, data):
            try:
                blan.load(bad)
            except blan.BlanError:
                pass
            else:
                raise AssertionError("loaded")
        """,
        model_path,
        photo,
    )


def test_other_libraries_before_and_after(model_path, photo):
    program = """
        import sys, importlib
        names = ["numpy", "blan", "PIL.Image"]
        for name in names if sys.argv[3] == "before" else names[::-1]:
            importlib.import_module(name)
        import blan, numpy
        model = blan.load(sys.argv[1], threads=2)
        first = model.predict(sys.argv[2], aligned=True).probabilities
        numpy.ones((300, 300)) @ numpy.ones((300, 300))
        assert numpy.array_equal(model.predict(sys.argv[2], aligned=True).probabilities, first)
    """
    for order in ("before", "after"):
        passes(program, model_path, photo, order)


@pytest.mark.parametrize("order", ["torch first", "blan first"])
def test_beside_torch(model_path, photo, order):
    pytest.importorskip("torch")
    passes(
        """
        import sys
        if sys.argv[3] == "torch first":
            import torch
        import blan, numpy
        model = blan.load(sys.argv[1], threads=2)
        first = model.predict(sys.argv[2], aligned=True).probabilities
        import torch
        (torch.ones(400, 400) @ torch.ones(400, 400)).sum()
        assert numpy.array_equal(model.predict(sys.argv[2], aligned=True).probabilities, first)
        """,
        model_path,
        photo,
        order,
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes(model_path, photo, method, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import multiprocessing, sys
            import blan, numpy

            def work(arguments):
                model, photo = arguments
                return model.predict(photo, aligned=True).probabilities

            if __name__ == "__main__":
                model = blan.load(sys.argv[1], threads=1)
                expected = model.predict(sys.argv[2], aligned=True).probabilities
                with multiprocessing.get_context(sys.argv[3]).Pool(2) as pool:
                    for result in pool.map(work, [(model, sys.argv[2])] * 4):
                        assert numpy.array_equal(result, expected)
        """)
    )
    arguments = [sys.executable, str(program), str(model_path), str(photo), method]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_forked_child_uses_its_parents_model(model_path, photo):
    passes(
        """
        import os, sys
        import blan, numpy
        model = blan.load(sys.argv[1], threads=2)
        expected = model.predict([sys.argv[2]] * 3, aligned=True)[0].probabilities
        child = os.fork()
        if child == 0:
            same = numpy.array_equal(model.predict([sys.argv[2]] * 3, aligned=True)[0].probabilities, expected)
            os._exit(0 if same else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert numpy.array_equal(model.predict([sys.argv[2]] * 3, aligned=True)[0].probabilities, expected)
        """,
        model_path,
        photo,
    )


@pytest.mark.slow
def test_memory_is_flat_over_predictions_of_every_size(model_path, photo):
    passes(
        """
        import sys
        import blan, numpy
        model = blan.load(sys.argv[1], threads=2)
        random = numpy.random.default_rng(0)
        data = open(sys.argv[2], "rb").read()
        sizes = [(64, 64), (218, 178), (300, 200), (31, 500)]
        faces = [random.integers(0, 256, (*size, 3), dtype=numpy.uint8) for size in sizes]
        def round():
            for count in (1, 3, 8, 1):
                model.predict(faces * count, scores=True, attention=True, embeddings=True, aligned=True)
                model.predict([data] * count + [sys.argv[2], data[:500]], on_error="keep", aligned=True)
        for _ in range(10):
            round()
        before = resident()
        for _ in range(150):
            round()
        assert resident() - before < 8 << 20, (before, resident())
        """,
        model_path,
        photo,
    )


@pytest.mark.slow
def test_memory_is_flat_over_loads_and_short_threads(model_path, photo):
    passes(
        """
        import sys
        from threading import Thread
        import blan
        shared = blan.load(sys.argv[1], threads=1)
        def round():
            with blan.load(sys.argv[1], threads=2) as model:
                model.predict(sys.argv[2], aligned=True)
            thread = Thread(target=shared.predict, args=(sys.argv[2],), kwargs={"aligned": True})
            thread.start()
            thread.join()
        for _ in range(20):
            round()
        before = resident()
        for _ in range(100):
            round()
        assert resident() - before < 8 << 20, (before, resident())
        """,
        model_path,
        photo,
    )
