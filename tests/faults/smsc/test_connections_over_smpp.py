"""Connections to an SMSC end in every way there is, and come back by themselves."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import pytest

from city.standins import smsc
from city.standins.smsc import Smsc
from kernel.clock import SystemClock
from notifications.channels.provider import Accepted, Provider, Refused, SendsMany
from notifications.channels.smpp import codec
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.session import BindRefused, ConnectionLost
from tests.smsc_peer import account, carrying, sms, until

ROOT = Path(__file__).parents[3]


async def test_a_carrier_over_smpp_is_a_carrier_like_any_other(peer: Smsc) -> None:
    provider = SmppProvider(account(peer), SystemClock())
    assert isinstance(provider, Provider)
    assert isinstance(provider, SendsMany)
    assert (provider.name, provider.channel, provider.receipts_come) == ("first", "sms", True)


async def test_a_connection_that_is_cut_ten_times_comes_back_ten_times(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        for _ in range(10):
            await until(lambda: carrier.provider.is_connected)
            peer.cut()
            await until(lambda: not carrier.provider.is_connected)
        await until(lambda: carrier.provider.is_connected)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)
        assert peer.counts()["cut"] == 10


async def test_while_nobody_is_there_a_text_is_refused_as_never_sent(tmp_path: Path) -> None:
    with smsc.running() as gone:
        pass
    async with carrying(gone) as carrier:
        first = await carrier.provider.send(sms("hello"))
        began = time.monotonic()
        second = await carrier.provider.send(sms("hello"))
        assert first == second == Refused("busy", "never sent: not connected")
        assert time.monotonic() - began < 0.5
        with smsc.running(tmp_path / "again.ndjson", port=gone.port):
            await until(lambda: carrier.provider.is_connected)
            assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_a_carrier_that_dies_in_the_middle_makes_unknown_what_it_had(peer: Smsc) -> None:
    peer.set(answer_ms=[5_000, 5_000])
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(sms("hello")))
        await until(lambda: peer.counts()["submits"] == 1)
        peer.die()
        with pytest.raises(ConnectionLost):
            await sending


async def test_a_carrier_that_says_nothing_any_more_is_left(peer: Smsc) -> None:
    async with carrying(peer, enquire_seconds=1) as carrier:
        await until(lambda: peer.counts()["enquiries"] >= 1)
        peer.set(deaf=True)
        await until(lambda: len(peer.events("bind")) >= 2)
        peer.set(deaf=False)
        await until(lambda: carrier.provider.is_connected)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_a_wrong_password_is_tried_again_until_it_is_the_right_one(peer: Smsc) -> None:
    peer.set(password="another")
    async with carrying(peer) as carrier:
        said = await carrier.provider.send(sms("hello"))
        assert isinstance(said, Refused)
        assert said.kind == "busy"
        peer.set(password="secret")
        await until(lambda: carrier.provider.is_connected)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


@pytest.mark.parametrize(
    "octets",
    [
        codec.HEADER.pack(15, codec.ENQUIRE_LINK, 0, 1),
        codec.HEADER.pack(codec.PDU_MAX + 1, codec.DELIVER_SM, 0, 1) + b"x" * 100,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_what_is_no_smpp_ends_the_connection_and_not_the_client(peer: Smsc, octets: bytes) -> None:
    async with carrying(peer) as carrier:
        await until(lambda: carrier.provider.is_connected)
        peer.octets(octets)
        await until(lambda: len(peer.events("bind")) == 2)
        assert peer.events("generic_nack")[0]["status"] == 2
        await until(lambda: carrier.provider.is_connected)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_half_a_pdu_that_never_ends_does_not_hold_up_what_is_asked(peer: Smsc) -> None:
    async with carrying(peer, enquire_seconds=1) as carrier:
        await until(lambda: carrier.provider.is_connected)
        peer.octets(codec.HEADER.pack(1_000, codec.DELIVER_SM, 0, 1))
        with pytest.raises(ConnectionLost):
            await carrier.provider.send(sms("hello"))
        await until(lambda: carrier.provider.is_connected)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_a_carrier_that_takes_its_leave_gets_to_answer_first(peer: Smsc) -> None:
    peer.set(answer_ms=[300, 300])
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(sms("hello")))
        await until(lambda: peer.counts()["submits"] == 1)
        peer.unbind()
        assert isinstance(await sending, Accepted)
        await until(lambda: bool(peer.events("unbind_resp")))
        await until(lambda: carrier.provider.is_connected)


async def test_when_we_stop_answers_are_waited_for_and_the_carrier_is_told(peer: Smsc) -> None:
    peer.set(answer_ms=[300, 300])
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(sms("hello")))
        await until(lambda: peer.counts()["submits"] == 1)
    assert isinstance(await sending, Accepted)
    assert len(peer.events("unbind")) == 1


async def test_a_carrier_is_asked_how_it_is_without_sending_anything(peer: Smsc) -> None:
    provider = SmppProvider(account(peer), SystemClock())
    assert await provider.check() == "lets us in"
    assert peer.events("submit") == []
    assert peer.counts()["bound"] == 0
    peer.set(password="another")
    with pytest.raises(BindRefused, match="ESME_RINVPASWD"):
        await provider.check()


def test_no_more_is_handed_over_than_the_carrier_takes_in_time(peer: Smsc) -> None:
    fast, slow = account(peer), account(peer, throughput_per_second=100)
    assert SmppProvider(fast, SystemClock()).at_once_max > 1_000
    assert SmppProvider(slow, SystemClock()).at_once_max < 100 * 3.5


async def test_a_carrier_that_asks_whether_we_are_there_is_told(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        await until(lambda: carrier.provider.is_connected)
        peer.enquire()
        await until(lambda: bool(peer.events("enquire_link_resp")))


def test_what_was_frozen_is_still_what_the_other_author_writes() -> None:
    modules = smsc.installed()
    ran = subprocess.run(
        ["node", str(ROOT / "tests" / "peers" / "smsc" / "pdus.js")],
        env={"NODE_PATH": str(modules), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    frozen = json.loads((ROOT / "tests" / "vectors" / "smpp" / "pdus.json").read_text(encoding="utf-8"))
    assert json.loads(ran.stdout) == frozen
