"""Deterministic CBOR (RFC 8949 §4.2.1) of the few types our codes are made of: every value has exactly one encoding.

What is read is read by following the one encoding, and nothing else is recognised. Each `…_at` takes the bytes and
where to begin, and gives the value and where the next begins; past the end it raises IndexError, or the value is short
and whoever reads on comes past the end.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

READY_MAX = 1024
"""Lengths and numbers below this have their heads ready; others are put together."""
DAYS_MAX = 4096
"""How many days of the calendar are remembered, so that each is taken apart once: eleven years of them."""
INTEGER_MAX = (1 << 53) - 1
"""The largest whole number, either side of zero, that every JSON and JavaScript reader keeps exact (RFC 8259 §6)."""
TRUE, FALSE, NULL = b"\xf5", b"\xf4", b"\xf6"

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = (major << 5 for major in range(6))
_AS_ITSELF = 24


class NotCanonical(ValueError):
    """The bytes are not the one encoding of what was expected there."""


def _head(major: int, number: int) -> bytes:
    """What a value begins with: its major type, and a number in its shortest form (RFC 8949 §3, §4.2.1)."""
    if number < _AS_ITSELF:
        return bytes((major | number,))
    if number < 1 << 8:
        return bytes((major | 24, number))
    if number < 1 << 16:
        return bytes((major | 25,)) + number.to_bytes(2, "big")
    if number < 1 << 32:
        return bytes((major | 26,)) + number.to_bytes(4, "big")
    return bytes((major | 27,)) + number.to_bytes(8, "big")


_NUMBERS, _BYTES_HEADS, _TEXT_HEADS, ARRAY_HEADS, MAP_HEADS = (
    tuple(_head(major, number) for number in range(READY_MAX)) for major in (_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP)
)
"""By count: what an array or a map begins with. The entries of a map follow in the order of their keys' encodings."""


def data(raw: bytes) -> bytes:
    """A byte string."""
    length = len(raw)
    return (_BYTES_HEADS[length] if length < READY_MAX else _head(_BYTES, length)) + raw


def text(words: str) -> bytes:
    """A text string."""
    raw = words.encode("utf-8")
    length = len(raw)
    return (_TEXT_HEADS[length] if length < READY_MAX else _head(_TEXT, length)) + raw


def day(of: date) -> bytes:
    """A day of the calendar, as text in ISO 8601's extended form."""
    return text(of.isoformat())


def integer(number: int) -> bytes:
    """A whole number of at most 64 bits either side of zero."""
    if number < 0:
        return _head(_NEGATIVE, -1 - number)
    return _NUMBERS[number] if number < READY_MAX else _head(_UNSIGNED, number)


def value(of: str | int | bool) -> bytes:
    """A text, a truth or a whole number."""
    if isinstance(of, str):
        return text(of)
    if isinstance(of, bool):
        return TRUE if of else FALSE
    return integer(of)


def named(entries: Mapping[str, str | int | bool]) -> bytes:
    """A map from names to values. No key's encoding begins another's, so that whole entries sort as their keys do."""
    encoded = sorted(text(word) + value(entry) for word, entry in entries.items())
    return MAP_HEADS[len(encoded)] + b"".join(encoded)


def string_at(raw: bytes, at: int) -> tuple[int, int]:
    """Where the content of a byte string begins and ends, which is within `raw`. Raises NotCanonical, IndexError."""
    head = raw[at]
    if head == 0x59:
        begins = at + 3
        length = int.from_bytes(raw[at + 1 : begins], "big")
        is_shortest = length > 0xFF
    elif head == 0x58:
        begins = at + 2
        length = raw[at + 1]
        is_shortest = length >= _AS_ITSELF
    elif head == 0x5A:
        begins = at + 5
        length = int.from_bytes(raw[at + 1 : begins], "big")
        is_shortest = length > 0xFFFF
    else:
        begins = at + 1
        length = head - _BYTES
        is_shortest = 0 <= length < _AS_ITSELF
    end = begins + length
    if not is_shortest or end > len(raw):
        raise NotCanonical("a byte string was expected, its length in the shortest form")
    return begins, end


