"""Every place that comes free ends offered or free, whatever comes between: the clock, a crash, many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from appointments.asking import Particulars
from appointments.errors import AlreadyBooked
from appointments.freeing import give_back, offer_new_places
from appointments.model import DayPart, Seq, SlotId, office_id_of, service_id_of
from appointments.parts import Appointments
from appointments.queries import lock_place, mark_cancelled
from appointments.telling import Telling
from appointments.waiting.errors import NothingOffered
from appointments.waiting.model import OFFER_MINUTES, WaitingId, Waits, Wish
from appointments.waiting.passing_on import GATED_MINUTES, PassingOn, end_offer
from kernel.clock import StoppedClock
from kernel.db import Connection, Database
from kernel.ids import BookingId, PersonId
from kernel.sealing import Keys
from notifications.outbox import Outbox
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
    open_appointments,
)

THURSDAY = date(2026, 3, 5)
OFFER = timedelta(minutes=OFFER_MINUTES)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
STEPS_MAX = 40


class Died(Exception):
    """The worker is gone."""


class DyingDatabase:
    """The database as a worker sees it that dies just before its `last`-th statement."""

    def __init__(self, db: Database, last: int) -> None:
        self._db = db
        self.left = last

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self._db.transaction() as conn:
            yield DyingConnection(self, conn)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        async with self._db.connection() as conn:
            yield DyingConnection(self, conn)


class DyingConnection:
    def __init__(self, db: DyingDatabase, conn: Any) -> None:
        self._db = db
        self._conn = conn

    def __getattr__(self, name: str) -> Any:
        self._db.left -= 1
        if self._db.left < 0:
            raise Died
        return getattr(self._conn, name)


def telling(appointments: Appointments, keys: Keys) -> Telling:
    return Telling(Outbox(keys), appointments.catalogues)


async def waits(appointments: Appointments, clock: StoppedClock, **what: Any) -> PersonId:
    clock.advance(SECOND)
    person = a_person()
    wish = Wish(**({"service_id": service_id_of("passport"), "first_day": THURSDAY, "last_day": THURSDAY} | what))
    await appointments.catalogues.refresh()
    await appointments.joining.join(person, WaitingId(uuid4()), wish)
    return person


async def stages(appointments: Appointments, *people: PersonId) -> list[Waits]:
    return [(await appointments.joining.waits_of(person))[0].waiting.stage for person in people]


async def free_or_offered(db: Database, slot: SlotId) -> tuple[int, int]:
    """How many places of a slot are free, and how many are offered."""
    row = await db.fetchrow(
        """SELECT count(*) FILTER (WHERE booking_id IS NULL) AS free,
                  count(*) FILTER (WHERE hold_until IS NOT NULL) AS offered
             FROM appointments.place WHERE slot_id = $1""",
        slot,
    )
    assert row is not None
    return row["free"], row["offered"]


async def test_what_is_free_while_somebody_waits_is_offered_by_the_beat(db, appointments, clock):
    slot = await a_slot(db, places=3)
    people = [await waits(appointments, clock) for _ in range(2)]
    assert await appointments.offer_freed() == 2
    assert await stages(appointments, *people) == [Waits.OFFERED, Waits.OFFERED]
    assert await free_or_offered(db, slot) == (1, 2)
    assert await appointments.offer_freed() == 0
    assert await disagreements(db, now=clock.now()) == []


async def test_a_hold_that_ends_by_the_clock_is_offered_by_the_beat(db, appointments, clock):
    slot = await a_slot(db, places=1)
    person = await waits(appointments, clock)
    await db.fetchval(
        """UPDATE appointments.place SET person_id = $2, booking_id = $3, hold_until = $4 WHERE slot_id = $1""",
        slot, a_person(), an_id(), clock.now() + timedelta(minutes=10),
    )  # fmt: skip
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.WAITING]
    clock.advance(timedelta(minutes=11))
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.OFFERED]


async def test_a_slot_is_offered_from_its_release_on_and_not_before(db, appointments, clock):
    opens = clock.now() + HOUR
    await a_slot(db, places=1, opens_at=opens)
    person = await waits(appointments, clock)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.WAITING]
    at(clock, opens)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.OFFERED]


async def test_nobody_who_waits_is_let_past_those_at_the_gate(db, appointments, clock):
    opens = clock.now() + HOUR
    slot = await a_slot(db, places=1, opens_at=opens)
    await db.fetchval("UPDATE appointments.slot SET is_gated = TRUE WHERE slot_id = $1", slot)
    person = await waits(appointments, clock)
    at(clock, opens + timedelta(minutes=GATED_MINUTES) - SECOND)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.WAITING]
    clock.advance(SECOND)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.OFFERED]


async def test_a_beat_that_looks_at_few_slots_goes_on_where_the_one_before_stopped(db, appointments, clock, keys):
    slots = [await a_slot(db, places=1, starts_at=THURSDAY_TEN + nth * HOUR / 4) for nth in range(6)]
    for slot in slots[:-1]:
        await appointments.book(an_id(), slot, a_person())
    person = await waits(appointments, clock)
    few = PassingOn(db, clock, telling(appointments, keys), slots_max=2, slots_together=1)
    assert [await few.offer_freed() for _ in range(3)] == [0, 0, 1]
    assert await stages(appointments, person) == [Waits.OFFERED]
    later = await waits(appointments, clock)
    holder = await db.fetchrow("SELECT person_id, booking_id FROM appointments.place WHERE slot_id = $1", slots[0])
    await db.fetchval(
        "UPDATE appointments.booking SET stage = 'cancelled', ended_by = 'office' WHERE person_id = $1", holder[0]
    )
    await db.fetchval("UPDATE appointments.place SET person_id = NULL, booking_id = NULL WHERE slot_id = $1", slots[0])
    assert sum([await few.offer_freed() for _ in range(4)]) == 1
    assert await stages(appointments, later) == [Waits.OFFERED]


async def test_places_that_suit_nobody_who_waits_stay_free(db, appointments, clock):
    slot = await a_slot(db, places=2)
    person = await waits(appointments, clock, day_part=DayPart.EVENING)
    assert await appointments.offer_freed() == 0
    assert await stages(appointments, person) == [Waits.WAITING]
    assert await free_or_offered(db, slot) == (2, 0)


async def test_new_places_are_offered_in_the_transaction_that_makes_them(db, appointments, clock, keys):
    slot = await a_slot(db, places=1)
    await appointments.book(an_id(), slot, a_person())
    people = [await waits(appointments, clock) for _ in range(3)]
    async with db.transaction() as conn:
        await conn.execute("INSERT INTO appointments.place (slot_id, seq) VALUES ($1, 2), ($1, 3)", slot)
        await conn.execute("UPDATE appointments.slot SET places = 3 WHERE slot_id = $1", slot)
        assert await offer_new_places(conn, telling(appointments, keys), slot, 2, now=clock.now()) == 2
    assert await stages(appointments, *people) == [Waits.OFFERED, Waits.OFFERED, Waits.WAITING]
    assert await disagreements(db, now=clock.now()) == []


async def test_a_place_given_back_in_a_withdrawn_slot_is_gone_and_offered_to_nobody(db, appointments, clock):
    slot, holder, booking = await a_slot(db, places=2), a_person(), an_id()
    await appointments.book(booking, slot, holder)
    await appointments.book(an_id(), slot, a_person())
    person = await waits(appointments, clock)
    await db.fetchval("UPDATE appointments.slot SET withdrawn_at = $2 WHERE slot_id = $1", slot, clock.now())
    await appointments.cancel(holder, booking)
    assert await stages(appointments, person) == [Waits.WAITING]
    assert await free_or_offered(db, slot) == (0, 0)
    assert await disagreements(db, now=clock.now()) == []


async def test_twenty_who_cancel_at_once_give_their_places_to_the_twenty_who_joined_first(
    db, database_url, appointments, clock, keys
):
    slot = await a_slot(db, places=20)
    bookings = [(a_person(), an_id()) for _ in range(20)]
    await asyncio.gather(*(appointments.book(booking_id, slot, person) for person, booking_id in bookings))
    people = [await waits(appointments, clock) for _ in range(25)]
    other_db = await Database.open(database_url, connections_max=8)
    other = await open_appointments(other_db, clock, keys)
    await asyncio.gather(
        *((appointments, other)[nth % 2].cancel(person, booking) for nth, (person, booking) in enumerate(bookings)),
        *(worker.offer_freed() for worker in (appointments, other) for _ in range(4)),
    )
    await asyncio.gather(appointments.offer_freed(), other.offer_freed())
    await other_db.close()
    found = await stages(appointments, *people)
    assert found == [Waits.OFFERED] * 20 + [Waits.WAITING] * 5
    assert await free_or_offered(db, slot) == (0, 20)
    assert await messages(db, "waiting_offer") == 20
    assert await disagreements(db, now=clock.now()) == []


async def test_offers_that_end_are_passed_on_once_however_many_workers_look(
    db, database_url, appointments, clock, keys
):
    slot = await a_slot(db, places=10)
    first = [await waits(appointments, clock) for _ in range(10)]
    second = [await waits(appointments, clock) for _ in range(10)]
    await appointments.offer_freed()
    clock.advance(OFFER + SECOND)
    other_db = await Database.open(database_url, connections_max=8)
    other = await open_appointments(other_db, clock, keys)
    await asyncio.gather(*(worker.offer_freed() for worker in (appointments, other) for _ in range(4)))
    await other_db.close()
    assert await stages(appointments, *first) == [Waits.WAITING] * 10
    assert await stages(appointments, *second) == [Waits.OFFERED] * 10
    assert await messages(db, "waiting_offer") == 20
    assert await free_or_offered(db, slot) == (0, 10)
    assert await disagreements(db, now=clock.now()) == []


async def test_two_places_given_back_at_one_moment_go_to_two_people_and_neither_waits_for_the_other(
    db, appointments, clock, keys
):
    slots = [await a_slot(db, places=1, starts_at=THURSDAY_TEN + nth * HOUR) for nth in range(2)]
    holders = [(slot, a_person(), an_id()) for slot in slots]
    for slot, person, booking_id in holders:
        await appointments.book(booking_id, slot, person)
    people = [await waits(appointments, clock) for _ in range(2)]

    async def freed(conn: Connection, slot: SlotId, person: PersonId, booking_id: BookingId) -> PersonId | None:
        await lock_place(conn, slot, Seq(1))
        offered = await give_back(
            conn, telling(appointments, keys), slot, Seq(1), service_id=service_id_of("passport"),
            person_id=person, booking_id=booking_id, now=clock.now(),
        )  # fmt: skip
        await mark_cancelled(conn, (person, booking_id), now=clock.now())
        return offered and offered.person_id

    async with db.transaction() as one, db.transaction() as other:
        assert await freed(one, *holders[0]) == people[0]
        async with asyncio.timeout(3):
            assert await freed(other, *holders[1]) == people[1]
    assert await stages(appointments, *people) == [Waits.OFFERED, Waits.OFFERED]
    assert await disagreements(db, now=clock.now()) == []


async def test_a_worker_that_looked_long_ago_disturbs_no_later_offer(db, appointments, clock, keys):
    await a_slot(db, places=1)
    await a_slot(db, places=1, starts_at=THURSDAY_TEN + HOUR)
    person = await waits(appointments, clock)
    await appointments.offer_freed()
    stale = (await appointments.joining.waits_of(person))[0].waiting
    clock.advance(OFFER + SECOND)
    await appointments.offer_freed()
    assert (await appointments.joining.waits_of(person))[0].waiting.offers == 2
    async with db.transaction() as conn:
        assert await end_offer(conn, telling(appointments, keys), stale, now=clock.now()) is None
    assert await stages(appointments, person) == [Waits.OFFERED]
    assert await disagreements(db, now=clock.now()) == []


async def test_taking_and_leaving_and_expiring_at_once_end_one_way(db, appointments, clock):
    slot = await a_slot(db, places=6)
    people = [await waits(appointments, clock) for _ in range(8)]
    await appointments.offer_freed()
    ids = [(await appointments.joining.waits_of(person))[0].waiting.waiting_id for person in people]
    clock.advance(OFFER - SECOND)
    answers = await asyncio.gather(
        *(appointments.taking.take(people[nth], ids[nth], Particulars()) for nth in range(6)),
        *(appointments.joining.leave(people[nth], ids[nth]) for nth in range(6)),
        return_exceptions=True,
    )
    for nth in range(6):
        took, left = answers[nth], answers[nth + 6]
        assert not (isinstance(took, Exception) and isinstance(left, Exception)), (took, left)
    clock.advance(2 * SECOND)
    await appointments.offer_freed()
    booked = await db.fetchval("SELECT count(*) FROM appointments.booking WHERE stage = 'booked'")
    free, offered = await free_or_offered(db, slot)
    assert booked + free + offered == 6
    assert offered == min(2, 6 - booked), "the two who still wait were asked first"
    assert await disagreements(db, now=clock.now()) == []


async def test_a_worker_that_dies_at_any_step_loses_nothing(db, appointments, clock, keys):
    """Each round: an offer ends, the worker passes it on and dies one statement later than in the round before."""
    died, nth = True, 0
    while died:
        service = f"service-{nth}"
        hour = THURSDAY_TEN + nth * timedelta(minutes=5)
        slot = await a_slot(db, places=1, starts_at=hour, service=service)
        wish = {"service_id": service_id_of(service)}
        first, second = await waits(appointments, clock, **wish), await waits(appointments, clock, **wish)
        await appointments.offer_freed()
        assert await stages(appointments, first, second) == [Waits.OFFERED, Waits.WAITING]
        clock.advance(OFFER + SECOND)
        try:
            await PassingOn(DyingDatabase(db, nth), clock, telling(appointments, keys)).offer_freed()  # type: ignore[arg-type]
            died = False
        except Died:
            nth += 1
        assert await disagreements(db, now=clock.now()) == []
        await appointments.offer_freed()
        assert await stages(appointments, first, second) == [Waits.WAITING, Waits.OFFERED]
        assert await free_or_offered(db, slot) == (0, 1)
        for person in (first, second):
            await appointments.joining.leave(
                person, (await appointments.joining.waits_of(person))[0].waiting.waiting_id
            )
        assert nth < STEPS_MAX, "the beat has an end"
    assert nth > 10, "it died at many steps before it got through"
    assert await disagreements(db, now=clock.now()) == []


async def test_whoever_is_offered_a_place_of_one_service_has_it_while_they_book_another_at_that_hour(
    db, appointments, clock
):
    await a_slot(db, places=1)
    other = await a_slot(db, places=1, service="licence", office="pudong", district="310115")
    person = await waits(appointments, clock)
    await appointments.offer_freed()
    await appointments.book(an_id(), other, person)
    wait = (await appointments.joining.waits_of(person))[0].waiting
    with pytest.raises(Exception, match="booked elsewhere"):
        await appointments.taking.take(person, wait.waiting_id, Particulars())
    assert await stages(appointments, person) == [Waits.OFFERED]
    assert await disagreements(db, now=clock.now()) == []


async def test_a_wait_without_an_offer_cannot_be_taken(db, appointments, clock):
    await a_slot(db, places=1)
    await appointments.catalogues.refresh()
    person = await waits(appointments, clock, office_id=office_id_of("xuhui"))
    wait = (await appointments.joining.waits_of(person))[0].waiting
    with pytest.raises(NothingOffered):
        await appointments.taking.take(person, wait.waiting_id, Particulars())


async def test_an_offer_booked_directly_under_its_id_counts_as_taken(db, appointments, clock):
    slot = await a_slot(db, places=1)
    person = await waits(appointments, clock)
    await appointments.offer_freed()
    wait = (await appointments.joining.waits_of(person))[0].waiting
    assert wait.booking_id is not None
    booking = await appointments.book(wait.booking_id, slot, person)
    assert await stages(appointments, person) == [Waits.TAKEN]
    with pytest.raises(AlreadyBooked):
        await appointments.joining.join(person, WaitingId(uuid4()), wait.wish)
    await appointments.cancel(person, booking.booking_id)
    assert await stages(appointments, person) == [Waits.TAKEN]
    assert await free_or_offered(db, slot) == (1, 0)
