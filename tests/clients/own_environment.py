"""Other people's libraries, each in a Python environment of its own, so that none decides which versions ours gets.

An environment is made once for a lock file and a Python: from `.venv-clients/NAME-…`, whose name carries both, it is
used again as long as neither changes. Whoever makes it holds a lock, so tests may run side by side. The locks pin every
wheel by hash; where wheels come from is pip's own setting.
"""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venv-clients"
READY = "suishenban-ready"
MAKING_SECONDS_MAX = 600
ANSWERING_SECONDS_MAX = 120
_AS_LOCKED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
_QUIET = ("--disable-pip-version-check", "--no-input", "--quiet", "--no-warn-script-location")


def python_environment(name: str, requirements: Path) -> Path:
    """The Python of an environment that holds exactly what the lock file `requirements` names."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    made_for = sha256(f"{version}\n".encode() + requirements.read_bytes()).hexdigest()[:16]
    at = ENVIRONMENTS / f"{name}-{made_for}"
    python = at / "bin" / "python"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with _alone(name):
        if not (at / READY).exists():
            for old in ENVIRONMENTS.glob(f"{name}-" + "[0-9a-f]" * 16):
                shutil.rmtree(old)
            _run(sys.executable, "-I", "-m", "venv", str(at))
            _run(str(python), "-I", "-m", "pip", "install", *_QUIET, *_AS_LOCKED, "-r", str(requirements))
            (at / READY).touch()
    return python


def answer(python: Path, script: Path, question: Any) -> Any:
    """What a script answers when that Python runs it: the question goes in as JSON, and so the answer comes out."""
    ran = subprocess.run(
        [str(python), "-I", str(script)],
        input=json.dumps(question), capture_output=True, text=True, check=False, timeout=ANSWERING_SECONDS_MAX,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def _run(*words: str) -> None:
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=MAKING_SECONDS_MAX)
    assert ran.returncode == 0, f"the environment could not be made: {ran.stdout}{ran.stderr}"


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Be the only one who makes the environment of this name; wait for another who does."""
    with (ENVIRONMENTS / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
