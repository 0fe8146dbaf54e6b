"""How a text becomes SMS: its alphabet, its parts, their octets. Pure.

The GSM 7 bit default alphabet and its extension are those of 3GPP TS 23.038 §6.2.1; parts are joined by a header of six
octets with a reference of 8 bits, or of seven with one of 16 (3GPP TS 23.040 §9.2.3.24.1 and .8). A message holds 140
octets. Neither an escape and its sign nor a surrogate pair is ever cut in two, so a part may end one short.
"""

import re
from enum import StrEnum
from typing import Final, Literal, NamedTuple


class Alphabet(StrEnum):
    """In which a text travels: seven bits a sign where it can, else UCS-2, sixteen."""

    GSM = "gsm"
    UCS2 = "ucs2"


ReferenceBits = Literal[8, 16]

GSM_ALONE, GSM_JOINED, GSM_JOINED_WIDE = 160, 153, 152
"""Septets that fit one message, and each part of a joined one under a reference of 8 and of 16 bits."""
UCS2_ALONE, UCS2_JOINED, UCS2_JOINED_WIDE = 70, 67, 66
"""Units of 16 bits, likewise."""
_OCTETS = 140
assert GSM_ALONE == _OCTETS * 8 // 7
assert min(_OCTETS, GSM_ALONE) >= UCS2_ALONE * 2
assert (GSM_JOINED, GSM_JOINED_WIDE) == ((_OCTETS - 6) * 8 // 7, (_OCTETS - 7) * 8 // 7)
assert (UCS2_JOINED, UCS2_JOINED_WIDE) == ((_OCTETS - 6) // 2, (_OCTETS - 7) // 2)

_ALONE: Final = {Alphabet.GSM: GSM_ALONE, Alphabet.UCS2: UCS2_ALONE}
_JOINED: Final = {
    (Alphabet.GSM, 8): GSM_JOINED,
    (Alphabet.GSM, 16): GSM_JOINED_WIDE,
    (Alphabet.UCS2, 8): UCS2_JOINED,
    (Alphabet.UCS2, 16): UCS2_JOINED_WIDE,
}

_ESCAPE: Final = 0x1B
_DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet, each sign at the place of its code."""
_EXTENSION: Final = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
"""What is reached by an escape, and so costs two septets."""
assert len(_DEFAULT) == 128
assert _DEFAULT[_ESCAPE] == "\x1b"

_ENCODED: Final[dict[int, int | str]] = {
    **{ord(sign): code for code, sign in enumerate(_DEFAULT) if code != _ESCAPE},
    **{ord(sign): f"{chr(_ESCAPE)}{chr(code)}" for sign, code in _EXTENSION.items()},
}
_EXTENDED: Final = {code: sign for sign, code in _EXTENSION.items()}
_IN_GSM: Final = "".join(re.escape(sign) for sign in (*_DEFAULT.replace("\x1b", ""), *_EXTENSION))
_GSM_TEXT: Final = re.compile(f"[{_IN_GSM}]*")
_BEYOND_GSM: Final = re.compile(f"[^{_IN_GSM}]")
_WIDE: Final = {
    Alphabet.GSM: re.compile("[" + "".join(re.escape(sign) for sign in _EXTENSION) + "]"),
    Alphabet.UCS2: re.compile("[\U00010000-\U0010ffff]"),
}
"""Signs that take two units of their alphabet."""


class Cut(NamedTuple):
    """A text as it is sent: at least one part; joined, in order, they are the text."""

    alphabet: Alphabet
    parts: tuple[str, ...]


def alphabet_of(text: str) -> Alphabet:
    """The narrowest alphabet that holds the whole text."""
    return Alphabet.GSM if _GSM_TEXT.fullmatch(text) else Alphabet.UCS2


def beyond_gsm(text: str) -> list[str]:
    """The signs for which a text travels in UCS-2, each once, in the order they come."""
    return list(dict.fromkeys(_BEYOND_GSM.findall(text)))


def units(text: str, alphabet: Alphabet) -> int:
    """How long a text is in its alphabet: septets, or units of 16 bits."""
    return len(text) + len(_WIDE[alphabet].findall(text))


def segments(text: str) -> int:
    """How many SMS a text is charged as, its parts joined under a reference of 8 bits: at least one."""
    if len(text) <= UCS2_ALONE and len(text.encode("utf-16-be", "surrogatepass")) <= _OCTETS:
        return 1  # in either alphabet: as septets, twice as many as it has signs would fit
    alphabet = alphabet_of(text)
    length = units(text, alphabet)
    if length <= _ALONE[alphabet]:
        return 1
    joined = _JOINED[alphabet, 8]
    return -(-length // joined) if length == len(text) else len(_parts(text, alphabet, joined))


def cut(text: str, *, reference_bits: ReferenceBits = 8) -> Cut:
    """The parts a text is sent in. Under a reference of 8 bits they are as many as `segments` says."""
    alphabet = alphabet_of(text)
    if units(text, alphabet) <= _ALONE[alphabet]:
        return Cut(alphabet, (text,))
    return Cut(alphabet, _parts(text, alphabet, _JOINED[alphabet, reference_bits]))


def _parts(text: str, alphabet: Alphabet, joined: int) -> tuple[str, ...]:
    parts, start = [], 0
    while start < len(text):
        end = min(start + joined, len(text))
        while (over := units(text[start:end], alphabet) - joined) > 0:
            end -= max(1, over // 2)  # never one too many: a sign is two units at most
        parts.append(text[start:end])
        start = end
    return tuple(parts)


def octets(part: str, alphabet: Alphabet) -> bytes:
    """A part as SMPP carries it: septets unpacked, one in an octet (data_coding 0), or UTF-16 (data_coding 8).

    Raises UnicodeEncodeError for a sign that the alphabet has not.
    """
    if alphabet is Alphabet.UCS2:
        return part.encode("utf-16-be", "surrogatepass")
    if beyond := _BEYOND_GSM.search(part):
        raise UnicodeEncodeError("gsm", part, beyond.start(), beyond.end(), "not in GSM 03.38")
    return part.translate(_ENCODED).encode("latin-1")


def text_of(octets: bytes, alphabet: Alphabet) -> str:
    """What octets say that came from outside. Never raises: what is no sign is shown as U+FFFD, or a space.

    A code that the extension has not is shown as that of the default alphabet (3GPP TS 23.038 §6.2.1.1).
    """
    if alphabet is Alphabet.UCS2:
        return octets.decode("utf-16-be", "replace")
    signs, is_escaped = [], False
    for octet in octets:
        if octet == _ESCAPE and not is_escaped:
            is_escaped = True
            continue
        default = _DEFAULT[octet] if octet < len(_DEFAULT) and octet != _ESCAPE else "\ufffd"
        signs.append(_EXTENDED.get(octet, default) if is_escaped else default)
        is_escaped = False
    return "".join(signs)
