"""Compares the binary interface of libblan with the committed baseline: libblan.abi and the header of its release.

    abi.py check     # today's header and build/lib/libblan.so against the baseline; then tries itself on bad headers
    abi.py update    # makes today's interface the baseline (scripts/update-abi.sh)

libblan.so is Swift's, and its debug information speaks of Swift's types. What C programs are built against is the
header, so a library of empty functions is compiled from it, exporting what libblan.so exports under the same versions,
and libabigail reads that one. Needs gcc, nm and Debian's abigail-tools; exits with 1 where the interfaces differ.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HEADER = REPOSITORY / "include" / "blan.h"
LIBRARY = REPOSITORY / "build" / "lib" / "libblan.so"
VERSIONS = REPOSITORY / "bindings" / "c" / "blan.map"
BASELINE = HERE / "libblan.abi"
ALLOWED = HERE / "allowed.ini"

FUNCTION = re.compile(r"(?:^|(?<=[;}]))\s*((?!typedef)[a-z_][\w \*]*?\b(blan_\w+)\s*\([^;{}]*\))\s*;")


class Difference(Exception):
    """What a program built earlier would stumble over."""


def output(*command: object) -> str:
    """What a command prints; a failure ends the script with the command's message."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def baseline_header() -> Path:
    """The header of the release that the baseline describes."""
    (header,) = HERE.glob("blan-*.h")
    return header


def functions(header: Path) -> dict[str, str]:
    """Each function that a header declares, with its declaration."""
    text = output("gcc", "-E", "-P", "-x", "c", header)
    return {name: declaration for declaration, name in FUNCTION.findall(text)}


def exported(library: Path) -> set[str]:
    """Each function that a library exports, with its version: blan_version@@blan_0."""
    lines = output("nm", "-D", "--defined-only", library).splitlines()
    return {name for _, kind, name in (line.split() for line in lines if len(line.split()) == 3) if kind in "TW"}


def stand_in(header: Path, folder: Path) -> Path:
    """A library of empty functions with a header's types and names, and with debug information of them."""
    source, library = folder / "stand_in.c", folder / "libblan.so.0"
    bodies = [f"{declaration} {{ __builtin_trap(); }}" for declaration in functions(header).values()]
    source.write_text("\n".join([f'#include "{header}"', *bodies]))
    flags = ["-g", "-O0", "-shared", "-fPIC", f"-Wl,--version-script={VERSIONS}", "-Wl,-soname=libblan.so.0"]
    output("gcc", "-std=c11", *flags, f"-fdebug-prefix-map={folder}/=", source, "-o", library)
    return library


def constants(header: Path, folder: Path) -> dict[str, int]:
    """The value of each enumerator and each whole-numbered macro, which no type of the interface leads to."""
    text = output("gcc", "-E", "-P", "-x", "c", header)
    macros = output("gcc", "-E", "-dM", "-x", "c", header)
    names = re.findall(r"\b(BLAN_[A-Z0-9_]+) = ", text) + re.findall(r"#define (BLAN_[A-Z0-9_]+) \d+$", macros, re.M)
    source, program = folder / "constants.c", folder / "constants"
    prints = "".join(f'printf("{name} %lld\\n", (long long)({name}));' for name in names)
    source.write_text(f'#include <stdio.h>\n#include "{header}"\nint main(void) {{ {prints} }}')
    output("gcc", source, "-o", program)
    return {name: int(value) for name, value in (line.split() for line in output(program).splitlines())}


def describe(header: Path, out: Path) -> None:
    """Writes what libabigail sees of a header's interface."""
    with tempfile.TemporaryDirectory() as folder:
        library = stand_in(header, Path(folder))
        where = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--drop-private-types"]
        output("abidw", *where, "--headers-dir", header.parent, "--out-file", out, library)


