"""The trust list: whose keys a verifier believes, for what and for how long, in one signed document.

It is a JWS of the type `trust-list+jwt`, signed by a root key that a device was given when it was set up. It names the
roots announced next, so that who trusts one learns the next. Which list is the newest, whoever keeps lists knows by
`sequence`: a reader must not go back to an older one, and that check lives with the keeper.

The type names the format for good: a member this reader does not know is refused, for it might take back what another
grants. A key of a suite it does not know is left out, which takes nothing away but what that key signed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suishenban_verify import jws
from suishenban_verify.signatures import NotAKey, PublicKey, Signer, public_key

TYPE = "trust-list+jwt"
OFFLINE, STATUS, CREDENTIAL, LEDGER, TRUST = "offline", "status", "vc", "ledger", "trust"
"""What a key may sign: offline codes, status lists, verifiable credentials, the ledger's checkpoints, trust lists."""
PURPOSES = frozenset({OFFLINE, STATUS, CREDENTIAL, LEDGER, TRUST})
ISSUERS_MAX = 1000
KEYS_PER_ISSUER_MAX = 64
KINDS_MAX = 2000
ROOTS_MAX = 16
TEXT_CHARACTERS_MAX = 400
_SUITES = {("EC", "P-256"), ("OKP", "Ed25519")}
_LIST_MEMBERS = frozenset({"iss", "iat", "exp", "seq", "issuers", "roots"})
_ISSUER_MEMBERS = frozenset({"iss", "name_zh", "name_en", "kinds", "keys"})
_JWK_MEMBERS = frozenset({"kty", "crv", "x", "y", "alg", "use", "kid", "low_s"})
_ENTRY_MEMBERS = frozenset({"purposes", "from", "until", "revoked_at"})


class NotATrustList(ValueError):
    """The document is not a trust list that holds now; the message says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """A key and what it may do: it verifies what was signed from `valid_from`, and before `valid_until`.

    Once revoked it verifies nothing, not even what says it was signed before: whoever stole it can write any date.
    """

    key: PublicKey
    purposes: frozenset[str]
    valid_from: int
    valid_until: int
    revoked_at: int | None = None

    def verifies(self, purpose: str, at: int) -> bool:
        """Whether what was signed at `at` for this purpose may be checked with this key."""
        return self.revoked_at is None and purpose in self.purposes and self.valid_from <= at < self.valid_until


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose certificates are believed. `kinds` turns its kind codes into ours; None: they are ours."""

    issuer: str
    name_zh: str
    name_en: str
    kinds: Mapping[str, str] | None
    entries: tuple[TrustEntry, ...]

    def our_kind(self, kind_code: str) -> str | None:
        """Our code for a kind of theirs; None if we recognise nothing of that kind from them."""
        return kind_code if self.kinds is None else self.kinds.get(kind_code)


@dataclass(frozen=True, slots=True)
class TrustList:
    """Everybody who is believed, as of `issued_at`. `roots` are those who may sign this list and the next."""

    issuer: str
    issued_at: int
    expires_at: int
    sequence: int
    issuers: Mapping[str, TrustedIssuer]
    roots: tuple[PublicKey, ...]

    def keys(self, issuer: str, purpose: str, key_id: str | bytes | None, at: int) -> tuple[PublicKey, ...]:
        """Every key of the issuer that may have signed this at `at`: by its id (JOSE), its short id (COSE), or all."""
        trusted = self.issuers.get(issuer)
        if trusted is None:
            return ()
        return tuple(
            entry.key
            for entry in trusted.entries
            if entry.verifies(purpose, at) and key_id in (None, entry.key.key_id, entry.key.short_id)
        )


def sign(trust_list: TrustList, signer: Signer) -> str:
    """The signed document. Raises NotATrustList for a list that `read` would refuse."""
    claims = {
        "iss": trust_list.issuer,
        "iat": trust_list.issued_at,
        "exp": trust_list.expires_at,
        "seq": trust_list.sequence,
        **content(trust_list),
    }
    _list(claims)
    token = jws.sign(claims, signer, typ=TYPE)
    if len(token) > jws.TOKEN_CHARACTERS_MAX:
        raise NotATrustList("the list is longer than any that is read")
    return token


def content(trust_list: TrustList) -> dict[str, Any]:
    """What a list says beside its number and its hours: two lists of the same content trust the same."""
    return {
        "issuers": [_issuer_as_json(trusted) for trusted in trust_list.issuers.values()],
        "roots": [_key_as_json(root) for root in trust_list.roots],
    }


