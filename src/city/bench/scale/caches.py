"""What the operating system keeps of files in memory: let go, or read in, so that a figure says which it is."""

import os
from contextlib import suppress
from pathlib import Path

from city.bench.scale.room import files_below

_PIECE = 4 * 1024**2


def can_let_go() -> bool:
    """Whether this system forgets files when asked to."""
    return hasattr(os, "posix_fadvise")


def let_go(folder: Path) -> None:
    """Have the system forget what it read of the files below a folder. What was not on disk yet is written first."""
    os.sync()
    for path in files_below(folder):
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_in(first: Path) -> None:
    """Have the system read a table or an index, whose files follow the first, and keep what it has memory for."""
    for path in sorted(first.parent.glob(f"{first.name}*")):
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            while file.read(_PIECE):
                continue
