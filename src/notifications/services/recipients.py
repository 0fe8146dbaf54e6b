"""Numbers and addresses as senders write them, read into one form; and those that stand for nobody. Pure."""

import re
from typing import Final

import phonenumbers

from notifications.channels.email import addresses
from notifications.model import DeliveryStage
from notifications.services.model import KeyKind

PHONE_TEXT_MAX: Final = 40
_MAINLAND: Final = re.compile(r"(?:\+86)?(1[3-9][0-9]{9})")
_SEPARATORS: Final = str.maketrans("", "", " -().\u00a0")
_PHONE: Final = re.compile(r"\+?[0-9]{5,15}")
_REACHABLE: Final = frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE})

_DELIVERED, _LATER, _NEVER = DeliveryStage.DELIVERED, DeliveryStage.EXPIRED, DeliveryStage.UNDELIVERABLE
SIMULATED_PHONES: Final = {
    # GOV.UK Notify, "Testing": numbers that Ofcom keeps for drama.
    "+447700900000": _DELIVERED, "+447700900111": _DELIVERED, "+447700900222": _DELIVERED, "+447700900001": _DELIVERED,
    "+447700900003": _LATER, "+447700900002": _NEVER,
    # Ours: no mobile number of the mainland begins with 10, and no number of Peking (area code 10) with 0.
    "+8610000000001": _DELIVERED, "+8610000000002": _NEVER, "+8610000000003": _LATER,
}  # fmt: skip
"""Numbers nobody can have, and how a message to each ends with any kind of key."""
SIMULATED_EMAILS: Final = {
    "simulate-delivered@notifications.service.gov.uk": _DELIVERED,
    "simulate-delivered-2@notifications.service.gov.uk": _DELIVERED,
    "simulate-delivered-3@notifications.service.gov.uk": _DELIVERED,
    "delivered@simulator.notify": _DELIVERED,
    "temp-fail@simulator.notify": _LATER,
    "perm-fail@simulator.notify": _NEVER,
    # `.invalid` is nobody's (RFC 2606 §2).
    "delivered@simulated.invalid": _DELIVERED,
    "temporary-failure@simulated.invalid": _LATER,
    "permanent-failure@simulated.invalid": _NEVER,
}
"""Addresses nobody can have, likewise."""
_AS_WRITTEN_IN_BRITAIN: Final = {"0" + phone[3:]: phone for phone in SIMULATED_PHONES if phone.startswith("+44")}


class NotReachable(Exception):
    """This text is no number, or no address, that can be sent to."""


def read_phone(text: str) -> str:
    """E.164 of a number as people write it; without a country code it is one of the mainland. Raises NotReachable."""
    found = _MAINLAND.fullmatch(text)
    if found is not None:
        return "+86" + found[1]
    if len(text) > PHONE_TEXT_MAX:
        raise NotReachable
    compact = text.translate(_SEPARATORS)
    compact = "+" + compact[2:] if compact.startswith("00") else compact
    simulated = _AS_WRITTEN_IN_BRITAIN.get(compact, compact)
    if simulated in SIMULATED_PHONES:
        return simulated
    if not _PHONE.fullmatch(compact):
        raise NotReachable
    try:
        number = phonenumbers.parse(compact, "CN")
    except phonenumbers.NumberParseException:
        raise NotReachable from None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _REACHABLE:
        raise NotReachable
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_email(text: str) -> str:
    """An address, its domain in small letters and ASCII (RFC 5890). Raises NotReachable if no mail server takes it."""
    local, at, domain = text.strip().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        return addresses.read_email(local + at + ascii_domain)
    except (UnicodeError, addresses.NotAnEmail):
        raise NotReachable from None


def simulated_ending(kind: KeyKind, recipient: str) -> DeliveryStage | None:
    """How a message ends that no carrier is given; None for one that is truly sent.

    `recipient` is what `read_phone` or `read_email` made, or an ID number. All that test keys send is simulated.
    """
    ending = SIMULATED_PHONES.get(recipient) or SIMULATED_EMAILS.get(recipient)
    return DeliveryStage.DELIVERED if ending is None and kind == "test" else ending
