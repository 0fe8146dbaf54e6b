"""A running city holds the Python environment it runs from, so that nothing takes that environment away under it."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "suishenban-in-use"


@contextmanager
def hold_environment() -> Iterator[None]:
    """Hold the environment this process runs from for the block. Any number of cities may, and there may be no mark."""
    held = _opened(Path(sys.prefix) / MARK)
    try:
        if held is not None:
            fcntl.flock(held, fcntl.LOCK_SH)
        yield
    finally:
        if held is not None:
            os.close(held)


def is_held(environment: Path) -> bool:
    """Whether a city runs from this environment."""
    looked = _opened(environment / MARK)
    if looked is None:
        return False
    try:
        fcntl.flock(looked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(looked)


def _opened(mark: Path) -> int | None:
    """The open mark, made by whoever prepared the environment; None where nobody did."""
    with suppress(OSError):
        return os.open(mark, os.O_RDONLY | os.O_CLOEXEC)
    return None
