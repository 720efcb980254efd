"""The samples of the README run as they stand, and the links of all documents lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import blan
import pytest
import typer
from blan.cli.app import app
from conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    path
    for path in REPOSITORY.rglob("*.md")
    if not {"build", ".venv", ".build"} & set(path.relative_to(REPOSITORY).parts)
]


def sample(language: str, beginning: str) -> str:
    """The one block of a language that begins as given."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(beginning)]
    return found


def test_the_c_sample(tmp_path):
    library = REPOSITORY / "build" / "lib"
    if not (library / "libblan.so").exists():
        pytest.skip("no build/lib/libblan.so; run scripts/build.sh")
    (tmp_path / "face.c").write_text(sample("c", "#include <blan.h>"))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{REPOSITORY / 'include'}"]
    linking = [f"-L{library}", f"-Wl,-rpath,{library}", "-lblan"]
    subprocess.run(["gcc", *flags, tmp_path / "face.c", *linking, "-o", tmp_path / "face"], check=True)
    result = subprocess.run([tmp_path / "face"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    printed = dict(line.split() for line in result.stdout.splitlines())
    (expected,) = blan.load().predict(REPOSITORY / "examples" / "data" / "astronaut_full.jpg")
    assert printed == {name: f"{expected[name]:.3f}" for name in expected.names}


def test_the_python_sample(tmp_path):
    code = sample("python", "import blan")
    assert "build/faces.html" in code
    code = code.replace("build/faces.html", str(tmp_path / "faces.html"))
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert lines[1].endswith(" (40,)")
    assert "a.jpg" in lines[2] and "No such file" in lines[2]
    assert (tmp_path / "faces.html").stat().st_size > 10_000


def test_the_command_lines(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("face.jpg", "photos/a.jpg", "photos/b.jpg"):
        shutil.copy(REPOSITORY / "examples" / "data" / "astronaut.jpg", tmp_path / name)
    lines = sample("sh", "blan predict").splitlines()
    assert len(lines) >= 6
    # The program that belongs to this Python, whatever else is on the PATH.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in lines:
        if find_spec("ray") is None:  # scripts/test.sh --quick does not install it: then here, without a cluster
            line = line.replace(" --ray", "")
        result = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{line}: {result.stderr}"
    written = {path.name for path in tmp_path.iterdir()}
    pages = {"page.html", "sheet.html"}
    files = {"attributes.csv", "index.parquet", "blan.onnx", "new.safetensors", "scores"}
    assert written == {"face.jpg", "photos", *pages, *files}
    assert len((tmp_path / "attributes.csv").read_text().splitlines()) == 3


def test_every_option_named_is_one():
    commands = typer.main.get_command(app).commands
    lines = re.findall(r"^blan (\S+) (.*?)(?:#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 10
    for name, arguments in lines:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in arguments.split() if word.startswith("-") and len(word) > 1} <= known, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_module_map_names_what_is_there():
    for path in re.findall(r"^\| `([A-Za-z/]+)`", README, re.MULTILINE):
        assert (REPOSITORY / path).is_dir(), path
    modules = {path.name for path in (REPOSITORY / "Sources").iterdir() if path.name.startswith(("BLAN", "CBLANK"))}
    assert set(re.findall(r"^\| `Sources/(\w+)`", README, re.MULTILINE)) == modules
