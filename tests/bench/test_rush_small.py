"""`bench rush`, measured small: its shape, that it counts what is wrong, and floors far below what is reached."""

import hmac
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from appointments.model import Seq
from appointments.queries import take_places
from city.bench.rush_city import release, wrong_in
from city.bench.rush_fairness import Published, unfair
from city.bench.rush_plan import Heard, Plan, Somebody, Sort, Told
from city.cli import main
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId

SRC = str(Path(__file__).parents[2] / "src")
SEED = b"a seed of thirty-two bytes, or so"
PEOPLE, PLACES, SLOTS = 800, 100, 8
HOT_RATIO_FLOOR = 3.0
SOLD_OUT_RATIO_FLOOR = 0.15
RUNS_MAX = 3
"""A neighbour on the same cores takes a figure down far more than up: one good run of three shows it stands."""


def measured(*more: str) -> dict[str, Any]:
    sizes = ["--people", str(PEOPLE), "--places", str(PLACES), "--slots", str(SLOTS)]
    words = [sys.executable, "-P", "-m", "city", "bench", "rush", "--json", *sizes, *more]
    environ = {**os.environ, "PYTHONPATH": SRC}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environ, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout, done.stderr
    [line] = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert (done.returncode == 0) == (found["holds"] and not found["violations"])
    return found


def test_one_hot_slot_is_booked_many_times_faster_together_and_a_no_is_cheap() -> None:
    found = []
    while not any(
        run["ratio"] >= HOT_RATIO_FLOOR and run["sold_out"]["ratio"] >= SOLD_OUT_RATIO_FLOOR for run in found
    ):
        assert len(found) < RUNS_MAX, found
        found.append(measured("--parts", "hot,sold-out", "--seconds", "4"))
        assert found[-1]["violations"] == 0, found[-1]
        assert not found[-1]["rushes"]


def test_a_rush_books_every_place_once_and_tells_everybody_else() -> None:
    found = []
    while not any(all(one["issued_within_seconds"] <= 1.0 for one in run["rushes"]) for run in found):
        assert len(found) < RUNS_MAX, found
        found.append(measured("--parts", "open,gated"))
        assert [one["gate"] for one in found[-1]["rushes"]] == [False, True]
        for one in found[-1]["rushes"]:
            assert {what: count for what, count in one["wrong"].items() if count} == {}
            assert one["booked"] == one["outcomes"]["booked"] == PLACES
            assert sum(one["outcomes"].values()) == PEOPLE


def test_more_places_than_people_are_refused_as_no_rush(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "rush", "--people", "10", "--places", "20"]) == 1
    assert "make no rush" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ fairness, as it is checked


def a_ticket(member: bytes, score: int) -> str:
    return urlsafe_b64encode(member + score.to_bytes(7) + b"m" * 16).decode().rstrip("=")


def drawn(member: bytes) -> int:
    return int.from_bytes(hmac.digest(SEED, member, sha256)[:7]) >> 4


def a_line(*, early: int, late: int, let_in: int) -> tuple[Plan, list[Told]]:
    """People of a release: the early in the order of the draw, the late behind them; the first `let_in` were let in."""
    members = sorted((uuid4().bytes for _ in range(early)), key=drawn)
    scores = [drawn(member) for member in members]
    members += [uuid4().bytes for _ in range(late)]
    scores += [(1 << 52) + place for place in range(late)]
    told = [
        Told(ticket=a_ticket(member, score), admitted_at=1.0 if place < let_in else 0.0)
        for place, (member, score) in enumerate(zip(members, scores, strict=True))
    ]
    people = [Somebody(uuid4(), uuid4(), "token", "10.0.0.1") for _ in told]
    plan = Plan(
        sort=Sort.GATED, port=1, connections=1, people=people, service_id=UUID(int=1), slot_ids=[], day="2026-03-02",
        opens_at=0.0, ends_at=1.0, early=early,
    )  # fmt: skip
    return plan, told


def found_unfair(plan: Plan, told: list[Told], *, seed: bytes = SEED, promised: bytes = SEED) -> dict[str, int]:
    heard = Heard(told=told, statuses={}, codes={}, lost=0, began_at=0.0, ended_at=0.0, book_ms=[])
    before = Published(sha256(promised).hexdigest(), None)
    counted = unfair(plan, before, Published(sha256(seed).hexdigest(), seed.hex()), heard)
    return {what: count for what, count in counted.items() if count}


def test_a_line_in_the_order_of_the_draw_is_fair() -> None:
    assert found_unfair(*a_line(early=20, late=20, let_in=25)) == {}


def test_somebody_let_in_before_others_is_noticed() -> None:
    plan, told = a_line(early=20, late=20, let_in=25)
    told[30].admitted_at = 1.0
    assert found_unfair(plan, told) == {"let in before somebody who stood before them": 1}


def test_another_seed_than_was_promised_is_noticed() -> None:
    plan, told = a_line(early=20, late=0, let_in=5)
    assert "another seed than was promised" in found_unfair(plan, told, promised=b"another")
    assert found_unfair(plan, told, seed=b"another", promised=b"another") == {"drawn otherwise than by the seed": 20}


def test_who_set_out_early_and_arrived_too_late_is_told_from_who_was_misdrawn() -> None:
    plan, told = a_line(early=10, late=0, let_in=5)
    told[8].ticket, told[9].ticket = a_ticket(b"m" * 16, 1 << 52), None
    for one in told[8:]:
        one.joined_at = plan.opens_at
    assert found_unfair(plan, told) == {}
    for one in told[8:]:
        one.joined_at = plan.opens_at - 1
    assert found_unfair(plan, told) == {"drawn otherwise than by the seed": 2}


def test_who_came_late_and_stands_among_the_drawn_is_noticed() -> None:
    plan, told = a_line(early=5, late=5, let_in=0)
    told[7].ticket = a_ticket(b"m" * 16, 17)
    assert found_unfair(plan, told) == {"came late and stood before the drawn": 1}


# ------------------------------------------------------------------------------------- what is held against the rows


async def test_a_yes_without_a_row_and_a_place_without_a_booking_are_counted(db: Database) -> None:
    city: Any = SimpleNamespace(parts=SimpleNamespace(db=db, clock=SystemClock()))
    released = await release(city, "rush", slots=2, places=3, opens_at=None)
    crowd = [Somebody(uuid4(), uuid4(), "token", "10.0.0.1") for _ in range(3)]
    told = [Told(outcome="booked", slot_id=released.slot_ids[0]), Told(outcome="appointments.slot_full"), Told()]
    heard = Heard(told=told, statuses={}, codes={}, lost=0, began_at=0.0, ended_at=0.0, book_ms=[])
    found = await wrong_in(city, released, crowd, heard)
    assert {what: count for what, count in found.items() if count} == {
        "told yes without a row": 1,
        "without a final answer": 1,
    }
    taken = [(Seq(1), (PersonId(crowd[1].person_id), BookingId(crowd[1].booking_id)))]
    async with db.transaction() as conn:
        await take_places(conn, SlotId(released.slot_ids[0]), taken)
    found = await wrong_in(city, released, crowd, heard)
    assert found["bookings and places that disagree"] == 1
    short = msgspec.structs.replace(released, places=4)
    assert (await wrong_in(city, short, crowd, heard))["places made or lost"] == 1
