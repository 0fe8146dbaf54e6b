"""Hours change, and whoever is booked in what goes is moved, cancelled or kept, and told; nobody is lost on the way."""

import asyncio
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from appointments.errors import SlotFull, TimesOverlap
from appointments.model import Channel, EndedBy, Lane, Opening, Stage
from appointments.offices import offering
from appointments.offices.replanning import applying, deciding, fitting
from appointments.offices.replanning.moving import Decision, OnConflict, nearest_first
from appointments.queries import select_bookings
from appointments.waiting.model import WaitingId, Waits, Wish
from kernel.clock import in_shanghai
from kernel.errors import Refusal
from tests.builders_appointments import (
    a_desk,
    a_person,
    a_service,
    a_slot,
    an_id,
    an_office,
    disagreements,
    messages,
    open_appointments,
)

MOVE = Decision(on_conflict=OnConflict.MOVE, reason_zh="窗口装修", actor="staff:1")
CANCEL = replace(MOVE, on_conflict=OnConflict.CANCEL)
KEEP = replace(MOVE, on_conflict=OnConflict.KEEP)
TUESDAY_NINE = datetime.fromisoformat("2026-03-03T09:00+08:00")


@pytest.fixture
async def appointments(db, clock, keys):
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def desk(db, appointments):
    """Weekdays nine to half past eleven, two places each half hour, offered."""
    planted = a_desk(await an_office(db), await a_service(db), places=2)
    await offering.plant(db, desks=[planted])
    await appointments.offer_ahead()
    return planted


def opening(from_hour: int, to_hour: int, weekdays=range(5)) -> tuple[Opening, ...]:
    return tuple(Opening(weekday, time(from_hour), time(to_hour)) for weekday in weekdays)


async def put(db, desk, **changed):
    await offering.plant(db, desks=[replace(desk, **changed)])


async def apply(db, clock, appointments, desk, decision, **bounds):
    return await deciding.apply(db, clock, appointments.mover, desk.office_id, desk.service_id, decision, **bounds)


async def slot_at(db, moment):
    return await db.fetchval(
        "SELECT slot_id FROM appointments.slot WHERE starts_at = $1 AND lane = 'normal' LIMIT 1", moment
    )


async def booked(appointments, slot_id, persons=1):
    return [await appointments.book(an_id(), slot_id, a_person()) for _ in range(persons)]


async def now_of(db, booking):
    key = booking.person_id, booking.booking_id
    async with db.connection() as conn:
        return (await select_bookings(conn, [key]))[key]


async def test_bookings_in_hours_that_go_move_to_the_nearest_free_hour_of_the_day_and_are_told_why(
    db, appointments, clock, desk
):
    early = await booked(appointments, await slot_at(db, TUESDAY_NINE), 2)
    await booked(appointments, await slot_at(db, TUESDAY_NINE + timedelta(hours=1)), 1)
    await put(db, desk, openings=opening(10, 12))
    shown = await applying.preview(db, clock, desk.office_id, desk.service_id)
    assert shown.conflicting == 2
    assert {one.booking.booking_id for one in shown.conflicts} == {one.booking_id for one in early}
    applied = await apply(db, clock, appointments, desk, MOVE)
    assert (applied.moved, applied.cancelled, applied.kept, applied.is_done) == (2, 0, 0, True)
    moved = [await now_of(db, one) for one in early]
    assert [f"{in_shanghai(one.starts_at):%d %H:%M}" for one in moved] in (
        ["03 10:00", "03 10:30"], ["03 10:30", "03 10:00"],
    )  # fmt: skip
    assert all((one.stage, one.channel, one.version) == (Stage.BOOKED, Channel.MOVED_BY_OFFICE, 2) for one in moved)
    assert await messages(db, "booking_moved_by_office") == 2
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'appointments.move_booking'") == 2
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'appointments.replan'") == 1
    assert await disagreements(db) == []


async def test_applying_again_does_nothing_more(db, appointments, clock, desk):
    await booked(appointments, await slot_at(db, TUESDAY_NINE))
    await put(db, desk, openings=opening(10, 12))
    await apply(db, clock, appointments, desk, MOVE)
    assert await apply(db, clock, appointments, desk, MOVE) == applying.Applied()
    assert await messages(db, "booking_moved_by_office") == 1


