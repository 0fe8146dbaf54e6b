"""Whatever an SMSC writes, within the specification or not: no message doubled, none lost, and the client goes on."""

import asyncio
import ssl
from pathlib import Path

import pytest

from notifications.channels.provider import Accepted, Refused
from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import ShortMessage, pdu
from notifications.channels.smpp.session import ConnectionLost
from notifications.channels.smpp.statuses import Status
from notifications.model import Reading
from tests.mail_relay import write_certificate
from tests.raw_smsc import Pdu, RawSmsc, listening
from tests.smsc_peer import OUR_NUMBER, Carrier, carrying, sms, until

RECEIPT = b"id:%b sub:001 dlvrd:001 submit date:2603020900 done date:2603020901 stat:DELIVRD err:000 text:"


async def bound(carrier: Carrier) -> None:
    await until(lambda: carrier.provider.is_connected)


async def test_a_carrier_that_refuses_to_let_us_in_is_asked_until_it_does(raw: RawSmsc) -> None:
    refusals = [Status.RALYBND, Status.RBINDFAIL, Status.RSYSERR]

    def once_refused(came: Pdu) -> bytes:
        status = refusals.pop() if refusals else Status.ROK
        return pdu(codec.BIND_TRANSCEIVER_RESP, status, came.sequence, b"" if status else b"smsc\0")

    raw.answers = {codec.BIND_TRANSCEIVER: once_refused}
    async with carrying(raw) as carrier:
        await bound(carrier)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)
        assert raw.connections == 4
        assert len(raw.of(codec.SUBMIT_SM)) == 1


async def test_a_carrier_that_does_not_know_how_to_let_us_in_is_asked_again(raw: RawSmsc) -> None:
    raw.answers = {codec.BIND_TRANSCEIVER: lambda came: pdu(codec.GENERIC_NACK, Status.RINVCMDID, came.sequence)}
    async with carrying(raw) as carrier:
        await until(lambda: raw.connections == 2)
        raw.answers = {}
        await bound(carrier)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_what_a_carrier_could_make_no_sense_of_is_refused_for_certain(raw: RawSmsc) -> None:
    raw.answers = {codec.SUBMIT_SM: lambda came: pdu(codec.GENERIC_NACK, Status.RINVCMDLEN, came.sequence)}
    async with carrying(raw) as carrier:
        assert await carrier.provider.send(sms("hello")) == Refused("provider", "ESME_RINVCMDLEN")
        raw.answers = {}
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)
        assert raw.connections == 1


async def test_a_carrier_that_lost_its_place_makes_unknown_what_it_had(raw: RawSmsc) -> None:
    raw.answers = {codec.SUBMIT_SM: lambda _: pdu(codec.GENERIC_NACK, Status.RINVCMDLEN, 0)}
    async with carrying(raw) as carrier:
        with pytest.raises(ConnectionLost):
            await carrier.provider.send(sms("hello"))
        raw.answers = {}
        await bound(carrier)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)
        assert raw.connections == 2


async def test_a_carrier_that_has_forgotten_that_we_are_bound_is_bound_to_again(raw: RawSmsc) -> None:
    raw.answers = {codec.SUBMIT_SM: lambda came: pdu(codec.SUBMIT_SM_RESP, Status.RINVBNDSTS, came.sequence)}
    async with carrying(raw) as carrier:
        assert await carrier.provider.send(sms("first")) == Refused("busy", "ESME_RINVBNDSTS")
        await until(lambda: raw.connections == 2)
        raw.answers = {}
        await bound(carrier)
        assert isinstance(await carrier.provider.send(sms("second")), Accepted)
        assert len(raw.of(codec.UNBIND)) == 1


async def test_a_carrier_that_takes_its_leave_as_we_take_ours_is_answered(raw: RawSmsc) -> None:
    raw.answers = {
        codec.UNBIND: lambda _: pdu(codec.UNBIND, 0, 99),
        codec.UNBIND_RESP: lambda _: pdu(codec.UNBIND_RESP, 0, raw.of(codec.UNBIND)[0].sequence),
    }
    async with carrying(raw) as carrier:
        await bound(carrier)
        async with asyncio.timeout(1):
            await carrier.provider.close()
    assert [one.sequence for one in raw.of(codec.UNBIND_RESP)] == [99]


