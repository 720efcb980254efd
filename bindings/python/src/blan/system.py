"""What runs underneath: for bug reports and `blan info`."""

from __future__ import annotations

from dataclasses import dataclass

from ._library import library, library_path
from .precision import NUMBERS


@dataclass(frozen=True)
class System:
    """The library and what it runs on.

    Attributes:
        version: of libblan.
        library: the file that it was loaded from.
        instruction_set: what the kernels run on: "avx512", "avx2" or "portable".
        openmp_runtime: the OpenMP runtime behind them.
        default_threads: what ``threads=0`` stands for.
        native_precisions: the precisions that this CPU has instructions of its own for; the others are slower than
            "f32" on it.
    """

    version: str
    library: str
    instruction_set: str
    openmp_runtime: str
    default_threads: int
    native_precisions: tuple[str, ...]


def system() -> System:
    """Asks the library; starts no thread."""
    call = library()
    return System(
        version=call.blan_version().decode(),
        library=library_path(),
        instruction_set=call.blan_instruction_set().decode(),
        openmp_runtime=call.blan_openmp_runtime().decode(),
        default_threads=call.blan_default_threads(),
        native_precisions=tuple(name for name, number in NUMBERS.items() if call.blan_precision_is_native(number)),
    )
