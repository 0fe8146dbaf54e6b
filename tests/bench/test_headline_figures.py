"""The headline figures, measured small: the floors below are what may not be lost, not what is reached."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = str(Path(__file__).parents[2] / "src")
FLOORS = {"hello": 0.25, "show": 0.10, "verify": 0.06, "verify-offline": 0.70}


@pytest.mark.parametrize("name", FLOORS)
def test_a_headline_figure_stands_and_no_promise_breaks_under_load(name: str) -> None:
    words = [sys.executable, "-P", "-m", "city", "bench", name, "--json", "--seconds", "20"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": SRC})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["violations"] == 0, found["checked"]
    assert found["n"] > 1_000
    assert found["ratio"] >= FLOORS[name], found