async def test_who_finds_no_free_hour_near_is_cancelled_by_the_office_and_told(db, appointments, clock, desk):
    [booking] = await booked(appointments, await slot_at(db, TUESDAY_NINE))
    await put(db, desk, openings=())
    applied = await apply(db, clock, appointments, desk, MOVE)
    assert (applied.moved, applied.cancelled, applied.is_done) == (0, 1, True)
    now = await now_of(db, booking)
    assert (now.stage, now.ended_by) == (Stage.CANCELLED, EndedBy.OFFICE)
    assert await messages(db, "booking_cancelled_by_office") == 1
    assert await disagreements(db) == []


async def test_a_person_is_not_moved_to_an_hour_they_are_elsewhere(db, appointments, clock, desk):
    person = a_person()
    await appointments.book(an_id(), await slot_at(db, TUESDAY_NINE), person)
    elsewhere = await a_slot(
        db, service="licence", starts_at=TUESDAY_NINE + timedelta(hours=1), lasts=timedelta(hours=1)
    )
    await appointments.book(an_id(), elsewhere, person)
    await put(db, desk, openings=opening(10, 12))
    assert (await apply(db, clock, appointments, desk, MOVE)).moved == 1
    at_desk = await db.fetchval(
        "SELECT starts_at FROM appointments.booking WHERE person_id = $1 AND service_id = $2", person, desk.service_id
    )
    assert f"{in_shanghai(at_desk):%d %H:%M}" == "03 11:00"
    assert await disagreements(db) == []


async def test_kept_bookings_stay_and_nobody_else_books_beside_them(db, appointments, clock, desk):
    slot = await slot_at(db, TUESDAY_NINE)
    [booking] = await booked(appointments, slot)
    await put(db, desk, openings=opening(10, 12))
    applied = await apply(db, clock, appointments, desk, KEEP)
    assert (applied.kept, applied.is_done) == (1, True)
    assert (await now_of(db, booking)).slot_id == slot
    with pytest.raises(Refusal):
        await booked(appointments, slot)
    assert (await apply(db, clock, appointments, desk, MOVE)).moved == 1, "the decision can still be another"
    assert await disagreements(db) == []


async def test_the_hourly_beat_withdraws_what_went_and_leaves_the_decision_to_the_department(
    db, appointments, clock, desk
):
    slot, free = await slot_at(db, TUESDAY_NINE), await slot_at(db, TUESDAY_NINE + timedelta(minutes=30))
    [booking] = await booked(appointments, slot)
    await put(db, desk, openings=opening(10, 12))
    await appointments.offer_ahead()
    for gone in (slot, free):
        with pytest.raises(Refusal):
            await booked(appointments, gone)
    assert (await now_of(db, booking)).stage is Stage.BOOKED
    assert (await applying.preview(db, clock, desk.office_id, desk.service_id)).conflicting == 1
    assert await disagreements(db) == []


async def test_a_place_given_back_in_a_withdrawn_slot_is_nobodys(db, appointments, clock, desk):
    slot = await slot_at(db, TUESDAY_NINE)
    [booking] = await booked(appointments, slot)
    await put(db, desk, openings=opening(10, 12))
    await apply(db, clock, appointments, desk, KEEP)
    await appointments.cancel(booking.person_id, booking.booking_id)
    assert await db.fetchval("SELECT count(*) FROM appointments.place WHERE slot_id = $1", slot) == 0
    with pytest.raises(Refusal):
        await booked(appointments, slot)
    assert await disagreements(db) == []


async def test_a_place_held_in_an_hour_that_goes_is_held_no_more_and_cannot_be_confirmed(db, appointments, clock, desk):
    slot, holder, booking_id = await slot_at(db, TUESDAY_NINE), a_person(), an_id()
    await appointments.hold(booking_id, slot, holder)
    await put(db, desk, openings=opening(10, 12))
    await apply(db, clock, appointments, desk, MOVE)
    with pytest.raises(Refusal):
        await appointments.book(booking_id, slot, holder)
    clock.advance(timedelta(minutes=11))
    await appointments.forget_holds()
    other = await slot_at(db, TUESDAY_NINE + timedelta(hours=1))
    assert (await appointments.book(an_id(), other, holder)).slot_id == other
    assert await disagreements(db) == []


