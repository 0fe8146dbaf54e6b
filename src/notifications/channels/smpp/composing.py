"""A text becomes submissions: cut into parts, each the body of a submit_sm, written as quickly as can be."""

from typing import Final

from notifications.channels.provider import Refused, Sms, user_reference
from notifications.channels.smpp import codec
from notifications.channels.smpp.settings import SmppSettings
from notifications.model import SEGMENTS_MAX
from notifications.segmenting import Alphabet, cut, octets

INTERNATIONAL, E164 = 1, 1
"""Type and plan of a number with its country code (§5.2.5, §5.2.6)."""
CODING: Final = {Alphabet.GSM: codec.CODING_DEFAULT, Alphabet.UCS2: codec.CODING_UCS2}

_BODY: Final = b"%b%b\0%c\0\0\0%b\0\x01\0%c\0%c%b%b"
"""§4.4.1: up to the destination's number, that, esm_class; no protocol, priority or schedule; validity, a receipt
wanted, nothing replaced, data_coding, no default message, sm_length and the text; optional parameters."""
_REFERENCE_HEAD: Final = codec.tlv(codec.USER_MESSAGE_REFERENCE, b"\0\0")[:-2]
_UDH_CONCATENATED: Final = b"\x05\x00\x03"
"""3GPP TS 23.040 §9.2.3.24.1: five octets follow; element 0, three octets: reference, how many parts, which."""
_UDH_OCTETS: Final = 6
assert _UDH_OCTETS + 153 <= codec.SHORT_MESSAGE_MAX, "a part fits, one septet in an octet"


class Unsendable(Exception):
    """This cannot be written as SMS, whoever carries it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


NO_NUMBER: Final = Refused("recipient", "no number in E.164")
TOO_LONG: Final = Refused("recipient", f"longer than {SEGMENTS_MAX} parts")


class Composing:
    """Writes the submissions of one account."""

    def __init__(self, settings: SmppSettings) -> None:
        self._head = b"".join(
            (
                b"\0",
                bytes((settings.source_ton, settings.source_npi)),
                codec.written(settings.source, codec.ADDRESS_MAX),
                bytes((INTERNATIONAL, E164)),
            )
        )
        self._sends_reference = settings.sends_reference

    def bodies(self, sms: Sms) -> tuple[bytes, ...]:
        """A body for each part, in order. Raises Unsendable."""
        digits = sms.phone[1:] if sms.phone.startswith("+") else sms.phone
        if not (digits.isascii() and digits.isdecimal() and len(digits) < codec.ADDRESS_MAX):
            raise Unsendable(NO_NUMBER)
        alphabet, parts = cut(sms.text)
        if len(parts) > SEGMENTS_MAX:
            raise Unsendable(TOO_LONG)
        number, validity = digits.encode(), codec.absolute_time(sms.valid_until).encode()
        coding, is_joined = CODING[alphabet], len(parts) > 1
        reference = user_reference(sms.reference)
        bodies = []
        for place, part in enumerate(parts):
            written = octets(part, alphabet)
            if is_joined:
                written = _UDH_CONCATENATED + bytes((reference & 0xFF, len(parts), place + 1)) + written
            ours = reference if place == 0 else user_reference(sms.reference, place)
            bodies.append(
                _BODY
                % (
                    self._head,
                    number,
                    codec.HAS_UDH if is_joined else 0,
                    validity,
                    coding,
                    len(written),
                    written,
                    _REFERENCE_HEAD + ours.to_bytes(2, "big") if self._sends_reference else b"",
                )
            )
        return tuple(bodies)
