"""The pace that was agreed, and the carrier's silence, hold for every part of every text."""

import asyncio
import time

import pytest

from city.standins.smsc import Smsc
from notifications.channels.provider import Accepted, Refused
from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import pdu
from notifications.channels.smpp.session import ConnectionLost
from notifications.channels.smpp.statuses import Status
from tests.raw_smsc import Pdu, RawSmsc
from tests.smsc_peer import carrying, sms, until

PER_SECOND = 10
LONG, PARTS = "长" * 67 * 8, 8


async def test_the_parts_of_a_long_text_keep_the_pace_that_was_agreed(raw: RawSmsc) -> None:
    async with carrying(raw, throughput_per_second=PER_SECOND) as carrier:
        assert isinstance(await carrier.provider.send(sms(LONG)), Accepted)
    came = [one.at for one in raw.of(codec.SUBMIT_SM)]
    assert len(came) == PARTS
    assert came[-1] - came[0] >= (PARTS - 2) / PER_SECOND


async def test_of_long_texts_that_a_carrier_throttles_those_begun_first_are_finished_first(peer: Smsc) -> None:
    """It takes ten parts a second, and nobody said so: what cannot be whole in time is half at most one at a time."""
    peer.set(throttle_per_second=PER_SECOND, receipts=False)
    async with carrying(peer) as carrier:
        answers = await carrier.provider.send_many([sms(LONG) for _ in range(12)])
    never_begun = [answer for answer in answers if isinstance(answer, Refused)]
    assert all(answer.kind == "busy" for answer in never_begun)
    whole = sum(isinstance(answer, Accepted) for answer in answers)
    assert whole >= (len(answers) - len(never_begun)) / 2, answers
    assert peer.counts()["refused"] <= 2 * peer.counts()["accepted"], "it is not stormed again after each pause"


async def test_nothing_is_written_to_a_carrier_that_was_asked_whether_it_is_there_and_has_not_said_so(
    raw: RawSmsc,
) -> None:
    raw.answers = {codec.ENQUIRE_LINK: lambda _: b"", codec.SUBMIT_SM: lambda _: b""}
    async with carrying(raw, enquire_seconds=5) as carrier:
        silent = asyncio.create_task(carrier.provider.send_many([sms("first")]))
        await until(lambda: bool(raw.of(codec.ENQUIRE_LINK)))
        assert await carrier.provider.send(sms("second")) == Refused(
            "busy", "never sent: the carrier took no more in time"
        )
        assert len(raw.of(codec.SUBMIT_SM)) == 1
        silent.cancel()


async def test_a_carrier_that_says_late_that_it_is_there_is_sent_to_at_once(raw: RawSmsc) -> None:
    raw.answers = {codec.ENQUIRE_LINK: lambda _: b""}
    async with carrying(raw, enquire_seconds=5) as carrier:
        assert isinstance(await carrier.provider.send(sms("first")), Accepted)
        await until(lambda: bool(raw.of(codec.ENQUIRE_LINK)))
        sending = asyncio.create_task(carrier.provider.send_many([sms(str(place)) for place in range(100)]))
        await asyncio.sleep(0.3)
        assert len(raw.of(codec.SUBMIT_SM)) == 1
        (asked,) = raw.of(codec.ENQUIRE_LINK)
        raw.write(codec.pdu(codec.ENQUIRE_LINK_RESP, 0, asked.sequence))
        async with asyncio.timeout(0.5):
            assert all(isinstance(answer, Accepted) for answer in await sending)


async def test_places_of_the_window_that_answers_never_free_are_taken_back_from_them(raw: RawSmsc) -> None:
    """Those kept for what is urgent are not all that is left for good."""
    raw.answers = {codec.SUBMIT_SM: lambda _: b""}
    async with carrying(raw, window=20) as carrier:
        silent = asyncio.create_task(carrier.provider.send_many([sms(f"silent {place}") for place in range(18)]))
        await until(lambda: len(raw.of(codec.SUBMIT_SM)) == 18)
        silent.cancel()
        await asyncio.gather(silent, return_exceptions=True)
        raw.answers = {}
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(40)])
        assert all(isinstance(answer, Accepted) for answer in answers), answers[0]


