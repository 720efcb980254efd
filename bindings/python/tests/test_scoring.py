"""Bulk scoring: nothing is lost, nothing is doubled, whatever dies; and the same function as Spark would call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import blan
import numpy as np
import pytest
from blan.cli.app import app
from blan.scoring import schema, score, score_batches, spark_schema
from PIL import Image
from typer.testing import CliRunner

pandas = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, whole_photo):
    """40 photos of noise, a real one, an empty file and one that is no photo."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for number in range(40):
        Image.fromarray(random.integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(folder / f"noise-{number:02}.png")
    (folder / "face.jpg").write_bytes(whole_photo.read_bytes())
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no photo")
    return folder


def names(folder):
    """The file names in the scores of a folder, a row each."""
    rows = [
        path for part in sorted(folder.glob("part-*.parquet")) for path in parquet.read_table(part)["path"].to_pylist()
    ]
    return [os.path.basename(path) for path in rows]


def test_a_folder_is_scored(photos, tmp_path, model_path):
    done = score(photos, tmp_path / "out", model=model_path, part_photos=10)
    assert (done.photos, done.scored, done.faces, done.unreadable) == (43, 43, 1, 2)
    table = parquet.read_table(tmp_path / "out").to_pandas()  # readers pass over the plan
    assert sorted(os.path.basename(path) for path in table["path"]) == sorted(path.name for path in photos.iterdir())
    bad = table[table["error"].notna()]
    assert {os.path.basename(path) for path in bad["path"]} == {"empty.png", "text.jpg"}
    face = table[table["face"] == 1].iloc[0]
    expected = blan.load(model_path, threads=1).predict(face["path"])[0]
    names_of = [name for name in schema(model=model_path).names if name in expected.names]
    assert np.array_equal(face[names_of].to_numpy(np.float32), expected.probabilities[: len(names_of)])
    assert parquet.read_schema(tmp_path / "out" / "part-0000000.parquet").equals(schema(model=model_path))


def test_a_broken_off_run_goes_on(photos, tmp_path, model_path):
    options = {"model": model_path, "aligned": True, "part_photos": 10}
    with pytest.raises(blan.BlanError, match="stopped after 20 of 43"):
        score(photos, tmp_path / "out", on_progress=lambda done, _: done < 20, **options)
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert len(first) == 2
    lost = tmp_path / "out" / ".blan-left-by-a-crash"
    lost.write_bytes(b"PAR1")
    done = score(photos, tmp_path / "out", **options)
    assert (done.photos, done.scored) == (43, 23)
    assert all(path.stat().st_mtime_ns == when for path, when in first.items())
    assert sorted(names(tmp_path / "out")) == sorted(path.name for path in photos.iterdir())
    assert score(photos, tmp_path / "out", **options).scored == 0
    for other in ({"aligned": False}, {"part_photos": 11}, {"embeddings": True}):
        with pytest.raises(blan.InvalidArgumentError, match="other options"):
            score(photos, tmp_path / "out", **{**options, **other})
    with pytest.raises(blan.InvalidArgumentError, match="other things"):
        score(photos, photos, **options)


def test_every_file_is_on_the_disk_before_it_has_its_name(photos, tmp_path, model_path, renamed):
    score(photos, tmp_path / "out", model=model_path, aligned=True, part_photos=30)
    parts = ["part-0000000.parquet", "part-0000001.parquet"]
    assert renamed == dict.fromkeys(["_photos.parquet", "_plan.json", *parts], True)


KILLED_WHILE_LISTING = """
import os, signal, sys
from blan.scoring import plan, score

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

def listed(_source):
    yield "face.jpg"
    os.kill(os.getpid(), getattr(signal, sys.argv[4]))

plan._listed = listed
score(*sys.argv[1:3], model=sys.argv[3], aligned=True)
"""


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGINT"])
def test_a_run_that_is_killed_while_it_lists_is_begun_again(photos, tmp_path, model_path, signal):
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(Path(blan.__file__).parents[1])}
    command = [sys.executable, "-c", KILLED_WHILE_LISTING, photos, out, model_path, signal]
    assert subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, timeout=120).returncode != 0
    assert len(list(out.iterdir())) == (signal == "SIGKILL")
    (out / "_photos.new").touch()  # what earlier versions left
    assert score(photos, out, model=model_path, aligned=True).scored == 43
    assert sorted(names(out)) == sorted(path.name for path in photos.iterdir())


