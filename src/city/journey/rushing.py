"""A release behind the gate: a pool, a draw that anybody can check, and no more let through than there are places."""

import asyncio
import base64
import hmac
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import msgspec

from city.journey import hours
from city.journey.calling import Caller, until
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, moment, now
from city.journey.telling import Broken, only

OPENS_AFTER: Final = timedelta(seconds=10)
"""A release is on the list within five seconds; what the journey plays until then takes six or seven."""
JOINED_BEFORE: Final = timedelta(seconds=1)
"""Whoever is to be in the pool is so long before the release."""
GIVEN_TIMES_MAX: Final = 3
"""On a machine so slow that a release has passed before everybody is in its pool, another one is made."""
LET_IN_WITHIN_SECONDS: Final = 10.0
SEATS: Final = 2
MEMBER_BYTES: Final = 16
DRAWN_BITS: Final = 52


class Sitting(msgspec.Struct, frozen=True):
    """A sitting of the driving test that opens soon, and the department that gave it."""

    department: Caller
    slot: dict[str, Any]
    opens_at: datetime


async def announce(stage: Stage) -> Sitting:
    """Give a sitting with two seats that opens soon; other acts may be played before that."""
    opens_at = now() + OPENS_AFTER
    department, slot = await hours.give_sitting(stage, seats=SEATS, opens_at=opens_at)
    return Sitting(department, slot, opens_at)


async def play(stage: Stage, sitting: Sitting, people: list[Neighbour]) -> None:
    """Three people want two seats."""
    story = stage.story
    story.act(f"{len(people)} people want {SEATS} seats that open at one moment")
    with story.step("They get in line before the release"):
        sitting, release, tickets = await _join(stage, sitting, people)
        story.equal("each has a place of their own in the pool", expected=len(people), seen=len(set(tickets)))
        hidden = release["seed"], len(release["seed_sha256"])
        story.equal("the seed of the draw is fixed by its hash, and not told yet", expected=(None, 64), seen=hidden)
        early = await people[0].refused(sitting.slot, str(uuid4()))
        story.equal("nobody books before the moment", expected="appointments.not_released", seen=early.code)
    with story.step("The moment comes, by the clock"):
        await asyncio.sleep(max(0.0, (sitting.opens_at - now()).total_seconds()))
        let_in, others = await _let_through(stage, release["release_id"], people)
        order = await _draw(stage, sitting, release, people[0], tickets)
        winners = [people[at].person_id for at in order[:SEATS]]
        story.equal("who was drawn first is let through, and nobody else", expected=set(winners), seen=set(let_in))
        waits = only("one is left over", list(others.values()))
        seen = waits["state"], waits["position"]
        story.equal("the next is told where they stand", expected=("waiting", 1), seen=seen)
    await _book(stage, sitting, release["release_id"], people, let_in, others)


async def _join(stage: Stage, sitting: Sitting, people: list[Neighbour]) -> tuple[Sitting, dict[str, Any], list[str]]:
    """The release, before it opens, and everybody's ticket in its pool. Raises Broken."""
    for _ in range(GIVEN_TIMES_MAX):
        in_time = max(0.0, (sitting.opens_at - now()).total_seconds())
        listed = await until(partial(_listed, people[0], sitting), within_seconds=in_time)
        if listed is not None and now() < sitting.opens_at - JOINED_BEFORE:
            path = f"/mini/releases/{listed['release_id']}/place"
            asked = [[(await one.app.ask("PUT", path)).content for _ in range(2)] for one in people]
            if all(place["state"] == "pooled" for twice in asked for place in twice):
                tickets = [{place["ticket"] for place in twice} for twice in asked]
                stage.story.equal("asked twice, in line once", expected=[1] * len(people), seen=[*map(len, tickets)])
                return sitting, listed, [ticket for [ticket] in tickets]
        await hours.take_back(sitting.department, sitting.slot)
        sitting = await announce(stage)
    raise Broken("a release is listed before it opens, and people get in line", "a pool", "none in time")


async def _listed(one: Neighbour, sitting: Sitting) -> dict[str, Any] | None:
    path = f"/mini/releases?service_id={sitting.slot['service_id']}&limit=100"
    found = (await one.app.get(path)).content["releases"]
    return next((release for release in found if moment(release["opens_at"]) == sitting.opens_at), None)


