"""The nouns of recognised cities, and what is believed of one: what its own signed list says, and nothing beyond."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from msgspec import Struct

from suishenban_verify import trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import PublicKey
from suishenban_verify.trust_list import NotATrustList, TrustedIssuer
from wallet.model import Words
from wallet.trust.errors import TrustListOlder, TrustListRefused

CITIES_MAX = 900
"""Recognised at once, of the thousand issuers that a trust list holds; China has 340 cities and prefectures."""
ROOTS_MAX = trust_list.ROOTS_MAX
KINDS_MAX = 500
"""Kinds recognised of one city; the country's catalogue has 345."""
LENT = frozenset({trust_list.OFFLINE, trust_list.STATUS, trust_list.CREDENTIAL})
"""For what another city's keys are believed. Its ledger and its trust list are its own affair."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MEMBERS = {
    "EC": frozenset({"kty", "crv", "x", "y", "alg", "use", "kid", "low_s"}),
    "OKP": frozenset({"kty", "crv", "x", "alg", "use", "kid", "low_s"}),
}
"""What a key of a suite says (RFC 7518 §6.2.1, RFC 8037 §2), each bounded by the suite itself but for the name."""


class PullFailure(StrEnum):
    """Why a city was not read as it should be; permanent, like the codes of refusals."""

    TRUST_LIST_NOT_FETCHED = "wallet.trust_list_not_fetched"
    TRUST_LIST_REFUSED = TrustListRefused.code
    TRUST_LIST_OLDER = TrustListOlder.code
    STATUS_LISTS_NOT_NAMED = "wallet.status_lists_not_named"
    STATUS_LIST_NOT_TAKEN = "wallet.status_list_not_taken"
    CITY_TOO_SLOW = "wallet.city_too_slow"


class City(Struct, frozen=True):
    """A city that an operator has recognised.

    `roots` are the keys the operator was told; `learned` those that its last accepted list names for the next one.
    `kinds` turns its kind codes into ours. `failure` is the code of why it was not read as it should be when that
    was last tried (a `PullFailure`, or one of a newer version), `failing_since` when that began, whatever it was then.
    """

    region_code: str
    issuer: str
    name: Words
    roots: tuple[PublicKey, ...]
    kinds: Mapping[str, str]
    list_url: str | None
    learned: tuple[PublicKey, ...] | None = None
    trust_list: str | None = None
    sequence: int | None = None
    read_at: datetime | None = None
    withdrawn_at: datetime | None = None
    failure: str | None = None
    failing_since: datetime | None = None

    @property
    def accepted_roots(self) -> tuple[PublicKey, ...]:
        """Who may sign its next list."""
        return self.roots if self.learned is None else self.learned

    @property
    def state(self) -> tuple[object, ...]:
        """What tells whether anything about it changed: its list is another when `read_at` is."""
        roots = tuple([(root.key_id, root.short_id) for root in self.roots])
        kinds = tuple(sorted(self.kinds.items()))
        return self.issuer, self.name, roots, kinds, self.list_url, self.sequence, self.read_at, self.withdrawn_at


class Believed(Struct, frozen=True):
    """What is believed of a city, before `holds_until` (Unix seconds)."""

    trusted: TrustedIssuer
    holds_until: int


def believed(city: City, now: int) -> Believed | None:
    """What is believed of a city at `now` (Unix seconds); None while nothing is.

    Only what its list says of itself, never of third cities; no key longer than the list holds that names it.
    """
    if city.withdrawn_at is not None or city.trust_list is None:
        return None
    try:
        found = trust_list.read(city.trust_list, city.accepted_roots, now=now)
    except (NotSigned, NotATrustList):
        return None
    own = found.issuers.get(city.issuer)
    if own is None:
        return None
    clipped = [
        replace(entry, purposes=entry.purposes & LENT, valid_until=min(entry.valid_until, found.expires_at))
        for entry in own.entries
    ]
    entries = tuple(entry for entry in clipped if entry.purposes and entry.valid_from < entry.valid_until)
    trusted = TrustedIssuer(city.issuer, city.name.zh, city.name.en, city.kinds, entries)
    return Believed(trusted, found.expires_at)


class Beliefs:
    """What is believed of cities, worked out anew only when one of them changed: reading a list takes a millisecond."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[object, ...], Believed | None]] = {}

    def of(self, city: City, now: int) -> TrustedIssuer | None:
        """What is believed of a city at `now`; the very same as the last time while nothing changed."""
        state = city.state
        known = self._known.get(city.region_code)
        if known is None or known[0] != state:
            known = self._known[city.region_code] = (state, believed(city, now))
        found = known[1]
        return None if found is None or found.holds_until <= now else found.trusted


def is_plain(key: PublicKey) -> bool:
    """Whether a key says nothing beyond what its suite asks for, and its name can be kept and shown.

    What is kept of another city we keep as it was signed: a key with more in it could be as long as its city likes, or
    hold what no database does.
    """
    return key.jwk.keys() <= _MEMBERS[key.jwk["kty"]] and key.key_id.isprintable()


def is_origin(text: str) -> bool:
    """Whether this is a bare web origin, `https://host` or `https://host:port`; http only on loopback."""
    return is_fetchable(text) and text == "{0.scheme}://{0.netloc}".format(urlsplit(text))


def is_fetchable(url: str) -> bool:
    """Whether this is an address we would fetch from: https, or http on loopback; nobody named, nothing after a #."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        port = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    return plain and is_safe and bool(parts.hostname) and port != 0 and "@" not in parts.netloc and "#" not in url


def is_on(origin: str, url: str) -> bool:
    """Whether an address is on this origin itself."""
    return url.startswith(f"{origin}/") and is_fetchable(url)
