"""`bench send`, measured small: its shape, that nothing is lost, and floors far below what is reached."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from city.bench.send_bulk import Bulk
from city.bench.send_codes import Waits
from city.bench.send_drain import Drain
from city.bench.sending import PARTS, result
from city.cli import main

SRC = str(Path(__file__).parents[2] / "src")
SINGLE_MIN, BULK_MIN, DRAIN_MIN = 0.05, 0.15, 0.35
DRAIN_PER_SECOND_MIN = 700
OTP_P99_MS_MAX = 1_500.0
WAITING = 30_000
RUNS_MAX = 3
"""A neighbour on the same cores takes a figure down far more than up: one good run of three shows it stands."""


def measured(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "city", "bench", "send", "--json", *words]
    environ = {**os.environ, "PYTHONPATH": SRC}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    [line] = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert found["violations"] == 0, found["checked"]
    return found


def test_one_message_and_many_rows_are_taken_at_their_price() -> None:
    found = []
    while not any(run["ratio"] >= SINGLE_MIN and run["bulk"]["ratio"] >= BULK_MIN for run in found):
        assert len(found) < RUNS_MAX, found
        found.append(measured("--parts", "single,bulk", "--seconds", "9", "--rows", "10000"))
    assert found[-1]["drain"] is found[-1]["otp"] is None
    assert found[-1]["single"]["n"] > 500


def test_a_worker_drains_what_is_owed_and_no_code_waits_for_it() -> None:
    found = []
    while not any(stands(run) for run in found):
        assert len(found) < RUNS_MAX, found
        found.append(measured("--parts", "drain,otp", "--messages", "8000", "--waiting", str(WAITING), "--codes", "40"))
    run = found[-1]
    assert run["ratio"] is run["single"] is run["bulk"] is None
    assert run["otp"]["bulk_at_first"] == WAITING
    assert run["drain"]["lost_or_doubled"] == 0


def stands(run: dict[str, Any]) -> bool:
    drain, otp = run["drain"], run["otp"]
    is_quick = drain["per_second"] >= DRAIN_PER_SECOND_MIN and otp["p99_ms"] <= OTP_P99_MS_MAX
    return drain["ratio"] >= DRAIN_MIN and is_quick and otp["bulk_left"] > 0


GOOD_DRAIN = Drain(
    messages=1, per_second=2_000, per_cpu_second=7, yardstick_per_cpu_second=10, ratio=0.7, ratio_of_medians=0.7,
    our_client_per_cpu_second=20, cpu_microseconds=1.0, phases={}, lost_or_doubled=0,
)  # fmt: skip
GOOD_BULK = Bulk(1, 1, 1, 0.3, 0.3, 1.0, 0)
GOOD_WAITS = Waits(1, 0, 1.0, 250.0, 260.0, 1, 1, 1)


def test_what_reaches_its_figures_holds() -> None:
    found = result(None, GOOD_BULK, GOOD_DRAIN, GOOD_WAITS)
    assert (found.holds, found.missed, found.violations) == (True, [], 0)


@pytest.mark.parametrize(
    ("bulk", "drain", "otp", "missed"),
    [
        ({"ratio": 0.29}, {}, {}, ["bulk"]),
        ({}, {"ratio": 0.69}, {}, ["drain"]),
        ({}, {"per_second": 1_999}, {}, ["drain"]),
        ({}, {}, {"p99_ms": 250.1}, ["otp"]),
    ],
)
def test_what_does_not_is_named(bulk, drain, otp, missed) -> None:
    found = result(None, replace(GOOD_BULK, **bulk), replace(GOOD_DRAIN, **drain), replace(GOOD_WAITS, **otp))
    assert (found.holds, found.missed, found.violations) == (False, missed, 0)


def test_whatever_is_lost_is_a_violation() -> None:
    lost = replace(GOOD_BULK, lost=1), replace(GOOD_DRAIN, lost_or_doubled=2), replace(GOOD_WAITS, lost=4)
    assert result(None, *lost).violations == 7


@pytest.mark.parametrize("words", [["--parts", "all"], ["--waiting", "10"], ["--codes", "1"], ["--rows", "0"]])
def test_what_makes_no_measurement_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "send", *words]) == 1
    assert "no part" in (said := capsys.readouterr().err) or "out of bounds" in said
    assert set(PARTS) == {"single", "bulk", "drain", "otp"}
