"""What a relay's answer means for a message, read from its codes. Its words are never kept: they name people."""

import re
from enum import StrEnum
from typing import Final

from notifications.channels.provider import Refused
from notifications.model import RefusalKind

_ENHANCED: Final = re.compile(r"^\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_OF_THE_RECIPIENT: Final = frozenset({550, 551, 552, 553, 556})
"""RFC 5321 §4.2.3 (mailbox unavailable, not local, full, not allowed) and RFC 7504 §4 (the domain takes no mail)."""
_OF_THE_RELAY: Final = 421
"""RFC 5321 §4.2.3: it is closing the connection, whatever it was asked."""
_OF_ITS_SYSTEM: Final = "3"
"""RFC 3463 §3.4: of the mail system, not of an address, a mailbox or a rule about this message."""
_OF_OUR_ADDRESS: Final = frozenset({(1, 7), (1, 8)})
"""RFC 3463 §3.2: bad sender's address."""


class Step(StrEnum):
    """What the relay was answering."""

    CONNECT = "connect"
    SIGN_IN = "sign in"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


def refused(step: Step, code: int, words: str) -> Refused:
    """A certain no. 4xx passes (RFC 5321 §4.2.1); the enhanced code (RFC 3463) tells whose fault it is.

    Of 4xx what was said of a recipient is that one's, as is class 1 and 2 of what was said of the message. Of 5xx,
    class 1 and 2 (address, mailbox) of what was said of the recipient, or of the message as a whole, is the
    recipient's; everything else is between the relay and us.
    """
    enhanced = _ENHANCED.match(words)
    said = f"{code}" if enhanced is None else f"{code} {enhanced[0].strip()}"
    return Refused(_kind(step, code, enhanced), f"{step.value} {said}")


def _kind(step: Step, code: int, enhanced: re.Match[str] | None) -> RefusalKind:
    if 400 <= code < 500:
        return "later" if _passes_for_one(step, code, enhanced) else "busy"
    if step not in (Step.RECIPIENT, Step.DATA):
        return "provider"
    if enhanced is None or enhanced[1] != "5":
        return "recipient" if code in _OF_THE_RECIPIENT and step is Step.RECIPIENT else "provider"
    subject, detail = int(enhanced[2]), int(enhanced[3])
    is_theirs = subject in (1, 2) and (subject, detail) not in _OF_OUR_ADDRESS
    return "recipient" if is_theirs else "provider"


def _passes_for_one(step: Step, code: int, enhanced: re.Match[str] | None) -> bool:
    """Whether a 4xx speaks of this recipient alone: a full mailbox, a stranger told to come again."""
    if code == _OF_THE_RELAY:
        return False
    subject = "" if enhanced is None else enhanced[2]
    return subject != _OF_ITS_SYSTEM if step is Step.RECIPIENT else step is Step.DATA and subject in ("1", "2")
