"""The headline figures, measured small: the floors below are what may not be lost, not what is reached."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SRC = str(Path(__file__).parents[2] / "src")
FLOORS = {"hello": 0.35, "show": 0.12, "verify": 0.075, "verify-offline": 0.70}
SECONDS = {"verify-offline": 20}
SECONDS_ELSE = 12
RUNS_MAX = 3
"""A neighbour on the same cores takes a figure down far more than up: one good run of three shows it stands."""


def measured(name: str) -> dict[str, Any]:
    words = [
        sys.executable,
        "-P",
        "-m",
        "city",
        "bench",
        name,
        "--json",
        "--seconds",
        str(SECONDS.get(name, SECONDS_ELSE)),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": SRC})
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["violations"] == 0, found["checked"]
    assert found["n"] > 1_000
    return found


@pytest.mark.parametrize("name", FLOORS)
def test_a_headline_figure_stands_and_no_promise_breaks_under_load(name: str) -> None:
    found = []
    while not any(run["ratio"] >= FLOORS[name] for run in found):
        assert len(found) < RUNS_MAX, found
        found.append(measured(name))