async def _let_through(
    stage: Stage, release_id: str, people: list[Neighbour]
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """The admissions of those who were let through, and what the others are told, by person. Raises Broken."""

    async def look() -> dict[str, dict[str, Any]] | None:
        places = {one.person_id: await _place(one, release_id) for one in people}
        let_in = [place for place in places.values() if place["state"] == "admitted"]
        return places if len(let_in) >= SEATS else None

    places = await until(look, within_seconds=LET_IN_WITHIN_SECONDS)
    expected = f"{SEATS} people within {LET_IN_WITHIN_SECONDS:.0f} s"
    stage.story.holds("people are let through at once", places is not None, expected=expected, seen="fewer")
    assert places is not None
    let_in = {who: place["admission"] for who, place in places.items() if place["state"] == "admitted"}
    stage.story.equal("as many as there are seats, never more", expected=SEATS, seen=len(let_in))
    return let_in, {who: place for who, place in places.items() if who not in let_in}


async def _place(one: Neighbour, release_id: str) -> dict[str, Any]:
    return dict((await one.app.get(f"/mini/releases/{release_id}/place")).content)


async def _draw(
    stage: Stage, sitting: Sitting, before: dict[str, Any], one: Neighbour, tickets: list[str]
) -> list[int]:
    """Who stands where, reckoned from what everybody is told: the ordinals of the tickets, first in line first."""
    after = await _listed(one, sitting)
    if after is None or not after["seed"]:
        raise Broken("the seed of the draw is told once the release is open", "a seed", after)
    seed = bytes.fromhex(after["seed"])
    stage.story.equal(
        "it has the hash that was told before", expected=before["seed_sha256"], seen=sha256(seed).hexdigest()
    )
    return sorted(range(len(tickets)), key=lambda at: drawn(seed, tickets[at]))


def drawn(seed: bytes, ticket: str) -> int:
    """Where the draw puts whoever has this ticket, as docs/RUSH.md says."""
    member = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))[:MEMBER_BYTES]
    digest = hmac.digest(seed, member, "sha256")
    return int.from_bytes(digest) >> (len(digest) * 8 - DRAWN_BITS)


async def _book(
    stage: Stage, sitting: Sitting, release_id: str, people: list[Neighbour], let_in: dict[str, str],
    others: dict[str, dict[str, Any]],
) -> None:  # fmt: skip
    story, slot = stage.story, sitting.slot
    admitted = [one for one in people if one.person_id in let_in]
    [left] = [one for one in people if one.person_id in others]
    bookings = [str(uuid4()) for _ in admitted]
    with story.step("Those who were let through book"):
        for admission in (None, let_in[admitted[0].person_id]):
            refused = await left.refused(slot, str(uuid4()), admission=admission)
            story.equal(
                "without an admission of one's own nobody books", expected="appointments.admission_needed",
                seen=refused.code,
            )  # fmt: skip
        for one, booking_id in zip(admitted, bookings, strict=True):
            booked = await one.book(slot, booking_id, admission=let_in[one.person_id])
            story.equal("whoever was let through has a seat", expected=slot["slot_id"], seen=booked["slot_id"])
        told = await until(lambda: _in_state(left, release_id, "sold_out"), within_seconds=LET_IN_WITHIN_SECONDS)
        story.holds("the others are told when nothing is left", told is not None, expected="sold_out", seen="nothing")
    with story.step("A seat is given back"):
        await admitted[0].cancel(bookings[0])
        told = await until(lambda: _in_state(left, release_id, "admitted"), within_seconds=LET_IN_WITHIN_SECONDS)
        story.holds("the next in line is let through", told is not None, expected="admitted", seen="nobody")
        await left.app.ask("DELETE", f"/mini/releases/{release_id}/place", status=204)
        await admitted[1].cancel(bookings[1])
        await hours.take_back(sitting.department, slot)


async def _in_state(one: Neighbour, release_id: str, state: str) -> dict[str, Any] | None:
    place = await _place(one, release_id)
    return place if place["state"] == state else None