def text_at(raw: bytes, at: int) -> tuple[str, int]:
    """A text of at most 255 bytes, and where the next value begins. Raises NotCanonical, UnicodeDecodeError."""
    begins = at + 1
    length = raw[at] - _TEXT
    if not 0 <= length < _AS_ITSELF:
        length, begins = raw[begins] if length == _AS_ITSELF else 0, at + 2
        if length < _AS_ITSELF:
            raise NotCanonical("a text was expected, its length in the shortest form")
    end = begins + length
    return raw[begins:end].decode(), end


def integer_at(raw: bytes, at: int) -> tuple[int, int]:
    """A whole number within INTEGER_MAX either side of zero, and where the next value begins. Raises NotCanonical."""
    if raw[at] == 0x1A:
        number = int.from_bytes(raw[at + 1 : at + 5], "big")
        if number > 0xFFFF:
            return number, at + 5
    additional = raw[at] & 0x1F
    major, end = raw[at] - additional, at + 1
    number = additional
    if additional >= _AS_ITSELF:
        width = 1 << (additional - _AS_ITSELF)
        end += width
        number = int.from_bytes(raw[at + 1 : end], "big")
        if width > _WIDTH_MAX or number < (_AS_ITSELF if width == 1 else 1 << 4 * width):
            raise NotCanonical("a number was expected, in the shortest form")
    number = -1 - number if major == _NEGATIVE else number
    if major > _NEGATIVE or not -INTEGER_MAX <= number <= INTEGER_MAX:
        raise NotCanonical("a number was expected, exact for every reader")
    return number, end


def value_at(raw: bytes, at: int) -> tuple[str | int | bool, int]:
    """A text, a truth or a whole number, and where the next value begins. Raises NotCanonical, UnicodeDecodeError."""
    first = raw[at]
    if first & _MAJOR == _TEXT:
        return text_at(raw, at)
    if first in _TRUTHS:
        return first == TRUE[0], at + 1
    return integer_at(raw, at)


def named_at(raw: bytes, at: int) -> tuple[dict[str, str | int | bool], int]:
    """A map of at most 255 names to values, and where the next begins. Raises NotCanonical, UnicodeDecodeError."""
    count = raw[at] - _MAP
    at += 1
    if not 0 <= count < _AS_ITSELF:
        count, at = raw[at] if count == _AS_ITSELF else 0, at + 1
        if count < _AS_ITSELF:
            raise NotCanonical("a map was expected, its length in the shortest form")
    entries: dict[str, str | int | bool] = {}
    before = b""
    for _ in range(count):
        word, end = text_at(raw, at)
        encoded = raw[at:end]
        if encoded <= before:
            raise NotCanonical("the names of a map are in order, and none stands twice")
        before = encoded
        at = end + 1
        length = raw[end] - _TEXT
        if 0 <= length < _AS_ITSELF:  # a short text, as nearly every value is
            end = at + length
            entries[word], at = raw[at:end].decode(), end
        else:
            entries[word], at = value_at(raw, end)
    return entries, at


def day_at(raw: bytes, at: int) -> tuple[date, int]:
    """A day of the calendar, and where the next value begins. Raises NotCanonical."""
    end = at + _DAY_BYTES
    return _day_of(raw[at:end]), end


_MAJOR = 0xE0
_TRUTHS = TRUE + FALSE
_WIDTH_MAX = 8
_DAY_BYTES = len(day(date.max))


@lru_cache(DAYS_MAX)
def _day_of(encoded: bytes) -> date:
    try:
        of = date.fromisoformat(encoded[1:].decode("ascii"))
    except ValueError:
        raise NotCanonical("a day of the calendar was expected") from None
    if day(of) != encoded:
        raise NotCanonical("a day was expected as ISO 8601 writes it at length")
    return of
