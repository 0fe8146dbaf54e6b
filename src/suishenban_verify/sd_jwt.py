"""SD-JWT (RFC 9901) and the verifiable credentials made of it (draft-ietf-oauth-sd-jwt-vc-19, `dc+sd-jwt`).

An issuer signs a JWT in which claims are replaced by digests; the holder shows those it chooses, each with its salt,
and proves with a Key Binding JWT that it is the holder, to this verifier, now. We issue flat: only members of the top
level are disclosable. We read everything RFC 9901 allows: nested objects, elements of arrays, decoys.

Two things are stricter here than in RFC 9901. Whether a binding is asked for is said by the caller each time: a
credential with a holder's key is refused by `verify` unless its holder proves itself, and a proof nobody asked for is
refused too, as it would go unchecked. And claims that say whether a credential still holds are never taken from a
disclosure, in any type of SD-JWT, since a holder could leave them out (RFC 9901 §9.7).

The order of disclosures means nothing, for each is found by its digest: without a binding they may be shown in any
order; with one, `sd_hash` covers the very text that was shown, order and all.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from suishenban_verify import disclosures, jws
from suishenban_verify.disclosures import NEVER_DISCLOSED, SHA_256, Disclosure
from suishenban_verify.disclosures import NotVerified as NotVerified
from suishenban_verify.jws import NotSigned, Unverified
from suishenban_verify.signatures import NotAKey, PublicKey, Signer, public_key

CREDENTIAL = "dc+sd-jwt"
"""The `typ` of a verifiable credential (draft-ietf-oauth-sd-jwt-vc-19 §2.2.1)."""
KEY_BINDING = "kb+jwt"
"""The `typ` of a Key Binding JWT (RFC 9901 §4.3)."""
TEXT_CHARACTERS_MAX = 2**18
DISCLOSURES_MAX = 256
AGE_SECONDS_MAX = 120
"""How long a holder's proof stays fresh, as that of an offline code does."""
CLOCK_SKEW_SECONDS_MAX = 60
"""How far ahead of ours the clock of an issuer or holder may be."""
_CNF_MEMBERS = ("kty", "crv", "x", "y", "low_s")


@dataclass(frozen=True, slots=True)
class Parts:
    """An SD-JWT taken apart; nothing in it is verified. `bound` is the text that `sd_hash` covers."""

    token: Unverified
    disclosures: tuple[Disclosure, ...]
    bound: str
    key_binding: str

    @property
    def issuer(self) -> str | None:
        """The issuer it names, so that a verifier can look up whose keys to try. Raises NotVerified."""
        issuer = self.payload.get("iss")
        return issuer if isinstance(issuer, str) else None

    @property
    def payload(self) -> dict[str, Any]:
        """What the issuer signed, with digests in the places of claims. Raises NotVerified."""
        try:
            return self.token.payload
        except NotSigned as refused:
            raise NotVerified(str(refused)) from None

    @property
    def hash_name(self) -> str:
        """The hash its digests are made with. Raises NotVerified."""
        return disclosures.hash_name(self.payload)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a verifier asked the holder to sign, so that a proof serves it alone and once."""

    audience: str
    nonce: str
    age_seconds_max: int = AGE_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class Verified:
    """What an SD-JWT proves: its claims, the disclosed ones in their places; `bound_at` is when its holder signed."""

    claims: dict[str, Any]
    bound_at: int | None


def issue(
    claims: Mapping[str, Any],
    signer: Signer,
    *,
    disclosable: Collection[str],
    random_bytes: Callable[[int], bytes],
    holder: PublicKey | None = None,
    decoys: int = 0,
    typ: str = CREDENTIAL,
) -> str:
    """A signed SD-JWT whose holder may withhold each of the `disclosable` top-level claims.

    With a `holder`, only whoever has that key can show it. `decoys` digests of nothing hide how many claims there are.
    Raises ValueError for claims that could be taken for the format's own, or that must not be disclosable.
    """
    if disclosures.marks(claims) or not set(disclosable) <= set(claims) - NEVER_DISCLOSED:
        raise ValueError("these claims cannot be issued in this way")
    if typ == CREDENTIAL and not isinstance(claims.get("vct"), str):
        raise ValueError("a verifiable credential names its type, vct")
    if holder is not None and "cnf" in claims:
        raise ValueError("the holder's key is named once")
    shown = [disclosures.disclose(name, claims[name], random_bytes) for name in claims if name in disclosable]
    payload = {name: value for name, value in claims.items() if name not in disclosable}
    if holder is not None:
        payload["cnf"] = {"jwk": {name: holder.jwk[name] for name in _CNF_MEMBERS if name in holder.jwk}}
    digests = [disclosures.digest_of(text, SHA_256) for text in shown]
    digests += [disclosures.decoy(random_bytes) for _ in range(decoys)]
    if digests:  # sorted, so that the order says nothing about which is which (RFC 9901 §4.2.4.1)
        payload |= {disclosures.DIGESTS: sorted(digests), disclosures.HASH: SHA_256}
    return "~".join([jws.sign(payload, signer, typ=typ), *shown, ""])


def choose(issued: str, names: Collection[str]) -> str:
    """What a holder shows: of the disclosures only those of these claims, and of what they stand in.

    Elements of an array that are disclosed one by one are left out. Raises NotVerified.
    """
    parts = read(issued)
    kept = disclosures.with_surroundings(parts.disclosures, names, parts.hash_name)
    return "~".join([issued.partition("~")[0], *kept, ""])


def bind(shown: str, holder: Signer, binding: Binding, *, at: int) -> str:
    """What a holder shows, with its proof to be the holder, signed at `at` for the verifier that asked.

    Raises NotVerified.
    """
    parts = read(shown)
    if parts.key_binding:
        raise NotVerified("it is bound already")
    sd_hash = disclosures.digest_of(shown, parts.hash_name)
    claims = {"iat": at, "aud": binding.audience, "nonce": binding.nonce, "sd_hash": sd_hash}
    return shown + jws.sign(claims, holder, typ=KEY_BINDING, is_key_named=False)


def read(text: str) -> Parts:
    """Take an SD-JWT apart (RFC 9901 §4); its shape is judged, nothing is verified. Raises NotVerified."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise NotVerified("the SD-JWT is longer than any we read")
    jwt, *texts = text.split("~")
    if not texts:
        raise NotVerified("an SD-JWT has a ~ after its JWT")
    key_binding = texts.pop()
    if len(texts) > DISCLOSURES_MAX or len(set(texts)) != len(texts):
        raise NotVerified("there are too many disclosures, or one twice")
    found = tuple(disclosures.read(each) for each in texts)
    try:
        token = jws.read(jwt)
    except NotSigned as refused:
        raise NotVerified(str(refused)) from None
    return Parts(token, found, text[: len(text) - len(key_binding)], key_binding)