async def test_a_carrier_that_does_not_read_what_we_say_is_left_before_it_costs_us_more(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await until(lambda: carrier.provider.is_connected)
        raw.reads.clear()
        asked = codec.pdu(codec.ENQUIRE_LINK, 0, 1) * 1_000
        async with asyncio.timeout(30):
            while carrier.provider.is_connected:
                raw.write(asked)
                await asyncio.sleep(0)
        raw.reads.set()
        await until(lambda: raw.connections == 2)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


@pytest.mark.parametrize("connections", [1, 3])
async def test_the_agreed_pace_is_that_of_all_connections(raw: RawSmsc, connections: int) -> None:
    async with carrying(raw, throughput_per_second=50, connections=connections) as carrier:
        await until(lambda: raw.connections == connections)
        answers = await carrier.provider.send_many([sms("长" * 130) for _ in range(25)])
        assert all(isinstance(answer, Accepted) for answer in answers)
    came = [one.at for one in raw.of(codec.SUBMIT_SM)]
    assert len(came) == 50
    assert came[-1] - came[0] >= (50 - 6) / 50 * 0.95


async def test_of_several_connections_none_begins_a_text_before_those_begun_are_finished(raw: RawSmsc) -> None:
    """Or the agreed pace would leave half of many."""
    async with carrying(raw, throughput_per_second=40, connections=3) as carrier:
        await until(lambda: raw.connections == 3)
        answers = await carrier.provider.send_many([sms(LONG) for _ in range(70)])
    finished = sum(isinstance(answer, Accepted) for answer in answers)
    assert finished >= 40 * 3 / PARTS
    assert all(isinstance(answer, Accepted | Refused) for answer in answers)


async def test_a_code_overtakes_the_parts_of_long_texts_that_were_begun(raw: RawSmsc) -> None:
    async with carrying(raw, throughput_per_second=PER_SECOND) as carrier:

        async def seconds_of_a_code() -> float:
            await until(lambda: len(raw.of(codec.SUBMIT_SM)) >= 2)
            began = time.monotonic()
            assert isinstance(await carrier.provider.send(sms("code")), Accepted)
            return time.monotonic() - began

        long_ones = carrier.provider.send_many([sms(LONG) for _ in range(3)])
        answers, seconds = await asyncio.gather(long_ones, seconds_of_a_code())
        assert seconds < 0.5
        assert all(isinstance(answer, Accepted) for answer in answers)


async def test_a_text_that_was_begun_goes_on_by_another_connection(raw: RawSmsc) -> None:
    def throttled(came: Pdu) -> bytes:
        is_first = came.body.find(b"\5\0\3") >= 0 and came.body[came.body.index(b"\5\0\3") + 5] == 1
        return raw.taken(came) if is_first else pdu(codec.SUBMIT_SM_RESP, Status.RTHROTTLED, came.sequence)

    raw.answers = {codec.SUBMIT_SM: throttled}
    async with carrying(raw, connections=2) as carrier:
        await until(lambda: raw.connections == 2)
        sending = asyncio.create_task(carrier.provider.send_many([sms("长" * 100)]))
        await until(lambda: len(raw.of(codec.SUBMIT_SM)) >= 2)
        await asyncio.sleep(0.05)
        raw.answers = {}
        raw.hang_up(raw.of(codec.SUBMIT_SM)[-1].connection)
        (answer,) = await sending
        assert isinstance(answer, Accepted)
        assert len(answer.provider_refs) == 2


async def test_a_text_cut_off_after_it_was_asked_for_is_unknown_and_the_rest_is_not(raw: RawSmsc) -> None:
    raw.answers = {codec.SUBMIT_SM: lambda _: b""}
    async with carrying(raw, enquire_seconds=5) as carrier:
        sending = asyncio.create_task(carrier.provider.send_many([sms("first")]))
        await until(lambda: bool(raw.of(codec.SUBMIT_SM)))
        raw.answers = {}
        raw.hang_up()
        (answer,) = await sending
        assert isinstance(answer, ConnectionLost)
        assert isinstance(await carrier.provider.send(sms("second")), Accepted)