def compare(header: Path) -> None:
    """Raises Difference where programs of the baseline would no longer run with a library of this header."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        describe(header, folder / "today.abi")
        command = ["abidiff", "--no-added-syms", "--suppressions", ALLOWED, BASELINE, folder / "today.abi"]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Difference(result.stdout + result.stderr)
        before, now = constants(baseline_header(), folder), constants(header, folder)
        changed = [f"{key} was {value}, is {now.get(key)}" for key, value in before.items() if now.get(key) != value]
        if changed:
            raise Difference("\n".join(changed))


def check_exports() -> None:
    """Raises Difference where libblan.so lacks a function of the header, or gives it another version."""
    with tempfile.TemporaryDirectory() as folder:
        expected, found = exported(stand_in(HEADER, Path(folder))), exported(LIBRARY)
    if expected != found:
        raise Difference(f"in the header only: {expected - found}; in the library only: {found - expected}")


def replaced(old: str, new: str) -> Callable[[str], str]:
    """An edit of the baseline's header; the text must be there."""

    def edit(text: str) -> str:
        if old not in text:
            raise SystemExit(f"{baseline_header()} no longer has what this check changes: {old}")
        return text.replace(old, new, 1)

    return edit


INPUT_SIZE = "size_t blan_model_input_size(const blan_model *model)"
THRESHOLD = "float blan_model_threshold(const blan_model *model, size_t index);"
PREPROCESS = "blan_status blan_preprocess(const blan_model *model,"
VERSION = "const char *blan_version(void);"
LAST_OPTION = "    void *user;               /* handed to on_error */\n"

BAD = {
    "a parameter's type": replaced(THRESHOLD, THRESHOLD.replace("size_t index", "int32_t index")),
    "a result's type": replaced(INPUT_SIZE, INPUT_SIZE.replace("size_t", "int32_t")),
    "a parameter more": replaced(PREPROCESS, PREPROCESS + " int32_t more,"),
    "a function less": replaced(THRESHOLD, ""),
    "a field in the middle of options": replaced("    float *logits; ", "    float *more;\n    float *logits; "),
    "a field's type": replaced("    int64_t row_stride;", "    int32_t row_stride;"),
    "a field more in what the library writes": replaced("    double bytes; ", "    double more;\n    double bytes; "),
    "a number of a status": replaced("BLAN_ERROR_IO = 2", "BLAN_ERROR_IO = 12"),
    "the size of a frame": replaced("#define BLAN_ALIGNED_WIDTH 178", "#define BLAN_ALIGNED_WIDTH 180"),
}

GOOD = {
    "nothing": replaced("", ""),
    "a comment and a parameter's name": replaced(INPUT_SIZE, "/* new */ " + INPUT_SIZE.replace("*model", "*m")),
    "a function more": replaced(VERSION, VERSION + "\nint32_t blan_more(int32_t x);"),
    "a status more": replaced("BLAN_ERROR_IO = 2,", "BLAN_ERROR_IO = 2, BLAN_ERROR_MORE = 90,"),
    "a field at the end of options": replaced(LAST_OPTION, LAST_OPTION + "    float *more;\n"),
}


def check_itself() -> None:
    """Edits the baseline's header in ways that must and must not be seen."""
    for edits, bad in ((BAD, True), (GOOD, False)):
        for name, edit in edits.items():
            with tempfile.TemporaryDirectory() as folder:
                header = Path(folder) / "blan.h"
                header.write_text(edit(baseline_header().read_text()))
                try:
                    compare(header)
                except Difference as difference:
                    if not bad:
                        raise SystemExit(f"{name}: refused, but it is compatible:\n{difference}") from None
                else:
                    if bad:
                        raise SystemExit(f"{name}: not seen, but it breaks programs")
            print(f"passed  {name}: {'seen' if bad else 'accepted'}")


def main() -> None:
    """Runs what the command line asks for."""
    if sys.argv[1:] == ["update"]:
        version = re.search(r'#define BLAN_VERSION "(.+)"', HEADER.read_text())
        baseline_header().unlink(missing_ok=True)
        (HERE / f"blan-{version.group(1)}.h").write_text(HEADER.read_text())
        describe(HEADER, BASELINE)
    elif sys.argv[1:] == ["check"]:
        try:
            check_exports()
            compare(HEADER)
        except Difference as difference:
            raise SystemExit(f"the interface changed; docs/abi.md says what may:\n{difference}") from None
        print("passed  today's interface")
        check_itself()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
