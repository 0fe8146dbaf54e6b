"""`bench slots`, measured small: its shape, that every answer is looked at, and a bound far above what is reached."""

import json
import os
import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from city.bench import slots_city
from city.bench.slots_city import KINDS, PLACES, SLOTS_A_DAY, district_of, office_of, position_of, services_of, wished
from city.cli import main

SRC = str(Path(__file__).parents[2] / "src")
RATIO_MAX = 3.0
"""Loose: a busy neighbour is all there is to see with so few requests."""


def test_hours_are_looked_for_in_two_cities_and_every_page_is_right() -> None:
    words = [sys.executable, "-P", "-m", "city", "bench", "slots", "--json"]
    words += ["--offices", "30", "--days", "15", "--seconds", "1"]
    environ = {**os.environ, "PYTHONPATH": SRC}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environ, check=False)
    assert done.returncode in (0, 1), done.stderr
    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert found["violations"] == 0, found["checked"]
    assert (done.returncode == 0) == found["holds"]
    assert [(one["offices"], one["slots"], one["places"]) for one in found["cities"]] == [
        (offices, offices * 15 * SLOTS_A_DAY, offices * 15 * SLOTS_A_DAY * PLACES) for offices in (3, 30)
    ]
    assert set(found["kinds"]) == set(KINDS)
    for kind in found["kinds"].values():
        assert kind["p50"] <= RATIO_MAX
        assert 0 < kind["whole"]["p50_ms"] <= kind["whole"]["p99_ms"]


def test_the_first_tenth_of_the_offices_is_like_all_of_them() -> None:
    few, many = range(30), range(300)
    for offices in (few, many):
        assert {service for number in offices for service in services_of(number)} == {
            service for number in many for service in services_of(number)
        }
        assert {district_of(number) for number in offices} == {district_of(number) for number in many}
    assert len({position_of(number) for number in many}) == len({office_of(number) for number in many}) == 300


def test_people_look_for_what_an_office_there_does() -> None:
    draw = random.Random(7)
    for kind in KINDS:
        for _ in range(50):
            wish = wished(kind, draw, offices=3, first_day=date(2026, 3, 2), days=20)
            assert wish.service_id in {str(service) for number in range(3) for service in services_of(number)}
            assert wish.path.count("from=") == 1
            assert "2026-03-02" <= wish.path.split("to=")[1][:10] <= "2026-03-21"


def test_of_ten_slots_three_are_sold_out_everywhere() -> None:
    full = sum(
        all(who is not None for _, _, who, _ in slots_city._places(slots_city.uuid5(slots_city._TAKEN, str(number))))
        for number in range(2_000)
    )
    assert 500 < full < 700


def test_a_city_of_too_few_offices_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "slots", "--offices", "3"]) == 1
    assert "out of bounds" in capsys.readouterr().err
