"""One process that we start and keep: how it is started, whether it is ready, how it is stopped, what it said last."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from city import leftovers, tethered
from city.accounts import Account

LOG_BYTES_MAX = 16 * 1024 * 1024
"""A log past this is set aside as NAME.log.1, over the one before it: two of these at most per process."""
LAST_LINES_MAX = 8
LAST_BYTES_MAX = 4096
LOOKED_AGAIN_SECONDS = 0.02
KILLED_WITHIN_SECONDS = 5.0

StopSignals = tuple[tuple[signal.Signals, float], ...]


def _always(_: int) -> bool:
    return True


def _nothing() -> None:
    """Nothing needs to be put right before this part starts."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know about a process before it runs. `is_ready` is asked with its pid, often: be quick."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    stop: StopSignals
    """Signals in the order they are tried, each with the seconds it is given; SIGKILL follows."""
    death_signal: signal.Signals = signal.SIGKILL
    """What it is sent when we end without stopping it."""
    account: Account | None = None
    needs: tuple[str, ...] = ()
    """Parts without which a failure to start is not held against it."""
    is_ready: Callable[[int], bool] = _always
    ready_after_seconds: float = 0.0
    """For what cannot be asked: it is ready when it has lived this long."""
    ready_within_seconds: float = 30.0
    log_bytes_max: int = LOG_BYTES_MAX
    before_start: Callable[[], None] = _nothing


class Child:
    """A part that was started at least once."""

    def __init__(self, part: Part, logs: Path, running: Path) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self._running = running
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began_at = 0
        self._was_asked = False
        self.started_at = 0.0

    @property
    def pid(self) -> int:
        """The process number; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Start the process in a session of its own, so that a Ctrl-C meant for us does not reach it first."""
        self.part.before_start()
        self._set_log_aside()
        account = self.part.account
        shim = (sys.executable, "-I", "-S", tethered.__file__, str(int(self.part.death_signal)), str(os.getpid()))
        who = (str(account.uid), str(account.gid)) if account else ("-", "-")
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            self._log_began_at = log.tell()
            self._process = subprocess.Popen(
                [*shim, *who, *self.part.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(self.part.environ), cwd="/", start_new_session=True,
            )  # fmt: skip
        self.started_at = time.monotonic()
        self._was_asked = False
        with suppress(OSError):  # on a full disk it runs all the same; only a later start would not know of it
            leftovers.record(self._running, self.part.name, self._process.pid)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        lived_long_enough = time.monotonic() - self.started_at >= self.part.ready_after_seconds
        return lived_long_enough and self.is_alive() and self.part.is_ready(self.pid)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return "is running"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def succeeded(self) -> bool:
        return self._process is not None and self._process.poll() == 0

    def last_words(self) -> list[str]:
        """The last lines it wrote since it was started last."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_began_at, size - LAST_BYTES_MAX) if size >= self._log_began_at else 0)
            return log.read(LAST_BYTES_MAX).decode(errors="replace").splitlines()[-LAST_LINES_MAX:]

    def ask_to_stop(self) -> None:
        """Send the first of its stop signals and return at once."""
        if self._process is not None and self.is_alive() and not self._was_asked:
            self._was_asked = True
            self._process.send_signal(self.part.stop[0][0])

    def stop(self, tick: Callable[[], None] = _nothing) -> None:
        """Stop it within the bounds its part names, and whatever it started itself."""
        process = self._process
        if process is None:
            return
        self.ask_to_stop()
        for turn, (number, seconds) in enumerate(self.part.stop):
            if process.poll() is None:
                if turn:
                    process.send_signal(number)
                self._await_end(process, seconds, tick)
        self.kill()

    def kill(self) -> None:
        """End it, and what it started itself, without asking; forget it if it has ended already."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:  # not reaped, so the number is still its own
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(KILLED_WITHIN_SECONDS)
        leftovers.forget(self._running, self.part.name)

    def bound_log(self) -> None:
        """Set the log aside once it is too long. Lines written in that very moment may be lost; nothing else is."""
        if self.log.exists() and self.log.stat().st_size > self.part.log_bytes_max:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)
            self._log_began_at = 0

    def _set_log_aside(self) -> None:
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        self.bound_log()

    def _await_end(self, process: subprocess.Popen[bytes], seconds: float, tick: Callable[[], None]) -> None:
        patience = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < patience:
            tick()
            time.sleep(LOOKED_AGAIN_SECONDS)