def test_a_refused_name_leaves_nothing(photo, tmp_path, model_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    bad = os.fsencode(folder) + b"/\xff.jpg"
    Path(os.fsdecode(bad)).write_bytes(photo.read_bytes())
    with pytest.raises(blan.InvalidArgumentError, match="rename the file"):
        score(folder, out, model=model_path, aligned=True)
    assert list(out.iterdir()) == []
    os.rename(bad, folder / "good.jpg")
    assert score(folder, out, model=model_path, aligned=True).scored == 1


def test_a_list_that_cannot_be_read_is_what_is_said(tmp_path, model_path):
    with pytest.raises(blan.FileError, match=r"^cannot read /proc/self/mem: Input/output error"):
        score("/proc/self/mem", tmp_path / "out", model=model_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_of_parts_without_their_plan_is_refused(photos, tmp_path, model_path):
    score(photos, tmp_path / "out", model=model_path, aligned=True)
    (tmp_path / "out" / "_plan.json").unlink()
    with pytest.raises(blan.InvalidArgumentError, match="other things"):
        score(photos, tmp_path / "out", model=model_path)


@pytest.mark.parametrize("column", ["path", "bytes"])
def test_parquet_and_lists_are_inputs(photos, tmp_path, model_path, column):
    files = sorted(photos.iterdir())
    frame = pandas.DataFrame({"path": [str(file) for file in files], "note": 1})
    if column == "bytes":
        frame["bytes"] = [file.read_bytes() for file in files]
    frame.to_parquet(tmp_path / "photos.parquet", row_group_size=17)
    done = score(tmp_path / "photos.parquet", tmp_path / "out", model=model_path, aligned=True, part_photos=10)
    assert (done.photos, done.unreadable) == (43, 2)
    assert names(tmp_path / "out") == [file.name for file in files]
    (photos / "list.txt").write_text("face.jpg\n\nnowhere.jpg\n")
    try:
        result = CliRunner().invoke(
            app, ["score", str(photos / "list.txt"), str(tmp_path / "listed"), "--model", str(model_path), "--aligned"]
        )
    finally:
        (photos / "list.txt").unlink()
    assert result.exit_code == 1, result.output
    assert "1 of 2 photos could not be read" in result.output
    assert names(tmp_path / "listed") == ["face.jpg", "nowhere.jpg"]


def test_spark_calls_it_with_frames(photos, model_path):
    files = sorted(photos.iterdir())
    frames = [
        pandas.DataFrame({"path": [str(file) for file in files[:20]]}),
        pandas.DataFrame({"path": [], "bytes": []}),
        pandas.DataFrame({"bytes": [file.read_bytes() for file in files[20:]] + [None]}),
    ]
    taken = []

    def arriving():
        for number, frame in enumerate(frames):
            taken.append(number)
            yield frame

    columns = schema(model=model_path, embeddings=True).names
    results = []
    for result in score_batches(arriving(), model=model_path, aligned=True, embeddings=True):
        assert len(taken) == len(results) + 1, "frames are read as they are wanted"
        assert list(result.columns) == columns
        results.append(result)
    assert [len(result) for result in results] == [20, 0, 24]
    assert results[0]["error"].notna().sum() + results[2]["error"].notna().sum() == 3
    ddl = spark_schema(model=model_path, embeddings=True)
    assert ddl.startswith("`path` string, `error` string, `face` int, `left` float") and ddl.endswith(
        "`embedding` array<float>"
    )
    with pytest.raises(blan.InvalidArgumentError, match="expected path or bytes"):
        list(score_batches([pandas.DataFrame({"image": []})], model=model_path))


KILLING = """
import os, signal, subprocess, sys, time
from pathlib import Path
from blan.scoring import score

source, output, model, photos = sys.argv[1:]
killed = []

def workers():
    lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if line.split()[1].startswith("ray::") and "Map(" in line]

def progress(done, count):
    if not killed and done:
        for pid in workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

done = score(source, output, model=model, aligned=True, part_photos=int(photos), ray=True, on_progress=progress)
print(done.photos, done.scored, done.unreadable, len(killed))
"""


def score_on_ray(source, output, model, part_photos, tmp_path):
    """Scores on a local Ray cluster and kills a worker in the middle; what the script prints."""
    script = tmp_path / "killing.py"
    script.write_text(KILLING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(blan.__file__).parents[1])])}
    result = subprocess.run(
        [sys.executable, script, source, output, model, str(part_photos)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return [int(number) for number in result.stdout.split()[-4:]]


@pytest.mark.slow
def test_ray_survives_the_death_of_a_worker(photos, tmp_path, model_path):
    pytest.importorskip("ray")
    counts = score_on_ray(photos, tmp_path / "out", model_path, 2, tmp_path)
    assert counts == [43, 43, 2, 1]
    assert sorted(names(tmp_path / "out")) == sorted(path.name for path in photos.iterdir())
