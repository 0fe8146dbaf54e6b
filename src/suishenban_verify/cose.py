"""COSE_Sign1 (RFC 9052 §4.2) in one form only, so that a message has one encoding and nothing beside what is signed.

The message is tagged 18; its protected header is {1: algorithm, 4: key's short id} and, for what has a content type,
{16: type} (RFC 9596); the unprotected header is empty; every length is in its shortest form; nothing follows.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from suishenban_verify import canonical_cbor as cbor
from suishenban_verify.canonical_cbor import NotCanonical, string_at
from suishenban_verify.making import new
from suishenban_verify.signatures import COSE_ALGORITHMS, SHORT_ID_BYTES, SIGNATURE_BYTES, PublicKey, Signer

_START = b"\xd2\x84"  # tag 18, an array of four
_EMPTY_MAP = b"\xa0"
_SIGNATURE_HEAD = cbor.data(bytes(SIGNATURE_BYTES))[:-SIGNATURE_BYTES]
_SIGNATURE_AT = len(_SIGNATURE_HEAD) + SIGNATURE_BYTES
_CONTEXT = b"\x84" + cbor.text("Signature1")
_NO_EXTERNAL_DATA = b"\x40"


class NotSign1(ValueError):
    """The bytes are not a COSE_Sign1 in the one form we write; the message says which rule they break."""


class Sign1(NamedTuple):
    """A message taken apart; nothing of it is verified. `signed` is what the signature must be over."""

    algorithm: str
    short_id: bytes
    payload: bytes
    signed: bytes
    signature: bytes


class _Layout(NamedTuple):
    """What stands before the short id, by algorithm, and between it and the payload."""

    algorithm_of: dict[bytes, str]
    before_bytes: int
    after: bytes


@lru_cache(16)
def _layout(content_type: str | None) -> _Layout:
    typed = b"" if content_type is None else b"\x10" + cbor.text(content_type)
    count = b"\xa2" if content_type is None else b"\xa3"
    algorithm_of = {}
    for algorithm, number in COSE_ALGORITHMS.items():
        header = count + b"\x01" + cbor.integer(number) + b"\x04" + cbor.data(bytes(SHORT_ID_BYTES)) + typed
        before = len(header) - SHORT_ID_BYTES - len(typed)
        head = cbor.data(header)[: -len(header)]
        algorithm_of[_START + head + header[:before]] = algorithm
    [before_bytes] = {len(opening) for opening in algorithm_of}
    return _Layout(algorithm_of, before_bytes, typed + _EMPTY_MAP)


_PLAIN = _layout(None)


def sign(payload: bytes, signer: Signer, *, content_type: str | None = None) -> bytes:
    """The message over `payload`, signed now."""
    key = signer.public
    algorithm_of, _, after = _layout(content_type)
    [opening] = [start for start, algorithm in algorithm_of.items() if algorithm == key.algorithm]
    header, body = opening + key.short_id + after, cbor.data(payload)
    return header + body + cbor.data(signer.sign(_signed(header[len(_START) : -1], body)))


def read(raw: bytes, *, content_type: str | None = None) -> Sign1:
    """Take apart a message that says it is of `content_type` (None: says nothing). Raises NotSign1."""
    algorithm_of, short_id_at, after = _PLAIN if content_type is None else _layout(content_type)
    algorithm = algorithm_of.get(raw[:short_id_at])
    short_id_end = short_id_at + SHORT_ID_BYTES
    body_at = short_id_end + len(after)
    if algorithm is None or raw[short_id_end:body_at] != after:
        raise NotSign1("its headers are not those we write")
    try:
        payload_at, end = string_at(raw, body_at)
    except (NotCanonical, IndexError):
        raise NotSign1("its payload is not a byte string in its one form") from None
    if raw[end : end + len(_SIGNATURE_HEAD)] != _SIGNATURE_HEAD or len(raw) != end + _SIGNATURE_AT:
        raise NotSign1("it does not end with a signature")
    return new(
        Sign1,
        (
            algorithm,
            raw[short_id_at:short_id_end],
            raw[payload_at:end],
            _CONTEXT + raw[2 : body_at - 1] + _NO_EXTERNAL_DATA + raw[body_at:end],
            raw[-SIGNATURE_BYTES:],
        ),
    )


def signed_by(message: Sign1, keys: Iterable[PublicKey]) -> PublicKey | None:
    """The first of `keys` whose signature the message bears; several may have its short id."""
    for key in keys:
        if (
            key.short_id == message.short_id
            and key.algorithm == message.algorithm
            and key.verify(message.signature, message.signed)
        ):
            return key
    return None


def detached(algorithm: str, payload: bytes) -> bytes:
    """What a signature over a payload that travels elsewhere is over; its protected header is {1: algorithm}."""
    protected = cbor.data(b"\xa1\x01" + cbor.integer(COSE_ALGORITHMS[algorithm]))
    return _CONTEXT + protected + _NO_EXTERNAL_DATA + cbor.data(payload)


def _signed(protected: bytes, body: bytes) -> bytes:
    """The Sig_structure (RFC 9052 §4.4) of two byte strings as they stand in the message, each with its head."""
    return _CONTEXT + protected + _NO_EXTERNAL_DATA + body
