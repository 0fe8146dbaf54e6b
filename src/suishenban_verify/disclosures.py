"""The disclosures of an SD-JWT (RFC 9901 §4.2): a salt, a name and a value each, and the places of their digests."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suishenban_verify import jws
from suishenban_verify.signatures import b64url, un_b64url

DEPTH_MAX = 32
"""Of objects and arrays in one another, counted through disclosures."""
SALT_BYTES = 16
"""RFC 9901 §9.3 recommends 128 bits."""
SHA_256 = "sha-256"
NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
"""Neither these nor anything in them may be disclosable (draft-ietf-oauth-sd-jwt-vc-19 §2.2.2.3)."""
DIGESTS = "_sd"
HASH = "_sd_alg"
ELEMENT = "..."
RESERVED = frozenset({DIGESTS, HASH, ELEMENT})
_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    SHA_256: hashlib.sha256,
    "sha-384": hashlib.sha384,
    "sha-512": hashlib.sha512,
}


class NotVerified(ValueError):
    """The SD-JWT proves nothing to this verifier; the message says which rule it breaks, never what stands in it."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What the holder adds to show one claim. `name` is None for an element of an array."""

    text: str
    name: str | None
    value: Any


def disclose(name: str, value: Any, random_bytes: Callable[[int], bytes]) -> str:
    """The text of a fresh disclosure of one claim."""
    return b64url(jws.compact_json([b64url(random_bytes(SALT_BYTES)), name, value]))


def decoy(random_bytes: Callable[[int], bytes]) -> str:
    """A digest of nothing, which nobody can tell from that of a claim (RFC 9901 §4.2.5)."""
    return digest_of(b64url(random_bytes(SALT_BYTES)), SHA_256)


def read(text: str) -> Disclosure:
    """The disclosure that a text spells. Raises NotVerified."""
    try:
        content = jws.strict_json(un_b64url(text))
    except ValueError:
        raise NotVerified("a disclosure is not JSON in base64url") from None
    match content:
        case [str(), str(name), value] if name not in RESERVED:
            return Disclosure(text, name, value)
        case [str(), value]:
            return Disclosure(text, None, value)
    raise NotVerified("a disclosure is a salt, perhaps a name, and a value")


def digest_of(text: str, algorithm: str) -> str:
    """The digest that stands for a text: of its ASCII characters, in base64url (RFC 9901 §4.2.3)."""
    digest: bytes = _HASHES[algorithm](text.encode("ascii")).digest()
    return b64url(digest)


def hash_name(payload: Mapping[str, Any]) -> str:
    """The hash the issuer chose; SHA-256 if it says nothing (RFC 9901 §4.1.1). Raises NotVerified."""
    name = payload.get(HASH, SHA_256)
    if not isinstance(name, str) or name not in _HASHES:
        raise NotVerified("the digests are made with a hash we do not know")
    return name


def marks(value: Any) -> bool:
    """Whether anything in the value is named as only the format itself names things."""
    if isinstance(value, Mapping):
        return not RESERVED.isdisjoint(value) or any(marks(inner) for inner in value.values())
    return isinstance(value, list | tuple) and any(marks(inner) for inner in value)


def with_surroundings(given: Iterable[Disclosure], names: Collection[str], algorithm: str) -> list[str]:
    """The texts of the disclosures of these claims, and of those whose values they stand in, in the order given."""
    by_digest = {digest_of(each.text, algorithm): each for each in given}
    around = {inner: outer for outer, each in by_digest.items() for inner in _digests_in(each.value)}
    kept: set[str] = set()
    for digest, disclosure in by_digest.items():
        wanted = digest if disclosure.name in names else None
        while wanted is not None and wanted not in kept:
            kept.add(wanted)
            wanted = around.get(wanted)
    return [each.text for digest, each in by_digest.items() if digest in kept]


def _digests_in(value: Any) -> Iterator[str]:
    """Every digest that stands in a value, at any depth."""
    if isinstance(value, list):
        for inner in value:
            yield from _digests_in(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            found = inner if name == DIGESTS and isinstance(inner, list) else [inner] if name == ELEMENT else []
            yield from (each for each in found if isinstance(each, str))
            yield from _digests_in(inner)


class Unpacking:
    """Puts disclosed claims in the places of their digests, each exactly once (RFC 9901 §7.1, steps 3 to 5)."""

    def __init__(self, disclosures: Iterable[Disclosure], algorithm: str) -> None:
        self._unplaced = {digest_of(each.text, algorithm): each for each in disclosures}
        self._seen: set[str] = set()

    def unpacked(self, payload: dict[str, Any]) -> dict[str, Any]:
        bare = {name: value for name, value in payload.items() if name != HASH}
        claims: dict[str, Any] = self._value(bare, 0)
        if not NEVER_DISCLOSED.isdisjoint(claims.keys() - payload.keys()):
            raise NotVerified("what says whether it holds is not disclosable")
        if self._unplaced:
            raise NotVerified("a disclosure belongs to nothing the issuer signed")
        return claims

    def _value(self, value: Any, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise NotVerified("claims stand too deep in one another")
        if isinstance(value, list):
            return [self._value(each, depth + 1) for element in value for each in self._elements(element)]
        if isinstance(value, dict):
            return self._members(value, depth)
        return value

    def _members(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        if ELEMENT in value or HASH in value:
            raise NotVerified("a claim has a name that the format keeps for itself")
        digests = value.get(DIGESTS, [])
        if not isinstance(digests, list):
            raise NotVerified("digests stand in a list")
        members = {name: self._value(inner, depth + 1) for name, inner in value.items() if name != DIGESTS}
        for digest in digests:
            disclosure = self._taken(digest)
            if disclosure is None:
                continue
            if disclosure.name is None or disclosure.name in members:
                raise NotVerified("a disclosure does not fit where its digest stands")
            members[disclosure.name] = self._value(disclosure.value, depth + 1)
        return members

    def _elements(self, element: Any) -> Iterator[Any]:
        """The element itself; in the place of a digest, what was disclosed, or nothing."""
        if not isinstance(element, dict) or ELEMENT not in element:
            yield element
            return
        disclosure = self._taken(element[ELEMENT]) if len(element) == 1 else self._taken(None)
        if disclosure is None:
            return
        if disclosure.name is not None:
            raise NotVerified("a disclosure does not fit where its digest stands")
        yield disclosure.value

    def _taken(self, digest: Any) -> Disclosure | None:
        """The disclosure of this digest, if it was shown. No digest may stand twice, shown or not."""
        if not isinstance(digest, str) or digest in self._seen:
            raise NotVerified("a digest is no text, or stands twice")
        self._seen.add(digest)
        return self._unplaced.pop(digest, None)
