"""What Redis answers is understood however the network cuts it."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.redis import Address
from kernel.resp import Link, RedisAway, Reply, ReplyError, encoded, read_reply

replies = st.recursive(
    st.none() | st.integers(-(2**62), 2**62) | st.binary(max_size=40), lambda inner: st.lists(inner, max_size=4)
)


def written(reply: Reply) -> bytes:
    """A reply as a server writes it."""
    match reply:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(written, reply))
    raise AssertionError(reply)


class Wire(asyncio.Transport):
    """Stands in for the network: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def abort(self) -> None:
        pass


def linked() -> tuple[Link, Wire]:
    link, wire = Link(asyncio.get_running_loop()), Wire()
    link.connection_made(wire)
    return link, wire


@given(reply=replies)
def test_a_reply_cut_short_is_waited_for(reply: Reply):
    whole = written(reply)
    assert read_reply(whole, 0) == (reply, len(whole))
    for cut in range(len(whole)):
        assert read_reply(whole[:cut], 0) == (None, -1)


@given(expected=st.lists(replies, min_size=1, max_size=6), cuts=st.lists(st.integers(0, 400), max_size=6))
async def test_answers_reach_who_asked_in_order_wherever_the_stream_is_cut(expected: list[Reply], cuts: list[int]):
    link, _ = linked()
    answers = [link.ask(encoded(b"GET", b"key")) for _ in expected]
    stream = b"".join(map(written, expected))
    borders = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(borders):
        link.data_received(stream[start:end])
    assert await asyncio.gather(*answers) == expected
    link.connection_lost(None)


async def test_commands_of_one_tick_leave_as_one_write():
    link, wire = linked()
    answers = [link.ask(encoded(b"GET", b"%d" % nth)) for nth in range(50)]
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [b"".join(encoded(b"GET", b"%d" % nth) for nth in range(50))]
    link.connection_lost(None)
    for answer in answers:
        with pytest.raises(RedisAway):
            await answer


async def test_a_refused_command_is_refused_to_its_sender_alone():
    link, _ = linked()
    first, second = link.ask(encoded(b"INCR", b"a")), link.ask(encoded(b"GET", b"b"))
    link.data_received(b"-ERR not an integer\r\n$1\r\nx\r\n")
    with pytest.raises(ReplyError, match="not an integer"):
        await first
    assert await second == b"x"
    link.connection_lost(None)


async def test_what_is_no_reply_ends_the_connection():
    link, _ = linked()
    answer = link.ask(encoded(b"GET", b"a"))
    link.data_received(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(RedisAway):
        await answer
    assert not link.is_open


@pytest.mark.parametrize(
    "url, expected",
    [
        ("unix:///run/redis.sock?db=2", Address("/run/redis.sock", "localhost", 6379, False, ((b"SELECT", b"2"),))),
        ("redis://:s%40lt@cache:7000/0", Address(None, "cache", 7000, False, ((b"AUTH", b"s@lt"),))),
        ("rediss://city:salt@cache", Address(None, "cache", 6379, True, ((b"AUTH", b"city", b"salt"),))),
    ],
)
def test_an_address_says_where_and_as_whom(url: str, expected: Address):
    assert Address.of(url) == expected


def test_another_scheme_is_no_address():
    with pytest.raises(ValueError, match="unix://"):
        Address.of("http://cache:6379")
