"""What an SMSC says by itself: receipts, in either of their forms, and texts from people. Pure.

Appendix B of SMPP v3.4 shows a receipt's text only as an example, and carriers differ: optional parameters come first
where they are there, and what they leave out is looked for in the text.
"""

import re
from datetime import datetime
from hashlib import blake2b
from typing import Final

from notifications.channels.provider import RawReceipt, ReceivedText
from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import ShortMessage
from notifications.channels.smpp.settings import MessageIds, SmppSettings
from notifications.model import Reading
from notifications.segmenting import Alphabet, text_of

STATES: Final = {
    1: Reading.UNDERWAY,  # ENROUTE
    2: Reading.DELIVERED,
    3: Reading.UNDELIVERED,  # EXPIRED
    4: Reading.UNDELIVERED,  # DELETED
    5: Reading.UNDELIVERED,  # UNDELIVERABLE
    6: Reading.UNDERWAY,  # ACCEPTED: read by somebody for the subscriber; not delivered to them
    7: Reading.UNDERWAY,  # UNKNOWN
    8: Reading.UNDELIVERED,  # REJECTED
}
"""message_state (§5.2.28). What tells no end leaves the delivery open, and it ends unknown when patience does."""
WORDS: Final = {
    b"ENROUTE": Reading.UNDERWAY,
    b"DELIVRD": Reading.DELIVERED,
    b"EXPIRED": Reading.UNDELIVERED,
    b"DELETED": Reading.UNDELIVERED,
    b"UNDELIV": Reading.UNDELIVERED,
    b"ACCEPTD": Reading.UNDERWAY,
    b"UNKNOWN": Reading.UNDERWAY,
    b"REJECTD": Reading.UNDELIVERED,
}
"""Appendix B, table B-2."""
_ID = re.compile(rb"\bid:\s*([\x21-\x7e]{1,64})", re.IGNORECASE)
_STAT = re.compile(rb"\bstat:\s*([A-Za-z]{1,16})", re.IGNORECASE)
SAID_AGAIN_SECONDS: Final = 900
"""The same text from the same number within the same quarter of an hour is taken for the SMSC saying it again, unless
the number wrote something else in between."""

CODING_GBK: Final = 0x0F
"""Reserved in §5.2.19; carriers of the mainland write GB 18030 under it, as CMPP does in its msg_fmt."""
_MOBILE_DIGITS: Final = 11


def is_receipt(message: ShortMessage) -> bool:
    """Whether it speaks of something we sent (§5.2.12): a receipt, or a word that it is on its way."""
    kind = message.esm_class & codec.MESSAGE_TYPE
    return kind in (codec.IS_RECEIPT, codec.IS_INTERMEDIATE) or codec.RECEIPTED_MESSAGE_ID in message.tlvs


def receipt_of(message: ShortMessage, raw: bytes, settings: SmppSettings) -> RawReceipt:
    """A receipt as it is read; one that names no message, or no state, is kept all the same."""
    own = message.tlvs.get(codec.USER_MESSAGE_REFERENCE, b"")
    return RawReceipt(
        _reference(message, settings.message_ids),
        _reading(message),
        raw,
        user_reference=int.from_bytes(own, "big") if len(own) == 2 else None,
        phone=e164(message.source, message.source_ton, settings.country_code) if message.source else None,
    )


def _reading(message: ShortMessage) -> Reading:
    if message.esm_class & codec.MESSAGE_TYPE == codec.IS_INTERMEDIATE:
        return Reading.UNDERWAY
    state = message.tlvs.get(codec.MESSAGE_STATE, b"")
    if len(state) == 1:
        return STATES.get(state[0], Reading.UNDERWAY)
    word = _STAT.search(message.octets)
    return Reading.UNDERWAY if word is None else WORDS.get(word[1].upper()[:7], Reading.UNDERWAY)


def _reference(message: ShortMessage, form: MessageIds) -> str:
    receipted = message.tlvs.get(codec.RECEIPTED_MESSAGE_ID, b"").rstrip(b"\0")
    if 0 < len(receipted) < codec.MESSAGE_ID_MAX:  # §5.3.2.12: as the answer to the submission had it
        return answered_ref(receipted.decode("latin-1"), form)
    found = _ID.search(message.octets)
    return "" if found is None else receipted_ref(found[1].decode("ascii"), form)


def answered_ref(message_id: str, form: MessageIds) -> str:
    """The reference that an id in an answer means: the same as that of the id in its receipt."""
    if form == "answers_hex":
        return _as_decimal(message_id, 16)
    return _as_decimal(message_id, 10) if form == "receipts_hex" else message_id


def receipted_ref(message_id: str, form: MessageIds) -> str:
    """The reference that an id in the text of a receipt means."""
    if form == "answers_hex":
        return _as_decimal(message_id, 10)
    return _as_decimal(message_id, 16) if form == "receipts_hex" else message_id


def _as_decimal(message_id: str, radix: int) -> str:
    """The same number without leading zeros; what is none stays as it is."""
    try:
        return str(int(message_id, radix))
    except ValueError:
        return message_id


def text_heard(message: ShortMessage, raw: bytes, settings: SmppSettings, now: datetime) -> ReceivedText:
    """A text from somebody. Of one in several parts each is told by itself: what people answer us with is short."""
    interval = int(now.timestamp()) // SAID_AGAIN_SECONDS
    digest = blake2b(raw, digest_size=16, person=str(interval).encode()[-16:])
    return ReceivedText(
        settings.name,
        e164(message.source, message.source_ton, settings.country_code),
        message.destination,
        _decoded(message),
        digest.hexdigest(),
        now,
        may_recur=True,
    )


def _decoded(message: ShortMessage) -> str:
    octets = message.octets
    if message.esm_class & codec.HAS_UDH and octets:
        octets = octets[octets[0] + 1 :]
    coding = message.data_coding
    if coding == codec.CODING_UCS2:
        return text_of(octets, Alphabet.UCS2)
    if coding == codec.CODING_DEFAULT:
        return text_of(octets, Alphabet.GSM)
    if coding == CODING_GBK:
        return octets.decode("gb18030", "replace")
    return octets.decode("latin-1")  # ASCII and Latin-1; what is neither is shown, not lost


def e164(address: str, ton: int, country_code: str) -> str:
    """A number with `+` and its country code; what is no such number (a name, a short code) as it came."""
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return address
    is_whole = digits.startswith(country_code) and len(digits) == len(country_code) + _MOBILE_DIGITS
    if ton == 1 or address.startswith("+") or digits.startswith("00") or is_whole:
        return "+" + digits.removeprefix("00")
    return f"+{country_code}{digits}" if len(digits) == _MOBILE_DIGITS else digits
