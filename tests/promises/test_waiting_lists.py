"""Who waits is offered what comes free, in turn; nothing that is freed is lost, and nobody is let past."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest

from appointments.asking import Particulars
from appointments.errors import AlreadyBooked, DaysOutOfRange, ServiceNotFound, SlotFull, Suspended
from appointments.model import Channel, DayPart, Lane, SlotId, office_id_of, service_id_of
from appointments.parts import Appointments
from appointments.waiting.errors import (
    AlreadyWaiting,
    NothingOffered,
    TooManyWaits,
    WaitingIdTaken,
    WaitingNotFound,
    WaitingTaken,
)
from appointments.waiting.model import (
    OFFER_MINUTES,
    OFFERS_MAX,
    PASSED_ON_SECONDS,
    WAITS_MAX,
    Waiting,
    WaitingId,
    Waits,
    Wish,
)
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_service,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
    open_appointments,
)

THURSDAY = date(2026, 3, 5)
NEXT_DAY = THURSDAY_TEN + timedelta(days=1)
OFFER = timedelta(minutes=OFFER_MINUTES)
SECOND = timedelta(seconds=1)


def a_wish(**what: object) -> Wish:
    days = {"first_day": THURSDAY, "last_day": THURSDAY + timedelta(days=1)}
    return Wish(**({"service_id": service_id_of("passport")} | days | what))  # type: ignore[arg-type]


async def waits(appointments: Appointments, clock: StoppedClock, **what: object) -> PersonId:
    """Somebody new who waits, a second later than whoever came before."""
    clock.advance(SECOND)
    person = a_person()
    await appointments.joining.join(person, WaitingId(uuid4()), a_wish(**what))
    return person


async def the_wait(appointments: Appointments, person: PersonId) -> Waiting:
    [one] = await appointments.joining.waits_of(person)
    return one.waiting


async def stages(appointments: Appointments, *people: PersonId) -> list[Waits]:
    return [(await the_wait(appointments, person)).stage for person in people]


async def a_full_slot(db: Database, appointments: Appointments, **what: object) -> tuple[SlotId, PersonId, object]:
    """A slot of one place, and who has it under which booking."""
    slot, person, booking_id = await a_slot(db, places=1, **what), a_person(), an_id()  # type: ignore[arg-type]
    await appointments.catalogues.refresh()
    await appointments.book(booking_id, slot, person)
    return slot, person, booking_id


async def test_a_cancelled_place_is_offered_to_who_joined_first_and_is_theirs_alone(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    first, second = await waits(appointments, clock), await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    assert await stages(appointments, first, second) == [Waits.OFFERED, Waits.WAITING]
    assert await messages(db, "waiting_offer") == 1
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())
    assert await disagreements(db, now=clock.now()) == []


async def test_an_offer_that_is_taken_is_a_booking_and_the_end_of_the_wait(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    wait = await the_wait(appointments, person)
    taken = await appointments.taking.take(person, wait.waiting_id, Particulars())
    assert (taken.slot_id, taken.channel) == (slot, Channel.WAITING_LIST)
    assert await stages(appointments, person) == [Waits.TAKEN]
    assert await appointments.taking.take(person, wait.waiting_id, Particulars()) == taken
    assert await db.fetchval("SELECT count(*) FROM appointments.hold") == 0
    assert await messages(db, "booking_confirmed") == 2
    at(clock, clock.now() + OFFER + SECOND)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.TAKEN]
    assert await disagreements(db, now=clock.now()) == []


async def test_an_offer_can_be_taken_where_the_slot_was_just_known_to_be_full(db, appointments, clock, keys):
    slot, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    elsewhere = await open_appointments(db, clock, keys)
    with pytest.raises(SlotFull):
        await elsewhere.book(an_id(), slot, a_person())
    await appointments.cancel(holder, booking)
    wait = await the_wait(appointments, person)
    assert (await elsewhere.taking.take(person, wait.waiting_id, Particulars())).slot_id == slot


async def test_taking_it_from_two_phones_at_once_books_once(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    wait = await the_wait(appointments, person)
    taken = await asyncio.gather(*(appointments.taking.take(person, wait.waiting_id, Particulars()) for _ in range(6)))
    assert len({one.booking_id for one in taken}) == 1
    assert await db.fetchval("SELECT count(*) FROM appointments.booking WHERE stage = 'booked'") == 1
    assert await disagreements(db, now=clock.now()) == []


async def test_an_offer_not_taken_goes_to_the_next_and_its_person_to_the_end(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    first, second, third = [await waits(appointments, clock) for _ in range(3)]
    await appointments.cancel(holder, booking)
    at(clock, clock.now() + OFFER + SECOND)
    wait = await the_wait(appointments, first)
    with pytest.raises(NothingOffered):
        await appointments.taking.take(first, wait.waiting_id, Particulars())
    await appointments.offer_freed()
    assert await stages(appointments, first, second, third) == [Waits.WAITING, Waits.OFFERED, Waits.WAITING]
    ahead = {one: (await appointments.joining.waits_of(one))[0].ahead for one in (first, second, third)}
    assert ahead == {first: 1, second: None, third: 0}
    assert await messages(db, "waiting_offer") == 2
    assert await disagreements(db, now=clock.now()) == []


async def test_between_an_offers_end_and_the_beat_nobody_is_let_past_those_who_wait(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    at(clock, clock.now() + OFFER + SECOND)
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())


async def test_with_no_worker_at_all_a_place_that_was_offered_is_free_again(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    first = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    at(clock, clock.now() + OFFER + timedelta(seconds=PASSED_ON_SECONDS) + SECOND)
    assert await appointments.book(an_id(), slot, a_person())
    await appointments.offer_freed()
    assert await stages(appointments, first) == [Waits.WAITING]
    assert await disagreements(db, now=clock.now()) == []


async def test_whoever_lets_every_offer_pass_waits_no_more_and_is_told(db, appointments, clock):
    slots = [await a_slot(db, places=1, starts_at=THURSDAY_TEN + timedelta(hours=nth)) for nth in range(OFFERS_MAX)]
    await appointments.catalogues.refresh()
    person = await waits(appointments, clock)
    for nth in range(OFFERS_MAX):
        await appointments.offer_freed()
        assert await stages(appointments, person) == [Waits.OFFERED], nth
        at(clock, clock.now() + OFFER + SECOND)
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.LAPSED]
    assert await messages(db, "waiting_lapsed") == 1
    assert await appointments.book(an_id(), slots[-1], a_person())
    assert await disagreements(db, now=clock.now()) == []


async def test_a_place_that_the_only_one_who_waits_lets_pass_is_free_for_everybody(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    at(clock, clock.now() + OFFER + SECOND)
    await appointments.offer_freed()
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.WAITING]
    assert await appointments.book(an_id(), slot, a_person())
    assert await disagreements(db, now=clock.now()) == []


async def test_a_wish_whose_days_are_over_lapses_and_its_person_is_told(db, appointments, clock):
    await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    at(clock, THURSDAY_TEN + timedelta(days=2))
    await appointments.offer_freed()
    assert await stages(appointments, person) == [Waits.LAPSED]
    await appointments.offer_freed()
    assert await messages(db, "waiting_lapsed") == 1


async def test_whoever_is_suspended_meanwhile_cannot_take_it_and_it_goes_on(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    first, second = await waits(appointments, clock), await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    async with db.transaction() as conn:
        await conn.execute(
            "INSERT INTO appointments.suspension (person_id, since, until) VALUES ($1, $2, $3)",
            first, clock.now(), clock.now() + timedelta(days=30),
        )  # fmt: skip
    wait = await the_wait(appointments, first)
    with pytest.raises(Suspended):
        await appointments.taking.take(first, wait.waiting_id, Particulars())
    at(clock, clock.now() + OFFER + SECOND)
    await appointments.offer_freed()
    assert await stages(appointments, first, second) == [Waits.WAITING, Waits.OFFERED]
    assert await disagreements(db, now=clock.now()) == []


async def test_somebody_who_waits_and_chooses_another_slot_gives_the_offer_to_the_next(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    later = await a_slot(db, starts_at=THURSDAY_TEN + timedelta(hours=5), places=1)
    first, second = await waits(appointments, clock), await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    await appointments.book(an_id(), later, first)
    assert (await stages(appointments, second)) == [Waits.OFFERED]
    await appointments.offer_freed()
    assert await disagreements(db, now=clock.now()) == []


async def test_leaving_with_an_offer_in_hand_gives_it_to_the_next_at_once(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    first, second = await waits(appointments, clock), await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    wait = await the_wait(appointments, first)
    left = await asyncio.gather(*(appointments.joining.leave(first, wait.waiting_id) for _ in range(4)))
    assert {one.stage for one in left} == {Waits.LEFT}
    assert await stages(appointments, first, second) == [Waits.LEFT, Waits.OFFERED]
    assert await messages(db, "waiting_lapsed") == 0
    assert await disagreements(db, now=clock.now()) == []
    with pytest.raises(WaitingNotFound):
        await appointments.joining.leave(second, wait.waiting_id)


async def test_whoever_took_their_place_can_no_longer_leave_the_line(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    wait = await the_wait(appointments, person)
    taken = await appointments.taking.take(person, wait.waiting_id, Particulars())
    with pytest.raises(WaitingTaken) as refused:
        await appointments.joining.leave(person, wait.waiting_id)
    assert refused.value.members == {"booking_id": str(taken.booking_id)}


async def test_whoever_wishes_for_days_that_are_over_is_told_just_that(db, appointments, clock):
    await a_full_slot(db, appointments)
    wish = a_wish(first_day=date(2026, 2, 20), last_day=date(2026, 3, 1))
    with pytest.raises(DaysOutOfRange, match="days are over"):
        await appointments.joining.join(a_person(), WaitingId(uuid4()), wish)


@pytest.mark.parametrize(
    "other",
    [
        {"office_id": office_id_of("pudong")},
        {"district": "310115"},
        {"lane": Lane.DEFERRED},
        {"first_day": THURSDAY + timedelta(days=1)},
        {"first_day": THURSDAY - timedelta(days=2), "last_day": THURSDAY - timedelta(days=1)},
        {"day_part": DayPart.AFTERNOON},
    ],
)
async def test_a_place_that_does_not_suit_the_first_goes_to_the_next_whom_it_suits(db, appointments, clock, other):
    await a_slot(db, office="pudong", district="310115", starts_at=NEXT_DAY, service="other")
    _, holder, booking = await a_full_slot(db, appointments)
    first = await waits(appointments, clock, **other)
    second = await waits(
        appointments, clock, office_id=office_id_of("xuhui"), district="310104", day_part=DayPart.MORNING
    )
    await appointments.cancel(holder, booking)
    assert await stages(appointments, first, second) == [Waits.WAITING, Waits.OFFERED]


async def test_who_could_not_book_it_is_passed_over_and_keeps_their_turn(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    elsewhere = await waits(appointments, clock)
    suspended = await waits(appointments, clock)
    able = await waits(appointments, clock)
    busy = await a_slot(db, service="licence", office="pudong", district="310115", places=1)
    await appointments.catalogues.refresh()
    await appointments.book(an_id(), busy, elsewhere)
    async with db.transaction() as conn:
        await conn.execute(
            "INSERT INTO appointments.suspension (person_id, since, until) VALUES ($1, $2, $3)",
            suspended, clock.now(), clock.now() + timedelta(days=30),
        )  # fmt: skip
    await appointments.cancel(holder, booking)
    assert await stages(appointments, elsewhere, suspended, able) == [Waits.WAITING, Waits.WAITING, Waits.OFFERED]
    assert (await appointments.joining.waits_of(elsewhere))[0].ahead == 0


async def test_who_has_booked_the_service_meanwhile_waits_no_more(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    first, second = await waits(appointments, clock), await waits(appointments, clock)
    await appointments.book(an_id(), await a_slot(db, starts_at=NEXT_DAY, places=1), first)
    await appointments.cancel(holder, booking)
    assert await stages(appointments, first, second) == [Waits.LEFT, Waits.OFFERED]


async def test_whoever_cancels_is_not_offered_their_own_place(db, appointments, clock):
    slot, holder, booking = await a_full_slot(db, appointments)
    await appointments.cancel(holder, booking)
    await appointments.joining.join(holder, WaitingId(uuid4()), a_wish())
    again = an_id()
    await appointments.book(again, slot, holder)
    await appointments.cancel(holder, again)
    assert await stages(appointments, holder) == [Waits.WAITING]
    assert await appointments.book(an_id(), slot, a_person())


async def test_a_place_that_a_move_leaves_is_offered(db, appointments, clock):
    _, holder, booking = await a_full_slot(db, appointments)
    later = await a_slot(db, starts_at=NEXT_DAY, places=1)
    person = await waits(appointments, clock, last_day=THURSDAY)
    await appointments.reschedule(holder, booking, later)
    assert await stages(appointments, person) == [Waits.OFFERED]
    assert await disagreements(db, now=clock.now()) == []


async def test_an_offer_never_lasts_past_the_last_moment_to_book(db, appointments, clock):
    closes = THURSDAY_TEN - timedelta(hours=3)
    _, holder, booking = await a_full_slot(db, appointments, closes_at=closes)
    person = await waits(appointments, clock)
    at(clock, closes - timedelta(minutes=10))
    await appointments.cancel(holder, booking)
    assert (await the_wait(appointments, person)).offered_until == closes


async def test_a_place_that_can_hardly_be_booked_any_more_is_not_offered(db, appointments, clock):
    closes = THURSDAY_TEN - timedelta(hours=3)
    slot, holder, booking = await a_full_slot(db, appointments, closes_at=closes)
    person = await waits(appointments, clock)
    at(clock, closes - timedelta(minutes=4))
    await appointments.cancel(holder, booking)
    assert await stages(appointments, person) == [Waits.WAITING]
    assert await appointments.book(an_id(), slot, a_person())


async def test_the_same_wish_again_is_the_same_wait_and_another_wish_is_refused(db, appointments, clock):
    await a_full_slot(db, appointments)
    person, waiting_id = a_person(), WaitingId(uuid4())
    joined = await asyncio.gather(*(appointments.joining.join(person, waiting_id, a_wish()) for _ in range(6)))
    assert {one.waiting.joined_at for one in joined} == {clock.now()}
    assert await db.fetchval("SELECT count(*) FROM appointments.waiting") == 1
    with pytest.raises(WaitingIdTaken):
        await appointments.joining.join(person, waiting_id, a_wish(day_part=DayPart.EVENING))
    with pytest.raises(WaitingIdTaken):
        await appointments.joining.join(a_person(), waiting_id, a_wish())
    with pytest.raises(AlreadyWaiting):
        await appointments.joining.join(person, WaitingId(uuid4()), a_wish())


async def test_nobody_joins_who_is_booked_or_suspended_or_wishes_what_there_cannot_be(db, appointments, clock):
    _, holder, _ = await a_full_slot(db, appointments)
    person = a_person()

    async def refused(refusal: type[Exception], who: PersonId, **what: object) -> None:
        with pytest.raises(refusal):
            await appointments.joining.join(who, WaitingId(uuid4()), a_wish(**what))

    await refused(AlreadyBooked, holder)
    await refused(ServiceNotFound, person, service_id=service_id_of("nothing"))
    await refused(DaysOutOfRange, person, last_day=THURSDAY - timedelta(days=1))
    await refused(DaysOutOfRange, person, last_day=THURSDAY + timedelta(days=62))
    await refused(DaysOutOfRange, person, first_day=date(2026, 2, 20), last_day=date(2026, 3, 1))
    async with db.transaction() as conn:
        await conn.execute(
            "INSERT INTO appointments.suspension (person_id, since, until) VALUES ($1, $2, $3)",
            person, clock.now(), clock.now() + timedelta(days=30),
        )  # fmt: skip
    await refused(Suspended, person)


async def test_nobody_waits_for_more_services_than_one_may(db, appointments):
    person = a_person()
    for nth in range(WAITS_MAX + 1):
        await a_service(db, f"service-{nth}")
    await appointments.catalogues.refresh()
    for nth in range(WAITS_MAX):
        await appointments.joining.join(person, WaitingId(uuid4()), a_wish(service_id=service_id_of(f"service-{nth}")))
    with pytest.raises(TooManyWaits):
        await appointments.joining.join(
            person, WaitingId(uuid4()), a_wish(service_id=service_id_of(f"service-{WAITS_MAX}"))
        )
