"""libblan in one process with other libraries that bring OpenMP runtimes, BLAS or settings of their own.

Each case runs in a fresh process, in both orders of import, and must print nothing: libiomp5 and libomp end a process
with "OMP: Error #15" on stderr where they find another of their family. What is not installed is skipped;
scripts/coexistence.sh runs the cases in an environment that has everything, and there nothing may be.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

INTEL = Path(sys.prefix) / "lib"
LLVM = Path("/usr/lib/llvm-14/lib/libomp.so.5")

PEERS = {
    "numpy": """
        import numpy
        def use():
            numpy.ones((300, 300), numpy.float32) @ numpy.ones((300, 300), numpy.float32)
        settings = tuple
        """,
    "torch": """
        import torch
        def use():
            (torch.ones(400, 400) @ torch.ones(400, 400)).relu().sum()
        def settings():
            return torch.get_num_threads(), torch.get_num_interop_threads()
        """,
    "sklearn": """
        import sklearn.cluster, threadpoolctl
        points = [[i % 17, i % 23] for i in range(1000)]
        def use():
            sklearn.cluster.KMeans(4, n_init=1, random_state=0).fit(points)
        def settings():
            return sorted((pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()
                          if "openblas-serial" not in pool["filepath"])
        """,
    "cv2": """
        import cv2
        picture = cv2.UMat(300, 300, cv2.CV_8UC3).get()
        def use():
            cv2.GaussianBlur(picture, (5, 5), 1)
        settings = cv2.getNumThreads
        """,
    # The two runtimes alone, in the process's global scope, where a library's undefined symbols are looked for first.
    "iomp5": """
        import ctypes
        runtime = ctypes.CDLL(f"{INTEL}/libiomp5.so", mode=ctypes.RTLD_GLOBAL)
        runtime.omp_set_num_threads(3)
        def use():
            runtime.omp_get_max_threads()
        def settings():
            return runtime.omp_get_max_threads(), runtime.kmp_get_blocktime(), runtime.omp_get_max_active_levels()
        """,
    "libomp": """
        import ctypes
        runtime = ctypes.CDLL(LLVM, mode=ctypes.RTLD_GLOBAL)
        runtime.omp_set_num_threads(3)
        def use():
            runtime.omp_get_max_threads()
        def settings():
            return runtime.omp_get_max_threads(), runtime.kmp_get_blocktime(), runtime.omp_get_max_active_levels()
        """,
    # MKL with Intel's threads: a CBLAS in the global scope, and parallel regions of libiomp5.
    "mkl": """
        import ctypes, glob
        os.environ["MKL_THREADING_LAYER"] = "INTEL"
        mkl = ctypes.CDLL(glob.glob(f"{INTEL}/libmkl_rt.so*")[0], mode=ctypes.RTLD_GLOBAL)
        n = 512
        a, b, c = ((ctypes.c_float * (n * n))(*[1] * (n * n)) for _ in range(3))
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        def use():
            mkl.cblas_sgemm(101, 111, 111, n, n, n, one, a, n, b, n, zero, c, n)
            assert c[0] == n
        def settings():
            return mkl.MKL_Get_Max_Threads()
        """,
}

PROGRAM = """
import importlib, os, sys, textwrap, threading, time
INTEL, LLVM = {intel!r}, {llvm!r}
names, order, model_path, photo, expected = {names!r}, *sys.argv[1:5]
peers = {peers!r}

def import_peers():
    loaded = []
    for name in names:
        scope = dict(globals())
        exec(textwrap.dedent(peers[name]), scope)
        scope["use"]()
        loaded.append(scope)
    return loaded

def probabilities(model):
    return model.predict([photo] * 4, aligned=True)[3].probabilities.tobytes().hex()

loaded = import_peers() if order == "blan last" else None
import blan
assert blan.system().openmp_runtime == "LLVM OpenMP (libomp, private)", blan.system()
model = blan.load(model_path, threads=2)
assert probabilities(model) == expected
loaded = loaded or import_peers()

before = [peer["settings"]() for peer in loaded]
assert probabilities(model) == expected
assert [peer["settings"]() for peer in loaded] == before

# At the same time as the peers' own parallel regions.
stop = False
def work():
    while not stop:
        for peer in loaded:
            peer["use"]()
thread = threading.Thread(target=work)
thread.start()
for _ in range(5):
    assert probabilities(model) == expected
stop = True
thread.join()

# A forked child has its parent's model and loads one of its own; the parent goes on.
child = os.fork()
if child == 0:
    same = probabilities(model) == expected == probabilities(blan.load(model_path, threads=2))
    os._exit(0 if same else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert probabilities(model) == expected
for peer in loaded:
    peer["use"]()
assert [peer["settings"]() for peer in loaded] == before
"""


def missing(name: str) -> str | None:
    """Why a peer cannot be tried here; None where it can."""
    found = {
        "iomp5": (INTEL / "libiomp5.so").exists(),
        "mkl": any(INTEL.glob("libmkl_rt.so*")),
        "libomp": LLVM.exists(),
    }.get(name)
    if found is None:
        found = importlib.util.find_spec(name) is not None
    return None if found else f"{name} is not installed here; scripts/coexistence.sh has it"


def run(program: str, *arguments: object, **environment: str) -> str:
    """Runs a program whose asserts must hold; what it printed, which must be all on stdout."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | environment,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture(scope="module")
def expected(model_path: Path, photo: Path) -> str:
    """The probabilities' bits in a process of its own."""
    return run(
        """
        import sys, blan
        result = blan.load(sys.argv[1], threads=2).predict([sys.argv[2]] * 4, aligned=True)[3]
        print(result.probabilities.tobytes().hex(), end="")
        """,
        model_path,
        photo,
    )


def beside(names: list[str], order: str, *arguments: object) -> None:
    for name in names:
        reason = missing(name)
        if reason and os.environ.get("BLAN_ALL_PEERS") != "1":
            pytest.skip(reason)
    program = PROGRAM.format(intel=str(INTEL), llvm=str(LLVM), names=names, peers=PEERS)
    assert run(program, order, *arguments) == ""


@pytest.mark.parametrize("order", ["blan first", "blan last"])
@pytest.mark.parametrize("name", PEERS)
def test_beside(name, order, model_path, photo, expected):
    beside([name], order, model_path, photo, expected)


# libomp and libiomp5 exclude one another without us, so only one of them is here.
@pytest.mark.parametrize("order", ["blan first", "blan last"])
def test_beside_all_together(order, model_path, photo, expected):
    beside(["mkl", "cv2", "sklearn", "torch", "numpy"], order, model_path, photo, expected)


@pytest.mark.parametrize("order", ["blan first", "blan last"])
def test_flush_to_zero_of_the_caller_changes_nothing_and_stays(order, model_path, photo, expected):
    if reason := missing("torch"):
        pytest.skip(reason)
    run(
        """
        import sys, blan, torch
        def flushes():
            return (torch.tensor(1e-310, dtype=torch.float64) * 1.0).item() == 0.0
        if sys.argv[1] == "blan first":
            blan.load(sys.argv[2], threads=2)
        assert not flushes()
        assert torch.set_flush_denormal(True) and flushes()
        model = blan.load(sys.argv[2], threads=2)
        result = model.predict([sys.argv[3]] * 4, aligned=True)[3]
        assert result.probabilities.tobytes().hex() == sys.argv[4]
        assert flushes()
        """,
        order,
        model_path,
        photo,
        expected,
    )


def test_openmp_variables_for_others_change_nothing(model_path, photo, expected):
    """They neither print nor bind nor limit: of them OMP_NUM_THREADS alone counts, where threads is 0."""
    printed = run(
        """
        import os, sys, blan
        before, environment = os.sched_getaffinity(0), dict(os.environ)
        model = blan.load(sys.argv[1], threads=2)
        result = model.predict([sys.argv[2]] * 4, aligned=True)[3]
        assert result.probabilities.tobytes().hex() == sys.argv[3]
        assert os.sched_getaffinity(0) == before and dict(os.environ) == environment
        assert len(os.listdir("/proc/self/task")) == 2  # OMP_THREAD_LIMIT is not for us
        print(blan.load(sys.argv[1]).threads, end="")
        """,
        model_path,
        photo,
        expected,
        OMP_NUM_THREADS="1",
        OMP_THREAD_LIMIT="1",
        OMP_DYNAMIC="true",
        OMP_DISPLAY_ENV="verbose",
        OMP_PROC_BIND="true",
        OMP_PLACES="{0}",
        OMP_STACKSIZE="nonsense",
        OMP_TOOL="enabled",
        KMP_AFFINITY="verbose,granularity=fine,compact",
        KMP_BLOCKTIME="infinite",
        KMP_SETTINGS="1",
        KMP_VERSION="1",
    )
    assert printed == "1"


def test_the_quota_of_a_control_group_is_the_number_of_threads():
    """In a cgroup of its own (version 1 or 2) that allows one processor's time."""
    version1 = Path("/sys/fs/cgroup/cpu")
    group = (version1 if version1.is_dir() else Path("/sys/fs/cgroup")) / f"blan-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        if version1.is_dir():
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text("100000")
        else:
            (group / "cpu.max").write_text("100000 100000")
        program = """
            import os, sys, blan
            with open(sys.argv[1], "w") as file:
                file.write(str(os.getpid()))
            print(blan.system().default_threads, end="")
            """
        assert run(program, group / "cgroup.procs") == "1"
    except OSError as error:
        pytest.skip(f"no quota can be set here: {error}")
    finally:
        group.rmdir()


def test_nothing_is_registered_for_other_runtimes(model_path, photo):
    """Neither the shared memory nor the variable by which runtimes of LLVM's family find one another."""
    run(
        """
        import ctypes, os, sys, blan
        before = set(os.listdir("/dev/shm"))
        blan.load(sys.argv[1], threads=2).predict([sys.argv[2]] * 4, aligned=True)
        assert not [name for name in set(os.listdir("/dev/shm")) - before if "KMP" in name and str(os.getpid()) in name]
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        assert getenv(f"__KMP_REGISTERED_LIB_{os.getpid()}".encode()) is None
        assert getenv(b"KMP_DUPLICATE_LIB_OK") is None
        """,
        model_path,
        photo,
    )


def test_no_openmp_symbol_is_given_to_others(model_path):
    run(
        """
        import ctypes, sys, blan
        path = blan.system().library
        library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        blan.load(sys.argv[1])
        for name in ("omp_get_max_threads", "__kmpc_fork_call", "GOMP_parallel", "kmp_set_blocktime"):
            assert not hasattr(ctypes.CDLL(None), name), name
            assert not hasattr(library, name), name
        """,
        model_path,
    )


def test_unloading_does_nothing_and_loading_again_gives_the_same(model_path, photo, expected):
    run(
        """
        import ctypes, _ctypes, sys, blan
        path = blan.system().library
        def probabilities():
            model = blan.load(sys.argv[1], threads=2)
            return model.predict([sys.argv[2]] * 4, aligned=True)[3].probabilities.tobytes().hex()
        assert probabilities() == sys.argv[3]
        for _ in range(20):
            handle = ctypes.CDLL(path)._handle
            _ctypes.dlclose(handle)
            _ctypes.dlclose(handle)  # the package's own reference, which was the last
            assert path in open("/proc/self/maps").read()
            assert ctypes.CDLL(path)._handle == handle
            assert probabilities() == sys.argv[3]
        """,
        model_path,
        photo,
        expected,
    )


def test_a_forked_child_trains_as_its_parent_does():
    run(
        """
        import os, blan, numpy
        random = numpy.random.default_rng(1)
        pixels = random.standard_normal((4, 3, 64, 64), dtype=numpy.float32)
        labels = random.choice([-1, 1], (4, 2))
        def losses():
            with blan.Trainer(width=8, input_size=64, attributes=["a", "b"], threads=2, seed=5) as trainer:
                return [trainer.step(pixels, labels).total for _ in range(2)]
        expected = losses()
        child = os.fork()
        if child == 0:
            os._exit(0 if losses() == expected else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert losses() == expected
        """
    )


def test_many_models_at_once_and_their_memory_returns(model_path, photo, expected):
    run(
        """
        import gc, os, sys, blan
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        def round():
            models = [blan.load(sys.argv[1], threads=2) for _ in range(40)]
            for model in models:
                result = model.predict([sys.argv[2]] * 4, aligned=True)[3]
                assert result.probabilities.tobytes().hex() == sys.argv[3]
            for model in models:
                model.close()
            gc.collect()
        round()
        before, files, tasks = resident(), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
        for _ in range(4):
            round()
        assert resident() - before < 8 << 20, (before, resident())
        assert len(os.listdir("/proc/self/fd")) == files
        assert len(os.listdir("/proc/self/task")) == tasks
        """,
        model_path,
        photo,
        expected,
    )


def test_a_comma_for_the_decimal_point(tmp_path, photo):
    """Numbers in safetensors headers, configurations, CSV files and reports are read and written as ever."""
    locales = tmp_path / "locales"
    locales.mkdir()
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", locales / "de_DE.UTF-8"], check=True)
    program = """
        import ctypes, locale, os, shutil, sys, blan
        if sys.argv[1] == "comma":
            locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
            text = ctypes.create_string_buffer(16)
            ctypes.CDLL(None).snprintf(text, 16, b"%.1f", ctypes.c_double(0.5))
            assert text.value == b"0,5"
        folder, photo = sys.argv[2:4]
        model_path = os.path.join(folder, "model.safetensors")
        blan.init(model_path, width=8, input_size=64, seed=3)
        model = blan.load(model_path, threads=1)
        print(model.config)
        print(model.predict(photo, aligned=True).probabilities.tolist())
        table = os.path.join(folder, "faces.csv")
        with open(table, "w") as file:
            file.write("path,Smiling,Male\\n" + "".join(f"{row}.jpg,{row % 2}.0,1\\n" for row in range(4)))
        for row in range(4):
            shutil.copy(photo, os.path.join(folder, f"{row}.jpg"))
        data = blan.Dataset.open(table, attributes=["Smiling", "Male"])
        print(data.labels.tolist())
        names = ["Smiling", "Male"]
        blan.init(model_path, width=8, input_size=64, seed=3, attributes=names)
        print(blan.load(model_path, threads=1).evaluate(data, resamples=0).table())
        calibrated = os.path.join(folder, "calibrated.safetensors")
        blan.calibrate(model_path, data, calibrated, minimum_labels=1)
        with open(calibrated, "rb") as file:
            print(hash(file.read()))
        with open(model_path, "rb") as file:
            print(hash(file.read()))
        """
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    environment = {"LOCPATH": str(locales), "PYTHONHASHSEED": "1"}
    point = run(program, "point", tmp_path / "a", photo, **environment)
    comma = run(program, "comma", tmp_path / "b", photo, **environment)
    assert "0.4" in point and comma == point
