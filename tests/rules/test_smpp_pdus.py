"""PDUs of SMPP 3.4: ours and another author's are the same octets, and nothing malformed is taken for anything."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import Bind, Malformed, ShortMessage, pdu
from notifications.channels.smpp.statuses import (
    BUSY,
    OF_THE_MESSAGE,
    RECIPIENT,
    SLOW_DOWN,
    Status,
    kind_of,
    name_of,
    refusal_of,
)
from notifications.segmenting import Alphabet, octets, text_of

FROZEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "smpp" / "pdus.json").read_text(encoding="utf-8")
)
COMMANDS = {
    "bind_transceiver": codec.BIND_TRANSCEIVER,
    "bind_transceiver_resp": codec.BIND_TRANSCEIVER_RESP,
    "submit_sm": codec.SUBMIT_SM,
    "submit_sm_resp": codec.SUBMIT_SM_RESP,
    "deliver_sm": codec.DELIVER_SM,
    "deliver_sm_resp": codec.DELIVER_SM_RESP,
    "data_sm": codec.DATA_SM,
    "enquire_link": codec.ENQUIRE_LINK,
    "enquire_link_resp": codec.ENQUIRE_LINK_RESP,
    "unbind": codec.UNBIND,
    "unbind_resp": codec.UNBIND_RESP,
    "generic_nack": codec.GENERIC_NACK,
}
OF_TLVS = {
    "receipted_message_id": codec.RECEIPTED_MESSAGE_ID,
    "message_state": codec.MESSAGE_STATE,
    "user_message_reference": codec.USER_MESSAGE_REFERENCE,
    "message_payload": codec.MESSAGE_PAYLOAD,
    "sar_msg_ref_num": codec.SAR_MSG_REF_NUM,
    "sar_total_segments": codec.SAR_TOTAL_SEGMENTS,
    "sar_segment_seqnum": codec.SAR_SEGMENT_SEQNUM,
}
NAMES = {
    "source_addr_ton": "source_ton",
    "source_addr_npi": "source_npi",
    "source_addr": "source",
    "dest_addr_ton": "destination_ton",
    "dest_addr_npi": "destination_npi",
    "destination_addr": "destination",
    "validity_period": "validity",
}

ascii_texts = st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=126), max_size=20)
octet = st.integers(0, 255)
messages = st.builds(
    ShortMessage,
    service_type=ascii_texts.map(lambda text: text[:5]),
    source_ton=octet,
    source_npi=octet,
    source=ascii_texts,
    destination_ton=octet,
    destination_npi=octet,
    destination=ascii_texts,
    esm_class=octet,
    protocol_id=octet,
    priority=octet,
    schedule=ascii_texts.map(lambda text: text[:16]),
    validity=ascii_texts.map(lambda text: text[:16]),
    registered_delivery=octet,
    replace_if_present=octet,
    data_coding=octet,
    default_message=octet,
    short_message=st.binary(max_size=254),
    tlvs=st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=4),
)


def ids_of(frozen: dict[str, Any]) -> str:
    return f"{frozen['sequence']}-{frozen['command']}"


def message_of(fields: dict[str, Any]) -> ShortMessage:
    """The same message as we write it."""
    ours: dict[str, Any] = {NAMES.get(name, name): value for name, value in fields.items() if name not in OF_TLVS}
    alphabet = Alphabet.UCS2 if ours["data_coding"] == codec.CODING_UCS2 else Alphabet.GSM
    said = ours.pop("short_message", "")
    head = b""
    if isinstance(said, dict):
        head, said = bytes.fromhex(said["udh"]), said["message"]
    tlvs = {}
    for name, tag in OF_TLVS.items():
        match fields.get(name):
            case int(value):
                tlvs[tag] = value.to_bytes(2 if name in ("user_message_reference", "sar_msg_ref_num") else 1, "big")
            case str(value) if name == "message_payload":
                tlvs[tag] = octets(value, alphabet)
            case str(value):
                tlvs[tag] = value.encode() + b"\0"
    return ShortMessage(**ours, short_message=head + octets(said, alphabet), tlvs=tlvs)


@pytest.mark.parametrize("frozen", FROZEN, ids=ids_of)
def test_what_another_author_writes_is_read_and_written_as_it_is(frozen: dict[str, Any]) -> None:
    whole, fields = bytes.fromhex(frozen["octets"]), frozen["fields"]
    header = codec.header_at(whole, 0)
    assert header == (len(whole), COMMANDS[frozen["command"]], fields.get("command_status", 0), frozen["sequence"])
    body = whole[codec.HEADER_OCTETS :]
    match frozen["command"]:
        case "bind_transceiver":
            bind = Bind(system_id=fields["system_id"], password=fields["password"], system_type=fields["system_type"])
            assert Bind.decode(body) == bind
            assert bind.encode() == body
        case "submit_sm" | "deliver_sm":
            message = message_of(fields)
            assert ShortMessage.decode(body) == message
            assert message.encode() == body
        case "data_sm":
            assert ShortMessage.decode_data_sm(body) == message_of(fields)
        case "submit_sm_resp":
            assert codec.read_message_id(body) == fields.get("message_id", "")
    assert pdu(header.command, header.status, header.sequence, body) == whole


@given(messages)
def test_what_is_written_is_read_back(message: ShortMessage) -> None:
    assert ShortMessage.decode(message.encode()) == message


@given(messages)
def test_a_message_cut_anywhere_is_refused(message: ShortMessage) -> None:
    body = message.encode()
    whole_ones = {len(body)}
    for _, value in reversed(message.tlvs.items()):
        whole_ones.add(min(whole_ones) - 4 - len(value))
    for end in range(len(body)):
        if end in whole_ones:
            assert ShortMessage.decode(body[:end]).short_message == message.short_message
            continue
        with pytest.raises(Malformed):
            ShortMessage.decode(body[:end])


@pytest.mark.parametrize(
    "frozen", [one for one in FROZEN if one["command"] in ("bind_transceiver", "data_sm")], ids=ids_of
)
def test_other_bodies_cut_anywhere_are_refused_too(frozen: dict[str, Any]) -> None:
    body = bytes.fromhex(frozen["octets"])[codec.HEADER_OCTETS :]
    reads = Bind.decode if frozen["command"] == "bind_transceiver" else ShortMessage.decode_data_sm
    whole_ones = [] if frozen["command"] == "bind_transceiver" else _ends_of_tlvs(reads(body))
    for end in range(len(body)):
        if len(body) - end not in whole_ones:
            with pytest.raises(Malformed):
                reads(body[:end])


def _ends_of_tlvs(message: Any) -> list[int]:
    """How many octets of a body may be missing where only whole optional parameters are."""
    missing, found = 0, []
    for value in reversed(message.tlvs.values()):
        missing += 4 + len(value)
        found.append(missing)
    return found


@given(st.binary(max_size=400))
def test_any_octets_are_either_a_message_or_refused(body: bytes) -> None:
    for reads in (ShortMessage.decode, ShortMessage.decode_data_sm):
        with contextlib.suppress(Malformed):
            assert len(reads(body).octets) <= len(body)


@pytest.mark.parametrize("octets_said", [0, 15, codec.PDU_MAX + 1, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_is_refused(octets_said: int) -> None:
    with pytest.raises(Malformed) as refused:
        codec.header_at(codec.HEADER.pack(octets_said, codec.ENQUIRE_LINK, 0, 1), 0)
    assert refused.value.status is Status.RINVCMDLEN


@pytest.mark.parametrize(
    "bind",
    [
        Bind(system_id="x" * 16, password="y"),
        Bind(system_id="x", password="123456789"),
        Bind(system_id="城", password="y"),
        Bind(system_id="x\0y", password="y"),
    ],
)
def test_what_the_protocol_has_no_room_for_is_not_cut_silently(bind: Bind) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- of several kinds
        bind.encode()


def test_a_moment_is_written_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert codec.absolute_time(datetime(2026, 3, 2, 9, 30, 5, 950_000, shanghai)) == "260302013005900+"
    assert codec.absolute_time(datetime(2026, 3, 2, 9, 30, 5, tzinfo=UTC)) == "260302093005000+"


def test_every_refusal_says_who_could_still_carry_the_message() -> None:
    kinds = {status: kind_of(status) for status in Status if status is not Status.ROK}
    assert {status for status, kind in kinds.items() if kind == "busy"} == BUSY > SLOW_DOWN
    assert {status for status, kind in kinds.items() if kind == "recipient"} == RECIPIENT
    assert {status for status, kind in kinds.items() if kind == "message"} == OF_THE_MESSAGE
    assert kinds[Status.RINVSRCADR] == kinds[Status.RINVDSTTON] == "provider"
    assert refusal_of(0x58).reason == "ESME_RTHROTTLED"
    assert (kind_of(0x4FF), name_of(0x4FF)) == ("provider", "command_status 0x000004ff")


@given(st.text(alphabet=st.sampled_from("aZ09@£Δñ \n€[]{}\\^~|"), max_size=200))
def test_a_text_in_seven_bits_comes_back_as_it_was(text: str) -> None:
    assert text_of(octets(text, Alphabet.GSM), Alphabet.GSM) == text


def test_after_the_last_sequence_number_comes_the_first_again() -> None:
    assert codec.SEQUENCE_MAX == 0x7FFFFFFF
    assert [codec.sequence_after(before) for before in (0, 1, 0x7FFFFFFE, 0x7FFFFFFF)] == [1, 2, 0x7FFFFFFF, 1]