async def test_what_has_no_answer_is_given_none_and_what_nobody_knows_is_said_to_be_so(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await bound(carrier)
        alert = b"\1\1" + b"8613800000000\0" + b"\0\0" + OUR_NUMBER.encode() + b"\0"
        raw.write(pdu(0x00000102, 0, 11, alert) + pdu(0x0000000B, 0, 12, b"smsc\0secret\0"))
        raw.write(pdu(0x00000BAD, 0, 13) + pdu(0x80000BAD, 0, 14) + pdu(codec.ENQUIRE_LINK, 0, 0xFFFFFFFF))
        await until(lambda: bool(raw.of(codec.ENQUIRE_LINK_RESP)))
        assert [(one.status, one.sequence) for one in raw.of(codec.GENERIC_NACK)] == [(Status.RINVCMDID, 13)]
        assert raw.of(codec.ENQUIRE_LINK_RESP)[0].sequence == 0xFFFFFFFF
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_answers_to_what_was_never_asked_change_nothing(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await bound(carrier)
        for command in (codec.SUBMIT_SM_RESP, codec.ENQUIRE_LINK_RESP, codec.BIND_TRANSCEIVER_RESP, codec.GENERIC_NACK):
            raw.write(pdu(command, Status.RSYSERR, 0x7FFFFFFF))
        raw.answers = {codec.SUBMIT_SM: lambda came: raw.taken(came) + pdu(codec.SUBMIT_SM_RESP, 8, came.sequence)}
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(100)])
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert raw.connections == 1


@pytest.mark.parametrize("body", [b"", b"no end", b"x" * 300, b"\xff\xfe\0trailing"])
async def test_a_submission_is_taken_however_badly_its_answer_names_it(raw: RawSmsc, body: bytes) -> None:
    raw.answers = {codec.SUBMIT_SM: lambda came: pdu(codec.SUBMIT_SM_RESP, 0, came.sequence, body)}
    async with carrying(raw) as carrier:
        said = await carrier.provider.send(sms("hello"))
        assert isinstance(said, Accepted)
        assert all(0 < len(ref) < codec.MESSAGE_ID_MAX + 1 for ref in said.provider_refs)


