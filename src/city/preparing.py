"""Makes the Python environment that a checkout runs from, with the standard library alone: nothing else is there yet.

    python3 -P -m city.preparing CHECKOUT requirements.lock

Called by ./run when `.venv` is missing, half made, made for another Python, or made before the lock file changed.
Several may call at once: one works, the others wait. An environment is used only once it carries a stamp, which is
written last, so a half-made one is made again. One that lacks packages is given them in place, which harms nothing
that runs from it; one that needs other versions is made anew, and not while a city runs from it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from city import locked_requirements as locks
from city.errors import CannotStart
from city.in_use import MARK, is_held
from city.installing import Pip
from city.progress import Progress, Step

STAMP = "suishenban-ready"
FREE_BYTES_MIN = 900 * 1024 * 1024
"""The environment takes 450 MB with the test suite's packages, and as much again is on its way at most."""
WAITING_EVERY_SECONDS = 0.2


class Checkout:
    """Where things are in a checkout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = path / ".venv"
        self.python = self.environment / "bin" / "python"
        self.stamp = self.environment / STAMP
        self.work = path / ".venv-work"
        self.downloads = self.work / "downloads"
        self.log = self.work / "pip.log"


def main(arguments: list[str]) -> int:
    """Prepare the environment for one lock file. Exit 0 when it is ready, 1 with a sentence when it cannot be."""
    path, lock_name = arguments
    try:
        prepare(Checkout(Path(path)), lock_name, Progress(sys.stderr))
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was made so far is put right next time\n")
        return 130
    return 0


def prepare(at: Checkout, lock_name: str, progress: Progress) -> None:
    """Make the environment ready for `lock_name`, or find that it is. Raises CannotStart."""
    _check_folder(at)
    with _alone(at, progress):
        stamp = locks.stamp_line(at.path / lock_name)
        stamped = _stamped(at)
        if stamp in stamped:
            return
        blocks = locks.read(at.path / lock_name)
        if not _can_be_completed(at, blocks):
            _make_anew(at, progress)
            stamped = []
        installed = locks.installed(at.environment)
        _add(at, [block for block in blocks if locks.key(block) not in installed], progress)
        (at.environment / MARK).touch()
        _write_stamp(at, stamp, stamped)


def _add(at: Checkout, missing: list[str], progress: Progress) -> None:
    """Install what is missing. Some of it may be for other machines only; pip knows which."""
    if not missing:
        return
    _check_disk(at)
    at.stamp.unlink(missing_ok=True)
    part = at.work / "missing.lock"
    part.write_text("".join(missing), encoding="utf-8")
    pip = Pip(at.python, part, at.downloads, at.log, len(missing))
    with progress.step("downloaded packages") as step:
        pip.download(step)
    with progress.step("installed them") as step:
        pip.install(step)
    shutil.rmtree(at.downloads, ignore_errors=True)


def _stamped(at: Checkout) -> list[str]:
    """The lines of the stamp; none if it was made for a Python that is no longer the one behind `.venv`."""
    lines = at.stamp.read_text(encoding="utf-8").splitlines() if at.stamp.exists() else []
    return lines if f"python {_version_of(at.python)}" in lines else []


def _write_stamp(at: Checkout, line: str, before: list[str]) -> None:
    """Write the stamp: `line`, and what it said `before` of other lock files."""
    name = line.split()[0]
    others = [old for old in before if not old.startswith((f"{name} ", "python "))]
    unfinished = at.stamp.with_suffix(".new")
    unfinished.write_text("\n".join([f"python {_version_of(at.python)}", *others, line, ""]), encoding="utf-8")
    unfinished.replace(at.stamp)


def _can_be_completed(at: Checkout, blocks: list[str]) -> bool:
    """Whether everything installed is whole and none of it is of another version than `blocks` ask for."""
    if not at.python.exists() or _version_of(at.python) is None:
        return False
    if not locks.is_whole(at.environment):
        return False
    installed = dict(locks.installed(at.environment))
    return all(installed.get(name, version) == version for name, version in map(locks.key, blocks))


def _make_anew(at: Checkout, progress: Progress) -> None:
    if is_held(at.environment):
        raise CannotStart(
            "A city runs from this checkout's environment, and the environment must be made anew.",
            "Stop that city first (Ctrl-C where it runs).",
        )
    _check_disk(at)
    with progress.step("made a Python environment in .venv") as step:
        shutil.rmtree(at.environment, ignore_errors=True)
        _run_venv(at, step)


def _run_venv(at: Checkout, step: Step) -> None:
    with at.log.open("w", encoding="utf-8") as log:
        making = subprocess.Popen(
            [sys.executable, "-I", "-m", "venv", str(at.environment)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        while making.poll() is None:
            step.tick()
            time.sleep(WAITING_EVERY_SECONDS)
    if making.returncode != 0:
        said = at.log.read_text(encoding="utf-8", errors="replace")
        if "ensurepip" in said:
            raise venv_is_missing()
        if "No space left" in said:
            raise CannotStart(f"The disk under {at.path} is full.", "Make room and start again.")
        raise CannotStart("The Python environment could not be made.", f"What Python said is in {at.log}")


def venv_is_missing() -> CannotStart:
    """The refusal for a Python whose distribution keeps venv in a package of its own."""
    return CannotStart(
        "This Python cannot make environments: its venv module is not installed.",
        "Install it, on Debian and Ubuntu with: apt install python3-venv",
    )


def _check_folder(at: Checkout) -> None:
    """Refuse a checkout that is somebody else's. Raises CannotStart."""
    try:
        at.work.mkdir(exist_ok=True)
        (at.work / "tried").touch()
        (at.work / "tried").unlink()
        if at.environment.exists() and not os.access(at.environment, os.W_OK):
            raise PermissionError
    except OSError as problem:
        if isinstance(problem, PermissionError) or "Read-only" in str(problem):
            raise CannotStart(
                f"{at.path} cannot be written by you, and its Python environment (.venv) is not ready for you.",
                "Let its owner run ./run here once, or clone it to a folder of your own and start there.",
            ) from None
        raise CannotStart(f"{at.path} cannot be written: {problem.strerror}.", "Make room, and start again.") from None


def _check_disk(at: Checkout) -> None:
    free = shutil.disk_usage(at.path).free
    if free < FREE_BYTES_MIN:
        raise CannotStart(
            f"The disk under {at.path} has {free // 2**20} MB left; packages need {FREE_BYTES_MIN // 2**20} MB.",
            "Make room, and start again.",
        )


def _version_of(python: Path) -> str | None:
    """The Python behind an environment, such as 3.11; None if it does not run or its packages are another's."""
    try:
        asked = subprocess.run(
            [str(python), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    version = asked.stdout.strip()
    fits = (python.parents[1] / "lib" / f"python{version}").is_dir()
    return version if asked.returncode == 0 and fits else None


@contextmanager
def _alone(at: Checkout, progress: Progress) -> Iterator[None]:
    """Be the only one who changes this environment; wait for another who does."""
    with (at.work / "lock").open("w") as held:
        if not _locked(held.fileno()):
            with progress.step("waited for another start that makes the environment") as step:
                while not _locked(held.fileno()):
                    step.tick()
                    time.sleep(WAITING_EVERY_SECONDS)
        yield


def _locked(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
