"""Ids sort by the moment they were made; buckets are a pure function that never changes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import BUCKETS, bucket_of, uuid7

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS)
def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond(moment: datetime) -> None:
    made = uuid7(moment)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(moment.timestamp() * 1000)


@given(MOMENTS)
def test_a_later_millisecond_sorts_later(moment: datetime) -> None:
    assert uuid7(moment) < uuid7(moment + timedelta(milliseconds=2))


def test_no_two_ids_of_one_millisecond_are_the_same() -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    assert len({uuid7(moment) for _ in range(10_000)}) == 10_000


def test_buckets_are_filled_evenly_and_stay_where_they_are() -> None:
    found = [0] * BUCKETS
    for number in range(64_000):
        found[bucket_of("caller", str(number))] += 1
    assert min(found) > 800
    assert max(found) < 1_200
    assert [bucket_of("appointments", "a"), bucket_of("wallet", "a"), bucket_of("", "")] == [59, 47, 19]
