"""Every encoding of a CBOR item, of a zlib stream and of a COSE_Sign1 that is not the one we write."""

import zlib
from collections.abc import Iterator
from typing import Any

import cbor2

from suishenban_verify.signatures import P256_ORDER, LocalSigner

BYTES, TEXT, ARRAY, MAP = 2, 3, 4, 5
INDEFINITE = 31
SELF_DESCRIBED, SHAREABLE, SET, DATE_TEXT, CWT = b"\xd9\xd9\xf7", b"\xd8\x1c", b"\xd9\x01\x02", b"\xc0", b"\xd8\x3d"


def head(major: int, number: int, width: int = 0) -> bytes:
    """What an item of this major type begins with: `number` in so many bytes; 0: in the fewest."""
    if width == 0:
        if number < 24:
            return bytes((major << 5 | number,))
        width = 1 if number < 256 else 2 if number < 65536 else 4
    return bytes((major << 5 | 23 + width.bit_length(),)) + number.to_bytes(width, "big")


def of_item(item: Any) -> Iterator[bytes]:
    """The deterministic encoding of `item` first, then every one that differs from it in one place."""
    start, children = _parts(item)
    encoded = [next(of_item(child)) for child in children]
    yield start + b"".join(encoded)
    yield from (other + b"".join(encoded) + end for other, end in _others(item, start))
    for at, child in enumerate(children):
        others = of_item(child)
        next(others)
        yield from (start + b"".join(encoded[:at]) + other + b"".join(encoded[at + 1 :]) for other in others)
    if isinstance(item, dict):
        yield from _other_maps(start, [key + value for key, value in zip(encoded[::2], encoded[1::2], strict=True)])


def _parts(item: Any) -> tuple[bytes, list[Any]]:
    """What comes first in the encoding, and the items that follow."""
    if isinstance(item, dict):
        keys = sorted(item, key=lambda key: cbor2.dumps(key, canonical=True))
        return head(MAP, len(item)), [part for key in keys for part in (key, item[key])]
    if isinstance(item, list):
        return head(ARRAY, len(item)), item
    return cbor2.dumps(item, canonical=True), []


