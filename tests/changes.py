"""Every small change of a signed text or message, for tests that none of them gets through."""

import string
from collections.abc import Iterator

from suishenban_verify.signatures import COORDINATE_BYTES, P256_ORDER, b64url, un_b64url

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
STRANGERS = "=+/.~ \n\té{"
_BITS = 8


def of_text(text: str) -> Iterator[str]:
    """At each position: other characters (at the end of a part all others), one more, one less, two exchanged."""
    ends = {at - 1 for at, character in enumerate(text) if character in ".~"} | {len(text) - 1}
    for at, was in enumerate(text):
        near = ALPHABET.find(was)
        others = ALPHABET if at in ends else ALPHABET[near - 1] + ALPHABET[(near + 1) % 64] + "A_" + was.swapcase()
        for other in others + STRANGERS:
            if other != was:
                yield text[:at] + other + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + was + text[at:]
        yield text[:at] + "=" + text[at:]
        if text[at : at + 2] != text[at : at + 2][::-1]:
            yield text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    yield from (f"{text} ", f" {text}", f"{text}\n", f"{text}=", f"{text}==", f"{text}.", f"{text}~", f"{text}\0")


def of_bytes(raw: bytes) -> Iterator[bytes]:
    """At each position: each bit turned, all of them, one byte more, one less; and the beginnings of the message."""
    for at in range(len(raw)):
        for bit in range(_BITS):
            yield raw[:at] + bytes((raw[at] ^ 1 << bit,)) + raw[at + 1 :]
        yield raw[:at] + bytes((raw[at] ^ 255,)) + raw[at + 1 :]
        yield raw[:at] + b"\0" + raw[at:]
        yield raw[:at] + raw[at + 1 :]
        yield raw[:at]
    yield from (raw + b"\0", raw + raw, b"\0" + raw)


def twin_of(token: str) -> str:
    """The token with the other signature that ECDSA allows: (r, n − s) for (r, s)."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{b64url(twin_of_signature(un_b64url(signature)))}"


def twin_of_signature(signature: bytes) -> bytes:
    s = int.from_bytes(signature[COORDINATE_BYTES:], "big")
    return signature[:COORDINATE_BYTES] + (P256_ORDER - s).to_bytes(COORDINATE_BYTES, "big")


def misread(token: str) -> str:
    """The token with another first character of its (last) signature."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
