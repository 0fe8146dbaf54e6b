"""Machine clients, and the reading of their assertions as far as it needs no key. Pure."""

import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from msgspec import Meta

from kernel.ids import DepartmentId, DeviceId, VenueId
from kernel.principal import Audience, DepartmentSystem, VenueDevice

ASSERTION_LIFETIME_MAX = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=30)
"""How far a client's clock may be from ours."""
ASSERTION_CHARACTERS_MAX = 4_096
JTI_CHARACTERS_MAX = 128
KEYS_MAX = 4
"""Keys of one client: one, and a next one while it changes them."""
SIGNATURE_BYTES = 64
CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_PART = re.compile(r"[A-Za-z0-9_-]+")


class NotProved(Exception):
    """The assertion proves nothing; the text says why, to a developer."""


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A client's public key as a JWK (RFC 7517); members we do not use are not kept."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    y: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    kid: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]+$")] | None = None

    def opened(self) -> ec.EllipticCurvePublicKey:
        """Raises ValueError for a point that is not on the curve."""
        try:
            key = ECAlgorithm.from_jwk({"kty": self.kty, "crv": self.crv, "x": self.x, "y": self.y})
        except jwt.InvalidKeyError as problem:
            raise ValueError("not a point on P-256") from problem
        assert isinstance(key, ec.EllipticCurvePublicKey)  # there is no `d`
        return key


class Client(msgspec.Struct, frozen=True):
    """A machine client as it lies in the database."""

    client_id: str
    audience: Audience
    subject_id: UUID
    venue_id: VenueId | None
    department_slug: str | None
    department_name: str | None
    public_keys: list[PublicKey]
    grant_id: UUID
    """What its tokens name as their session, so that they can be ended together."""

    def principal(self) -> VenueDevice | DepartmentSystem:
        if self.venue_id is not None:
            return VenueDevice(DeviceId(self.subject_id), self.venue_id)
        assert self.department_slug is not None  # the database has both for every department
        assert self.department_name is not None
        return DepartmentSystem(DepartmentId(self.subject_id), self.department_slug, self.department_name)


class Assertion(msgspec.Struct, frozen=True):
    """A JWT (RFC 7523) that says it is a client's; its signature is not yet checked."""

    text: str
    client_id: str
    kid: str | None


class Proved(msgspec.Struct, frozen=True):
    """An assertion whose signature and claims are good; whether it was used before is for the database to say."""

    jti: str
    expires_at: datetime


def read_assertion(text: str) -> Assertion:
    """Whose assertion this says it is. Only ES256, and only the one way to write it. Raises NotProved."""
    parts = text.split(".")
    if len(text) > ASSERTION_CHARACTERS_MAX or len(parts) != 3 or not all(_PART.fullmatch(one) for one in parts):
        raise NotProved("the assertion is not a JWT in compact form")
    decoded = [_canonical(one) for one in parts]
    if len(decoded[2]) != SIGNATURE_BYTES:
        raise NotProved("the signature is not of the length ES256 has")
    try:
        header = msgspec.json.decode(decoded[0], type=dict[str, Any])
        claims = msgspec.json.decode(decoded[1], type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise NotProved("header or claims are not JSON objects") from None
    if header.get("alg") != "ES256" or "crit" in header:
        raise NotProved("the algorithm is not ES256, or the header demands an extension")
    kid, issuer = header.get("kid"), claims.get("iss")
    if not (kid is None or isinstance(kid, str)) or not isinstance(issuer, str) or not CLIENT_ID.fullmatch(issuer):
        raise NotProved("`iss` is not a client id, or `kid` not a text")
    return Assertion(text, issuer, kid)


def _canonical(part: str) -> bytes:
    """Raises NotProved for base64url with stray bits: the same assertion in another spelling."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise NotProved("the assertion is not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise NotProved("the assertion is not base64url in its one form")
    return raw


def prove(assertion: Assertion, client: Client, *, audiences: frozenset[str], now: datetime) -> Proved:
    """Check an assertion against the client's keys and our names: `aud` is one of `audiences`.

    Raises NotProved.
    """
    keys = [key for key in client.public_keys if assertion.kid is None or key.kid in (None, assertion.kid)]
    for key in keys[:KEYS_MAX]:
        try:
            claims = jwt.decode(
                assertion.text,
                key.opened(),
                algorithms=["ES256"],
                options={
                    "require": ["iss", "sub", "aud", "exp", "jti"],
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_iss": False,
                    "verify_jti": False,
                    "verify_sub": False,
                },
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError):
            raise NotProved("a claim is missing or of the wrong form") from None
        return _checked(claims, client, audiences, now)
    raise NotProved("the signature is by none of the client's keys")


def _checked(claims: dict[str, Any], client: Client, audiences: frozenset[str], now: datetime) -> Proved:
    if claims["iss"] != client.client_id or claims["sub"] != client.client_id:
        raise NotProved("`iss` and `sub` are not both the client id")
    named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if len(named) != 1 or not isinstance(named[0], str) or named[0] not in audiences:
        raise NotProved("`aud` is not this token endpoint or its issuer, alone")
    jti = claims["jti"]
    if not isinstance(jti, str) or not 1 <= len(jti) <= JTI_CHARACTERS_MAX:
        raise NotProved(f"`jti` is not a text of 1 to {JTI_CHARACTERS_MAX} characters")
    moment, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    expires = _moment(claims["exp"])
    if expires <= moment - skew:
        raise NotProved("the assertion has expired")
    if expires > moment + skew + ASSERTION_LIFETIME_MAX.total_seconds():
        raise NotProved("`exp` is more than five minutes ahead")
    if any(_moment(claims[name]) > moment + skew for name in ("iat", "nbf") if name in claims):
        raise NotProved("`iat` or `nbf` lies ahead: check your clock")
    return Proved(jti, now + ASSERTION_LIFETIME_MAX + 2 * CLOCK_SKEW)


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise NotProved("a time is not a number of seconds")
    return float(value)
