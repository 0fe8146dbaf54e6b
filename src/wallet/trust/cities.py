"""An operator recognises another city's certificates (互认), hands in its signed trust list, and ends it again.

What is believed of a city is what its own list says, signed by a root key that the operator was told or that an earlier
list of that city named; which of its kinds are ours, the operator says. Its list never goes back to an older one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.snapshots import Snapshot, announce
from suishenban_verify import trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import NotAKey, PublicKey, public_key
from suishenban_verify.trust_list import NotATrustList, TrustList
from suishenban_verify.verifying import CLOCK_SKEW_MAX_SECONDS
from wallet.errors import CatalogueIncomplete
from wallet.model import Words
from wallet.operators.queries import select_kinds
from wallet.trust import queries
from wallet.trust.errors import CityIssuerTaken, CityNotFound, CityRefused, TrustListOlder, TrustListRefused
from wallet.trust.model import CITIES_MAX, KINDS_MAX, ROOTS_MAX, City, is_fetchable, is_origin, is_plain

NAME = "wallet.trusted_cities"
_JWK_MEMBERS = ("kty", "crv", "x", "y", "alg", "kid", "low_s")


class Recognition(Struct, frozen=True):
    """What an operator says of a city: who it is, which keys sign its list, which of its kinds are which of ours."""

    region_code: str
    issuer: str
    name: Words
    roots: Sequence[Mapping[str, Any]]
    kinds: Mapping[str, str]
    list_url: str | None


class Cities:
    """Keeps the recognised cities; `origin` is our own address, which nobody else is recognised under."""

    def __init__(self, db: Database, clock: Clock, *, origin: str) -> None:
        self._db = db
        self._clock = clock
        self._origin = origin
        self.snapshot: Snapshot[tuple[City, ...]] = Snapshot(NAME, self._read)
        self._read_last: tuple[City, ...] = ()

    async def put(self, wanted: Recognition, *, actor: str) -> None:
        """Recognise a city, or recognise it otherwise. Put again the same way, nothing changes.

        What was read of it stays unless its address or its roots are others now: then its list is to be read again.
        Raises CityRefused, CityIssuerTaken, CatalogueIncomplete for a kind of ours that there is not.
        """
        roots = self._checked(wanted)
        async with self._db.transaction() as conn:
            known = {kind.kind_code for kind in await select_kinds(conn)}
            if not known.issuperset(wanted.kinds.values()):
                raise CatalogueIncomplete
            if await queries.select_region_of(conn, wanted.issuer) not in (None, wanted.region_code):
                raise CityIssuerTaken
            held = await queries.lock_city(conn, wanted.region_code)
            city = City(wanted.region_code, wanted.issuer, wanted.name, roots, wanted.kinds, wanted.list_url)
            is_same = held is not None and _is_same_authority(held, city)
            if held is not None and is_same:
                city = replace(
                    city, learned=held.learned, trust_list=held.trust_list, sequence=held.sequence, read_at=held.read_at
                )
            else:
                await queries.delete_statuses(conn, wanted.region_code)
            await queries.put_city(conn, city)
            if held is not None and not (is_same and held.list_url == city.list_url):  # what failed was another
                await queries.note_pull(conn, wanted.region_code, None, now=self._clock.now())
            await self._done(conn, "wallet.recognise_city", wanted.region_code, actor, issuer=wanted.issuer)

    async def withdraw(self, region_code: str, *, actor: str) -> None:
        """Nothing of this city is good here from now on. Raises CityNotFound."""
        async with self._db.transaction() as conn:
            held = await queries.lock_city(conn, region_code)
            if held is None:
                raise CityNotFound
            if held.withdrawn_at is None:
                await queries.put_city(conn, replace(held, withdrawn_at=self._clock.now()))
                await self._done(conn, "wallet.withdraw_city", region_code, actor)

    async def accept_list(self, region_code: str, token: str, *, actor: str) -> TrustList:
        """Take in a city's own trust list, as it was signed. The same one again changes nothing.

        Raises CityNotFound for a city that is not recognised now, TrustListRefused, TrustListOlder.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            held = await queries.lock_city(conn, region_code)
            if held is None or held.withdrawn_at is not None:
                raise CityNotFound
            found = _read_list(held, token, now)
            if held.sequence is not None and found.sequence < held.sequence:
                raise TrustListOlder(sequence=held.sequence)
            if token == held.trust_list:
                return found
            await queries.put_city(
                conn,
                replace(held, learned=found.roots, trust_list=token, sequence=found.sequence, read_at=now),
            )
            await self._done(conn, "wallet.accept_trust_list", region_code, actor, sequence=found.sequence)
        return found

    async def every(self) -> list[City]:
        """Every city that is or was recognised, by region."""
        async with self._db.connection() as conn:
            return await queries.select_cities(conn, limit=CITIES_MAX)

    def _checked(self, wanted: Recognition) -> tuple[PublicKey, ...]:
        """The city's root keys. Raises CityRefused."""
        if not is_origin(wanted.issuer) or wanted.issuer == self._origin:
            raise CityRefused("issuer is the web origin of another city, https://host without a path")
        if wanted.list_url is not None and not is_fetchable(wanted.list_url):
            raise CityRefused("list_url is an https address")
        if not 1 <= len(wanted.roots) <= ROOTS_MAX or len(wanted.kinds) > KINDS_MAX:
            raise CityRefused("there are too many kinds, or no root key or too many")
        try:
            roots = [public_key({name: jwk[name] for name in _JWK_MEMBERS if name in jwk}) for jwk in wanted.roots]
        except NotAKey as problem:
            raise CityRefused(str(problem)) from None
        if len({root.key_id for root in roots}) < len(roots):
            raise CityRefused("a root key stands twice")
        return tuple(roots)

    async def _done(self, conn: Connection, act: str, region_code: str, actor: str, **detail: str | int | bool) -> None:
        now = self._clock.now()
        await audit.record(conn, actor=actor, act=act, subject=f"city:{region_code}", now=now, detail=detail)
        await announce(conn, NAME)

    async def _read(self) -> tuple[City, ...]:
        found = tuple([city for city in await self.every() if city.withdrawn_at is None])
        if [city.state for city in found] != [city.state for city in self._read_last]:
            self._read_last = found
        return self._read_last


def _is_same_authority(held: City, city: City) -> bool:
    """Whether lists that one was read from are those of the other."""
    return held.issuer == city.issuer and {_named(key) for key in held.roots} == {_named(key) for key in city.roots}


def _named(key: PublicKey) -> tuple[str, bytes]:
    return key.key_id, key.short_id


def _read_list(city: City, token: str, now: datetime) -> TrustList:
    """The list, signed by an accepted root for the city itself, and holding now. Raises TrustListRefused."""
    try:
        found = trust_list.read(token, city.accepted_roots, now=int(now.timestamp()))
        trust_list.read(token, found.roots, now=int(now.timestamp()))
    except NotSigned:
        raise TrustListRefused("no accepted root signed it, or it does not name the root that did") from None
    except NotATrustList as problem:
        raise TrustListRefused(str(problem)) from None
    if found.issuer != city.issuer or city.issuer not in found.issuers:
        raise TrustListRefused("it is the list of another city, or says nothing of this one")
    if found.issued_at > now.timestamp() + CLOCK_SKEW_MAX_SECONDS:
        raise TrustListRefused("it is from a time ahead of our clock")
    if not all(map(is_plain, [*found.roots, *(entry.key for entry in found.issuers[city.issuer].entries)])):
        raise TrustListRefused("a key says more than its suite asks for, or has a name that cannot be written down")
    return found
