"""The rules about hours: slots follow from openings; reminders and the last moment to cancel follow from slots."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from appointments.asking import Asked
from appointments.due import REMIND_APART, closes_at, due_bucket, remind_at
from appointments.entitling import ACTIVE_MAX, Standing
from appointments.errors import (
    AlreadyBooked,
    BookingIdTaken,
    CursorUnknown,
    SlotFull,
    Suspended,
    TimesOverlap,
    TooManyActive,
)
from appointments.filing import Answer, answer_without_a_place
from appointments.model import (
    CANCEL_BEFORE,
    SECOND_THOUGHTS,
    Booking,
    Desk,
    Opening,
    Seq,
    Slot,
    Stage,
    cancellable_until,
    day_bounds,
    slot_id_of,
    slots_of,
)
from appointments.offices.searching import days_after
from appointments.paging import CURSOR_MAX, Position, position_of
from kernel.clock import in_shanghai
from kernel.ids import BUCKETS, BookingId, OfficeId, PersonId, ServiceId, SlotId

OFFICE, SERVICE = OfficeId(UUID(int=1)), ServiceId(UUID(int=2))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@st.composite
def desks(draw: st.DrawFn) -> Desk:
    hours = draw(st.lists(TIMES, min_size=2, max_size=6, unique=True).map(sorted))
    weekday = draw(st.integers(0, 6))
    openings = tuple(Opening(weekday, *pair) for pair in zip(hours[::2], hours[1::2], strict=False))
    return Desk(
        office_id=OFFICE, service_id=SERVICE, slot_minutes=draw(st.integers(5, 480)),
        places=draw(st.integers(1, 50)), openings=openings,
    )  # fmt: skip


@given(desks(), st.dates(date(2024, 1, 1), date(2040, 1, 1)))
def test_slots_lie_within_the_openings_of_their_weekday_and_do_not_overlap(desk, day):
    slots = list(slots_of(desk, "310104", day))
    openings = [opening for opening in desk.openings if opening.weekday == day.weekday()]
    for slot in slots:
        starts, ends = in_shanghai(slot.starts_at), in_shanghai(slot.ends_at)
        assert ends - starts == timedelta(minutes=desk.slot_minutes)
        assert any(o.opens <= starts.time() and (ends.date() == day and ends.time() <= o.closes) for o in openings)
    for before, after in pairwise(slots):
        assert before.ends_at <= after.starts_at
    assert len({slot.slot_id for slot in slots}) == len(slots)


@given(MOMENTS, MOMENTS)
def test_a_slots_id_is_its_office_service_and_hour(one, other):
    ids = {slot_id_of(OFFICE, SERVICE, one), slot_id_of(OFFICE, ServiceId(UUID(int=3)), one)}
    assert len(ids) == 2
    assert slot_id_of(OFFICE, SERVICE, in_shanghai(one)) in ids
    assert (slot_id_of(OFFICE, SERVICE, other) in ids) == (int(one.timestamp() * 1000) == int(other.timestamp() * 1000))
    assert {(slot_id.version, slot_id.variant) for slot_id in ids} == {(8, "specified in RFC 4122")}


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=30)))
def test_a_booking_can_be_cancelled_until_two_hours_before_or_a_while_after_it_was_made(booked_at, ahead):
    starts_at = booked_at + ahead
    until = cancellable_until(starts_at, booked_at)
    assert until <= starts_at
    assert until >= min(starts_at, booked_at + SECOND_THOUGHTS)
    assert until >= starts_at - CANCEL_BEFORE


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=30)))
def test_a_reminder_comes_after_the_booking_and_before_the_hour(booked_at, ahead):
    starts_at = booked_at + ahead
    remind = remind_at(starts_at, booked_at)
    if remind is None:
        assert ahead < timedelta(hours=3)
    else:
        assert booked_at + REMIND_APART <= remind < starts_at


@given(MOMENTS)
def test_a_day_ends_at_midnight_in_shanghai(ends_at):
    closes = in_shanghai(closes_at(ends_at))
    assert closes.time() == time()
    assert timedelta() < closes - ends_at <= timedelta(days=1)
    assert day_bounds(in_shanghai(ends_at).date())[1] == closes


@given(st.uuids())
def test_every_person_has_a_bucket(person):
    assert 0 <= due_bucket(PersonId(person)) < BUCKETS


@given(MOMENTS, st.uuids(), st.integers(0, 10_000))
def test_a_cursor_comes_back_as_it_went_out(moment, last_id, seq):
    cursor = Position.of(moment, last_id, seq).cursor()
    assert len(cursor) <= CURSOR_MAX
    assert (position_of(cursor).moment, position_of(cursor).last_id, position_of(cursor).seq) == (moment, last_id, seq)


@given(st.text(max_size=CURSOR_MAX))
def test_no_other_text_is_a_cursor(text):
    try:
        found = position_of(text)
    except CursorUnknown:
        return
    assert found.moment.year < 2201


@given(st.dates(), st.integers(0, 1000))
def test_the_calendar_has_a_last_day(day, days):
    assert day <= days_after(day, days) <= date.max


def a_slot_at(hour: int) -> Slot:
    starts_at = datetime(2026, 3, 5, hour, tzinfo=UTC)
    return Slot(
        slot_id=slot_id_of(OFFICE, SERVICE, starts_at), office_id=OFFICE, service_id=SERVICE, district="310104",
        starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), places=1,
    )  # fmt: skip


def a_booking(slot: Slot, *, service: ServiceId = SERVICE, stage: Stage = Stage.BOOKED, number: int = 7) -> Booking:
    return Booking(
        person_id=PersonId(UUID(int=5)), booking_id=BookingId(UUID(int=number)), asked_slot_id=slot.slot_id,
        slot_id=slot.slot_id, seq=Seq(1), service_id=service, office_id=OFFICE, starts_at=slot.starts_at,
        ends_at=slot.ends_at, stage=stage, version=1, cancellable_until=slot.starts_at, remind_at=None,
        reminded_version=0, booked_at=slot.starts_at, changed_at=slot.starts_at, checked_in_at=None,
    )  # fmt: skip


def test_the_reason_said_is_the_one_that_helps():
    slot, other = a_slot_at(2), ServiceId(UUID(int=9))
    mine, again = a_booking(slot), BookingId(UUID(int=8))

    def said(slot: Slot, booking_id: BookingId, theirs: list[Booking], **more: Any) -> Answer:
        asked = Asked(mine.person_id, booking_id, 0)
        return answer_without_a_place(slot, asked, theirs, Standing(**more), is_full=not more)

    assert said(slot, mine.booking_id, [mine]) is mine
    assert isinstance(said(a_slot_at(5), mine.booking_id, [mine]), BookingIdTaken)
    assert isinstance(said(a_slot_at(5), again, [mine]), AlreadyBooked)
    assert isinstance(said(slot, again, [a_booking(slot, service=other)]), TimesOverlap)
    assert isinstance(said(slot, again, [a_booking(slot, stage=Stage.CANCELLED)]), SlotFull)
    until = {mine.person_id: slot.starts_at}
    assert isinstance(said(slot, again, [], suspended=until), Suspended)
    assert said(slot, mine.booking_id, [mine], suspended=until) is mine
    as_many = {mine.person_id: list(range(1, ACTIVE_MAX + 1))}
    assert isinstance(said(slot, again, [], active=as_many), TooManyActive)
    assert said(slot, again, [], active={mine.person_id: [1, 3, None]}) is None
    assert Standing(active={mine.person_id: [1, 3, None]}).number_for(mine.person_id) == 2
    assert SlotId(slot.slot_id) == mine.slot_id