async def test_octets_that_come_one_by_one_are_read_as_if_they_came_together(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await bound(carrier)
        for octet in pdu(codec.DELIVER_SM, 0, 7, receipt(b"m1")):
            raw.write(bytes((octet,)))
            await asyncio.sleep(0)
        await until(lambda: bool(raw.of(codec.DELIVER_SM_RESP)))
        assert [one.provider_ref for one in carrier.store.receipts] == ["m1"]


def receipt(name: bytes, **fields: object) -> bytes:
    known = {"esm_class": codec.IS_RECEIPT, "source": "8613800000000", "destination": OUR_NUMBER}
    return ShortMessage(**{**known, "short_message": RECEIPT % name, **fields}).encode()


async def test_the_longest_pdu_there_can_be_is_taken_and_one_whose_length_lies_is_refused(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await bound(carrier)
        longest = (RECEIPT % b"m1").ljust(0xFFFF, b"x")
        raw.write(pdu(codec.DELIVER_SM, 0, 1, receipt(b"", short_message=b"", tlvs={codec.MESSAGE_PAYLOAD: longest})))
        whole = receipt(b"m2", tlvs={codec.RECEIPTED_MESSAGE_ID: b"m2\0"})
        for sequence, lies in (
            (2, whole[:-1]),
            (3, whole + b"\0"),
            (4, whole[:-5] + b"\xff\xff" + whole[-3:]),
            (5, b""),
        ):
            raw.write(pdu(codec.DELIVER_SM, 0, sequence, lies))
        raw.write(pdu(codec.DELIVER_SM, 0, 6, whole))
        await until(lambda: len(raw.of(codec.DELIVER_SM_RESP)) == 6)
        said = {one.sequence: one.status for one in raw.of(codec.DELIVER_SM_RESP)}
        assert [one.provider_ref for one in carrier.store.receipts] == ["m1", "m2"]
        assert (said[1], said[6]) == (0, 0)
        assert all(said[sequence] for sequence in (2, 3, 4, 5))
        assert raw.connections == 1


@pytest.mark.parametrize("octets_said", [0, 15, codec.PDU_MAX + 1, 0xFFFFFFFF])
async def test_a_length_that_no_pdu_has_ends_the_connection_and_what_was_whole_before_it_counts(
    raw: RawSmsc, octets_said: int
) -> None:
    def then_nonsense(came: Pdu) -> bytes:
        return raw.taken(came) + codec.HEADER.pack(octets_said, codec.DELIVER_SM, 0, 1)

    raw.answers = {codec.SUBMIT_SM: then_nonsense}
    async with carrying(raw) as carrier:
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)
        await until(lambda: raw.connections == 2)
        assert [one.status for one in raw.of(codec.GENERIC_NACK)] == [Status.RINVCMDLEN]


async def test_receipts_come_in_every_form_there_is(raw: RawSmsc) -> None:
    """As text or optional parameters alone, in a payload, by data_sm, and with their ids written in another way."""
    name, state = {codec.RECEIPTED_MESSAGE_ID: b"1f\0"}, {codec.MESSAGE_STATE: b"\2"}
    data = b"\0\0\0" + b"8613800000000\0" + b"\0\0" + OUR_NUMBER.encode() + b"\0" + bytes((codec.IS_RECEIPT, 0, 0))
    tlvs = b"".join(codec.tlv(tag, value) for tag, value in {**name, **state}.items())
    said = [
        pdu(codec.DELIVER_SM, 0, 1, receipt(b"31")),
        pdu(codec.DELIVER_SM, 0, 2, receipt(b"0000000031")),
        pdu(codec.DELIVER_SM, 0, 3, receipt(b"", short_message=b"", tlvs={**name, **state})),
        pdu(codec.DELIVER_SM, 0, 4, receipt(b"", short_message=b"", tlvs={codec.MESSAGE_PAYLOAD: RECEIPT % b"31"})),
        pdu(codec.DELIVER_SM, 0, 5, receipt(b"", esm_class=0, short_message=b"", tlvs={**name, **state})),
        pdu(codec.DATA_SM, 0, 6, data + tlvs),
        pdu(codec.DATA_SM, 0, 7, data + codec.tlv(codec.MESSAGE_PAYLOAD, RECEIPT % b"31")),
    ]
    async with carrying(raw, message_ids="answers_hex") as carrier:
        await bound(carrier)
        raw.answers = {codec.SUBMIT_SM: lambda came: pdu(codec.SUBMIT_SM_RESP, 0, came.sequence, b"0000001F\0")}
        assert await carrier.provider.send(sms("hello")) == Accepted(("31",))
        raw.write(b"".join(said))
        await until(lambda: len(raw.of(codec.DELIVER_SM_RESP)) + len(raw.of(codec.DATA_SM_RESP)) == len(said))
        assert {(one.provider_ref, one.reading) for one in carrier.store.receipts} == {("31", Reading.DELIVERED)}
        assert len(carrier.store.receipts) == len(said)
        assert [(one.sequence, one.status) for one in raw.of(codec.DATA_SM_RESP)] == [(6, 0), (7, 0)]


async def test_a_text_from_somebody_in_a_payload_is_heard_whole(raw: RawSmsc) -> None:
    async with carrying(raw) as carrier:
        await bound(carrier)
        words = "退订" * 200
        payload = {codec.MESSAGE_PAYLOAD: words.encode("utf-16-be")}
        body = receipt(b"", esm_class=0, short_message=b"", data_coding=codec.CODING_UCS2, tlvs=payload)
        raw.write(pdu(codec.DELIVER_SM, 0, 1, body))
        await until(lambda: bool(raw.of(codec.DELIVER_SM_RESP)))
        assert [one.text for one in carrier.store.texts] == [words]


async def test_a_carrier_that_takes_its_leave_in_the_middle_gets_the_rest_when_it_is_back(raw: RawSmsc) -> None:
    """What it had and did not answer is unknown; the rest was not written to it any more."""

    def leave(came: Pdu) -> bytes:
        return b"" if came.connection > 1 or came.sequence < 10 else pdu(codec.UNBIND, 0, 99)

    raw.answers = {codec.SUBMIT_SM: leave}
    async with carrying(raw, window=20) as carrier:
        sending = asyncio.create_task(carrier.provider.send_many([sms(str(place)) for place in range(60)]))
        await until(lambda: bool(raw.of(codec.UNBIND_RESP)))
        raw.answers = {}
        answers = await sending
        lost = sum(isinstance(answer, ConnectionLost) for answer in answers)
        assert lost == sum(one.connection == 1 for one in raw.of(codec.SUBMIT_SM)) <= 20
        assert sum(isinstance(answer, Accepted) for answer in answers) == 60 - lost
        assert len(raw.of(codec.SUBMIT_SM)) == 60


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where whom the machine trusts is written: a carrier at 127.0.0.1."""
    write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "relay.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return tmp_path


def shown_by(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "relay.pem", folder / "relay.key")
    return context


async def test_over_tls_a_carrier_is_one_like_any_other(trusted: Path) -> None:
    async with listening(shown_by(trusted)) as raw, carrying(raw, tls=True) as carrier:
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(200)])
        assert all(isinstance(answer, Accepted) for answer in answers)
        raw.hang_up()
        await until(lambda: raw.connections == 2)
        await bound(carrier)
        assert isinstance(await carrier.provider.send(sms("hello")), Accepted)


async def test_a_carrier_that_is_not_whom_we_trust_hears_nothing_of_us(trusted: Path, tmp_path: Path) -> None:
    another = tmp_path / "another"
    another.mkdir()
    write_certificate(another)
    async with listening(shown_by(another)) as raw, carrying(raw, tls=True) as carrier:
        assert await carrier.provider.send(sms("hello")) == Refused("busy", "never sent: not connected")
        assert raw.came == []


async def test_a_carrier_under_anothers_name_hears_nothing_of_us(trusted: Path) -> None:
    async with listening(shown_by(trusted)) as raw, carrying(raw, tls=True, host="localhost") as carrier:
        assert await carrier.provider.send(sms("hello")) == Refused("busy", "never sent: not connected")
        assert raw.came == []
