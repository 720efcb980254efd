"""Writes what a package of libblan carries: a software bill of materials (CycloneDX, JSON) and the licences.

    scripts/carried.py FOLDER [--libraries BOM]

FOLDER gets libblan.cdx.json below sboms/, and licence texts below licenses/. BOM is the list that auditwheel makes of
the libraries that it copied into a wheel; without it the package carries no library beside libblan.so. A library whose
licence is not known here ends the script: say it in LICENCES.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

REPOSITORY = Path(__file__).resolve().parents[1]
OPENMP = REPOSITORY / "build" / "openmp"

LICENCES = {
    "libgfortran5": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libopenblas0-serial": "BSD-3-Clause",
    "libquadmath0": "LGPL-2.1-or-later",
    "libspng0": "BSD-2-Clause",
    "libturbojpeg0": "IJG AND BSD-3-Clause AND Zlib",
}
"""Debian's packages of libraries that a wheel may carry, with the licences of their machine code."""

COMMON = Path("/usr/share/common-licenses")


@dataclass(frozen=True)
class Part:
    """Something that a package carries, with the file of its licence."""

    name: str
    version: str
    licence: str
    text: Path
    description: str
    purl: PackageURL | None = None
    kind: ComponentType = ComponentType.LIBRARY


def version() -> str:
    """The project's version."""
    header = (REPOSITORY / "include" / "blan.h").read_text(encoding="utf-8")
    return re.search(r'#define BLAN_VERSION "([^"]+)"', header).group(1)


def cxx_library() -> Part:
    """GCC's C++ library, which the Swift runtime calls: the archive that libblan.so is linked with."""
    archive = subprocess.run(["gcc", "-print-file-name=libstdc++.a"], capture_output=True, text=True, check=True)
    owner = subprocess.run(
        ["dpkg", "-S", Path(archive.stdout.strip()).resolve()], capture_output=True, text=True, check=True
    )
    package = owner.stdout.split(":")[0]
    number = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=True
    ).stdout
    return Part(
        "libstdc++",
        number,
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        Path("/usr/share/doc") / package / "copyright",
        "GCC's C++ library, linked into libblan.so",
        PackageURL("deb", "debian", package, number, qualifiers={"arch": "amd64"}),
    )


def inside_the_library() -> list[Part]:
    """What is linked into libblan.so, and the files that go with it."""
    compiler = Path(shutil.which("swift")).resolve().parents[1] / "share" / "swift" / "LICENSE.txt"
    printed = subprocess.run(["swift", "--version"], capture_output=True, text=True, check=True).stdout
    swift = re.search(r"Swift version ([\d.]+)", printed).group(1)
    apache = "Apache-2.0 WITH Swift-exception"
    notice = REPOSITORY / "NOTICE"
    parts = [
        Part(name, swift, apache, compiler, text)
        for name, text in {
            "swift-stdlib": "Swift's standard library and runtime, linked into libblan.so",
            "swift-foundation": "FoundationEssentials, linked into libblan.so",
            "swift-collections": "as FoundationEssentials contains it, linked into libblan.so",
            "swift-corelibs-libdispatch": "linked into libblan.so",
        }.items()
    ]
    openmp = (OPENMP / "version").read_text().strip()
    purl = PackageURL("deb", "debian", "llvm-toolchain-14", openmp, qualifiers={"arch": "source"})
    text = "LLVM's OpenMP runtime, changed by scripts/openmp/private.patch, linked into libblan.so"
    licence = "Apache-2.0 WITH LLVM-exception"
    return [
        *parts,
        Part("llvm-openmp", openmp, licence, OPENMP / "LICENSE.TXT", text, purl),
        cxx_library(),
        Part(
            "mtcnn.safetensors",
            "facenet-pytorch-2.6.0",
            "MIT",
            notice,
            "weights of the face detector",
            PackageURL("pypi", None, "facenet-pytorch", "2.6.0"),
            ComponentType.MACHINE_LEARNING_MODEL,
        ),
        Part(
            "default.safetensors",
            version(),
            "LicenseRef-CelebA-non-commercial-research",
            notice,
            "the bundled network, trained on CelebA: for non-commercial research only",
            None,
            ComponentType.MACHINE_LEARNING_MODEL,
        ),
    ]


def beside_the_library(bill: Path) -> list[Part]:
    """The libraries that auditwheel copied, as its own bill lists them."""
    parts = []
    for component in json.loads(bill.read_text())["components"]:
        purl = PackageURL.from_string(component["purl"])
        if purl.type == "pypi":
            continue  # the wheel itself
        if purl.name not in LICENCES:
            raise SystemExit(f"the wheel carries {purl.name}, whose licence scripts/carried.py does not know")
        text = Path("/usr/share/doc") / purl.name / "copyright"
        parts.append(Part(purl.name, purl.version, LICENCES[purl.name], text, "beside libblan.so in the wheel", purl))
    return parts


def bill_of(parts: list[Part]) -> str:
    """The bill of materials as CycloneDX 1.6, checked against its schema."""
    licences = LicenseFactory()

    def component(part: Part, **more: object) -> Component:
        if part.licence.startswith("LicenseRef-"):
            licence = licences.make_with_name(part.licence)
        else:
            licence = licences.make_from_string(part.licence)
        reference = f"{part.name}@{part.version}"
        return Component(
            name=part.name,
            version=part.version,
            type=part.kind,
            purl=part.purl,
            bom_ref=reference,
            description=part.description,
            licenses=[licence],
            **more,
        )

    whole = Part("libblan", version(), "Apache-2.0", REPOSITORY / "LICENSE", "facial attributes on a CPU")
    bill = Bom()
    bill.metadata.component = component(whole)
    for part in parts:
        bill.components.add(component(part))
    bill.register_dependency(bill.metadata.component, bill.components)
    text = JsonV1Dot6(bill).output_as_string(indent=2)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the bill of materials breaks CycloneDX's schema: {problem}")
    return text


def main() -> None:
    """Writes the bill and the licences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--libraries", type=Path, help="auditwheel's bill of the libraries in the wheel")
    arguments = parser.parse_args()
    parts = inside_the_library() + (beside_the_library(arguments.libraries) if arguments.libraries else [])

    licences, bills = arguments.folder / "licenses", arguments.folder / "sboms"
    licences.mkdir(parents=True, exist_ok=True)
    bills.mkdir(parents=True, exist_ok=True)
    (bills / "libblan.cdx.json").write_text(bill_of(parts) + "\n")
    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(REPOSITORY / name, licences / name)
    for part in parts:
        if part.text.name != "NOTICE":
            shutil.copyfile(part.text, licences / f"{part.name}.txt")
    # Debian's copyright files name these instead of printing them.
    named = {name for part in parts for name in re.findall(rf"{COMMON}/([\w.-]*\w)", part.text.read_text())}
    for name in sorted(named):
        shutil.copyfile(COMMON / name, licences / f"{name}.txt")


if __name__ == "__main__":
    main()