def _others(item: Any, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Where the item itself is spelt otherwise: what goes before its children, and behind them."""
    major = start[0] >> 5
    raw = item.encode() if isinstance(item, str) else item if isinstance(item, bytes) else b""
    if major in (BYTES, TEXT):
        yield bytes((major << 5 | INDEFINITE,)) + start + b"\xff", b""
        yield bytes((start[0] ^ (BYTES ^ TEXT) << 5,)) + start[1:], b""
    if major in (ARRAY, MAP):
        yield bytes((major << 5 | INDEFINITE,)), b"\xff"
    if isinstance(item, int) and not isinstance(item, bool):
        number = item if item >= 0 else -1 - item
        yield cbor2.dumps(float(item)), b""
        yield (b"\xc2" if item >= 0 else b"\xc3") + cbor2.dumps(number.to_bytes(8, "big").lstrip(b"\0")), b""
    elif major <= MAP:
        number = len(raw) if major in (BYTES, TEXT) else len(item)
    if major <= MAP:
        for width in (1, 2, 4, 8):
            if number >> 8 * width == 0 and head(major, number, width) + raw != start:
                yield head(major, number, width) + raw, b""
    for tag in (SELF_DESCRIBED, SHAREABLE, SET, DATE_TEXT, CWT):
        yield tag + start, b""


def _other_maps(start: bytes, entries: list[bytes]) -> Iterator[bytes]:
    for at in range(len(entries) - 1):
        yield start + b"".join([*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]])
    for at in range(len(entries)):
        yield head(MAP, len(entries) + 1) + b"".join([*entries[: at + 1], *entries[at:]])
        yield start + b"".join([*entries[:at], *entries[at + 1 :]])
    yield head(MAP, len(entries) + 1) + b"".join(entries) + b"\x3a\x00\x01\x00\x05\x00"


def of_zlib(body: bytes) -> dict[str, bytes]:
    """Streams around `body` other than zlib's header 78 01, one stored block and the check sum, and near misses."""
    length, inverse = len(body).to_bytes(2, "little"), (len(body) ^ 0xFFFF).to_bytes(2, "little")
    block, end = length + inverse + body, zlib.adler32(body).to_bytes(4, "big")
    good = b"\x78\x01\x01" + block + end
    half = len(body) // 2
    found = {
        f"level {level}, window {window}": _deflated(body, level, window)
        for level in range(10)
        for window in range(9, 16)
    }
    for first in range(0x08, 0x79, 0x10):
        found |= {f"header {first:02x}{flags:02x}": bytes((first, flags)) + good[2:] for flags in range(256)}
    found |= {f"block {kind:02x}": b"\x78\x01" + bytes((kind,)) + block + end for kind in range(256)}
    found |= {
        "two blocks": b"\x78\x01" + _stored(body[:half], b"\0") + _stored(body[half:], b"\x01") + end,
        "an empty block before": b"\x78\x01" + _stored(b"", b"\0") + b"\x01" + block + end,
        "an empty block behind": b"\x78\x01\x00" + block + _stored(b"", b"\x01") + end,
        "a fixed block behind": b"\x78\x01\x00" + block + b"\x03\x00" + end,
        "something behind": good + b"\x00",
        "twice": good + good,
        "no check sum": good[:-4],
        "a check sum of nothing": good[:-4] + b"\x00\x00\x00\x01",
        "a check sum the wrong way round": good[:-4] + end[::-1],
        "no zlib": b"\x01" + block,
        "gzip": zlib.compress(body, 0, 31),
        "bare": body,
        "of nothing": zlib.compress(b"", 0),
    }
    return {what: raw for what, raw in found.items() if raw != good}


def _stored(part: bytes, is_last: bytes) -> bytes:
    return is_last + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little") + part


def _deflated(body: bytes, level: int, window: int) -> bytes:
    deflating = zlib.compressobj(level, zlib.DEFLATED, window)
    return deflating.compress(body) + deflating.flush()


class Messages:
    """Messages over one payload, each properly signed over what it says, by an ES256 signer."""

    def __init__(self, payload: bytes, signer: LocalSigner) -> None:
        self._payload = payload
        self._signer = signer
        self._kid = signer.public.short_id
        self._protected = b"\xa2\x01\x26\x04\x48" + self._kid

    def message(
        self,
        protected: bytes | None = None,
        unprotected: bytes = b"\xa0",
        start: bytes = b"\xd2\x84",
        context: str = "Signature1",
    ) -> bytes:
        header = self._protected if protected is None else protected
        signature = self._signer.sign(cbor2.dumps([context, header, b"", self._payload]))
        body = head(BYTES, len(self._payload)) + self._payload
        return start + head(BYTES, len(header)) + header + unprotected + body + b"\x58\x40" + signature

    def others(self) -> dict[str, bytes]:
        """Every way to say it otherwise that we could think of."""
        return self._with_other_headers() | self._with_other_frames() | self._with_other_signatures()

    def _with_other_headers(self) -> dict[str, bytes]:
        kid, message = self._kid, self.message
        return {
            "the key's id unprotected": message(b"\xa1\x01\x26", b"\xa1\x04\x48" + kid),
            "the key's id unprotected too": message(unprotected=b"\xa1\x04\x48" + kid),
            "something unprotected": message(unprotected=b"\xa1\x18\x63\x00"),
            "an unprotected map in two bytes": message(unprotected=b"\xb8\x00"),
            "an indefinite unprotected map": message(unprotected=b"\xbf\xff"),
            "unprotected nothing": message(unprotected=b"\xf6"),
            "an unprotected array": message(unprotected=b"\x80"),
            "no protected header": message(b"", b"\xa2\x01\x26\x04\x48" + kid),
            "headers in another order": message(b"\xa2\x04\x48" + kid + b"\x01\x26"),
            "an indefinite header": message(b"\xbf\x01\x26\x04\x48" + kid + b"\xff"),
            "a header in two bytes": message(b"\xb8\x02\x01\x26\x04\x48" + kid),
            "an algorithm in two bytes": message(b"\xa2\x01\x38\x06\x04\x48" + kid),
            "another algorithm": message(b"\xa2\x01\x27\x04\x48" + kid),
            "an algorithm by name": message(b"\xa2\x01\x65ES256\x04\x48" + kid),
            "a header twice": message(b"\xa3\x01\x26\x01\x26\x04\x48" + kid),
            "a critical header": message(b"\xa3\x01\x26\x02\x81\x18\x63\x04\x48" + kid),
            "a content type": message(b"\xa3\x01\x26\x04\x48" + kid + b"\x10\x63cwt"),
            "an id in two bytes": message(b"\xa2\x01\x26\x04\x58\x08" + kid),
            "an id one byte longer": message(b"\xa2\x01\x26\x04\x49" + kid + b"\x00"),
            "something behind the header": message(self._protected + b"\x00"),
        }

    def _with_other_frames(self) -> dict[str, bytes]:
        good, payload = self.message(), self._payload
        length = len(payload).to_bytes(2, "big")
        string = b"\x59" + length + payload
        return {
            "untagged": self.message(start=b"\x84"),
            "tagged as a CWT too": self.message(start=b"\xd8\x3d\xd2\x84"),
            "its tag in two bytes": self.message(start=b"\xd8\x12\x84"),
            "the tag of COSE_Mac0": self.message(start=b"\xd1\x84"),
            "the tag of COSE_Sign": self.message(start=b"\xd8\x62\x84"),
            "an array in two bytes": self.message(start=b"\xd2\x98\x04"),
            "an indefinite array": self.message(start=b"\xd2\x9f") + b"\xff",
            "an array of five": self.message(start=b"\xd2\x85") + b"\x00",
            "an array of three": self.message(start=b"\xd2\x83")[:-66],
            "a payload in five bytes": good.replace(string, b"\x5a\x00\x00" + length + payload),
            "an indefinite payload": good.replace(string, b"\x5f" + string + b"\xff"),
            "a payload elsewhere": good.replace(string, b"\xf6"),
            "a payload not in a string": good.replace(string, payload),
            "a protected header in two bytes": good.replace(b"\x4d" + self._protected, b"\x58\x0d" + self._protected),
            "something behind": good + b"\x00",
            "twice": good + good,
        }

    def _with_other_signatures(self) -> dict[str, bytes]:
        good, n = self.message(), P256_ORDER
        before, r, s = good[:-64], good[-64:-32], int.from_bytes(good[-32:], "big")
        der = b"\x30\x44\x02\x20" + r + b"\x02\x20" + good[-32:]
        return {
            "its twin": before + r + (n - s).to_bytes(32, "big"),
            "s and n": before + r + ((s + n) % 2**256).to_bytes(32, "big"),
            "s and r": before + good[-32:] + r,
            "no r": before + bytes(32) + good[-32:],
            "no s": before + r + bytes(32),
            "in DER": before[:-2] + b"\x58" + bytes((len(der),)) + der,
            "in three bytes": before[:-2] + b"\x59\x00\x40" + good[-64:],
            "a byte short": before[:-2] + b"\x58\x3f" + good[-64:-1],
            "a byte long": before[:-2] + b"\x58\x41" + good[-64:] + b"\x00",
            "none": before[:-2] + b"\x40",
            "over something else": self.message(context="Signature"),
        }
