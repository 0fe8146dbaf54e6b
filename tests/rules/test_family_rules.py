"""Pure rules: for how long a mandate stands, when a venue is open, what its terms leave of a scenario."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import in_shanghai
from tests.builders_wallet import ID_CARD, LICENCE, SCENARIOS
from wallet.disclosing import disclosed
from wallet.errors import MandatePeriodRefused
from wallet.family.periods import AHEAD_MAX, MANDATE_MAX, PAST_MAX, granted_period, guardian_period, of_age_on
from wallet.model import Attributes, Kind, Terms, Words
from wallet.predicates import Predicate, Test
from wallet.residents.holding import masked_name
from wallet.venues.terms import is_open, narrowed

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
spans = st.timedeltas(-MANDATE_MAX, 2 * MANDATE_MAX)
minutes = st.integers(0, 1439)


@given(spans, spans)
def test_a_mandate_is_to_come_and_ends_within_five_years_or_is_refused(start: timedelta, end: timedelta) -> None:
    starts_at, expires_at = NOW + start, NOW + end
    is_fit = -PAST_MAX <= start <= AHEAD_MAX and max(NOW, starts_at) < expires_at <= starts_at + MANDATE_MAX
    if not is_fit:
        with pytest.raises(MandatePeriodRefused):
            granted_period(starts_at, expires_at, now=NOW)
        return
    period = granted_period(starts_at, expires_at, now=NOW)
    assert (period.starts_at, period.expires_at) == (starts_at, expires_at)


@given(st.dates(date(1900, 1, 1), TODAY), st.none() | st.dates(date(2020, 1, 1), date(2060, 1, 1)))
def test_a_guardianship_ends_by_coming_of_age_or_a_named_day_within_five_years(born: date, until: date | None) -> None:
    number = id_number("310101", born, Sex.MALE, 0)
    grown = of_age_on(number)
    assert grown.year == born.year + 18
    assert (grown.month, grown.day) == ((3, 1) if (born.month, born.day) == (2, 29) else (born.month, born.day))
    latest = grown if grown > TODAY else TODAY + MANDATE_MAX
    last = until or (grown if grown > TODAY else None)
    if last is None or not TODAY < last <= latest:
        with pytest.raises(MandatePeriodRefused):
            guardian_period(number, until, now=NOW)
        return
    expires_at = in_shanghai(guardian_period(number, until, now=NOW).expires_at)
    assert (expires_at.date(), expires_at.hour, expires_at.minute) == (last, 0, 0)


@given(st.integers(1, 127), minutes, st.integers(1, 1440), st.integers(0, 7 * 24 * 60 - 1))
def test_a_venue_is_open_for_as_many_minutes_after_opening_as_its_hours_have(
    days: int, opens: int, closes: int, minute_of_week: int
) -> None:
    monday = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # midnight in the city
    now = monday + timedelta(minutes=minute_of_week)
    length = (closes - opens) % 1440 or 1440
    since = (minute_of_week - opens) % (7 * 1440)
    began, into = divmod(since, 1440)
    is_within = into < length and bool(days >> began & 1)
    assert is_open(Terms(days=days, opens_minute=opens, closes_minute=closes), now) == is_within


@given(st.integers(1, 127), st.integers(0, 6))
def test_without_hours_a_venue_is_open_all_day_on_its_days(days: int, day: int) -> None:
    now = NOW + timedelta(days=day)
    assert is_open(Terms(days=days), now) == bool(days >> day & 1)


def test_terms_narrow_a_scenario_and_never_widen_it() -> None:
    station = SCENARIOS[0]
    assert narrowed(station, Terms()).grants == station.grants
    terms = Terms(grants={ID_CARD: ("address", "name"), "9" * 21: ("name",)})
    assert narrowed(station, terms).grants == {ID_CARD: ("name",)}
    assert LICENCE in station.grants


def test_a_predicate_is_told_where_it_is_named_and_a_missing_value_is_not() -> None:
    adult = Predicate("of_age", "成年", "Of age", "born", Test.AGE_AT_LEAST, number=18)
    kind = Kind("K", Words("证", "Card"), (), None, "#000000", "card", predicates=(adult,))
    attributes = Attributes("1.2.3", {"name": "某甲"})
    told = disclosed(attributes, ("of_age", "missing", "identifier", "name"), kind, TODAY)
    assert list(told.items()) == [("of_age", False), ("identifier", "1.2.3"), ("name", "某甲")]
    assert disclosed(attributes, ("of_age", "name"), None, TODAY) == {"name": "某甲"}


@given(st.text(min_size=1, max_size=80))
def test_of_another_persons_name_only_the_first_character_is_seen(name: str) -> None:
    shown = masked_name(name)
    assert shown[0] == name[0]
    assert set(shown[1:]) == {"＊"}
    assert len(shown) <= 5
