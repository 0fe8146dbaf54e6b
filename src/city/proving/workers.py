"""Two `suishenban worker` processes, killed without a word and started again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from city.children import Child, Part
from city.parts import STOP, command_line
from city.waiting import did_not_start
from kernel.db import DatabaseAway

COUNT: Final = 2
FALLEN_MAX: Final = 20
AWAY: Final = DatabaseAway.__name__


class Workers:
    """The workers. Call from the thread that lives as long as they shall."""

    def __init__(self, environ: Mapping[str, str], logs: Path, running: Path) -> None:
        self._children = [
            Child(Part(name=f"worker-{nth}", command=command_line("worker"), environ=environ, stop=STOP), logs, running)
            for nth in range(1, COUNT + 1)
        ]
        self._killed = 0
        self._fallen = 0

    def start(self) -> None:
        for child in self._children:
            child.start()

    def kill_one(self) -> None:
        """kill -9, one after the other, and a new one in its place."""
        child = self._children[self._killed % COUNT]
        self._killed += 1
        child.kill()
        child.start()

    def start_fallen(self) -> int:
        """Start those again that ended by themselves, as a supervisor does; how many that was.

        One that comes up while the database is away ends. Raises CannotStart for any other end, and when it goes on so.
        """
        fallen = [child for child in self._children if not child.is_alive()]
        self._fallen += len(fallen)
        for child in fallen:
            if AWAY not in "".join(child.last_words()) or self._fallen > FALLEN_MAX:
                raise did_not_start(child, child.ending())
            child.kill()
            child.start()
        return len(fallen)

    def stop(self) -> None:
        """Ask all to stop, and wait."""
        for child in self._children:
            child.ask_to_stop()
        for child in self._children:
            child.stop()


@contextmanager
def working(environ: Mapping[str, str], logs: Path, running: Path) -> Iterator[Workers]:
    """Both at work, until the block ends."""
    workers = Workers(environ, logs, running)
    try:
        workers.start()
        yield workers
    finally:
        workers.stop()
