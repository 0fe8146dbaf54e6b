"""Nothing that is owed is lost: the whole proof (`make faults`), small, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SRC = Path(__file__).parents[3] / "src"
MESSAGES = 3_000
WITHIN_SECONDS = 150


@pytest.mark.alone
def test_whatever_dies_every_message_ends_as_the_logs_of_other_peoples_servers_say() -> None:
    words = [sys.executable, "-P", "-m", "city", "prove-delivery", "--messages", str(MESSAGES), "--json"]
    environ = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN_SECONDS, env=environ, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["verdict"]["violations"] == []
    assert done.returncode == 0
    ended = sum(count for ends in found["verdict"]["ends"].values() for count in ends.values())
    assert ended == MESSAGES
    assert found["broken"]["a worker was killed -9"] == 3
    assert found["broken"]["PostgreSQL fell, and came back"] == 1
    met = found["verdict"]["cases"]
    for what in (
        "of several parts",
        "refused by an SMSC at least once",
        "alerted: accepted, and no receipt ever came",
        "outcome unknown at first, then told by a receipt",
    ):
        assert met[what] > 0, what
