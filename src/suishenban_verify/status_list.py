"""Token Status Lists (draft-ietf-oauth-status-list-21): which of a million certificates still hold, in one file.

A list is bytes in which every certificate has 1, 2, 4 or 8 bits at its index, compressed with zlib, in a signed token:
a JWT, or a CWT for those who read CBOR anyway. A reader checks the signature first, then whether the token has expired,
then the rest; what lies past the end of a list is refused, never read as valid.

Two things are stricter here than in the draft. A list without an end is refused: it would serve offline for ever. And
our own CWT lists have one encoding only (`read_cwt`); those of other cities may be spelt otherwise and carry an
unprotected header (`read_foreign_cwt`), from which nothing is taken but the key's id.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cbor2

from suishenban_verify import cose, jws
from suishenban_verify.canonical_cbor import INTEGER_MAX
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import COSE_ALGORITHMS, PublicKey, Signer, b64url, un_b64url

VALID, INVALID, SUSPENDED = 0, 1, 2
"""Status types of the draft, §7.1. Anything else is the issuer's own and means: not valid."""
WIDTHS = (1, 2, 4, 8)
"""Bits a status may take (§4.1)."""
BYTES_MAX = 2**20
"""Of a list, inflated: 2^20 statuses at the widest. Ours have 2^20 of 2 bits, a quarter of that."""
JWT_TYPE = "statuslist+jwt"
CWT_TYPE = "application/statuslist+cwt"
_SUBJECT, _EXPIRES, _ISSUED, _STATUS_LIST, _TTL = 2, 4, 6, 65533, 65534
"""CWT claims (RFC 8392 §4, draft §5.2)."""
_SIGN1_TAG = 18
_ALGORITHM, _CRITICAL, _KEY_ID, _TYPE = 1, 2, 4, 16
"""COSE headers (RFC 9052 §3.1, RFC 9596)."""
_CBOR_DEPTH_MAX = 16


class NotAStatusList(ValueError):
    """The token tells nothing about anybody's status; the message says which rule it breaks."""


class Expired(NotAStatusList):
    """The token is signed as it should be, and its time is over."""


class OutOfRange(IndexError):
    """No status has this index: it is not in the list that was named for it."""


