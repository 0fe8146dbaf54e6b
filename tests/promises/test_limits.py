"""At most so many per window, in one process and in all of them together."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.limits import SUBJECTS_MAX, Limit, Limits
from kernel.redis import Redis

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
KEY = b"a key of the tests, 32 bytes long"


def alone(clock: StoppedClock) -> Limits:
    return Limits(None, clock, subject_key=KEY)


def test_so_many_at_once_and_then_as_the_window_passes():
    clock = StoppedClock(NOON)
    limits, codes = alone(clock), Limit("codes", permits=3, window_seconds=60)
    assert [limits.allow_locally(codes, "138") for _ in range(3)] == [None] * 3
    wait_seconds = limits.allow_locally(codes, "138")
    assert wait_seconds is not None
    assert abs(wait_seconds - 20) < 0.001
    assert limits.allow_locally(codes, "139") is None
    clock.advance(timedelta(seconds=wait_seconds))
    assert limits.allow_locally(codes, "138") is None
    assert limits.allow_locally(codes, "138") is not None


@given(pauses=st.lists(st.floats(0, 30), max_size=60), permits=st.integers(1, 9), window_seconds=st.integers(1, 120))
def test_nobody_has_more_than_the_bucket_and_what_flowed_into_it(
    pauses: list[float], permits: int, window_seconds: int
):
    clock = StoppedClock(NOON)
    limits, limit = alone(clock), Limit("any", permits=permits, window_seconds=window_seconds)
    allowed = 0
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        allowed += limits.allow_locally(limit, "x") is None
        passed_seconds = (clock.now() - NOON).total_seconds()
        assert allowed <= permits + passed_seconds * permits / window_seconds + 0.001


def test_a_clock_set_back_locks_nobody_out_for_longer_than_the_window():
    clock = StoppedClock(NOON)
    limits, limit = alone(clock), Limit("codes", permits=1, window_seconds=60)
    limits.allow_locally(limit, "138")
    clock.advance(timedelta(days=-30))
    wait_seconds = limits.allow_locally(limit, "138")
    assert wait_seconds is not None
    assert wait_seconds <= 60


def test_memory_is_bounded_and_the_recent_are_remembered():
    limits, limit = alone(StoppedClock(NOON)), Limit("codes", permits=1, window_seconds=60)
    for nth in range(SUBJECTS_MAX * 2):
        limits.allow_locally(limit, str(nth))
    buckets = limits._buckets["codes"]
    assert len(buckets.current) + len(buckets.previous) <= SUBJECTS_MAX
    assert limits.allow_locally(limit, str(SUBJECTS_MAX * 2 - 1)) is not None


async def test_two_processes_share_one_count(redis: Redis):
    clock, limit = StoppedClock(NOON), Limit(f"codes-{uuid4()}", permits=3, window_seconds=60)
    one, other = (Limits(redis, clock, subject_key=KEY) for _ in range(2))
    assert [await one.allow(limit, "138") for _ in range(2)] == [None, None]
    assert await other.allow(limit, "138") is None
    wait_seconds = await other.allow(limit, "138")
    assert wait_seconds is not None
    assert abs(wait_seconds - 20) < 0.001
    clock.advance(timedelta(seconds=20))
    assert await one.allow(limit, "138") is None
    assert await other.allow(limit, "138") is not None
    assert one.decided_alone_count == other.decided_alone_count == 0


async def test_a_flush_costs_no_more_than_the_count(redis: Redis):
    clock, limit = StoppedClock(NOON), Limit(f"codes-{uuid4()}", permits=1, window_seconds=60)
    one, other = (Limits(redis, clock, subject_key=KEY) for _ in range(2))
    assert await one.allow(limit, "138") is None
    await redis.ask(b"FLUSHALL")
    await redis.ask(b"SCRIPT", b"FLUSH")
    assert await one.allow(limit, "138") is not None  # its own bucket remembers
    assert await other.allow(limit, "138") is None
    assert other.decided_alone_count == 0


async def test_what_was_taken_for_nothing_is_given_back_to_all_processes(redis: Redis):
    clock, limit = StoppedClock(NOON), Limit(f"codes-{uuid4()}", permits=2, window_seconds=60)
    one, other = (Limits(redis, clock, subject_key=KEY) for _ in range(2))
    for _ in range(5):
        assert await one.allow(limit, "138") is None
        await one.give_back(limit, "138")
    assert await other.allow(limit, "138") is None
    assert await one.allow(limit, "138") is None
    assert await other.allow(limit, "138") is not None
    assert await one.allow(limit, "138") is not None


async def test_giving_back_what_was_never_taken_gives_nothing(redis: Redis):
    clock, limit = StoppedClock(NOON), Limit(f"codes-{uuid4()}", permits=1, window_seconds=60)
    for limits in (alone(clock), Limits(redis, clock, subject_key=KEY)):
        for _ in range(3):
            await limits.give_back(limit, "138")
        assert await limits.allow(limit, "138") is None
        assert await limits.allow(limit, "138") is not None


async def test_no_subject_can_be_read_in_redis(redis: Redis):
    limit, phone = Limit(f"codes-{uuid4()}", permits=5, window_seconds=60), "13800001234"
    await Limits(redis, StoppedClock(NOON), subject_key=KEY).allow(limit, phone)
    keys: list[bytes] = await redis.ask(b"KEYS", b"*")
    assert any(limit.name.encode() in key for key in keys)
    assert not any(phone.encode() in key for key in keys)
