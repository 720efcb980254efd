"""What several tests share: a photo, a small model, and where CelebA may be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import blan
import numpy as np
import pytest
import shapes

REPOSITORY = Path(__file__).resolve().parents[3]


def chromium() -> str:
    """Debian's Chromium, which scripts/test.sh installs; tests that drive it are skipped where it is missing."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def photo() -> Path:
    """The bundled face, aligned."""
    return REPOSITORY / "examples" / "data" / "astronaut.jpg"


@pytest.fixture(scope="session")
def whole_photo() -> Path:
    """The photo that the bundled one was cut out of."""
    return REPOSITORY / "examples" / "data" / "astronaut_full.jpg"


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights: quick, and its scores tell photos apart."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    blan.init(path, width=8, input_size=64, seed=3)
    return path


@pytest.fixture(scope="session")
def model(model_path: Path) -> blan.Model:
    return blan.load(model_path)


@pytest.fixture(scope="session")
def faces() -> list[np.ndarray]:
    """Pictures of different sizes."""
    random = np.random.default_rng(7)
    sizes = [(109, 89), (64, 64), (200, 150), (31, 47), (90, 300)]
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Each file that is renamed while the test runs, and whether it was flushed to the disk before."""
    fsync, replace = os.fsync, os.replace
    flushed, renamed = set(), {}

    def note_flush(descriptor: int) -> None:
        fsync(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def note_rename(source: str, target: str) -> None:
        renamed[os.path.basename(target)] = os.stat(source).st_ino in flushed
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(os, "replace", note_rename)
    return renamed


@pytest.fixture(scope="session")
def celeba() -> Path:
    """The folder of celeba-8k; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("BLAN_CELEBA", REPOSITORY.parent / "shared" / "data" / "celeba-8k"))
    if not (folder / "img_align_celeba").is_dir():
        pytest.skip(f"no CelebA images in {folder}; BLAN_CELEBA names their folder")
    return folder


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 drawn pictures with three attributes: 64 to train, 16 to validate, 16 to test."""
    return shapes.write(tmp_path_factory.mktemp("drawings"))