class StatusList:
    """Statuses by index. Reading and changing one takes the same time in a list of any size."""

    __slots__ = ("_mask", "_packed", "bits", "size")

    def __init__(self, bits: int, size: int) -> None:
        """At least `size` statuses, all VALID; the last byte is filled up."""
        if bits not in WIDTHS or not 0 < size <= BYTES_MAX * 8 // bits:
            raise NotAStatusList("a list is of 1, 2, 4 or 8 bits a status, and of a bounded size")
        self._hold(bits, bytearray(-(-size * bits // 8)))

    @classmethod
    def of(cls, bits: int, values: Iterable[int]) -> "StatusList":
        """The list of these statuses."""
        given = list(values)
        made = cls(bits, len(given))
        for index, value in enumerate(given):
            made.set(index, value)
        return made

    @classmethod
    def inflated(cls, bits: int, compressed: bytes) -> "StatusList":
        """The list that `compressed` spells: one zlib stream, nothing behind it. Raises NotAStatusList."""
        inflating = zlib.decompressobj()
        try:
            packed = inflating.decompress(compressed, BYTES_MAX + 1)
        except zlib.error:
            raise NotAStatusList("the list is not a zlib stream") from None
        if not 0 < len(packed) <= BYTES_MAX or not inflating.eof or inflating.unused_data:
            raise NotAStatusList("the list is empty, too long, cut off, or something follows it")
        made = cls(bits, 1)
        made._hold(bits, bytearray(packed))
        return made

    def _hold(self, bits: int, packed: bytearray) -> None:
        self.bits = bits
        self.size = len(packed) * 8 // bits
        self._packed = packed
        self._mask = (1 << bits) - 1

    def get(self, index: int) -> int:
        """The status at `index`. Raises OutOfRange."""
        if not 0 <= index < self.size:
            raise OutOfRange("the index is not in the list")
        at = index * self.bits
        return self._packed[at >> 3] >> (at & 7) & self._mask

    def set(self, index: int, value: int) -> None:
        """Change the status at `index`. Raises OutOfRange; ValueError for a status wider than the list's bits."""
        if not 0 <= index < self.size:
            raise OutOfRange("the index is not in the list")
        if not 0 <= value <= self._mask:
            raise ValueError("the status does not fit the list")
        at = index * self.bits
        shift = at & 7
        self._packed[at >> 3] = self._packed[at >> 3] & ~(self._mask << shift) | value << shift

    def packed(self) -> bytes:
        """The bytes of the list (§4.1)."""
        return bytes(self._packed)

    def compressed(self) -> bytes:
        """The bytes of the list, deflated as far as zlib can."""
        return zlib.compress(self._packed, 9)

    def as_json(self, compressed: bytes | None = None) -> dict[str, Any]:
        """The list in JSON (§4.2); `compressed` is what `self.compressed()` gave, where that was asked already."""
        return {"bits": self.bits, "lst": b64url(self.compressed() if compressed is None else compressed)}

    def as_cbor(self, compressed: bytes | None = None) -> dict[str, Any]:
        """The list as it goes into CBOR (§4.3), in the order of the draft's own vectors."""
        return {"bits": self.bits, "lst": self.compressed() if compressed is None else compressed}


@dataclass(frozen=True, slots=True)
class Published:
    """A list as it was signed: where it is found, from when it is, how long it serves, how long not to ask again."""

    uri: str
    issued_at: int
    expires_at: int
    ttl_seconds: int | None
    list: StatusList


def publish_jwt(
    statuses: StatusList,
    *,
    uri: str,
    issued_at: int,
    expires_at: int,
    ttl_seconds: int,
    signer: Signer,
    aggregation_uri: str | None = None,
    compressed: bytes | None = None,
) -> str:
    """The signed token that is served at `uri` as JWT_TYPE (§5.1).

    Whoever publishes both forms compresses the list once: `compressed` is what `statuses.compressed()` gave.
    """
    _check_lifetime(issued_at, expires_at, ttl_seconds)
    aggregation = {} if aggregation_uri is None else {"aggregation_uri": aggregation_uri}
    claims = {
        "sub": uri,
        "iat": issued_at,
        "exp": expires_at,
        "ttl": ttl_seconds,
        "status_list": statuses.as_json(compressed) | aggregation,
    }
    return jws.sign(claims, signer, typ=JWT_TYPE)


def publish_cwt(
    statuses: StatusList,
    *,
    uri: str,
    issued_at: int,
    expires_at: int,
    ttl_seconds: int,
    signer: Signer,
    aggregation_uri: str | None = None,
    compressed: bytes | None = None,
) -> bytes:
    """The signed token that is served at `uri` as CWT_TYPE (§5.2); `compressed` as in `publish_jwt`."""
    _check_lifetime(issued_at, expires_at, ttl_seconds)
    aggregation = {} if aggregation_uri is None else {"aggregation_uri": aggregation_uri}
    claims = {
        _SUBJECT: uri,
        _EXPIRES: expires_at,
        _ISSUED: issued_at,
        _STATUS_LIST: statuses.as_cbor(compressed) | aggregation,
        _TTL: ttl_seconds,
    }
    return cose.sign(cbor2.dumps(claims), signer, content_type=CWT_TYPE)


def read_jwt(token: str, keys: Iterable[PublicKey], *, uri: str, now: int) -> Published:
    """The list of a JWT that one of `keys` signed for `uri`. Raises NotSigned, Expired, NotAStatusList."""
    claims = jws.verify(token, keys, typ=JWT_TYPE)
    named = {"sub": _SUBJECT, "exp": _EXPIRES, "iat": _ISSUED, "status_list": _STATUS_LIST, "ttl": _TTL}
    numbered = {number: claims[name] for name, number in named.items() if name in claims}
    return _published(numbered, _compressed_of_text, uri=uri, now=now)


def read_cwt(token: bytes, keys: Iterable[PublicKey], *, uri: str, now: int) -> Published:
    """The list of a CWT of ours that one of `keys` signed for `uri`; it has one encoding and no unprotected header.

    Raises NotSigned, Expired, NotAStatusList.
    """
    try:
        message = cose.read(token, content_type=CWT_TYPE)
    except cose.NotSign1 as refused:
        raise NotSigned(str(refused)) from None
    if cose.signed_by(message, keys) is None:
        raise NotSigned("no key that may sign this has signed the token")
    claims = _decoded(message.payload)
    if cbor2.dumps(claims) != message.payload:
        raise NotAStatusList("the claims are not encoded as we encode them")
    return _published(claims, _compressed_of_bytes, uri=uri, now=now)


def read_foreign_cwt(token: bytes, keys: Iterable[PublicKey], *, uri: str, now: int) -> Published:
    """The list of a CWT that somebody else made: tagged or not, in any encoding, its key named in either header.

    Only what is signed is believed: algorithm and type come from the protected header. Raises as `read_cwt`.
    """
    try:
        protected, unprotected, payload, signature = _taken_apart(_decoded(token))
        header = _decoded(protected)
    except NotAStatusList as refused:
        raise NotSigned(str(refused)) from None
    if not isinstance(header, Mapping) or header.get(_TYPE) != CWT_TYPE or _CRITICAL in header:
        raise NotSigned("the token is not of this type, or asks for an extension")
    named = header.get(_KEY_ID, unprotected.get(_KEY_ID))
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    for key in keys:
        is_named = named is None or named in (key.short_id, key.key_id, key.key_id.encode())
        is_of_suite = COSE_ALGORITHMS[key.algorithm] == header.get(_ALGORITHM)
        if is_named and is_of_suite and key.verify(signature, signed):
            return _published(_decoded(payload), _compressed_of_bytes, uri=uri, now=now)
    raise NotSigned("no key that may sign this has signed the token")


def _published(claims: Any, compressed_of: Callable[[Any], bytes], *, uri: str, now: int) -> Published:
    if not isinstance(claims, Mapping):
        raise NotAStatusList("the claims are not a map")
    issued_at, expires_at, ttl_seconds = (claims.get(name) for name in (_ISSUED, _EXPIRES, _TTL))
    if not jws.is_time(issued_at) or not jws.is_time(expires_at):
        raise NotAStatusList("a list says from when it is and until when it serves, in whole seconds")
    if expires_at <= now:
        raise Expired("the list has expired")
    if ttl_seconds is not None and (not jws.is_time(ttl_seconds) or ttl_seconds == 0):
        raise NotAStatusList("a time to live is a positive number of seconds")
    if claims.get(_SUBJECT) != uri:
        raise NotAStatusList("it is another list than the one that was asked for")
    match claims.get(_STATUS_LIST):
        case {"bits": bits, "lst": lst} if type(bits) is int and bits in WIDTHS:
            return Published(uri, issued_at, expires_at, ttl_seconds, StatusList.inflated(bits, compressed_of(lst)))
    raise NotAStatusList("it has no list")


def _compressed_of_text(lst: Any) -> bytes:
    try:
        return un_b64url(lst)
    except (ValueError, TypeError):
        raise NotAStatusList("the list is not base64url in its one spelling") from None


def _compressed_of_bytes(lst: Any) -> bytes:
    if not isinstance(lst, bytes):
        raise NotAStatusList("the list is not bytes")
    return lst


def _taken_apart(message: Any) -> tuple[bytes, Mapping[Any, Any], bytes, bytes]:
    parts = message.value if isinstance(message, cbor2.CBORTag) and message.tag == _SIGN1_TAG else message
    match parts:
        case [bytes(protected), Mapping() as unprotected, bytes(payload), bytes(signature)]:
            return protected, unprotected, payload, signature
    raise NotAStatusList("it is not a COSE_Sign1")


def _decoded(raw: bytes) -> Any:
    """What one CBOR item spells, no key of a map in it twice. Raises NotAStatusList."""
    file = BytesIO(raw)
    try:
        item = cbor2.CBORDecoder(file, max_depth=_CBOR_DEPTH_MAX, allow_duplicate_keys=False).decode()
    except cbor2.CBORError:
        raise NotAStatusList("it is not CBOR") from None
    if file.read():
        raise NotAStatusList("something follows the CBOR")
    return item


def _check_lifetime(issued_at: int, expires_at: int, ttl_seconds: int) -> None:
    if not 0 <= issued_at < expires_at <= INTEGER_MAX or ttl_seconds < 1:
        raise ValueError("a list ends after it begins, and is kept for a while")
