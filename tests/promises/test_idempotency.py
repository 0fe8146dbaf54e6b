"""A retried write is done once, and its first answer is what the retry gets."""

import asyncio
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest

from kernel import idempotency
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import IdempotencyKeyReused
from kernel.idempotency import Request
from kernel.sealing import KeyFile, Keys, fresh_key


class Answer(msgspec.Struct):
    number: int


class Work:
    """Counts how often it was really done."""

    def __init__(self, db: Database, keys: Keys, clock: StoppedClock) -> None:
        self.done = 0
        self._db, self._answers, self._clock = db, idempotency.Answers(keys, "tests.idempotency"), clock

    async def ask(self, key: str, body: bytes, *, fail: bool = False) -> Answer:
        async def work() -> Answer:
            self.done += 1
            await asyncio.sleep(0)
            if fail:
                raise RuntimeError("after the work, before its commit")
            return Answer(self.done)

        request = Request(caller="department:parks", key=key, body=body)
        async with self._db.transaction() as conn:
            return await idempotency.once(conn, self._answers, request, Answer, work, now=self._clock.now())


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


async def test_nobody_finds_out_a_body_by_trying_what_it_may_have_been(work: Work, db: Database) -> None:
    body = b'{"id_number":"310101199001012336"}'
    await work.ask("a", body)
    await work.ask("b", body)
    kept = {row[0] for row in await db.fetch("SELECT body_digest FROM kernel.idempotency")}
    assert len(kept) == 2, "nor that two are the same"
    assert not kept & {sha256(body).digest(), sha256(b"department:parks\0a\0" + body).digest()}


async def test_what_was_done_before_the_digests_had_a_key_is_not_done_again(work: Work, db: Database) -> None:
    await work.ask("a", b"{}")
    await db.fetch("UPDATE kernel.idempotency SET body_digest = $1 RETURNING 1", sha256(b"{}").digest())
    assert await work.ask("a", b"{}") == Answer(1)
    with pytest.raises(IdempotencyKeyReused):
        await work.ask("a", b"[]")
    assert work.done == 1


async def test_what_was_done_before_the_keys_were_rotated_is_not_done_again(db: Database, clock: StoppedClock) -> None:
    old, sealing, digest = KeyFile([fresh_key()], [fresh_key()]), fresh_key(), fresh_key()
    assert await Work(db, Keys(old), clock).ask("a", b"{}") == Answer(1)
    later = Work(db, Keys(KeyFile([sealing, *old.sealing], [digest, *old.digest])), clock)
    assert await later.ask("a", b"{}") == Answer(1)
    assert later.done == 0
