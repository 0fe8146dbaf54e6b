"""Redis forgets or goes away in a rush: people get in line again, or are let in slowly, and never too many."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from appointments.errors import AdmissionNeeded, NotInLine, SlotFull, Suspended
from appointments.model import Slot
from appointments.offices.queries import select_slots
from appointments.rush.alone import SLOW_PER_SECOND
from appointments.rush.gate import Gate
from appointments.rush.model import ADMISSION, ReleaseId, State
from appointments.rush.proving import drawn
from city import embedded
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId, SlotId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import a_person, at
from tests.builders_rush import OPENS_AT, a_gate, a_release, a_wire, let_in, take

BACK_WITHIN_SECONDS = 10.0
CLOSED_WITHIN_SECONDS = 10.0
TICKS = 30
"""Of the event loop: more than a try to connect takes that is hung up on."""


@pytest.fixture
async def gate(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Gate:
    return await a_gate(db, redis, clock, keys)


@pytest.fixture
async def alone(db: Database, clock: StoppedClock, keys: Keys, tmp_path: Path) -> Gate:
    """The gate of a process whose Redis is away."""
    gone = await Redis.open(f"unix://{tmp_path}/nobody.sock")
    gate = await a_gate(db, gone, clock, keys)
    yield gate
    await gone.close()


async def test_when_redis_forgot_everything_people_get_in_line_again_and_keep_their_order(db, redis, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    pool = [a_person() for _ in range(10)]
    tickets = {person: (await gate.join(release_id, person)).ticket for person in pool}
    at(clock, OPENS_AT)
    late = [a_person() for _ in range(5)]
    for person in late:
        clock.advance(timedelta(milliseconds=1))
        tickets[person] = (await gate.join(release_id, person)).ticket
    await redis.ask(b"FLUSHALL")
    with pytest.raises(NotInLine):
        await gate.read(release_id, pool[0])
    newcomer = a_person()
    clock.advance(timedelta(milliseconds=1))
    await gate.join(release_id, newcomer)
    clock.advance(timedelta(minutes=1))
    for person in reversed([*pool, *late]):
        await gate.join(release_id, person, ticket=tickets[person])
    seed = gate.proofs.seed(release_id)
    member = {person: gate.proofs.member(release_id, person) for person in pool}
    expected = [*sorted(pool, key=lambda person: drawn(seed, member[person])), *late, newcomer]
    positions = {person: (await gate.read(release_id, person)).position for person in expected}
    assert [positions[person] for person in expected if positions[person]] == list(
        range(1, 1 + sum(position is not None for position in positions.values()))
    )


async def test_a_ticket_is_good_for_its_person_and_release_alone(db, gate, clock):
    release_id, _ = await a_release(db, slots=1, places=1)
    other_release, _ = await a_release(db, slots=1, places=1, service="exam")
    first, thief = a_person(), a_person()
    ticket = (await gate.join(release_id, first)).ticket
    at(clock, OPENS_AT)
    await gate.join(release_id, a_person())
    for person, release, presented in (
        (thief, release_id, ticket),
        (first, other_release, ticket),
        (thief, release_id, ticket[:-2]),
    ):
        clock.advance(timedelta(milliseconds=1))
        member = gate.proofs.member(release, person)
        assert gate.proofs.score_of(release, member, presented) is None
        await gate.join(release, person, ticket=presented)
    assert gate.proofs.score_of(release_id, gate.proofs.member(release_id, first), ticket) is not None


async def test_an_admission_outlives_a_redis_that_forgot_it(db, redis, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    person = a_person()
    at(clock, OPENS_AT)
    token = (await gate.join(release_id, person)).admission
    await redis.ask(b"FLUSHALL")
    admission = await gate.check(slot, person, token)
    await gate.spent(admission)
    with pytest.raises(AdmissionNeeded):
        await gate.check(slot, person, token)


async def test_whoever_writes_into_redis_lets_nobody_in(db, redis, gate, clock):
    release_id, [slot] = await a_release(db, slots=1, places=1)
    person = a_person()
    at(clock, OPENS_AT)
    await take(db, slot.slot_id, a_person())
    await gate.join(release_id, person)
    tag = f"rush:{{{release_id.hex}}}:".encode()
    member = gate.proofs.member(release_id, person)
    until_ms = int((clock.now() + timedelta(minutes=9)).timestamp() * 1000)
    await redis.ask(b"ZREM", tag + b"line", member)
    await redis.ask(b"ZADD", tag + b"out", str(until_ms).encode(), member)
    await redis.ask(b"HSET", tag + b"marks", member, b"m" * 16)
    await redis.ask(b"HSET", tag + b"state", b"free", b"5")
    clock.advance(timedelta(seconds=1))  # what is sold out is remembered for so long
    with pytest.raises(NotInLine):
        await gate.read(release_id, person)


async def test_without_redis_people_are_let_in_slowly_and_their_admissions_are_good(db, alone, clock):
    release_id, [slot] = await a_release(db, slots=1, places=100)
    assert (await alone.join(release_id, a_person())).state is State.POOLED
    at(clock, OPENS_AT)
    people = [a_person() for _ in range(50)]
    for _ in range(3):
        told = {person: await alone.join(release_id, person) for person in people}
        let = {person: place for person, place in told.items() if place.state is State.ADMITTED}
        assert len(let) == SLOW_PER_SECOND
        for person, place in let.items():
            admission = await alone.check(slot, person, place.admission)
            await alone.spent(admission)
            with pytest.raises(AdmissionNeeded):
                await alone.check(slot, person, place.admission)
        others = [place for place in told.values() if place.state is State.WAITING]
        assert {place.position for place in others} == {None}
        assert all(5 <= place.poll_after_seconds <= 10 for place in others)
        people = [person for person in people if person not in let]
        clock.advance(timedelta(seconds=1))


async def test_without_redis_no_more_are_let_in_than_places_are_free(db, alone, clock):
    release_id, [slot] = await a_release(db, slots=1, places=3)
    at(clock, OPENS_AT)
    let = {}
    for _ in range(20):
        person = a_person()
        place = await alone.read(release_id, person)
        if place.state is State.ADMITTED:
            let[person] = place.admission
        clock.advance(timedelta(milliseconds=400))
    assert len(let) == 3
    *booking, last = let
    for person in booking:
        admission = await alone.check(slot, person, let[person])
        await take(db, slot.slot_id, person)
        await alone.spent(admission)
    clock.advance(timedelta(seconds=2))
    assert (await alone.read(release_id, a_person())).state is State.WAITING, "one is still out"
    clock.advance(ADMISSION)
    assert (await alone.read(release_id, a_person())).state is State.ADMITTED
    await take(db, slot.slot_id, last)
    clock.advance(timedelta(seconds=2))
    assert (await alone.read(release_id, a_person())).state is State.SOLD_OUT


async def test_without_redis_an_admission_of_no_use_stays_out_until_it_ends(db, alone, clock):
    """Nobody else could be told that it is good no more, so nobody is let in for it."""
    release_id, [slot] = await a_release(db, slots=1, places=1)
    at(clock, OPENS_AT)
    person, other = a_person(), a_person()
    token = (await alone.join(release_id, person)).admission
    await alone.give_back(await alone.check(slot, person, token), Suspended())
    clock.advance(timedelta(seconds=1))
    assert (await alone.join(release_id, other)).state is State.WAITING
    assert await alone.check(slot, person, token) is not None
    clock.advance(ADMISSION)
    assert (await alone.join(release_id, other)).state is State.ADMITTED


async def test_an_admission_of_no_use_is_good_no_more_though_redis_forgot_it(db, redis, gate, clock, keys):
    release_id, [slot] = await a_release(db, slots=1, places=1)
    person = a_person()
    at(clock, OPENS_AT)
    token = (await gate.join(release_id, person)).admission
    await redis.ask(b"FLUSHALL")
    clock.advance(timedelta(seconds=1))
    await gate.give_back(await gate.check(slot, person, token), Suspended())
    for process in (gate, await a_gate(db, redis, clock, keys)):
        with pytest.raises(AdmissionNeeded):
            await process.check(slot, person, token)


async def test_a_process_whose_redis_is_away_lets_go_of_it_at_whatever_moment_it_is_to_stop(tmp_path):
    """Also at the moment when a try to connect has just ended: there a cancellation was once swallowed, for ever."""

    async def closed(ticks: int) -> None:
        tried = asyncio.Event()

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()
            tried.set()

        server = await asyncio.start_unix_server(hang_up, tmp_path / str(ticks))
        redis = await Redis.open(f"unix://{tmp_path}/{ticks}")
        tried.clear()
        await tried.wait()
        for _ in range(ticks):
            await asyncio.sleep(0)
        await redis.close()
        server.close()

    async with asyncio.timeout(CLOSED_WITHIN_SECONDS):
        await asyncio.gather(*(closed(ticks) for ticks in range(TICKS)))


async def try_to_book(db: Database, gate: Gate, release_id: ReleaseId, person: PersonId, ticket: str | None) -> bool:
    """What a phone does when its time has come: ask, get in line again if it must, and try each slot once let in."""
    try:
        place = await gate.read(release_id, person)
    except NotInLine:
        place = await gate.join(release_id, person, ticket=ticket)
    if place.state is not State.ADMITTED:
        return False
    for slot_id in [row[0] for row in await db.fetch("SELECT slot_id FROM appointments.slot ORDER BY slot_id")]:
        slot = (await slots_with(db, slot_id))[slot_id]
        admission = await gate.check(slot, person, place.admission)
        if await take(db, slot_id, person):
            await gate.spent(admission)
            return True
        await gate.give_back(admission, SlotFull())
    return False


async def slots_with(db: Database, slot_id: SlotId) -> dict[SlotId, Slot]:
    async with db.connection() as conn:
        return await select_slots(conn, [slot_id])


async def test_a_rush_with_redis_gone_in_the_middle_gives_out_every_place_and_not_one_more(
    db, clock, keys, servers: embedded.Running, redis, tmp_path
):
    release_id, _ = await a_release(db, slots=2, places=10)
    async with a_wire(servers.redis_url, tmp_path) as (wire, through_wire):
        gate = await a_gate(db, through_wire, clock, keys)
        waiting = {person: (await gate.join(release_id, person)).ticket for person in [a_person() for _ in range(60)]}
        at(clock, OPENS_AT)
        booked: list[PersonId] = []
        for turn in range(100):
            if turn == 1:
                await wire.cut()
            if turn == 8:
                await redis.ask(b"FLUSHALL")
                await wire.mend()
                async with asyncio.timeout(BACK_WITHIN_SECONDS):
                    while through_wire.is_away:
                        await asyncio.sleep(0.05)
            clock.advance(timedelta(milliseconds=300))
            for person in list(waiting)[turn % 6 :: 6]:
                if await try_to_book(db, gate, release_id, person, waiting[person]):
                    booked.append(person)
                    del waiting[person]
        assert len(booked) == len(set(booked)) == 20
        assert await db.fetchval("SELECT count(*) FROM appointments.place WHERE booking_id IS NULL") == 0
        clock.advance(timedelta(seconds=2))
        assert await let_in(gate, release_id) == 0
        assert {(await gate.read(release_id, person)).state for person in waiting} == {State.SOLD_OUT}
