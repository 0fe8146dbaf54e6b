"""Keeps the processes of a city alive, and stops them all when asked.

What ends is started again after a pause that grows to a bound. A part that ends before it was ever ready, several times
in a row, is not tried for ever: the city stops and says what that part said last. Nothing is restarted because
something else was: web and worker find PostgreSQL and Redis again by themselves. What needs a server that is away
is started once that server is back.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from city.children import Child, Part
from city.waiting import did_not_start

FIRST_PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 3.0
STEADY_AFTER_SECONDS = 10.0
"""What ran this long is started again after the first pause, however often it ended before."""
FAILED_STARTS_MAX = 8
FAILED_FIRST_STARTS_MAX = 3
"""While a city is being started somebody waits, so its parts get fewer tries than later."""
LOOKED_EVERY_SECONDS = 0.1
LOGS_LOOKED_EVERY_SECONDS = 5.0
ASKING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNLESS_IGNORED = (signal.SIGHUP,)
assert FIRST_PAUSE_SECONDS <= PAUSE_SECONDS_MAX < STEADY_AFTER_SECONDS


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


class Asked:
    """Whether somebody asked us to stop: Ctrl-C, SIGTERM, or a terminal that went away."""

    def __init__(self) -> None:
        self._count = 0
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)

    def note(self, _: int, __: FrameType | None) -> None:
        """The signal handler."""
        self._count += 1

    def to_stop(self) -> bool:
        """Whether we were asked to stop."""
        return self._count > 0

    def to_hurry(self) -> bool:
        """Whether we were asked again, and are to wait for nobody."""
        return self._count > 1

    def wait(self, seconds: float) -> None:
        """Sleep, but wake at once when a signal or the end of a child arrives."""
        if select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 512)

    @contextmanager
    def listening(self) -> Iterator["Asked"]:
        """Take the signals over for the block. A terminal that goes away stays ignored where nohup said so."""
        heard = [number for number in ASKING_SIGNALS if number not in UNLESS_IGNORED or not _is_ignored(number)]
        before = {number: signal.signal(number, self.note) for number in heard}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)  # only so that `wait` wakes
        woken_before = signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._woken)
            os.close(self._wakes)


class Kept:
    """A child with its history: when it may start again, and how often it failed to."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.was_ready = False
        self.is_due_at: float | None = None
        self.pause_seconds = FIRST_PAUSE_SECONDS
        self.failed_starts = 0
        self.has_ended = False

    def start(self) -> None:
        """Start it. Raises OSError when the machine cannot."""
        self.is_due_at = None
        self.child.start()

    def plan_restart(self, *, blameless: bool) -> None:
        """Note that it ended and when it is started again."""
        if time.monotonic() - self.child.started_at >= STEADY_AFTER_SECONDS:
            self.pause_seconds = FIRST_PAUSE_SECONDS
        if self.was_ready:
            self.failed_starts = 0
        elif not blameless:
            self.failed_starts += 1
        self.was_ready = False
        self.has_ended = True
        self.is_due_at = time.monotonic() + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, PAUSE_SECONDS_MAX)


class Supervisor:
    """The processes of one city. `say` is told what happens to them, one line at a time."""

    def __init__(self, logs: Path, running: Path, asked: Asked, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._running = running
        self._asked = asked
        self._say = say
        self._kept: dict[str, Kept] = {}
        self._failed_starts_max = FAILED_FIRST_STARTS_MAX
        self._logs_due_at = 0.0

    def start(self, parts: Iterable[Part]) -> None:
        """Start these processes, all at once, and keep them from now on."""
        for part in parts:
            self._kept[part.name] = Kept(Child(part, self._logs, self._running))
            self._start(self._kept[part.name])

    def await_ready(self, tick: Callable[[], None]) -> None:
        """Return once every process is ready, or we were asked to stop. Raises CannotStart if one never is.

        A process may end and be started again meanwhile, within the same bounds as later.
        """
        while not self._asked.to_stop() and not all(kept.was_ready for kept in self._kept.values()):
            self.tend()
            tick()
            self._asked.wait(LOOKED_EVERY_SECONDS / 5)

    def keep(self) -> None:
        """Keep every process alive until asked to stop. Raises CannotStart when one cannot be kept."""
        self._failed_starts_max = FAILED_STARTS_MAX
        while not self._asked.to_stop():
            self.tend()
            self._asked.wait(LOOKED_EVERY_SECONDS)

    def tend(self) -> None:
        """Look at each process once: note what became ready, plan what ended, start what is due."""
        for kept in self._kept.values():
            if kept.is_due_at is not None:
                if time.monotonic() >= kept.is_due_at and not self._missing(kept):
                    self._start(kept)
            elif not kept.child.is_alive():
                self._note_ended(kept, kept.child.ending())
            elif not kept.was_ready:
                self._look_whether_ready(kept)
        if time.monotonic() >= self._logs_due_at:
            self._logs_due_at = time.monotonic() + LOGS_LOOKED_EVERY_SECONDS
            for kept in self._kept.values():
                kept.child.bound_log()

    def run_once(self, part: Part, tick: Callable[[], None]) -> None:
        """Run a process that ends by itself, and wait for it. Raises CannotStart with its last words if it fails."""
        child = Child(part, self._logs, self._running)
        child.start()
        patience = time.monotonic() + part.ready_within_seconds
        try:
            while child.is_alive() and not self._asked.to_stop() and time.monotonic() < patience:
                self.tend()
                tick()
                self._asked.wait(LOOKED_EVERY_SECONDS / 5)
            if not self._asked.to_stop() and not child.succeeded():
                raise did_not_start(child, "took too long" if child.is_alive() else child.ending())
        finally:
            child.stop()

    def stop(self, stages: Iterable[Iterable[str]], tick: Callable[[], None]) -> None:
        """Stop every process: the names of a stage side by side, each stage after the one before it."""

        def hurry() -> None:
            tick()
            if self._asked.to_hurry():
                for kept in self._kept.values():
                    kept.child.kill()

        for stage in stages:
            there = [self._kept[name].child for name in stage if name in self._kept]
            for child in there:
                child.ask_to_stop()
            for child in there:
                child.stop(hurry)

    def _start(self, kept: Kept) -> None:
        try:
            kept.start()
        except OSError as problem:
            self._note_ended(kept, f"cannot be started: {problem.strerror}")

    def _note_ended(self, kept: Kept, how: str) -> None:
        kept.plan_restart(blameless=bool(self._missing(kept)))
        if kept.failed_starts >= self._failed_starts_max:
            raise did_not_start(kept.child, f"{how}, {kept.failed_starts} times before it was ready")
        self._say(f"{kept.child.part.name} {how}; starting it again")

    def _missing(self, kept: Kept) -> list[str]:
        """What it needs and what is not ready now."""
        return [need for need in kept.child.part.needs if need in self._kept and not self._kept[need].was_ready]

    def _look_whether_ready(self, kept: Kept) -> None:
        child = kept.child
        if child.is_ready():
            kept.was_ready = True
            if kept.has_ended:
                self._say(f"{child.part.name} is ready again")
        elif time.monotonic() - child.started_at > child.part.ready_within_seconds:
            child.kill()
            self._note_ended(kept, f"was not ready within {child.part.ready_within_seconds:.0f} s")
