"""Which processes run on a data directory, written down so that a start can end what a killed one left behind.

A number alone proves nothing: it is given to another process sooner or later. What is written down is the number
*and* the moment of birth, so a process is ended only if it is the very one that was started here.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LOOKED_AGAIN_SECONDS = 0.02
ON_LINUX = sys.platform == "linux"
_ZOMBIE = "Z"


def birth_of(pid: int) -> str | None:
    """The moment `pid` was born, as an opaque text that no other process shares; None if it is not alive."""
    return _birth_on_linux(pid) if ON_LINUX else _birth_elsewhere(pid)


def record(folder: Path, name: str, pid: int) -> None:
    """Write down that `name` runs as `pid`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / name).write_text(f"{pid} {birth_of(pid)}")


def forget(folder: Path, name: str) -> None:
    """Write down that `name` runs no more."""
    (folder / name).unlink(missing_ok=True)


def recorded(folder: Path) -> dict[str, int]:
    """The processes written down in `folder` that are still alive, by name."""
    alive = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        pid, _, birth = entry.read_text().partition(" ")
        if pid.isdigit() and birth_of(int(pid)) == birth:
            alive[entry.name] = int(pid)
    return alive


def end(pid: int, signals: tuple[tuple[signal.Signals, float], ...], tick: Callable[[], None]) -> bool:
    """Send each signal in turn and give it its seconds. True once `pid` is gone. It need not be our child."""
    birth = birth_of(pid)
    for number, seconds in signals:
        patience = time.monotonic() + seconds
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        while time.monotonic() < patience:
            if birth_of(pid) != birth:
                return True
            tick()
            time.sleep(LOOKED_AGAIN_SECONDS)
    return birth_of(pid) != birth


def command_of(pid: int) -> str:
    """The command line of a live process, its words separated by spaces; empty if it cannot be seen."""
    if ON_LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ps(pid, "command=")


def _birth_on_linux(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, started_ticks = fields[0], fields[19]  # fields 3 and 22 of proc(5), counted after the name
    return None if state == _ZOMBIE else f"{boot} {started_ticks}"


def _birth_elsewhere(pid: int) -> str | None:
    started, state = _ps(pid, "lstart="), _ps(pid, "state=")
    return None if not started or state.startswith(_ZOMBIE) else started


def _ps(pid: int, what: str) -> str:
    shown = subprocess.run(["/bin/ps", "-o", what, "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()
