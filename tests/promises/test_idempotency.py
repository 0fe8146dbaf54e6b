"""A retried write is done once, and its first answer is what the retry gets."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from kernel import idempotency
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import IdempotencyKeyReused
from kernel.idempotency import Request
from kernel.sealing import Keys


class Answer(msgspec.Struct):
    number: int


class Work:
    """Counts how often it was really done."""

    def __init__(self, db: Database, keys: Keys, clock: StoppedClock) -> None:
        self.done = 0
        self._db, self._sealer, self._clock = db, keys.sealer("tests.idempotency"), clock

    async def ask(self, key: str, body: bytes, *, fail: bool = False) -> Answer:
        async def work() -> Answer:
            self.done += 1
            await asyncio.sleep(0)
            if fail:
                raise RuntimeError("after the work, before its commit")
            return Answer(self.done)

        request = Request(caller="department:parks", key=key, body=body)
        async with self._db.transaction() as conn:
            return await idempotency.once(conn, self._sealer, request, Answer, work, now=self._clock.now())


@pytest.fixture
def work(db: Database, keys: Keys, clock: StoppedClock) -> Work:
    return Work(db, keys, clock)


async def test_the_same_request_twice_is_done_once(work: Work) -> None:
    assert await work.ask("a", b"{}") == await work.ask("a", b"{}") == Answer(1)
    assert work.done == 1


async def test_many_at_the_same_moment_are_done_once_and_answered_alike(work: Work) -> None:
    answers = await asyncio.gather(*(work.ask("a", b"{}") for _ in range(10)))
    assert answers == [Answer(1)] * 10


async def test_the_same_key_with_another_body_is_refused(work: Work) -> None:
    await work.ask("a", b"{}")
    with pytest.raises(IdempotencyKeyReused):
        await work.ask("a", b"[]")


async def test_work_that_failed_is_done_by_the_retry(work: Work) -> None:
    with pytest.raises(RuntimeError):
        await work.ask("a", b"{}", fail=True)
    assert await work.ask("a", b"{}") == Answer(2)


async def test_a_key_may_be_used_anew_after_a_day_and_what_is_past_is_forgotten(
    work: Work, db: Database, clock: StoppedClock
) -> None:
    await work.ask("a", b"{}")
    clock.advance(idempotency.KEPT_FOR + timedelta(seconds=1))
    assert await work.ask("a", b"[]") == Answer(2)
    clock.advance(idempotency.KEPT_FOR + timedelta(seconds=1))
    for bucket in range(64):
        async with db.transaction() as conn:
            await idempotency.forget_expired(conn, bucket, now=clock.now())
    assert await db.fetchval("SELECT count(*) FROM kernel.idempotency") == 0


async def test_first_answers_are_sealed_at_rest(work: Work, db: Database) -> None:
    await work.ask("a", b"{}")
    kept = await db.fetchval("SELECT answer FROM kernel.idempotency")
    assert msgspec.msgpack.encode(Answer(1)) not in kept
