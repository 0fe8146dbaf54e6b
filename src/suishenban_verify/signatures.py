"""Signature suites: ES256 and EdDSA, each behind the same two verbs, so that another (SM2) can stand beside them.

A signature here is always raw: r and s of 32 bytes each for ES256 (RFC 7518 §3.4, RFC 9053 §2.1), 64 bytes for EdDSA
(RFC 8037 §3.1, RFC 9053 §2.2). ECDSA lets anybody turn (r, s) into (r, n − s); keys of ours sign with the low half only
and say so in their JWK (`"low_s": true`), and then the twin is refused.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

ES256 = "ES256"
EDDSA = "EdDSA"
COORDINATE_BYTES = 32
SIGNATURE_BYTES = 64
SHORT_ID_BYTES = 8
"""Of a key's thumbprint, as the `kid` of COSE messages, where every byte widens the QR; several keys may share one."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n of P-256 (SEC 2 §2.4.2)."""
_HALF_ORDER = P256_ORDER // 2
_SIGN_BIT = 0x80
_ECDSA = ec.ECDSA(SHA256())
_ECDSA_OF_DIGEST = ec.ECDSA(Prehashed(SHA256()))
"""The same signature; the standard library's SHA-256 is a microsecond quicker than the one that verifying would use."""


class NotAKey(ValueError):
    """The text is not a public key of a suite we know; the message says which rule it breaks."""


class PublicKey:
    """A public key of one suite. `key_id` names it in JOSE, `short_id` in COSE."""

    __slots__ = ("_check", "algorithm", "jwk", "key_id", "short_id")

    def __init__(
        self, key_id: str, algorithm: str, jwk: Mapping[str, Any], check: Callable[[bytes, bytes], bool]
    ) -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.jwk = jwk
        self.short_id = thumbprint(jwk)[:SHORT_ID_BYTES]
        self._check = check

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the raw `signature` over `message` is this key's, in the one form the key allows."""
        return self._check(signature, message)

    def __repr__(self) -> str:
        return f"PublicKey({self.key_id}, {self.algorithm})"


class Signer(Protocol):
    """Signs with one key. Where the private half lives (memory, a hardware module) is the signer's own affair."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """The raw signature, 64 bytes."""
        ...


class LocalSigner:
    """A signer whose private key is in memory; ES256 or EdDSA by the key's type."""

    __slots__ = ("_private", "public")

    def __init__(self, key_id: str, private_key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._private = private_key
        self.public = public_key(jwk_of(key_id, private_key.public_key()))

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message)
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA))
        s = min(s, P256_ORDER - s)
        return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")


def jwk_of(key_id: str, public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> dict[str, Any]:
    """The JWK (RFC 7517) of a public key of ours."""
    named = {"kid": key_id, "use": "sig"}
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw()), "alg": EDDSA} | named
    point = public.public_numbers()
    x, y = (b64url(number.to_bytes(COORDINATE_BYTES, "big")) for number in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": ES256, "low_s": True} | named


def public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key that a JWK spells; its `alg`, if named, must be the suite's. Raises NotAKey."""
    suite = _SUITES.get((jwk.get("kty"), jwk.get("crv")))
    if suite is None:
        raise NotAKey("the key is neither on P-256 nor an Ed25519 key")
    algorithm, check_of = suite
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig" or "d" in jwk:
        raise NotAKey("the key is not a public key for signatures of its suite")
    key_id = jwk.get("kid") or b64url(thumbprint(jwk))
    if not isinstance(key_id, str):
        raise NotAKey("a key id is a text")
    return PublicKey(key_id, algorithm, dict(jwk), check_of(jwk))


def cose_key_of(key: PublicKey) -> dict[int, Any]:
    """The COSE_Key (RFC 9053 §7) of a public key, without its id."""
    x = un_b64url(key.jwk["x"])
    if key.algorithm == EDDSA:
        return {1: 1, -1: 6, -2: x}
    return {1: 2, -1: 1, -2: x, -3: un_b64url(key.jwk["y"])}


def key_of_cose(cose_key: Mapping[int, Any], *, is_low_s_only: bool = True) -> PublicKey:
    """The public key that a COSE_Key spells, with exactly the members `cose_key_of` writes. Raises NotAKey."""
    match cose_key:
        case {1: 1, -1: 6, -2: bytes(x), **rest} if not rest:
            return public_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(x)})
        case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y), **rest} if not rest:
            return public_key({"kty": "EC", "crv": "P-256", "x": b64url(x), "y": b64url(y), "low_s": is_low_s_only})
    raise NotAKey("the COSE_Key is neither on P-256 nor an Ed25519 key")


def thumbprint(jwk: Mapping[str, Any]) -> bytes:
    """SHA-256 over the members that make the key (RFC 7638 §3, RFC 8037 §2)."""
    members = {name: jwk.get(name) for name in ("crv", "kty", "x", "y") if name in jwk}
    return sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()


def b64url(raw: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def un_b64url(text: str) -> bytes:
    """The bytes behind the one spelling that `b64url` writes. Raises ValueError for any other."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if b64url(raw) != text:
        raise ValueError("not the one base64url spelling")
    return raw


def _coordinate(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise NotAKey(f"the key has no {name}")
    try:
        raw = un_b64url(text)
    except ValueError:
        raise NotAKey(f"{name} is not base64url in its one spelling") from None
    if len(raw) != COORDINATE_BYTES:
        raise NotAKey(f"{name} is {COORDINATE_BYTES} bytes")
    return raw


def _check_es256(jwk: Mapping[str, Any]) -> Callable[[bytes, bytes], bool]:
    x, y = (int.from_bytes(_coordinate(jwk, name), "big") for name in ("x", "y"))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise NotAKey("the point is not on P-256") from None
    s_max = (_HALF_ORDER if jwk.get("low_s") is True else P256_ORDER - 1).to_bytes(COORDINATE_BYTES, "big")
    verify = key.verify

    def check(signature: bytes, message: bytes) -> bool:
        if len(signature) != SIGNATURE_BYTES or signature[COORDINATE_BYTES:] > s_max:
            return False
        try:
            verify(_der_of(signature), sha256(message).digest(), _ECDSA_OF_DIGEST)
        except InvalidSignature:
            return False
        return True

    return check


def _der_of(signature: bytes) -> bytes:
    """The raw r and s as a DER sequence of two integers, at a sixth of what the general encoder takes (1.7 µs)."""
    r, s = signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]
    if r[0] == 0 or not 0 < s[0] < _SIGN_BIT:  # shorter than usual, or s in the upper half: about one in 85 of ours
        return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    if r[0] < _SIGN_BIT:
        return b"\x30\x44\x02\x20%b\x02\x20%b" % (r, s)
    return b"\x30\x45\x02\x21\x00%b\x02\x20%b" % (r, s)


def _check_eddsa(jwk: Mapping[str, Any]) -> Callable[[bytes, bytes], bool]:
    verify = ed25519.Ed25519PublicKey.from_public_bytes(_coordinate(jwk, "x")).verify

    def check(signature: bytes, message: bytes) -> bool:
        try:
            verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check


_SUITES: dict[tuple[Any, Any], tuple[str, Callable[[Mapping[str, Any]], Callable[[bytes, bytes], bool]]]] = {
    ("EC", "P-256"): (ES256, _check_es256),
    ("OKP", "Ed25519"): (EDDSA, _check_eddsa),
}
COSE_ALGORITHMS = {ES256: -7, EDDSA: -8}
"""COSE algorithm identifiers (RFC 9053 §2)."""
