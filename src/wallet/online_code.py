"""The text in the QR of an online code or an ask: `HTTPS://HOST/Q/` and 26 base32 characters, all upper case.

Upper case keeps the QR in alphanumeric mode, so that it is a version 3-M (29 × 29 modules, 61 characters). The token is
128 random bits; 26 characters carry 130, and the two to spare must be zero: a token has exactly one text.
"""

import re
import secrets
from hashlib import sha256

from msgspec import Struct

TOKEN_BYTES = 16
TEXT_MAX = 61
"""Characters that a version 3-M QR holds in alphanumeric mode (ISO/IEC 18004, table 7)."""
HOST_MAX = 24
CODE_PATH = "Q"
ASK_PATH = "A"

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_TO_DIGITS = str.maketrans(_ALPHABET, _DIGITS)
_CHARACTERS = 26
_SPARE_BITS = 2
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = tuple(range(10 * (_CHARACTERS // 2 - 1), -1, -10))
_SHAPE = re.compile(r"[A-Z2-7]{26}")
_HOST = re.compile(r"[A-Z0-9.-]+(?::[0-9]{1,5})?")
assert len("HTTPS://") + HOST_MAX + len("/Q/") + _CHARACTERS == TEXT_MAX
assert _CHARACTERS * 5 == TOKEN_BYTES * 8 + _SPARE_BITS


class Written(Struct, frozen=True):
    """A fresh code: the text to show, and the hash under which alone it is filed."""

    text: str
    code_hash: bytes


class Texts:
    """Writes and reads the texts of one path under the city's host."""

    def __init__(self, public_host: str, path: str) -> None:
        host = public_host.upper()
        assert len(host) <= HOST_MAX, "the public host is at most 24 characters"
        assert _HOST.fullmatch(host), "the public host is a host, perhaps with a port"
        self._prefix = f"HTTPS://{host}/{path}/"
        self._length = len(self._prefix) + _CHARACTERS

    def fresh(self) -> Written:
        """A code nobody has seen."""
        token = secrets.token_bytes(TOKEN_BYTES)
        return Written(self._prefix + spell(token), sha256(token).digest())

    def read(self, text: str) -> bytes | None:
        """The hash of the token in `text`, or None for anything but the one text that `fresh` gives a token."""
        if len(text) != self._length or not text.startswith(self._prefix):
            return None
        token = unspell(text[-_CHARACTERS:])
        return None if token is None else sha256(token).digest()


def spell(token: bytes) -> str:
    """Base32 (RFC 4648 §6) of a token, without padding."""
    number = int.from_bytes(token, "big") << _SPARE_BITS
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def unspell(characters: str) -> bytes | None:
    """The token, or None for what `spell` does not write."""
    if _SHAPE.fullmatch(characters) is None:
        return None
    number = int(characters.translate(_TO_DIGITS), 32)
    if number & 3:
        return None
    return (number >> _SPARE_BITS).to_bytes(TOKEN_BYTES, "big")
