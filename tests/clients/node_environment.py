"""Other people's Node packages, each set in a folder of its own, as its lock file pins them by hash.

A folder is made once for a lock file: `.venv-clients/NAME-…`, whose name carries it. Where packages come from is npm's
own setting.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.clients.own_environment import ENVIRONMENTS, _alone

READY = "suishenban-ready"
MAKING_SECONDS_MAX = 300
ANSWERING_SECONDS_MAX = 60
NODE = shutil.which("node")
NPM = shutil.which("npm")


def node_environment(name: str, peer: Path) -> Path:
    """A folder with what the `package-lock.json` of `peer` names, and the scripts of `peer` in it."""
    assert NPM is not None
    lock = (peer / "package-lock.json").read_bytes()
    at = ENVIRONMENTS / f"{name}-{sha256(lock).hexdigest()[:16]}"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with _alone(name):
        if not (at / READY).exists():
            for old in ENVIRONMENTS.glob(f"{name}-" + "[0-9a-f]" * 16):
                shutil.rmtree(old)
            at.mkdir()
            for file in ("package.json", "package-lock.json"):
                shutil.copy(peer / file, at)
            words = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            ran = subprocess.run(words, cwd=at, capture_output=True, text=True, check=False, timeout=MAKING_SECONDS_MAX)
            assert ran.returncode == 0, f"the packages could not be fetched: {ran.stdout}{ran.stderr}"
            (at / READY).touch()
        for script in peer.glob("*.js"):
            shutil.copy(script, at)
    return at


def answers(at: Path, script: str, words: Sequence[str], question: Any) -> Any:
    """What a script answers: the question goes in as JSON, and so the answer comes out."""
    assert NODE is not None
    ran = subprocess.run(
        [NODE, str(at / script), *words],
        input=json.dumps(question), capture_output=True, text=True, check=False, timeout=ANSWERING_SECONDS_MAX,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
