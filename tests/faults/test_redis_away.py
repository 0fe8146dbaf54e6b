"""Redis may go away, hang or forget at any moment: the answer comes within a bound, and the connection comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from city import embedded
from kernel.redis import Redis, RedisAway, ReplyError, Script

COUNT = Script.of("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
def redis_url(servers: embedded.Running) -> str:
    return servers.redis_url


@pytest.fixture
async def ours(redis_url: str) -> AsyncIterator[Redis]:
    redis = await Redis.open(redis_url)
    yield redis
    await redis.close()


async def cut_everyone_else(redis_url: str) -> None:
    killer = await Redis.open(redis_url)
    await killer.ask(b"CLIENT", b"KILL", b"SKIPME", b"yes")
    await killer.close()


async def test_a_value_is_kept_for_its_lifetime(ours: Redis):
    key = uuid4().bytes
    await ours.set(key, b"v" * 5000, lifetime_seconds=60)
    assert await ours.get(key) == b"v" * 5000
    assert 0 < await ours.ask(b"TTL", key) <= 60
    assert await ours.delete(key) == 1
    assert await ours.get(key) is None


async def test_a_lost_connection_comes_back_by_itself(ours: Redis, redis_url: str):
    for _ in range(3):
        await cut_everyone_else(redis_url)
        await asyncio.sleep(0.01)
        await ours.set(b"{back}", b"yes", lifetime_seconds=60)
        assert await ours.get(b"{back}") == b"yes"


async def test_a_script_that_the_server_forgot_is_sent_again(ours: Redis):
    key = uuid4().bytes
    assert await ours.run(COUNT, (key,), (b"2",)) == 2
    await ours.ask(b"SCRIPT", b"FLUSH")
    assert await asyncio.gather(*(ours.run(COUNT, (key,), (b"1",)) for _ in range(5))) == [3, 4, 5, 6, 7]


async def test_what_the_server_refuses_is_said(ours: Redis):
    with pytest.raises(ReplyError, match="ERR"):
        await ours.ask(b"NO-SUCH-COMMAND")


async def test_without_a_server_the_answer_comes_at_once_after_the_first_moment(tmp_path: Path):
    began = time.monotonic()
    redis = await Redis.open(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(RedisAway):
        await redis.get(b"key")
    assert time.monotonic() - began < 1
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(RedisAway):
            await redis.get(b"key")
    assert time.monotonic() - began < 0.1
    assert redis.is_away
    await redis.close()


async def test_a_server_that_hangs_is_given_up_within_the_bound(tmp_path: Path):
    writers = []

    async def answer_the_greeting_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"PING\r\n")
        writer.write(b"+PONG\r\n")

    server = await asyncio.start_unix_server(answer_the_greeting_only, tmp_path / "hung.sock")
    redis = await Redis.open(f"unix://{tmp_path}/hung.sock")
    began = time.monotonic()
    answers = await asyncio.gather(*(redis.get(b"key") for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RedisAway}
    assert time.monotonic() - began < 0.8
    await redis.close()
    server.close()
    for writer in writers:
        writer.close()


async def test_hints_arrive_and_a_lost_subscription_says_so(ours: Redis, redis_url: str):
    hints: asyncio.Queue[bytes] = asyncio.Queue()
    subscribed = asyncio.create_task(ours.subscribe(b"kinds", hints.put_nowait))
    try:
        assert await asyncio.wait_for(hints.get(), 2) == b""
        await ours.publish(b"kinds", b"changed")
        assert await asyncio.wait_for(hints.get(), 2) == b"changed"
        await cut_everyone_else(redis_url)
        assert await asyncio.wait_for(hints.get(), 2) == b""
    finally:
        subscribed.cancel()
