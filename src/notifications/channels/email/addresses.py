"""Which e-mail addresses we take: those every relay takes, written one way."""

import re
from typing import Final

LOCAL_MAX: Final = 64
ADDRESS_MAX: Final = 254
"""RFC 5321 §4.5.3.1.1 and §4.5.3.1.3: a path has 256 octets, its two brackets included."""
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5322 §3.2.3, dot-atom: no quoted text, nothing beyond ASCII (RFC 6531 asks that of every relay on the way)."""
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LAST_LABEL: Final = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


class NotAnEmail(Exception):
    """This text is no e-mail address that we send to."""


def read_email(text: str) -> str:
    """An address with its domain in small letters; the part before the @ is its owner's business.

    Raises NotAnEmail.
    """
    stripped = text.strip()
    local, at, domain = stripped.rpartition("@")
    domain = domain.lower()
    labels = domain.split(".")
    is_good = (
        at == "@"
        and len(stripped) <= ADDRESS_MAX
        and len(local) <= LOCAL_MAX
        and _LOCAL.fullmatch(local) is not None
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and _LAST_LABEL.fullmatch(labels[-1]) is not None
    )
    if not is_good:
        raise NotAnEmail
    return f"{local}@{domain}"


def masked_email(address: str) -> str:
    """An address with all but its first sign and its domain struck out: `w***@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
