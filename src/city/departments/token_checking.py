"""How a department's server knows who is calling: the entrance's token, and nothing else.

The token is a JWT (RFC 7519) signed ES256 by a key in the entrance's JWK set. It names this server as its only
audience, lives minutes, and is good for one request: `sub` is who the person is to this department and to no other.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from city.departments.refusing import Refused
from kernel.clock import Clock
from kernel.log import get_logger

TOKEN_LENGTH_MAX: Final = 4096
LIFETIME_MAX: Final = timedelta(minutes=5)
CLOCK_SKEW: Final = timedelta(seconds=5)
"""How far our clock and the entrance's may differ: we are two machines."""
REPLAYS_MAX: Final = 100_000
KEYS_MAX: Final = 32
KEYS_FRESH_FOR: Final = timedelta(minutes=5)
KEYS_USABLE_FOR: Final = timedelta(hours=1)
"""How long known keys serve when the entrance cannot be asked; it announces new ones an hour before they sign."""
KEYS_ASKED_EVERY: Final = timedelta(seconds=2)
"""An unknown key id makes us ask again, but a flood of them does not make a flood of questions."""
SIGNATURE_BYTES: Final = 64
assert KEYS_ASKED_EVERY < KEYS_FRESH_FOR < KEYS_USABLE_FOR

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)")

FetchKeys = Callable[[], Awaitable[bytes]]
"""Gets the JWK set of the entrance; raises OSError when it cannot."""

log = get_logger(__name__)


class Caller(msgspec.Struct, frozen=True):
    """A person as this department knows them: a pairwise subject. `claims` is all that was said of this call."""

    subject: str
    claims: Mapping[str, Any]
    token_digest: str
    """SHA-256 of the token in hexadecimal digits: which token it was, for whoever has it."""


class TokenChecker:
    """Checks tokens of one issuer made for one audience, each good once."""

    def __init__(self, *, issuer: str, audience: str, clock: Clock, fetch_keys: FetchKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._fetch_keys = fetch_keys
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self._keys_from: datetime | None = None
        self._asked_at: datetime | None = None
        self._asking = asyncio.Lock()
        self._seen: dict[str, datetime] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """Who is calling, by the `Authorization` header. Raises Refused: 401, or 503 while no key can be had."""
        if authorization is None:
            raise Refused(401, "parks.token_missing", "This request carries no token")
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not _is_canonical(text):
            raise _invalid()
        key = await self._key(_key_id(text))
        claims = self._claims(text, key)
        self._note_use(claims)
        return Caller(claims["sub"], claims, sha256(text.encode()).hexdigest())

    def _claims(self, text: str, key: ec.EllipticCurvePublicKey) -> Mapping[str, Any]:
        try:
            claims = jwt.decode(
                text,
                key,
                algorithms=["ES256"],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": ["iss", "sub", "aud", "iat", "exp", "jti"],
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError:
            raise _invalid() from None
        if not (_is_moment(claims["iat"]) and _is_moment(claims["exp"])):
            raise _invalid()
        now, skew = self._clock.now().timestamp(), CLOCK_SKEW.total_seconds()
        if claims["iat"] > now + skew or claims["exp"] - claims["iat"] > LIFETIME_MAX.total_seconds():
            raise _invalid()
        if claims["exp"] <= now - skew:
            raise Refused(401, "parks.token_expired", "The token has expired")
        if not (_is_short_text(claims["sub"]) and _is_short_text(claims["jti"])):
            raise _invalid()
        return claims

    def _note_use(self, claims: Mapping[str, Any]) -> None:
        """Take the token's one use. No pause between looking and noting, so that two at once cannot both pass."""
        now = self._clock.now()
        if len(self._seen) >= REPLAYS_MAX:
            self._seen = {jti: until for jti, until in self._seen.items() if until > now}
        if claims["jti"] in self._seen:
            raise Refused(401, "parks.token_replayed", "The token has been used")
        if len(self._seen) >= REPLAYS_MAX:
            raise Refused(503, "parks.busy", "Too many requests", retry_after_seconds=1)
        self._seen[claims["jti"]] = now + LIFETIME_MAX + 2 * CLOCK_SKEW

    async def _key(self, key_id: str) -> ec.EllipticCurvePublicKey:
        now = self._clock.now()
        if key_id not in self._keys or not self._younger_than(KEYS_FRESH_FOR, now):
            async with self._asking:
                if self._asked_at is None or now - self._asked_at >= KEYS_ASKED_EVERY:
                    await self._refresh(now)
        if not self._younger_than(KEYS_USABLE_FOR, now):
            raise Refused(503, "parks.keys_away", "The entrance's keys cannot be had", retry_after_seconds=2)
        key = self._keys.get(key_id)
        if key is None:
            raise _invalid()
        return key

    def _younger_than(self, age: timedelta, now: datetime) -> bool:
        return self._keys_from is not None and now - self._keys_from < age

    async def _refresh(self, now: datetime) -> None:
        self._asked_at = now
        try:
            self._keys = keys_of(await self._fetch_keys())
        except (OSError, ValueError) as problem:
            log.warning("the entrance's keys cannot be had", problem=type(problem).__name__)
            return
        self._keys_from = now


def keys_of(jwks: bytes) -> dict[str, ec.EllipticCurvePublicKey]:
    """The P-256 signature keys of a JWK set, by key id; others are passed over. Raises ValueError."""
    found: dict[str, ec.EllipticCurvePublicKey] = {}
    try:
        listed = msgspec.json.decode(jwks, type=_KeySet).keys[:KEYS_MAX]
    except msgspec.MsgspecError as problem:
        raise ValueError("not a JWK set") from problem
    for jwk in listed:
        if not _signs_es256(jwk):
            continue
        try:
            key = ECAlgorithm.from_jwk(jwk)
        except jwt.InvalidKeyError as problem:
            raise ValueError("a key of the set is malformed") from problem
        if isinstance(key, ec.EllipticCurvePublicKey):
            found[jwk["kid"]] = key
    return found


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _signs_es256(jwk: Mapping[str, Any]) -> bool:
    """Whether a key is meant for what we accept; `use` and `alg` may be left out (RFC 7517 §4)."""
    is_p256 = jwk.get("kty") == "EC" and jwk.get("crv") == "P-256"
    is_meant = jwk.get("use", "sig") == "sig" and jwk.get("alg", "ES256") == "ES256"
    return is_p256 and is_meant and isinstance(jwk.get("kid"), str)


def _invalid() -> Refused:
    return Refused(401, "parks.token_invalid", "The token is not one that was made for this server")


def _is_canonical(text: str) -> bool:
    """Whether the token is spelt the only way it may be: no padding, no stray bits after the signature."""
    found = _TOKEN.fullmatch(text) if len(text) <= TOKEN_LENGTH_MAX else None
    if found is None:
        return False
    signature = found.group(1)
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except binascii.Error:
        return False
    return len(raw) == SIGNATURE_BYTES and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == signature


def _key_id(text: str) -> str:
    try:
        header = jwt.get_unverified_header(text)
    except jwt.InvalidTokenError:
        raise _invalid() from None
    key_id = header.get("kid")
    if header.get("alg") != "ES256" or "crit" in header or not isinstance(key_id, str):
        raise _invalid()
    return key_id


def _is_moment(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**40


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 128