async def test_whoever_was_offered_a_place_that_goes_waits_on_where_they_stood(db, appointments, clock, desk):
    await put(db, desk, places=1)
    await apply(db, clock, appointments, desk, MOVE)
    slot, waits = await slot_at(db, TUESDAY_NINE), a_person()
    [booking] = await booked(appointments, slot)
    wish = Wish(
        service_id=desk.service_id, office_id=None, district=None, lane=Lane.NORMAL, first_day=TUESDAY_NINE.date(),
        last_day=TUESDAY_NINE.date(), day_part=None,
    )  # fmt: skip
    others = [await slot_at(db, TUESDAY_NINE + timedelta(minutes=30 * nth)) for nth in range(1, 5)]
    for one in others:
        await booked(appointments, one)
    await appointments.joining.join(waits, WaitingId(uuid4()), wish)
    await appointments.cancel(booking.person_id, booking.booking_id)
    assert [one.waiting.stage for one in await appointments.joining.waits_of(waits)] == [Waits.OFFERED]
    await put(db, desk, openings=opening(10, 12), places=1)
    await apply(db, clock, appointments, desk, KEEP)
    wait = (await appointments.joining.waits_of(waits))[0].waiting
    assert (wait.stage, wait.offers) == (Waits.WAITING, 0)
    assert await disagreements(db, now=clock.now()) == []


async def test_fewer_places_move_whoever_booked_last_and_more_places_can_be_booked(db, appointments, clock, desk):
    slot = await slot_at(db, TUESDAY_NINE)
    [first] = await booked(appointments, slot)
    clock.advance(timedelta(minutes=1))
    [last] = await booked(appointments, slot)
    await put(db, desk, places=1)
    shown = await applying.preview(db, clock, desk.office_id, desk.service_id)
    assert [one.booking.booking_id for one in shown.conflicts] == [last.booking_id]
    assert (await apply(db, clock, appointments, desk, MOVE)).moved == 1
    assert (await now_of(db, first)).slot_id == slot
    assert (await now_of(db, last)).slot_id != slot
    assert await disagreements(db) == []
    await put(db, desk, places=4)
    await apply(db, clock, appointments, desk, MOVE)
    await booked(appointments, slot, 3)
    with pytest.raises(SlotFull):
        await booked(appointments, slot)
    assert await disagreements(db) == []


async def test_a_change_that_is_broken_off_anywhere_is_finished_by_applying_again(db, appointments, clock, desk):
    persons = [
        one for minutes in (0, 30) for one in
        await booked(appointments, await slot_at(db, TUESDAY_NINE + timedelta(minutes=minutes)), 2)
    ]  # fmt: skip
    await put(db, desk, openings=opening(10, 12))
    rounds = 0
    while not (await apply(db, clock, appointments, desk, MOVE, slots_max=7, bookings_max=1)).is_done:
        rounds += 1
        assert rounds < 30
        assert await disagreements(db) == []
    assert rounds > 3
    assert min([in_shanghai((await now_of(db, one)).starts_at).hour for one in persons]) >= 10
    assert await messages(db, "booking_moved_by_office") == 4
    assert await disagreements(db) == []


async def test_hours_that_come_back_can_be_booked_again(db, appointments, clock, desk):
    slot = await slot_at(db, TUESDAY_NINE)
    await put(db, desk, openings=opening(10, 12))
    await apply(db, clock, appointments, desk, MOVE)
    await put(db, desk)
    await apply(db, clock, appointments, desk, MOVE)
    await booked(appointments, slot, 2)
    assert await disagreements(db) == []


