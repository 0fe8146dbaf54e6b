"""From weekly hours, seasons, other hours, closed days and the calendar to the slots of a day."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appointments.calendars.filling import from_library
from appointments.calendars.working_days import NOTHING_KNOWN, Calendar, Source
from appointments.model import Desk, Lane, Opening, Service, Slot
from appointments.offices.planning import Context, changes, closes_at, opens_at, plan_of_day, plan_of_days
from appointments.offices.rules import Rule, RuleOpening, RuleSort, spans_of_day
from kernel.clock import in_shanghai
from kernel.ids import OfficeId, ServiceId

OFFICE, SERVICE = OfficeId(UUID(int=1)), ServiceId(UUID(int=2))
MADE = datetime(2026, 1, 1, tzinfo=UTC)
CALENDAR_2026 = Calendar({told.day: told for told in from_library(2026) or ()}, {2026: Source.LIBRARY})
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
NATIONAL_DAY, MAKE_UP_SATURDAY = date(2026, 10, 1), date(2026, 10, 10)
NINE_TO_TEN = tuple(Opening(weekday, time(9), time(10)) for weekday in range(5))


def a_desk(**more) -> Desk:
    given_ = {"office_id": OFFICE, "service_id": SERVICE, "slot_minutes": 30, "places": 2, "openings": NINE_TO_TEN}
    return Desk(**(given_ | more))


def a_service(**more) -> Service:
    return Service(
        **({"service_id": SERVICE, "slug": "s", "department": "police", "name_zh": "服务", "name_en": "Service",
            "bring_zh": "", "bring_en": ""} | more)
    )  # fmt: skip


def a_rule(
    sort: RuleSort, first: date, last: date | None = None, *openings: RuleOpening, number: int = 1, **more
) -> Rule:
    return Rule(
        **({"rule_id": UUID(int=number), "office_id": OFFICE, "service_id": SERVICE, "sort": sort, "first_day": first,
            "last_day": last or first, "openings": openings, "made_by": "staff:1", "made_at": MADE} | more)
    )  # fmt: skip


def from_to(opens: int, closes: int, **more) -> RuleOpening:
    return RuleOpening(**({"opens": time(opens), "closes": time(closes)} | more))


def plan(day: date, *rules: Rule, desk: Desk | None = None, calendar: Calendar = CALENDAR_2026, service=None):
    return plan_of_day(Context(desk or a_desk(), service or a_service(), "310104", rules, calendar), day)


def hours(slots) -> list[str]:
    return [f"{in_shanghai(slot.starts_at):%H:%M}" for slot in slots]


def test_weekly_hours_are_kept_on_an_ordinary_day_and_not_on_a_public_holiday():
    assert hours(plan(MONDAY)) == ["09:00", "09:30"]
    assert plan(NATIONAL_DAY) == ()
    assert hours(plan(NATIONAL_DAY, calendar=NOTHING_KNOWN)) == ["09:00", "09:30"]


def test_a_make_up_saturday_keeps_mondays_hours():
    only_mondays = a_desk(openings=(Opening(0, time(13), time(14)),))
    assert hours(plan(MAKE_UP_SATURDAY, desk=only_mondays)) == ["13:00", "13:30"]
    assert plan(MAKE_UP_SATURDAY, desk=only_mondays, calendar=NOTHING_KNOWN) == ()


def test_a_desk_open_on_holidays_keeps_its_hours_there():
    assert hours(plan(NATIONAL_DAY, desk=a_desk(open_on_holidays=True))) == ["09:00", "09:30"]


def test_closed_wins_over_hours_and_hours_over_a_season_and_a_season_over_the_week():
    season = a_rule(RuleSort.SEASON, date(2026, 3, 1), date(2026, 3, 31), from_to(14, 15, weekday=0), number=1)
    other = a_rule(RuleSort.HOURS, MONDAY, None, from_to(18, 19), number=2)
    closed = a_rule(RuleSort.CLOSED, MONDAY, number=3)
    assert hours(plan(MONDAY, season)) == ["14:00", "14:30"]
    assert plan(TUESDAY, season) == (), "a season that names Mondays alone is closed on Tuesdays"
    assert hours(plan(MONDAY, other, season)) == ["18:00", "18:30"]
    assert plan(MONDAY, other, closed, season) == ()
    assert hours(plan(MONDAY, replace(closed, withdrawn_at=MADE))) == ["09:00", "09:30"]


def test_a_rule_for_the_service_wins_over_one_for_the_office_and_then_the_newest():
    office = a_rule(RuleSort.HOURS, MONDAY, None, from_to(10, 11), service_id=None, made_at=MADE + timedelta(days=2))
    old = a_rule(RuleSort.HOURS, MONDAY, None, from_to(12, 13), number=2)
    new = a_rule(RuleSort.HOURS, MONDAY, None, from_to(15, 16), number=3, made_at=MADE + timedelta(days=1))
    assert hours(plan(MONDAY, office)) == ["10:00", "10:30"]
    assert hours(plan(MONDAY, office, old, new)) == ["15:00", "15:30"]
    elsewhere = replace(new, office_id=OfficeId(UUID(int=9)))
    assert hours(plan(MONDAY, elsewhere)) == ["09:00", "09:30"]


def test_hours_that_name_holidays_alone_open_them_and_those_of_a_whole_autumn_do_not():
    week = a_rule(RuleSort.HOURS, NATIONAL_DAY, date(2026, 10, 7), from_to(10, 11))
    autumn = a_rule(RuleSort.HOURS, date(2026, 9, 1), date(2026, 11, 30), from_to(10, 11))
    assert hours(plan(NATIONAL_DAY, week)) == ["10:00", "10:30"]
    assert plan(NATIONAL_DAY, autumn) == ()
    assert hours(plan(date(2026, 10, 8), autumn)) == ["10:00", "10:30"]


def test_urgent_and_special_places_lie_beside_each_normal_slot_and_deferred_hours_beyond_them():
    desk = a_desk(lanes={Lane.URGENT: 1, Lane.SPECIAL: 3})
    evening = a_rule(
        RuleSort.SEASON, MONDAY, date(2026, 12, 31), from_to(18, 19, weekday=0, lane=Lane.DEFERRED, places=1)
    )
    slots = plan(MONDAY, evening, desk=desk)
    by_lane = {lane: [(hour, slot.places) for hour, slot in zip(hours(slots), slots, strict=True) if slot.lane is lane]
               for lane in Lane}  # fmt: skip
    assert by_lane[Lane.NORMAL] == [("09:00", 2), ("09:30", 2)]
    assert by_lane[Lane.URGENT] == [("09:00", 1), ("09:30", 1)]
    assert by_lane[Lane.SPECIAL] == [("09:00", 3), ("09:30", 3)]
    assert by_lane[Lane.DEFERRED] == [("18:00", 1), ("18:30", 1)]
    assert {slot.lane for slot in plan(TUESDAY, evening, desk=desk)} == {Lane.NORMAL, Lane.URGENT, Lane.SPECIAL}


def test_two_weeks_ahead_at_eight_means_that_day_at_eight_and_booking_ends_before_the_hour():
    service = a_service(horizon_days=14, release_minute=480, lead_minutes=90)
    [first, _] = plan(date(2026, 3, 16), service=service)
    assert in_shanghai(first.opens_at).isoformat() == "2026-03-02T08:00:00+08:00"
    assert in_shanghai(first.closes_at).isoformat() == "2026-03-16T07:30:00+08:00"
    assert first.opens_at == opens_at(service, date(2026, 3, 16))
    assert first.closes_at == closes_at(service, first.starts_at)


TIMES = st.integers(0, 24 * 4 - 1).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
LANES = st.sampled_from(Lane)


@st.composite
def openings(draw: st.DrawFn) -> RuleOpening:
    opens, closes = sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True)))
    return RuleOpening(
        weekday=draw(st.integers(0, 6)), opens=opens, closes=closes, lane=draw(LANES),
        places=draw(st.none() | st.integers(1, 5)), slot_minutes=draw(st.none() | st.integers(5, 120)),
    )  # fmt: skip


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    weekly = list(draw(st.lists(openings(), max_size=8)))
    desk = a_desk(
        slot_minutes=draw(st.integers(5, 120)), places=draw(st.integers(1, 9)),
        openings=tuple(Opening(one.weekday, one.opens, one.closes) for one in weekly),
        lanes=draw(st.dictionaries(LANES, st.integers(0, 3), max_size=3)), open_on_holidays=draw(st.booleans()),
    )  # fmt: skip
    rules = []
    for number in range(draw(st.integers(0, 4))):
        first = draw(st.dates(date(2026, 9, 1), date(2026, 10, 20)))
        rules.append(
            a_rule(
                draw(st.sampled_from(RuleSort)), first, first + timedelta(days=draw(st.integers(0, 40))),
                *draw(st.lists(openings(), max_size=4)), number=number,
                service_id=draw(st.sampled_from([None, SERVICE])),
            )
        )  # fmt: skip
    service = a_service(
        lead_minutes=draw(st.integers(0, 43_200)), horizon_days=draw(st.integers(0, 180)),
        release_minute=draw(st.integers(0, 1439)), is_gated=draw(st.booleans()),
    )  # fmt: skip
    return Context(desk, service, "310104", tuple(rules), draw(st.sampled_from([NOTHING_KNOWN, CALENDAR_2026])))


DAYS = st.dates(date(2026, 9, 1), date(2026, 11, 30))


@given(contexts(), DAYS)
def test_slots_of_a_lane_never_overlap_and_always_lie_inside_the_hours_of_their_day(context, day):
    slots = plan_of_day(context, day)
    spans = spans_of_day(context.desk, context.rules, context.calendar, day)
    for lane in Lane:
        for before, after in pairwise(slot for slot in slots if slot.lane is lane):
            assert before.ends_at <= after.starts_at
    for slot in slots:
        starts, ends = in_shanghai(slot.starts_at), in_shanghai(slot.ends_at)
        own = [span for span in spans if span.lane in (slot.lane, Lane.NORMAL)]
        assert starts.date() == ends.date() == day
        assert any(span.opens <= starts.time() and ends.time() <= span.closes for span in own)
        assert slot.opens_at <= starts or context.service.horizon_days == 0
        assert slot.places >= 1


@given(contexts(), DAYS)
def test_planning_the_same_day_again_makes_the_same_slots_with_the_same_ids(context, day):
    slots = plan_of_day(context, day)
    assert plan_of_day(replace(context, rules=context.rules[::-1]), day) == slots
    assert len({slot.slot_id for slot in slots}) == len(slots)
    assert changes(slots, {slot.slot_id: slot for slot in slots}) == changes((), {})


@given(contexts(), contexts())
def test_doing_what_is_planned_leaves_nothing_to_be_done(before, after):
    first, last = date(2026, 9, 28), date(2026, 10, 4)
    there = {slot.slot_id: slot for slot in plan_of_days(before, first, last)}
    wanted = list(plan_of_days(after, first, last))
    todo = changes(wanted, there)
    done: dict[UUID, Slot] = there | {slot.slot_id: slot for slot in (*todo.appear, *todo.fit)}
    done |= {slot.slot_id: replace(slot, withdrawn_at=MADE) for slot in todo.go}
    assert not changes(wanted, done)
    assert {slot_id for slot_id, slot in done.items() if slot.withdrawn_at is None} == {slot.slot_id for slot in wanted}
