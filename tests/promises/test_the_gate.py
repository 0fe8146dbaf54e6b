"""A rush is fair: one place in line for each, a draw that anybody can check, never more let in than places are free."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from appointments.errors import AdmissionNeeded, NotInLine, ReleaseNotFound, SlotFull, TooManyJoins
from appointments.offices.queries import select_slots
from appointments.rush.gate import JOINS_MAX, JOINS_OF_NETWORK_MAX, Gate, network_of
from appointments.rush.model import ADMISSION, USED, Place, ReleaseId, State
from appointments.rush.proving import drawn
from kernel.clock import StoppedClock
from kernel.db import Database, DatabaseAway
from kernel.ids import PersonId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import a_person, a_slot, at
from tests.builders_rush import OPENS_AT, a_gate, a_release, give_up, let_in, take

A_MOMENT = timedelta(milliseconds=1)


@pytest.fixture
async def gate(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Gate:
    return await a_gate(db, redis, clock, keys)


async def places(gate: Gate, release_id: ReleaseId, people: list[PersonId]) -> list[Place]:
    return [await gate.read(release_id, person) for person in people]


async def admitted(gate: Gate, release_id: ReleaseId, people: list[PersonId]) -> list[PersonId]:
    told = await places(gate, release_id, people)
    return [person for person, place in zip(people, told, strict=True) if place.state is State.ADMITTED]


async def test_a_person_has_one_place_in_line_however_many_phones_ask(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    person, other = a_person(), a_person()
    at(clock, OPENS_AT)
    await gate.join(release_id, a_person())
    told = await asyncio.gather(*(gate.join(release_id, person) for _ in range(10)))
    clock.advance(A_MOMENT)
    await gate.join(release_id, other)
    assert {place.position for place in told} == {1}
    clock.advance(A_MOMENT)
    assert (await gate.join(release_id, person)).position == 1
    assert (await gate.read(release_id, other)).position == 2
    assert (await gate.read(release_id, person)).people == 2


async def test_before_the_release_nobody_has_a_position_and_nobody_is_let_in(db, gate):
    release_id, _ = await a_release(db)
    people = [a_person() for _ in range(5)]
    for person in people:
        place = await gate.join(release_id, person)
        assert (place.state, place.position, place.admission) == (State.POOLED, None, None)
    assert await gate.admitting.admit_due() == 0
    assert {place.state for place in await places(gate, release_id, people)} == {State.POOLED}


async def test_the_order_of_the_pool_is_the_published_draw_and_not_the_order_of_coming(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    people = [a_person() for _ in range(40)]
    tickets = {person: (await gate.join(release_id, person)).ticket for person in people}
    told_before = gate.proofs.seed_hash(release_id)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    [first] = await admitted(gate, release_id, people)
    waiting = [person for person in people if person != first]
    by_position = {(await gate.read(release_id, person)).position: person for person in waiting}
    seed = gate.proofs.seed(release_id)
    assert sha256(seed).hexdigest() == told_before
    member = {person: gate.proofs.member(release_id, person) for person in people}
    assert all(ticket is not None for ticket in tickets.values())
    by_draw = sorted(people, key=lambda person: drawn(seed, member[person]))
    assert [first, *(by_position[nth] for nth in range(1, 40))] == by_draw
    assert by_draw != people


async def test_who_comes_after_the_release_stands_behind_the_pool_in_the_order_of_coming(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    pool = [a_person() for _ in range(5)]
    for person in pool:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    late = [a_person() for _ in range(5)]
    for person in late:
        clock.advance(A_MOMENT)
        await gate.join(release_id, person)
    assert [place.position for place in await places(gate, release_id, late)] == [5, 6, 7, 8, 9]


async def test_who_was_in_the_pool_keeps_their_place_however_late_they_ask_again(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    pool = [a_person() for _ in range(10)]
    for person in pool:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    positions = [place.position for place in await places(gate, release_id, pool)]
    clock.advance(timedelta(seconds=30))
    assert [(await gate.join(release_id, person)).position for person in pool] == positions


async def test_never_more_are_let_in_than_places_are_free(db, gate, clock):
    release_id, slots = await a_release(db, slots=2, places=2)
    await take(db, slots[0].slot_id, a_person())
    people = [a_person() for _ in range(10)]
    for person in people:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    assert await let_in(gate, release_id) == 3
    assert await let_in(gate, release_id) == 0
    assert len(await admitted(gate, release_id, people)) == 3


async def test_rounds_of_two_processes_that_cross_let_in_no_more_than_places_are_free(db, redis, gate, clock, keys):
    release_id, _ = await a_release(db, slots=3, places=2)
    other = await a_gate(db, redis, clock, keys)
    for _ in range(30):
        await gate.join(release_id, a_person())
    at(clock, OPENS_AT)
    rounds = await asyncio.gather(*(let_in(one, release_id) for one in (gate, other) * 5))
    assert sum(rounds) == 6


async def test_a_place_taken_while_a_round_goes_on_is_not_counted_as_free(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    people = [a_person() for _ in range(5)]
    for person in people:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    release, line, now = await gate.releases.find(release_id), gate._line, clock.now()
    counted = await line.count(release, now=now)
    free = 2  # as the database had it at that moment; then both places are taken
    for person in await admitted(gate, release_id, people):
        admission = await gate.check(slot, person, (await gate.read(release_id, person)).admission)
        await gate.spent(admission)
    marked = [(member, b"mark") for member in await line.heads(release_id, 3)]
    assert await line.admit(release, marked, free=free, used=counted.used, till_ms=1 << 50, now=now) == 0
    counted = await line.count(release, now=now)
    assert await line.admit(release, marked, free=1, used=counted.used, till_ms=1 << 50, now=now) == 1


async def test_a_place_that_is_taken_with_an_admission_lets_nobody_else_in(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    people = [a_person() for _ in range(5)]
    for person in people:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    for person in await admitted(gate, release_id, people):
        token = (await gate.read(release_id, person)).admission
        admission = await gate.check(slot, person, token)
        await take(db, slot.slot_id, person)
        await gate.spent(admission)
    assert await let_in(gate, release_id) == 0
    assert [place.state for place in await places(gate, release_id, people)].count(State.ADMITTED) == 0


async def test_an_admission_is_good_once_and_for_its_person_alone(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    person = a_person()
    at(clock, OPENS_AT)
    await gate.join(release_id, person)
    token = (await gate.read(release_id, person)).admission
    for presented in (None, "", "nonsense", token[:-1] + ("A" if token[-1] != "A" else "B")):
        with pytest.raises(AdmissionNeeded):
            await gate.check(slot, person, presented)
    with pytest.raises(AdmissionNeeded):
        await gate.check(slot, a_person(), token)
    admission = await gate.check(slot, person, token)
    await gate.give_back(admission, SlotFull())
    assert await gate.check(slot, person, token) == admission
    await gate.spent(admission)
    with pytest.raises(AdmissionNeeded) as refused:
        await gate.check(slot, person, token)
    assert refused.value.members == {"release_id": str(release_id)}
    assert (await gate.read(release_id, person)).state is State.USED


async def test_an_admission_spent_in_one_process_is_spent_in_every_other(db, redis, gate, clock, keys):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    other = await a_gate(db, redis, clock, keys)
    person = a_person()
    at(clock, OPENS_AT)
    await gate.join(release_id, person)
    token = (await gate.read(release_id, person)).admission
    await gate.spent(await other.check(slot, person, token))
    with pytest.raises(AdmissionNeeded):
        await other.check(slot, person, token)


async def test_a_slot_without_a_gate_asks_for_no_admission(db, gate):
    slot_id = await a_slot(db)
    _, [gated] = await a_release(db, slots=1, service="exam")
    async with db.connection() as conn:
        free = (await select_slots(conn, [slot_id]))[slot_id]
    assert await gate.check(free, a_person(), None) is None
    with pytest.raises(AdmissionNeeded):
        await gate.check(gated, a_person(), None)


async def test_who_does_not_book_in_time_makes_room_for_the_next(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=1)
    people = [a_person() for _ in range(3)]
    for person in people:
        await gate.join(release_id, person)
    at(clock, OPENS_AT)
    await let_in(gate, release_id)
    [first] = await admitted(gate, release_id, people)
    token = (await gate.read(release_id, first)).admission
    clock.advance(ADMISSION)
    with pytest.raises(AdmissionNeeded):
        await gate.check(slot, first, token)
    assert await let_in(gate, release_id) == 1
    with pytest.raises(NotInLine):
        await gate.read(release_id, first)
    assert (await gate.join(release_id, first)).position == 2, "behind everybody who waits"


async def test_sold_out_is_told_to_everybody_and_taken_back_when_places_come_back(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=1)
    people = [a_person() for _ in range(3)]
    at(clock, OPENS_AT)
    booking = await take(db, slot.slot_id, a_person())
    for person in people:
        clock.advance(A_MOMENT)
        assert (await gate.join(release_id, person)).state is State.SOLD_OUT
    assert {place.state for place in await places(gate, release_id, people)} == {State.SOLD_OUT}
    await give_up(db, booking)
    clock.advance(timedelta(seconds=2))
    assert await let_in(gate, release_id) == 1
    told = await places(gate, release_id, people)
    assert [(place.state, place.position) for place in told] == [
        (State.ADMITTED, None), (State.WAITING, 1), (State.WAITING, 2),
    ]  # fmt: skip


async def test_whoever_is_asked_about_a_line_nobody_looks_at_looks_at_it(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=2)
    at(clock, OPENS_AT)
    assert (await gate.join(release_id, a_person())).state is State.ADMITTED


async def test_who_took_a_place_stands_in_line_again_only_when_a_hold_would_be_over(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    person = a_person()
    at(clock, OPENS_AT)
    await gate.join(release_id, person)
    await gate.spent(await gate.check(slot, person, (await gate.read(release_id, person)).admission))
    assert (await gate.join(release_id, person)).state is State.USED
    clock.advance(USED)
    await let_in(gate, release_id)
    assert (await gate.join(release_id, person)).state is State.WAITING


async def test_who_leaves_makes_room_and_comes_back_behind_the_others(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    at(clock, OPENS_AT)
    first, second, third = a_person(), a_person(), a_person()
    for person in (first, second, third):
        clock.advance(A_MOMENT)
        await gate.join(release_id, person)
    await gate.leave(release_id, first)
    await let_in(gate, release_id)
    assert await admitted(gate, release_id, [second, third]) == [second]
    clock.advance(A_MOMENT)
    assert (await gate.join(release_id, first)).position == 2
    await gate.leave(release_id, second)
    await gate.leave(release_id, second)
    await let_in(gate, release_id)
    assert await admitted(gate, release_id, [third]) == [third]


async def test_one_person_and_one_network_get_in_line_only_so_often(db, gate):
    release_id, _ = await a_release(db)
    person = a_person()
    for _ in range(JOINS_MAX):
        await gate.join(release_id, person)
    with pytest.raises(TooManyJoins) as refused:
        await gate.join(release_id, person)
    assert refused.value.retry_after_seconds in (2, 3)
    outcomes = await asyncio.gather(
        *(gate.join(release_id, a_person(), address=f"8.8.8.{nth % 250}") for nth in range(JOINS_OF_NETWORK_MAX + 50)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, TooManyJoins) for outcome in outcomes) == 50
    assert (await gate.join(release_id, a_person(), address="1.1.1.1")).state is State.POOLED


def test_addresses_that_say_nothing_of_a_network_are_not_counted_as_one():
    assert network_of("8.8.4.4") == "8.8.4.0/24"
    assert network_of("2001:4860:4860::8888") == "2001:4860:4860::/48"
    assert {network_of(one) for one in ("127.0.0.1", "10.1.2.3", "::1", "", "unknown")} == {None}


async def test_a_release_that_nobody_knows_is_not_found(gate):
    with pytest.raises(ReleaseNotFound):
        await gate.join(ReleaseId(uuid4()), a_person())


async def test_a_release_of_a_moment_ago_is_known_to_everybody_who_asks_at_once(db, gate):
    release_id, _ = await a_release(db)
    told = await asyncio.gather(*(gate.join(release_id, a_person()) for _ in range(5)))
    assert {place.state for place in told} == {State.POOLED}


async def test_a_release_that_cannot_be_looked_for_is_not_said_to_be_unknown(db, gate):
    await db.close()
    asked = (gate.join(ReleaseId(uuid4()), a_person()) for _ in range(3))
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [DatabaseAway] * 3


async def test_when_the_last_slot_can_no_longer_be_booked_the_line_is_closed(db, gate, clock):
    release_id, [slot] = await a_release(db, slots=1)
    person = a_person()
    await gate.join(release_id, person)
    at(clock, slot.starts_at)
    assert (await gate.read(release_id, person)).state is State.CLOSED
    assert (await gate.join(release_id, a_person())).state is State.CLOSED


async def test_the_further_back_the_later_one_asks_again_and_who_is_next_asks_soon(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=5)
    at(clock, OPENS_AT)
    people = [a_person() for _ in range(1500)]
    await gate.join(release_id, people[0])
    for person in people[1:]:
        clock.advance(timedelta(microseconds=1))
        await gate.join(release_id, person)
    assert await let_in(gate, release_id) == 4
    near, far = await places(gate, release_id, [people[5], people[-1]])
    assert near.poll_after_seconds < 1
    assert 5 < far.poll_after_seconds < 10
    assert (near.wait_seconds, far.wait_seconds) == (None, None), "nothing was measured but the first places"


async def test_the_waiting_time_is_what_was_measured_since_the_first_places_were_given_out(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    at(clock, OPENS_AT)
    people = [a_person() for _ in range(16)]
    for person in people:
        clock.advance(A_MOMENT)
        await gate.join(release_id, person)
    for nth in range(20):  # every twenty seconds one who was let in leaves
        clock.advance(timedelta(seconds=5))
        if nth % 4 == 3:
            await gate.leave(release_id, people[nth // 4])
        await let_in(gate, release_id)
    place = await gate.read(release_id, people[-1])
    assert place.position == 10
    assert place.wait_seconds == pytest.approx(10 * 20, rel=0.35)
