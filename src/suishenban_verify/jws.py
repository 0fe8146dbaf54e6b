"""Signed JSON in the compact serialization (RFC 7515 §3.1), read in exactly one spelling.

Others read leniently and differ in it: padding, spare bits, members named twice, a `crit` passed over. Here a token is
three parts of canonical base64url, its JSON is UTF-8 in which no member is named twice, and its algorithm is the key's
own, so that no header chooses how it is checked. Nothing of the payload is parsed before its signature holds, unless
somebody asks an `Unverified` for it.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from suishenban_verify.signatures import PublicKey, Signer, b64url, un_b64url

TOKEN_CHARACTERS_MAX = 2**21
"""A status list of 2^20 bytes that do not compress is base64 twice: 1.87 million characters. All else is shorter."""
TIME_MAX = 253_402_300_799
"""The last second of the year 9999: beyond it nobody's calendar goes."""
DEPTH_MAX = 64
"""Of objects and arrays in one another; what we read has ten at most."""
PARTS = 3
_REFUSED_HEADERS = ("crit", "b64")
"""Extensions change how a token is to be understood (RFC 7515 §4.1.11, RFC 7797); none is understood here."""


class NotSigned(ValueError):
    """The token is not one that a given key signed; the message says which rule it breaks, never what stands in it."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart. Whoever trusts what stands in it has not checked it yet."""

    header: dict[str, Any]
    signing_input: bytes
    signature: bytes
    _payload: bytes = field(repr=False)

    @property
    def payload(self) -> dict[str, Any]:
        """The claims, parsed anew each time and not verified. Raises NotSigned."""
        return json_object(self._payload)


def sign(
    payload: Mapping[str, Any],
    signer: Signer,
    *,
    typ: str,
    headers: Mapping[str, Any] | None = None,
    is_key_named: bool = True,
) -> str:
    """The signed token, `headers` beside `alg`, `typ` and `kid`; without a `kid` where the reader knows the key."""
    named = {"kid": signer.public.key_id} if is_key_named else {}
    header = {"alg": signer.public.algorithm, "typ": typ} | named | dict(headers or {})
    signing_input = f"{b64url(compact_json(header))}.{b64url(compact_json(payload))}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode('ascii')))}"


def read(token: str) -> Unverified:
    """Take a token apart; only its shape and its header are judged. Raises NotSigned."""
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise NotSigned("the token is longer than any we read")
    parts = token.split(".")
    if len(parts) != PARTS:
        raise NotSigned("a token has three parts")
    try:
        header, payload, signature = map(un_b64url, parts)
    except ValueError:
        raise NotSigned("a part of the token is not base64url in its one spelling") from None
    members = json_object(header)
    if any(name in members for name in _REFUSED_HEADERS):
        raise NotSigned("the token asks for an extension")
    return Unverified(members, token[: -len(parts[2]) - 1].encode("ascii"), signature, payload)


def verify(token: str, keys: Iterable[PublicKey], *, typ: str) -> dict[str, Any]:
    """The claims of a token of this `typ`, once one of the keys has signed it. Raises NotSigned.

    A `kid` in the header narrows the keys to those of that name; each of them is tried, for names may be shared.
    """
    return verified(read(token), keys, typ=typ)


def verified(token: Unverified, keys: Iterable[PublicKey], *, typ: str) -> dict[str, Any]:
    """As `verify`, of a token that was taken apart before."""
    kid = token.header.get("kid")
    candidates = keys if "kid" not in token.header else [key for key in keys if key.key_id == kid]
    return verified_by_any(token, candidates, typ=typ)


def verified_by_any(token: Unverified, keys: Iterable[PublicKey], *, typ: str) -> dict[str, Any]:
    """The claims, once one of exactly these keys has signed the token, whatever its `kid` says. Raises NotSigned."""
    if token.header.get("typ") != typ:
        raise NotSigned(f"the token is not of the type {typ}")
    algorithm = token.header.get("alg")
    for key in keys:
        if key.algorithm == algorithm and key.verify(token.signature, token.signing_input):
            return token.payload
    raise NotSigned("no key that may sign this has signed the token")


def compact_json(value: Any) -> bytes:
    """The JSON text that goes into what we sign: UTF-8, no spaces, members in the order given, finite numbers only."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def json_object(raw: bytes) -> dict[str, Any]:
    """As `strict_json`, of an object. Raises NotSigned."""
    value = strict_json(raw)
    if not isinstance(value, dict):
        raise NotSigned("the JSON is not an object")
    return value


def strict_json(raw: bytes) -> Any:
    """The value a JSON text spells: UTF-8, no member named twice (RFC 8259 §4), no NaN, no half characters.

    Raises NotSigned, for texts that no reader could mean as much as for those that two readers would read differently.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite,
        )  # fmt: skip
        _check_depth(value)
        if "\\u" in text:  # an escape may spell half of a surrogate pair, which is no character
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise NotSigned("the JSON cannot be read in one way only") from None
    return value


def is_time(value: object) -> TypeGuard[int]:
    """Whether the value is a time as these formats write it: whole Unix seconds, not negative, within our calendar."""
    return type(value) is int and 0 <= value <= TIME_MAX


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("values stand too deep in one another")


def _inside(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member is named twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
