"""E-mail through a relay of another author in another process: what arrives, and what a failure may be called."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.clock import StoppedClock
from kernel.settings import Secret
from notifications.channels.email.relay import Relay, RelayServer
from notifications.channels.email.writing import Sender
from notifications.channels.provider import Accepted, Mail, Refused
from tests.mail_relay import MailRelay, mail_relay

SENDER = Sender("notice@city.example", "随申办")
REFERENCE = "0195572f-9c00-7000-8000-00000000000a"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def a_mail(name: str = "somebody", *, reference: str = REFERENCE, is_bulk: bool = False) -> Mail:
    return Mail(
        reference,
        f"{name}@people.example",
        "预约成功\nBooked",
        "您已预约。\n.\n请携带身份证。",
        NOW + timedelta(days=1),
        is_bulk,
    )


def over(server: RelayServer, **how: float) -> Relay:
    return Relay(
        StoppedClock(NOW),
        server,
        SENDER,
        unsubscribe=lambda mail: f"https://city.example/unsubscribe/{mail.reference}",
        **how,  # type: ignore[arg-type]
    )


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[MailRelay]:
    async with mail_relay(tmp_path) as running:
        yield running


@pytest.fixture
async def relay(peer: MailRelay) -> AsyncIterator[Relay]:
    opened = over(peer.server)
    yield opened
    await opened.close()


async def test_a_mail_arrives_as_it_was_written(peer: MailRelay, relay: Relay) -> None:
    assert await relay.send(a_mail()) == Accepted()
    [letter] = peer.letters()
    assert letter["Message-ID"] == f"<{REFERENCE}@city.example>"
    assert letter["Subject"] == "预约成功 Booked"
    assert (str(letter["From"]), str(letter["To"])) == ("随申办 <notice@city.example>", "somebody@people.example")
    assert letter.get_content().replace("\r\n", "\n") == "您已预约。\n.\n请携带身份证。\n"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] is None
    assert letter["Date"].datetime == NOW


async def test_a_mail_to_many_says_how_to_get_no_more(peer: MailRelay, relay: Relay) -> None:
    assert await relay.send(a_mail(is_bulk=True)) == Accepted()
    [letter] = peer.letters()
    assert letter["List-Unsubscribe"] == f"<https://city.example/unsubscribe/{REFERENCE}>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_a_relay_is_believed_by_its_certificate_and_told_our_password(tmp_path: Path, tls: str) -> None:
    async with mail_relay(tmp_path, tls) as peer:  # type: ignore[arg-type]
        good = over(peer.server)
        assert await good.send(a_mail()) == Accepted()
        assert peer.taken()[0]["is_tls"] is True or tls == "tls"
        server = peer.server
        nobody_vouches = over(RelayServer(server.host, server.port, server.tls, server.user, server.password))
        refused = await nobody_vouches.send(a_mail())
        assert isinstance(refused, Refused)
        assert refused.kind == "busy"
        wrong = over(RelayServer(server.host, server.port, server.tls, "city", Secret("no"), server.authorities))
        assert await wrong.send(a_mail()) == Refused("provider", "sign in 535 5.7.8")
        assert len(peer.taken()) == 1
        for one in (good, nobody_vouches, wrong):
            await one.close()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("nobody", Refused("recipient", "recipient 550 5.1.1")),
        ("full", Refused("recipient", "recipient 552 5.2.2")),
        ("plain", Refused("recipient", "recipient 550")),
        ("blocked", Refused("provider", "recipient 550 5.7.1")),
        ("greylisted", Refused("later", "recipient 451 4.7.1")),
        ("unwanted", Refused("provider", "data 554 5.7.1")),
        ("busy", Refused("busy", "data 452 4.3.1")),
    ],
)
async def test_a_no_says_whose_it_is(peer: MailRelay, relay: Relay, name: str, answer: Refused) -> None:
    assert await relay.send(a_mail(name)) == answer
    assert await relay.send(a_mail()) == Accepted(), "and the next goes out"
    assert len(peer.taken()) == 1


async def test_what_was_handed_over_and_not_answered_is_unknown(peer: MailRelay, relay: Relay) -> None:
    with pytest.raises(ConnectionError):
        await relay.send(a_mail("dropped"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await relay.send(a_mail("silent"))
    assert len(peer.taken()) == 2, "it had both"
    assert await relay.send(a_mail()) == Accepted()


async def test_what_breaks_before_the_mail_is_handed_over_is_a_certain_no(peer: MailRelay, relay: Relay) -> None:
    refused = await relay.send(a_mail("leaving"))
    assert isinstance(refused, Refused)
    assert refused.kind == "busy"
    assert await relay.send(a_mail()) == Accepted()
    peer.process.kill()
    await peer.process.wait()
    gone = await relay.send(a_mail())
    assert isinstance(gone, Refused)
    assert gone.kind == "busy"
    assert len(peer.taken()) == 1


async def test_a_relay_that_does_not_answer_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with mute:
        relay = over(RelayServer("127.0.0.1", mute.sockets[0].getsockname()[1], "none"), before_data_seconds=0.3)
        refused = await relay.send(a_mail())
        assert isinstance(refused, Refused)
        assert refused.kind == "busy"
        await relay.close()


async def test_many_go_out_side_by_side_over_few_connections(peer: MailRelay) -> None:
    relay = over(peer.server, connections_max=3)
    mails = [a_mail(f"person{nth}", reference=f"0195572f-9c00-7000-8000-{nth:012x}") for nth in range(60)]
    assert await asyncio.gather(*map(relay.send, mails)) == [Accepted()] * 60
    taken = peer.taken()
    assert sorted(one["to"][0] for one in taken) == sorted(mail.address for mail in mails)
    assert len({tuple(one["peer"]) for one in taken}) <= 3
    await relay.close()


async def test_a_relay_says_how_much_it_takes_at_once_and_what_waits_too_long_was_not_sent(peer: MailRelay) -> None:
    relay = over(peer.server, connections_max=2, before_data_seconds=0.001)
    said = await asyncio.gather(*(relay.send(a_mail()) for _ in range(relay.at_once_max * 20)))
    await relay.close()
    assert relay.at_once_max == 2
    assert {type(one) for one in said} <= {Accepted, Refused}
    assert said.count(Accepted()) == len(peer.taken())
    assert Refused("busy", "no connection free") in said
