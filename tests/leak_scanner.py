"""Finds personal values in any bytes: logs, dumps, database files; in the clear and in the usual disguises."""

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from suishenban_verify import base45

NAME_CHARACTERS = 3
ASCII_CHARACTERS_MIN = 9
"""The shortest disguise looked for in printable text."""

_PRINTABLE = re.compile(rb"[\x20-\x7e]{%d,}" % ASCII_CHARACTERS_MIN)
_PRINTABLE_UTF16 = re.compile(rb"(?:[\x20-\x7e]\0){%d,}[\x20-\x7e]" % (ASCII_CHARACTERS_MIN - 1))
ENCODINGS = ("utf-8", "gbk", "utf-16-le", "utf-16-be")


def printed(text: str) -> Iterator[bytes]:
    """How a text may stand in printable ASCII: hexadecimal, base64 or base45 at any offset, escaped, or as it is."""
    plain = text.encode()
    if text.isascii():
        yield plain
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + plain)
        whole = coded[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]  # what other bytes have no part in
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")
    for offset in range(2):  # an offline code is base45 of bytes that are not packed
        pairs = (len(plain) - offset) // 2
        yield base45.encode(plain[offset : offset + 2 * pairs]).encode()
    escaped = quote(text)
    yield from (escaped.encode(), re.sub("%..", lambda found: found[0].lower(), escaped).encode())
    yield escaped.replace("%20", "+").encode()
    if not text.isascii():
        units = [ord(character) for character in text]
        for slash in ("\\", "\\\\"):  # JSON, and JSON within JSON
            yield "".join(f"{slash}u{unit:04x}" for unit in units).encode()
            yield "".join(f"{slash}u{unit:04X}" for unit in units).encode()
        yield "".join(f"\\x{byte:02x}" for byte in plain).encode()
        yield "".join(f"\\{byte:03o}" for byte in plain).encode()


def disguises(text: str) -> Iterator[bytes]:
    """Every way a text may stand in a file."""
    yield from (text.encode(encoding) for encoding in ENCODINGS)
    yield from printed(text)


class Scanner:
    """Looks for many texts at once: Chinese names of three characters, and anything in ASCII."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._printed: dict[bytes, str] = {}
        self._names: dict[bytes, str] = {}
        for text in texts:
            assert text.isascii() or len(text) == NAME_CHARACTERS, f"{text} cannot be looked for"
            self._printed.update(dict.fromkeys(printed(text), text))
            if not text.isascii():
                self._names.update((text.encode(encoding), text) for encoding in ENCODINGS)
        assert min(map(len, self._printed)) >= ASCII_CHARACTERS_MIN
        self._any_printed = re.compile(_any_of(self._printed))
        names = set(self._names.values())
        self._like_names = [_like([name.encode(encoding) for name in names]) for encoding in ENCODINGS if names]

    def found_in(self, data: bytes) -> set[str]:
        """Which of the texts stand in `data`, however disguised."""
        runs = _PRINTABLE.findall(data) + [run.replace(b"\0", b"") for run in _PRINTABLE_UTF16.findall(data)]
        found = {self._printed[form] for form in self._any_printed.findall(b"\n".join(runs))}
        for like in self._like_names:
            forms = {first + rest for first, rest in set(like.findall(data))}
            found |= {self._names[form] for form in self._names.keys() & forms}
        return found


def _like(words: Iterable[bytes]) -> re.Pattern[bytes]:
    """Whatever has at each place a byte that one of the words, all of one length, has there: files are long, and
    nearly all of what is in them need not be compared."""
    first, *rest = [
        b"[" + b"".join(re.escape(bytes([byte])) for byte in sorted(set(column))) + b"]"
        for column in zip(*words, strict=True)
    ]
    return re.compile(b"(%s)(?=(%s))" % (first, b"".join(rest)), re.DOTALL)  # any may begin within another


_Tree = dict[int, "_Tree"]


def _any_of(words: Iterable[bytes]) -> bytes:
    """A pattern for any of many words, as a tree, so that each place of a text is looked at once."""
    root: _Tree = {}
    known: set[bytes] = set()
    for word in sorted(words, key=len):
        if any(word[:length] in known for length in range(1, len(word))):
            continue  # where this one stands, the beginning of it is found
        known.add(word)
        node = root
        for byte in word:
            node = node.setdefault(byte, {})
    return _branches(root)


def _branches(node: _Tree) -> bytes:
    begun = b""
    while len(node) == 1:
        [(byte, node)] = node.items()
        begun += re.escape(bytes([byte]))
    if not node:
        return begun
    return begun + b"(?:" + b"|".join(re.escape(bytes([byte])) + _branches(rest) for byte, rest in node.items()) + b")"
