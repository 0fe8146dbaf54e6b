"""Tests in several processes at once, and some alone: what is measured, by itself.

Every process takes a turn for each test. A turn is shared with the other processes, except that of a test marked
`alone`: it begins when the tests under way have ended, and no other begins before it has ended.
"""

import fcntl
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from _pytest.nodeid import NodeId
from xdist.scheduler import LoadScopeScheduling

ALONE = "alone"
ALONE_IN = "tests/bench/"
"""Here tests measure: a busy neighbour would pass for their finding."""
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


def _group(nodeid: str) -> str:
    """What is run by one process, in order: a file's tests, or those of all files that share a city."""
    file = nodeid.split("::")[0]
    return next((folder for folder in TOGETHER_IN if file.startswith(folder + "/")), file)


class Together(LoadScopeScheduling):
    """Gives out groups of tests, in the order in which they were found."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)

    def schedule(self) -> None:
        for found in self.registered_collections.values():
            assert len(found) == len(set(found)), "two tests of one name, of which one would be lost"
        super().schedule()


class OneOfSeveral:
    """What a process does that runs a part of the tests."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give every test a name of its own: tests are given out by their names, and of two alike one would be lost."""
        seen: Counter[str] = Counter()
        for item in items:
            seen[item.nodeid] += 1
            if seen[item.nodeid] > 1:
                item._id = NodeId.parse(f"{item.nodeid}[{seen[item.nodeid]}]")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        alone = item.nodeid.startswith(ALONE_IN) or item.get_closest_marker(ALONE) is not None
        with self._turns.one(alone=alone):
            return (yield)

    def pytest_unconfigure(self) -> None:
        self._turns.end()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{ALONE}: runs while no other test does")
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.pluginmanager.register(OneOfSeveral(Turns(worker["testrunuid"])), "one-of-several")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)