def read(token: str, roots: Sequence[PublicKey], *, now: int) -> TrustList:
    """The list that one of the roots signed, while it holds. Raises jws.NotSigned, NotATrustList."""
    claims = jws.verify(token, roots, typ=TYPE)
    found = _list(claims)
    if found.expires_at <= now:
        raise NotATrustList("the list has expired")
    return found


def _issuer_as_json(trusted: TrustedIssuer) -> dict[str, Any]:
    return {
        "iss": trusted.issuer,
        "name_zh": trusted.name_zh,
        "name_en": trusted.name_en,
        "kinds": None if trusted.kinds is None else dict(trusted.kinds),
        "keys": [
            _key_as_json(entry.key)
            | {
                "purposes": sorted(entry.purposes),
                "from": entry.valid_from,
                "until": entry.valid_until,
                "revoked_at": entry.revoked_at,
            }
            for entry in trusted.entries
        ],
    }


def _key_as_json(key: PublicKey) -> dict[str, Any]:
    return {name: value for name, value in key.jwk.items() if name in _JWK_MEMBERS} | {"kid": key.key_id}


def _list(claims: Any) -> TrustList:
    _check_members(claims, _LIST_MEMBERS)
    issued_at, expires_at, sequence = (_time(claims[name]) for name in ("iat", "exp", "seq"))
    if expires_at <= issued_at:
        raise NotATrustList("the list ends before it begins")
    issuers = [_issuer(each) for each in _items(claims["issuers"], ISSUERS_MAX)]
    by_name = {trusted.issuer: trusted for trusted in issuers}
    if len(by_name) != len(issuers):
        raise NotATrustList("an issuer stands in the list twice")
    roots = tuple(key for each in _items(claims["roots"], ROOTS_MAX) if (key := _key(each, _JWK_MEMBERS)) is not None)
    return TrustList(_text(claims["iss"]), issued_at, expires_at, sequence, by_name, roots)


def _issuer(claims: Any) -> TrustedIssuer:
    _check_members(claims, _ISSUER_MEMBERS)
    entries = tuple(
        entry for each in _items(claims["keys"], KEYS_PER_ISSUER_MAX) if (entry := _entry(each)) is not None
    )
    issuer, name_zh, name_en = (_text(claims[name]) for name in ("iss", "name_zh", "name_en"))
    return TrustedIssuer(issuer, name_zh, name_en, _kinds(claims["kinds"]), entries)


def _kinds(claims: Any) -> Mapping[str, str] | None:
    if claims is None:
        return None
    if not isinstance(claims, dict) or len(claims) > KINDS_MAX:
        raise NotATrustList("kinds are a bounded map, or null")
    return {_text(theirs): _text(ours) for theirs, ours in claims.items()}


def _entry(claims: Any) -> TrustEntry | None:
    """The entry of a key; None for a key of a suite we do not know."""
    key = _key(claims, _JWK_MEMBERS | _ENTRY_MEMBERS)
    if key is None:
        return None
    if not claims.keys() >= _ENTRY_MEMBERS:
        raise NotATrustList("a key says for what and when it is believed")
    purposes = frozenset(_text(each) for each in _items(claims["purposes"], len(PURPOSES) * 2))
    valid_from, valid_until = _time(claims["from"]), _time(claims["until"])
    revoked_at = None if claims["revoked_at"] is None else _time(claims["revoked_at"])
    if valid_until <= valid_from:
        raise NotATrustList("a key's time ends before it begins")
    return TrustEntry(key, purposes, valid_from, valid_until, revoked_at)


def _key(claims: Any, members: Collection[str]) -> PublicKey | None:
    """The key of these members; None for one of a suite we do not know."""
    match claims:
        case {"kty": str(kty), "crv": str(crv), "kid": kid}:
            _text(kid)
        case _:
            raise NotATrustList("a key is of a suite and has a name")
    if (kty, crv) not in _SUITES:
        return None
    if not claims.keys() <= set(members) or not isinstance(claims.get("low_s", False), bool):
        raise NotATrustList("a key has a member that we do not know")
    try:
        return public_key({name: claims[name] for name in claims if name in _JWK_MEMBERS})
    except NotAKey as refused:
        raise NotATrustList(str(refused)) from None


def _check_members(claims: Any, members: Collection[str]) -> None:
    if not isinstance(claims, dict) or claims.keys() != members:
        raise NotATrustList("a part of the list does not have the members it should have")


def _items(value: Any, count_max: int) -> Iterable[Any]:
    if not isinstance(value, list) or len(value) > count_max:
        raise NotATrustList("a bounded list was expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX:
        raise NotATrustList("a text of bounded length was expected")
    return value


def _time(value: Any) -> int:
    if not jws.is_time(value):
        raise NotATrustList("a whole number, not negative, was expected")
    return value
