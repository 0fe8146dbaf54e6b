"""What is sent over SMPP: as many parts as the text is charged for, joined again by any phone; and what comes back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.settings import Secret
from notifications.channels.provider import RawReceipt, Sms, user_reference
from notifications.channels.smpp import codec, hearing
from notifications.channels.smpp.codec import ShortMessage
from notifications.channels.smpp.composing import Composing, Unsendable
from notifications.channels.smpp.settings import SmppSettings
from notifications.model import SEGMENTS_MAX, Reading
from notifications.segmenting import Alphabet, segments, text_of

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
REFERENCE = "019cac3f-6c00-7000-8000-00000000beef"
ACCOUNT = SmppSettings(
    name="first", host="127.0.0.1", system_id="city", password=Secret("secret"), source="10690001", source_ton=3
)
DELIVERED = b"id:%b sub:001 dlvrd:001 submit date:2603020900 done date:2603020901 stat:DELIVRD err:000 Text:hello"


def account(**changed: Any) -> SmppSettings:
    known: dict[str, Any] = {name: getattr(ACCOUNT, name) for name in SmppSettings.__struct_fields__}
    return SmppSettings(**{**known, **changed})


def sms(text: str, phone: str = "+8613800000000") -> Sms:
    return Sms(REFERENCE, phone, text, NOW + timedelta(minutes=30))


def sent(text: str, settings: SmppSettings = ACCOUNT) -> list[ShortMessage]:
    return [ShortMessage.decode(body) for body in Composing(settings).bodies(sms(text))]


def text_in(message: ShortMessage) -> str:
    octets = message.short_message[6:] if message.esm_class & codec.HAS_UDH else message.short_message
    return text_of(octets, Alphabet.UCS2 if message.data_coding == codec.CODING_UCS2 else Alphabet.GSM)


texts = st.text(alphabet=st.sampled_from("ab\n@€[随申办😀"), min_size=1, max_size=600) | st.text(
    alphabet=st.sampled_from("aZ9 €{}"), min_size=1, max_size=1400
)


@given(texts)
def test_a_text_is_sent_in_the_parts_it_is_charged_for_and_reads_the_same(text: str) -> None:
    if segments(text) > SEGMENTS_MAX:
        with pytest.raises(Unsendable) as refused:
            sent(text)
        assert refused.value.refused.kind == "recipient"
        return
    parts = sent(text)
    assert len(parts) == segments(text)
    assert "".join(map(text_in, parts)) == text
    assert all(len(part.short_message) <= (140 if part.data_coding == codec.CODING_UCS2 else 160) for part in parts)


def test_parts_say_which_they_are_and_belong_together() -> None:
    parts = sent("长" * 150)
    assert [part.short_message[:6] for part in parts] == [bytes((5, 0, 3, 0xEF, 3, place)) for place in (1, 2, 3)]
    assert {part.esm_class for part in parts} == {codec.HAS_UDH}
    said = [int.from_bytes(part.tlvs[codec.USER_MESSAGE_REFERENCE], "big") for part in parts]
    assert said == [user_reference(REFERENCE, place) for place in range(3)]
    assert said[0] == UUID(REFERENCE).int & 0xFFFF
    assert len(set(said)) == 3


def test_a_submission_asks_for_a_receipt_and_says_until_when_it_is_worth_sending() -> None:
    (part,) = sent("【随申办】您好")
    assert (part.source, part.source_ton, part.destination) == ("10690001", 3, "8613800000000")
    assert (part.destination_ton, part.destination_npi) == (1, 1)
    assert (part.registered_delivery, part.data_coding, part.esm_class) == (1, 8, 0)
    assert part.validity == "260302013000000+"
    assert sent("hello")[0].data_coding == 0
    assert sent("hello", account(sends_reference=False))[0].tlvs == {}


@pytest.mark.parametrize("phone", ["", "+", "name", "+86 138", "+861380000000012345678", "１３８"])
def test_what_is_no_number_is_refused_before_it_is_sent(phone: str) -> None:
    if phone == "+":
        phone = "+x"
    with pytest.raises(Unsendable) as refused:
        Composing(ACCOUNT).bodies(sms("hello", phone))
    assert refused.value.refused.kind == "recipient"


def receipt(settings: SmppSettings = ACCOUNT, **fields: Any) -> RawReceipt:
    message = ShortMessage(**{"esm_class": codec.IS_RECEIPT, "source": "8613800000000", **fields})
    body = message.encode()
    assert hearing.is_receipt(message)
    return hearing.receipt_of(ShortMessage.decode(body), body, settings)


def test_a_receipt_is_read_from_its_text() -> None:
    found = receipt(short_message=DELIVERED % b"7a9")
    assert (found.provider_ref, found.reading) == ("7a9", Reading.DELIVERED)
    assert (found.user_reference, found.phone) == (None, "+8613800000000")
    assert DELIVERED % b"7a9" in found.raw


def test_a_receipt_is_read_from_its_optional_parameters_first() -> None:
    tlvs = {
        codec.RECEIPTED_MESSAGE_ID: b"right\0",
        codec.MESSAGE_STATE: b"\x05",
        codec.USER_MESSAGE_REFERENCE: b"\xbe\xef",
    }
    found = receipt(short_message=DELIVERED % b"wrong", tlvs=tlvs)
    assert (found.provider_ref, found.reading, found.user_reference) == ("right", Reading.UNDELIVERED, 0xBEEF)


def test_a_receipt_in_a_payload_is_read_as_one_in_the_message() -> None:
    found = receipt(tlvs={codec.MESSAGE_PAYLOAD: DELIVERED % b"7"})
    assert (found.provider_ref, found.reading) == ("7", Reading.DELIVERED)


@pytest.mark.parametrize(
    "word, reading",
    [
        (b"DELIVRD", Reading.DELIVERED),
        (b"delivrd", Reading.DELIVERED),
        (b"DELIVRDX", Reading.DELIVERED),
        (b"UNDELIV", Reading.UNDELIVERED),
        (b"EXPIRED", Reading.UNDELIVERED),
        (b"REJECTD", Reading.UNDELIVERED),
        (b"ENROUTE", Reading.UNDERWAY),
        (b"UNKNOWN", Reading.UNDERWAY),
        (b"ACCEPTD", Reading.UNDERWAY),
        (b"SOMETHING", Reading.UNDERWAY),
    ],
)
def test_only_what_is_certain_ends_a_delivery(word: bytes, reading: Reading) -> None:
    assert receipt(short_message=b"id:1 stat:" + word + b" err:0").reading is reading


def test_a_word_on_the_way_is_no_end() -> None:
    assert receipt(esm_class=codec.IS_INTERMEDIATE, short_message=DELIVERED % b"1").reading is Reading.UNDERWAY


def test_a_receipt_that_names_nothing_is_kept_all_the_same() -> None:
    found = receipt(source="", short_message=b"\xff\x00what is this")
    assert (found.provider_ref, found.reading, found.phone) == ("", Reading.UNDERWAY, None)


@pytest.mark.parametrize(
    "form, answered, in_text",
    [
        ("same", "00a1", b"00a1"),
        ("answers_hex", "001A2B3C", b"0001715004"),
        ("receipts_hex", "0001715004", b"1a2b3c"),
        ("answers_hex", "not-a-number", b"not-a-number"),
    ],
)
def test_an_id_is_the_same_however_the_carrier_writes_it(
    form: hearing.MessageIds, answered: str, in_text: bytes
) -> None:
    told = receipt(account(message_ids=form), short_message=DELIVERED % in_text)
    named = receipt(account(message_ids=form), tlvs={codec.RECEIPTED_MESSAGE_ID: answered.encode() + b"\0"})
    assert told.provider_ref == named.provider_ref == hearing.answered_ref(answered, form)


def heard(now: datetime = NOW, **fields: Any) -> hearing.ReceivedText:
    message = ShortMessage(**{"source": "13800000000", "destination": "10690001", **fields})
    assert not hearing.is_receipt(message)
    return hearing.text_heard(message, message.encode(), ACCOUNT, now)


@pytest.mark.parametrize(
    "coding, octets, text",
    [
        (0, b"Y \x1b\x65", "Y €"),
        (1, b"T", "T"),
        (3, b"caf\xe9", "café"),
        (8, "退订".encode("utf-16-be"), "退订"),
        (15, "退订".encode("gb18030"), "退订"),
        (8, b"\x00", "�"),
    ],
)
def test_what_people_answer_is_read_in_whatever_it_was_written(coding: int, octets: bytes, text: str) -> None:
    said = heard(data_coding=coding, short_message=octets)
    assert (said.text, said.from_phone, said.to_number) == (text, "+8613800000000", "10690001")
    joined = heard(data_coding=coding, short_message=b"\x05\x00\x03\x01\x02\x01" + octets, esm_class=codec.HAS_UDH)
    assert joined.text == text


def test_a_text_said_again_has_the_same_name_and_a_new_one_has_another() -> None:
    first, again = heard(short_message=b"Y"), heard(NOW + timedelta(minutes=2), short_message=b"Y")
    assert first.provider_ref == again.provider_ref
    assert heard(NOW + timedelta(hours=1), short_message=b"Y").provider_ref != first.provider_ref
    assert heard(short_message=b"T").provider_ref != first.provider_ref


@pytest.mark.parametrize(
    "address, ton, number",
    [
        ("8613800000000", 1, "+8613800000000"),
        ("+8613800000000", 0, "+8613800000000"),
        ("8613800000000", 0, "+8613800000000"),
        ("13800000000", 2, "+8613800000000"),
        ("85291234567", 1, "+85291234567"),
        ("008613800000000", 0, "+8613800000000"),
        ("13105551234", 1, "+13105551234"),
        ("+13105551234", 0, "+13105551234"),
        ("0013105551234", 0, "+13105551234"),
        ("106900012345678", 0, "106900012345678"),
        ("95588", 0, "95588"),
        ("Bank", 5, "Bank"),
    ],
)
def test_a_number_is_the_same_number_however_it_is_written(address: str, ton: int, number: str) -> None:
    assert hearing.e164(address, ton, "86") == number


def test_nothing_personal_shows_where_things_are_printed() -> None:
    (message,) = sent("【随申办】您的验证码是483920")
    printed = f"{message!r} {codec.Bind(system_id='city', password='secret')!r} {ACCOUNT!r}"
    assert "8613800000000" not in printed
    assert "483920" not in printed
    assert "secret" not in printed