async def test_who_books_while_a_slot_is_withdrawn_is_refused_or_moved_and_never_left_behind(
    db, appointments, clock, desk, keys
):
    other_process = await open_appointments(db, clock, keys)
    slots = [await slot_at(db, TUESDAY_NINE + timedelta(minutes=30 * nth)) for nth in range(2)]
    await put(db, desk, openings=opening(10, 12), places=2)

    async def try_to_book(nth: int):
        try:
            return await (other_process, appointments)[nth % 2].book(an_id(), slots[nth % 2], a_person())
        except Refusal:
            return None

    tries = [asyncio.create_task(try_to_book(nth)) for nth in range(24)]
    await asyncio.sleep(0)
    applied = await apply(db, clock, appointments, desk, MOVE)
    taken = [one for one in await asyncio.gather(*tries) if one is not None]
    while not applied.is_done:
        applied = await apply(db, clock, appointments, desk, MOVE)
    assert min([in_shanghai((await now_of(db, one)).starts_at).hour for one in taken], default=10) >= 10
    assert (await applying.preview(db, clock, desk.office_id, desk.service_id)).conflicting == 0
    assert await disagreements(db) == []


async def test_people_who_cancel_and_move_themselves_meanwhile_are_left_to_what_they_did(db, appointments, clock, desk):
    slot, later = await slot_at(db, TUESDAY_NINE), await slot_at(db, TUESDAY_NINE + timedelta(days=1, hours=1))
    gone, self_moved = await booked(appointments, slot, 2)
    await put(db, desk, openings=opening(10, 12))
    results = await asyncio.gather(
        apply(db, clock, appointments, desk, MOVE),
        appointments.cancel(gone.person_id, gone.booking_id),
        appointments.reschedule(self_moved.person_id, self_moved.booking_id, later),
        return_exceptions=True,
    )
    assert [one for one in results if isinstance(one, BaseException) and not isinstance(one, TimesOverlap)] == []
    await apply(db, clock, appointments, desk, MOVE)
    assert (await now_of(db, gone)).stage is Stage.CANCELLED
    assert in_shanghai((await now_of(db, self_moved)).starts_at).hour >= 10
    assert await disagreements(db) == []


async def test_an_hour_that_was_just_found_full_is_booked_at_once_when_it_is_opened_again(
    db, appointments, clock, desk
):
    slot = await slot_at(db, TUESDAY_NINE)
    await booked(appointments, slot, 2)
    with pytest.raises(SlotFull):
        await booked(appointments, slot)
    await put(db, desk, places=3)
    assert (await apply(db, clock, appointments, desk, KEEP)).fitted > 0
    assert await booked(appointments, slot)


async def test_a_trip_that_was_just_found_full_is_booked_at_once_when_it_is_given_more_seats(db, appointments, clock):
    trip = await deciding.read_slot(db, await a_slot(db, places=1))
    await booked(appointments, trip.slot_id)
    with pytest.raises(SlotFull):
        await booked(appointments, trip.slot_id)
    wider = replace(trip, places=2)
    await deciding.give_slot(db, clock, appointments.mover, wider, actor="department:1")
    assert await booked(appointments, trip.slot_id)


async def test_the_same_slot_changed_twice_at_once_has_the_places_of_one_change(db, appointments, clock, desk):
    slot = await deciding.read_slot(db, await slot_at(db, TUESDAY_NINE))
    await asyncio.gather(
        *(fitting.fit(db, clock, replace(slot, places=places)) for places in (1, 5, 3)),
        fitting.withdraw(db, clock, slot), booked(appointments, slot.slot_id), return_exceptions=True,
    )  # fmt: skip
    assert await disagreements(db) == []


async def test_the_day_itself_comes_before_other_days_and_near_before_far(db, desk):
    slot = await deciding.read_slot(db, await slot_at(db, TUESDAY_NINE))

    def at(hour: int, day: int = 3):
        return replace(slot, starts_at=datetime.fromisoformat(f"2026-03-{day:02}T{hour:02}:00+08:00"))

    slots = [at(9, 2), at(17), at(8), at(10), at(9, 4)]
    assert nearest_first(slots, TUESDAY_NINE) == [at(10), at(8), at(17), at(9, 4), at(9, 2)]
