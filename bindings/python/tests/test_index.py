"""`blan.index`: what the Parquet file holds, and that nothing is read twice, whatever happened before."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

import blan
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from blan.cli.app import app
from blan.report import png
from blan.search import parts
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path, photo, whole_photo):
    """Three good photos (one twice beside itself), one without a face, one broken, one that is no photo by its name."""
    photos = tmp_path / "photos"
    (photos / "below" / ".hidden").mkdir(parents=True)
    shutil.copy(whole_photo, photos / "a.jpg")
    shutil.copy(photo, photos / "below" / "b.JPEG")
    whole = blan.read_image(whole_photo)
    (photos / "two.png").write_bytes(png.encode(np.concatenate([whole, whole[::2, ::2].repeat(2, 0)], axis=1)))
    (photos / "empty.png").write_bytes(png.encode(np.full((80, 80, 3), 128, np.uint8)))
    (photos / "broken.jpg").write_bytes(b"no photo")
    (photos / "notes.txt").write_text("no photo")
    shutil.copy(photo, photos / "below" / ".hidden" / "c.jpg")
    return photos


@pytest.fixture
def read(folder, tmp_path, model_path):
    """Indexes the folder; returns what was done, and the paths that were read."""

    def read(**options):
        calls, unreadable = [], []
        done = blan.index(
            folder,
            tmp_path / "index.parquet",
            **({"model": model_path} | options),
            on_progress=lambda done, count: calls.append((done, count)),
            on_unreadable=lambda path, error: unreadable.append((path, error)),
        )
        assert calls == [(number, done.read) for number in range(1, done.read + 1)]
        assert len(unreadable) == done.unreadable
        return done

    return read


def rows_of(path):
    return parquet.read_table(path).to_pylist()


def test_every_face_is_there(read, folder, model, tmp_path):
    done = read()
    assert (done.photos, done.read, done.unreadable, done.removed) == (5, 5, 1, 0)
    rows = rows_of(done.path)
    by_path = {}
    for row in rows:
        by_path.setdefault(row["path"], []).append(row)
    assert sorted(by_path) == ["a.jpg", "below/b.JPEG", "broken.jpg", "empty.png", "two.png"]
    assert done.faces == sum(row["face"] is not None for row in rows) >= 4
    for name in ("a.jpg", "below/b.JPEG", "two.png"):
        wanted = model.predict(folder / name, embeddings=True)
        assert [row["face"] for row in by_path[name]] == list(range(1, len(wanted) + 1))
        for row, prediction in zip(by_path[name], wanted, strict=True):
            np.testing.assert_allclose(
                [row["left"], row["top"], row["right"], row["bottom"]], prediction.face.box, atol=1e-3
            )
            np.testing.assert_allclose(row["landmarks"], prediction.face.landmarks.ravel(), atol=1e-3)
            np.testing.assert_allclose(row["score"], prediction.face.score, atol=1e-6)
            np.testing.assert_allclose([row[n] for n in model.names], prediction.probabilities, atol=1e-6)
            np.testing.assert_allclose(row["embedding"], prediction.embeddings.ravel(), rtol=1e-5, atol=1e-5)
            assert row["error"] is None and row["size"] == (folder / name).stat().st_size
            assert row["mtime_ns"] == (folder / name).stat().st_mtime_ns
    (empty,), (broken,) = by_path["empty.png"], by_path["broken.jpg"]
    assert empty["face"] is None and empty["error"] is None and empty["embedding"] is None
    assert broken["face"] is None and "broken.jpg" in broken["error"] and broken[model.names[0]] is None
    assert sorted(os.listdir(tmp_path)) == ["index.parquet", "photos"]


def test_only_what_is_new_or_changed_is_read(read, folder, photo):
    first = read()
    before = os.stat(first.path).st_mtime_ns
    again = read()
    assert (again.read, again.unreadable) == (1, 1)  # what could not be read may be readable by now
    assert os.stat(again.path).st_mtime_ns == before

    shutil.copy(photo, folder / "broken.jpg")
    shutil.copy(photo, folder / "new.jpg")
    shutil.copy(photo, folder / "a.jpg")
    (folder / "two.png").unlink()
    third = read()
    assert (third.photos, third.read, third.unreadable, third.removed) == (5, 3, 0, 1)
    rows = rows_of(third.path)
    assert sorted({row["path"] for row in rows}) == ["a.jpg", "below/b.JPEG", "broken.jpg", "empty.png", "new.jpg"]
    assert [row["face"] for row in rows if row["path"] == "broken.jpg"] == [1]
    assert all(row["error"] is None for row in rows)


def test_every_part_is_on_the_disk_before_it_has_its_name(read, renamed, monkeypatch):
    monkeypatch.setattr(parts, "_PART_PHOTOS", 2)
    read()
    assert renamed == dict.fromkeys(["000001.parquet", "000002.parquet", "000003.parquet", "index.parquet"], True)


def test_another_recipe_reads_everything_again(read, tmp_path):
    read()
    assert read(min_face=30).read == 5
    other = tmp_path / "other.safetensors"
    blan.init(other, width=8, input_size=64, seed=4)
    assert read(min_face=30, model=other).read == 5
    aligned = read(aligned=True)
    assert (aligned.read, aligned.faces) == (5, 4)
    assert all(row["left"] is None and row["landmarks"] is None for row in rows_of(aligned.path))


def test_a_stop_is_gone_on_from(folder, tmp_path, model_path):
    path = tmp_path / "index.parquet"
    with pytest.raises(blan.CancelledError, match="2 of 5"):
        blan.index(folder, path, model=model_path, on_progress=lambda done, _count: done < 2)
    assert not path.exists()
    done = blan.index(folder, path, model=model_path)
    assert (done.photos, done.read) == (5, 4)  # a.jpg is known; broken.jpg is tried again
    assert len({row["path"] for row in rows_of(path)}) == 5
    assert not (tmp_path / "index.parquet.parts").exists()


def test_an_error_of_the_caller_loses_nothing(folder, tmp_path, model_path):
    def fails(done, _count):
        if done == 3:
            raise KeyboardInterrupt

    path = tmp_path / "index.parquet"
    with pytest.raises(KeyboardInterrupt):
        blan.index(folder, path, model=model_path, on_progress=fails)
    assert blan.index(folder, path, model=model_path).read == 3  # broken.jpg is tried again


def command(folder, path, model_path):
    arguments = ["index", str(folder), "-o", str(path), "--model", str(model_path), "--threads", "1", "--aligned"]
    return [sys.executable, "-m", "blan.cli", *arguments]


def test_a_killed_run_is_gone_on_from(tmp_path, photo, model_path):
    """Ended at once between two parts: what they hold is not read again, and a part that is cut off does not count."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        shutil.copy(photo, photos / f"{number:03}.jpg")
    path = tmp_path / "index.parquet"
    script = f"""
import os, blan
from blan.search import parts

def killed(done, _count):
    if done == 35:
        open({str(path)!r} + ".parts/000009.parquet", "wb").write(b"PAR1 cut off")
        os._exit(9)

parts._PART_PHOTOS = 10
blan.index({str(photos)!r}, {str(path)!r}, model={str(model_path)!r}, aligned=True, on_progress=killed)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert not path.exists()
    done = blan.index(photos, path, model=model_path, aligned=True)
    assert (done.photos, done.read) == (40, 10)
    assert sorted(row["path"] for row in rows_of(path)) == sorted(file.name for file in photos.iterdir())


def test_ctrl_c_on_the_command_line(tmp_path, photo, model_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(photo, photos / "0000.jpg")
    for number in range(1, 3000):
        os.link(photos / "0000.jpg", photos / f"{number:04}.jpg")
    path = tmp_path / "index.parquet"
    process = subprocess.Popen(command(photos, path, model_path), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "index.parquet.parts").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130, messages
    assert "goes on from there" in messages and not path.exists()
    done = blan.index(photos, path, model=model_path, aligned=True)
    assert done.photos == 3000 and 0 < done.read < 2000


def test_memory_is_flat_and_row_groups_are_bounded(tmp_path, photo, model_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART_PHOTOS", 16)
    monkeypatch.setattr(parts, "_GROUP_ROWS", 50)
    monkeypatch.setattr(parts, "_BATCH_ROWS", 10)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(120):
        shutil.copy(photo, photos / f"{number:03}.jpg")
    waiting = []
    add = parts.Rows.add
    monkeypatch.setattr(parts.Rows, "add", lambda self, *found: (add(self, *found), waiting.append(len(self)))[0])
    path = tmp_path / "index.parquet"
    blan.index(photos, path, model=model_path, aligned=True)
    assert len(waiting) == 120 and max(waiting) <= 16
    file = parquet.ParquetFile(path)
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(sizes) == 120 and max(sizes) < 80 and min(sizes[:-1]) >= 50


def test_names_that_are_no_text(read, folder, photo):
    name = os.fsencode(folder) + b"/\xff\xfe.jpg"
    with open(name, "wb") as file:
        file.write(photo.read_bytes())
    done = read()
    (row,) = (row for row in rows_of(done.path) if row["path_bytes"] is not None)
    assert row["path_bytes"] == b"\xff\xfe.jpg" and row["path"] == "\\xff\\xfe.jpg"
    assert read().read == 1  # the broken one
    with blan.Index(done.path) as index:
        (found,) = index.find("path like '%xff%'")
    assert os.fsencode(found.path) == os.path.realpath(os.fsencode(folder)) + b"/\xff\xfe.jpg"


def test_an_index_is_not_lost_to_another_folder(read, folder, tmp_path, model_path):
    done = read()
    other = tmp_path / "others"
    other.mkdir()
    with pytest.raises(blan.InvalidArgumentError, match=r"index of .*photos.*not of .*others"):
        blan.index(other, done.path, model=model_path)
    assert len(rows_of(done.path)) >= 5 and not (tmp_path / "index.parquet.parts").exists()
    other.rmdir()
    folder.rename(other)  # a folder that was moved takes its index along
    moved = blan.index(other, done.path, model=model_path)
    assert (moved.photos, moved.read) == (5, 1)
    assert blan.Index(done.path).root == os.path.realpath(other)


def test_what_is_no_index_stays(folder, tmp_path, model_path):
    path = tmp_path / "mine.parquet"
    path.write_bytes(b"my own")
    with pytest.raises(blan.FormatError, match="not a Parquet file"):
        blan.index(folder, path, model=model_path)
    assert path.read_bytes() == b"my own"
    parquet.write_table(pa.table({"path": ["a"]}), path)
    with pytest.raises(blan.FormatError, match="not an index"):
        blan.index(folder, path, model=model_path)
    assert rows_of(path) == [{"path": "a"}]


def test_impossible_calls_are_said(folder, tmp_path, model_path):
    path = tmp_path / "index.parquet"
    with pytest.raises(blan.FileError, match="no such folder"):
        blan.index(tmp_path / "nowhere", path, model=model_path)
    with pytest.raises(blan.FileError, match=r"nowhere/index\.parquet"):
        blan.index(folder, tmp_path / "nowhere" / "index.parquet", model=model_path)
    with pytest.raises(blan.InvalidArgumentError, match="threads"):
        blan.index(folder, path, model=model_path, threads=-1)
    with pytest.raises(blan.InvalidArgumentError, match="bytes"):
        blan.index(folder, path, model=blan.load(model_path.read_bytes()))
    (tmp_path / "index.parquet.parts").mkdir()
    with (tmp_path / "index.parquet.parts" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(blan.InvalidArgumentError, match="another process"):
            blan.index(folder, path, model=model_path)


def test_the_extra_is_named_where_it_is_missing(folder, tmp_path, monkeypatch, model_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(blan.UnsupportedError, match=r"blan\[index\]"):
        blan.index(folder, tmp_path / "index.parquet", model=model_path)


def test_an_empty_folder_makes_an_empty_index(tmp_path, model_path):
    (tmp_path / "none").mkdir()
    done = blan.index(tmp_path / "none", tmp_path / "index.parquet", model=model_path)
    assert (done.photos, done.faces) == (0, 0)
    with blan.Index(done.path) as index:
        assert index.find("Smiling") == [] and index.counts()["photos"] == 0


def test_the_command(folder, tmp_path, model_path):
    path = tmp_path / "index.parquet"
    arguments = ["index", str(folder), "-o", str(path), "--model", str(model_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and result.stdout == ""
    assert "broken.jpg" in result.stderr and "1 of 5 photos could not be read" in result.stderr
    (folder / "broken.jpg").unlink()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0 and "4 photos known already, 1 gone" in result.stderr
