"""Puts the built library and the bundled model into the wheel, and takes the version from blan.h.

pyproject.toml holds everything else. Build libblan.so first: scripts/build.sh.
"""

import re
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = REPOSITORY / "build" / "lib" / "libblan.so"


def version() -> str:
    """The project's version, which stands in blan.h alone."""
    header = (REPOSITORY / "include" / "blan.h").read_text(encoding="utf-8")
    match = re.search(r'^#define BLAN_VERSION "([^"]+)"', header, re.MULTILINE)
    if match is None:
        raise SystemExit("include/blan.h does not define BLAN_VERSION")
    return match.group(1)


class BuildWithLibrary(build_py):
    """Copies libblan.so and models/ beside the Python modules."""

    def run(self) -> None:
        """Adds the two after the modules are in place."""
        super().run()
        if self.editable_mode:
            return  # an editable installation finds both in the repository
        if not LIBRARY.exists():
            raise SystemExit(f"{LIBRARY} does not exist; build it first: scripts/build.sh")
        package = Path(self.build_lib) / "blan"
        shutil.copyfile(LIBRARY, package / "libblan.so")
        models = package / "models"
        models.mkdir(exist_ok=True)
        for model in [*REPOSITORY.glob("models/*.safetensors"), REPOSITORY / "models" / "README.md"]:
            shutil.copyfile(model, models / model.name)


class BinaryDistribution(Distribution):
    """Says that there is machine code inside, so that it is installed where packages of a platform belong."""

    def has_ext_modules(self) -> bool:
        """True, although setuptools compiles none."""
        return True


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3 of one platform: ctypes loads the library, nothing is compiled for a Python version."""

    def finalize_options(self) -> None:
        """Marks the wheel as one of a platform."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Python version, ABI and platform of the wheel's name."""
        return "py3", "none", super().get_tag()[2]


setup(
    version=version(),
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
)