def verify(
    text: str,
    keys: Iterable[PublicKey],
    *,
    issuer: str | None,
    now: int,
    binding: Binding | None,
    typ: str = CREDENTIAL,
) -> Verified:
    """What the SD-JWT shown proves to a verifier that trusts these `keys` to sign for `issuer` (RFC 9901 §7.3).

    With a `binding` the holder must have signed it; without one, an SD-JWT that names a holder's key proves nothing.
    Raises NotVerified.
    """
    parts = read(text)
    claims = _verified_claims(parts, keys, issuer=issuer, now=now, typ=typ)
    _check_audience(claims, None if binding is None else binding.audience)
    if binding is None:
        if parts.key_binding or "cnf" in claims:
            raise NotVerified("a holder's key is named, and no proof of it was asked for")
        return Verified(claims, None)
    if not parts.key_binding:
        raise NotVerified("the holder has not proved to be the holder")
    return Verified(claims, _check_binding(parts, claims, binding, now))


def verify_issued(
    text: str, keys: Iterable[PublicKey], *, issuer: str | None, now: int, typ: str = CREDENTIAL
) -> Verified:
    """What an issuer handed to its holder says (RFC 9901 §7.2): for holders, never for those it is shown to.

    Raises NotVerified.
    """
    parts = read(text)
    if parts.key_binding:
        raise NotVerified("what an issuer hands out is bound by nobody yet")
    return Verified(_verified_claims(parts, keys, issuer=issuer, now=now, typ=typ), None)


def _verified_claims(
    parts: Parts, keys: Iterable[PublicKey], *, issuer: str | None, now: int, typ: str
) -> dict[str, Any]:
    """RFC 9901 §7.1: signature, then issuer, then every digest against every disclosure, then the times."""
    try:
        payload = jws.verified(parts.token, keys, typ=typ)
    except NotSigned as refused:
        raise NotVerified(str(refused)) from None
    if payload.get("iss") != issuer:
        raise NotVerified("another issuer is named than the one whose keys were tried")
    if typ == CREDENTIAL and not isinstance(payload.get("vct"), str):
        raise NotVerified("a verifiable credential names its type, vct")
    if any(disclosures.marks(payload.get(name)) for name in NEVER_DISCLOSED):
        raise NotVerified("what says whether it holds is not disclosable")
    claims = disclosures.Unpacking(parts.disclosures, disclosures.hash_name(payload)).unpacked(payload)
    _check_times(claims, now)
    return claims


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    if any(name in claims and not jws.is_time(claims[name]) for name in ("exp", "nbf", "iat")):
        raise NotVerified("a time is whole seconds")
    if claims.get("exp", now + 1) <= now:
        raise NotVerified("it has expired")
    if claims.get("nbf", now) > now or claims.get("iat", now) > now + CLOCK_SKEW_SECONDS_MAX:
        raise NotVerified("it holds only later")


def _check_audience(claims: Mapping[str, Any], audience: str | None) -> None:
    """An issuer may say for whom a credential is (RFC 7519 §4.1.3)."""
    if "aud" not in claims:
        return
    named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if audience is None or audience not in named:
        raise NotVerified("it is for another verifier")


def _check_binding(parts: Parts, claims: Mapping[str, Any], binding: Binding, now: int) -> int:
    """When the holder signed: this very text, for this verifier, not long ago (RFC 9901 §7.3 step 5)."""
    match claims.get("cnf"):
        case {"jwk": {"kty": str(), "crv": str()} as jwk}:
            pass
        case _:
            raise NotVerified("no holder's key is named")
    try:
        proof = jws.verified_by_any(jws.read(parts.key_binding), [public_key(jwk)], typ=KEY_BINDING)
    except (NotSigned, NotAKey) as refused:
        raise NotVerified(str(refused)) from None
    if proof.get("aud") != binding.audience or proof.get("nonce") != binding.nonce:
        raise NotVerified("the holder's proof is for another verifier, or another time")
    if proof.get("sd_hash") != disclosures.digest_of(parts.bound, parts.hash_name):
        raise NotVerified("the holder's proof is of something else")
    at = proof.get("iat")
    if not jws.is_time(at):
        raise NotVerified("a time is whole seconds")
    if not now - binding.age_seconds_max <= at <= now + CLOCK_SKEW_SECONDS_MAX:
        raise NotVerified("the holder's proof is not fresh")
    return at
