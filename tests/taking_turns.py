"""Tests in several processes at once, and some alone: what is measured, and what is broken on purpose, by itself.

Every process takes a turn for each test. A turn is shared with the other processes, except that of a test marked
`alone`: it begins when the tests under way have ended, and no other begins before it has ended.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ALONE = "alone"
ALONE_IN = ("tests/bench", "tests/faults")
"""Folders whose tests count seconds, or break what they run against: a busy neighbour would pass for their finding."""
TOGETHER_IN = ("tests/clients", "tests/browser")
"""Folders whose tests share a city that takes long to bring up: one process runs all of them."""


class Turns:
    """The turns of one run of the tests, kept by two files that all its processes lock."""

    def __init__(self, run: str) -> None:
        folder = Path(tempfile.gettempdir())
        self._entrance = (folder / f"suishenban-tests-{run}.entrance").open("w")
        self._inside = (folder / f"suishenban-tests-{run}.inside").open("w")

    @contextmanager
    def one(self, *, alone: bool) -> Iterator[None]:
        """Whoever wants to be alone waits at the entrance, where nobody overtakes them."""
        fcntl.flock(self._entrance, fcntl.LOCK_EX)
        fcntl.flock(self._inside, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._entrance, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._inside, fcntl.LOCK_UN)

    def end(self) -> None:
        for file in (self._entrance, self._inside):
            file.close()
            Path(file.name).unlink(missing_ok=True)


def _folder(item: pytest.Item, folders: tuple[str, ...]) -> str | None:
    return next((folder for folder in folders if item.nodeid.startswith(folder + "/")), None)


class OneOfSeveral:
    """What a process does that runs a part of the tests."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A file's tests stay in one process, in order, and those of a shared city too."""
        for item in items:
            group = _folder(item, TOGETHER_IN) or item.nodeid.split("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        alone = _folder(item, ALONE_IN) is not None or item.get_closest_marker(ALONE) is not None
        with self._turns.one(alone=alone):
            return (yield)

    def pytest_unconfigure(self) -> None:
        self._turns.end()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{ALONE}: runs while no other test does")
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.pluginmanager.register(OneOfSeveral(Turns(worker["testrunuid"])), "one-of-several")
