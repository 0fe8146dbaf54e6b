"""The worker fetches what recognised cities publish: their trust lists, and the status lists of their certificates.

What comes is believed for its signature alone, never for where it came from. How it is fetched is handed in: within
bounds of size and time, without following redirects.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.log import get_logger
from suishenban_verify import status_list
from suishenban_verify.jws import TOKEN_CHARACTERS_MAX, NotSigned, strict_json
from suishenban_verify.status_list import JWT_TYPE, NotAStatusList, Published
from suishenban_verify.trust_list import STATUS, TrustedIssuer
from suishenban_verify.verifying import CLOCK_SKEW_MAX_SECONDS
from wallet.trust import queries
from wallet.trust.cities import Cities
from wallet.trust.errors import CityNotFound, TrustListOlder, TrustListRefused
from wallet.trust.model import CITIES_MAX, City, PullFailure, believed, is_on

PULLED_EVERY = timedelta(seconds=60)
LOOKED_EVERY = timedelta(seconds=10)
"""How often the worker looks whether a city is due."""
CITIES_AT_ONCE = 8
CITY_SECONDS_MAX = 50.0
STATUS_LISTS_MAX = 200
"""Of one city: a certificate each for 200 million, or several for fewer."""
URI_CHARACTERS_MAX = 400
"""Of the address of a status list; a longer one is passed over."""
NAMES_BYTES_MAX = 256 * 1024
STATUS_LISTS_PATH = "/status-lists"
"""Where a city names its status lists (draft-ietf-oauth-status-list, aggregation)."""
TRUST_LIST_MEDIA = "application/trust-list+jwt"
_ACTOR = "system:pulling"
_NOT_ASCII = "what came is not in ASCII, as tokens are"

log = get_logger(__name__)


class NotFetched(Exception):
    """The other city did not answer, or not as it should; the message says how."""


class Fetches(Protocol):
    """Fetches from outside."""

    async def __call__(self, url: str, *, accept: str, bytes_max: int) -> bytes:
        """The whole answer, of at most `bytes_max` bytes. Raises NotFetched."""
        ...


async def fetch_nothing(url: str, *, accept: str, bytes_max: int) -> bytes:
    """For processes that fetch from nobody."""
    del url, accept, bytes_max
    raise NotFetched("this process fetches nothing")


class Trouble(Struct, frozen=True):
    """What is wrong with a city, and which rule it broke: never what it wrote itself."""

    failure: PullFailure
    said: str


class Puller:
    """Fetches from the cities that have a `list_url`, from each within `seconds_max`."""

    def __init__(
        self, db: Database, clock: Clock, cities: Cities, fetch: Fetches, *, seconds_max: float = CITY_SECONDS_MAX
    ) -> None:
        self._db = db
        self._clock = clock
        self._cities = cities
        self._fetch = fetch
        self._seconds_max = seconds_max

    async def pull_due(self) -> int:
        """Fetch from every city that nobody fetched from in the last minute; how many there were.

        Several at once, each within a bound, and each for itself: one that is slow does not hold up the others for
        long, whatever one answers keeps no other from being read, and what is wrong with it stands on its own row.
        Raises what went wrong on our side with one of them, when all were tried.
        """
        older_than = self._clock.now() - PULLED_EVERY
        async with self._db.connection() as conn:
            regions = await queries.select_due_regions(conn, older_than=older_than, limit=CITIES_MAX)
        room = asyncio.Semaphore(CITIES_AT_ONCE)
        pulled = await asyncio.gather(*(self._pull_one(region, room) for region in regions), return_exceptions=True)
        for one in pulled:
            if isinstance(one, BaseException):
                raise one
        return pulled.count(True)

    async def _pull_one(self, region_code: str, room: asyncio.Semaphore) -> bool:
        async with room:
            now = self._clock.now()
            async with self._db.transaction() as conn:
                if not await queries.claim_pull(conn, region_code, now=now, older_than=now - PULLED_EVERY):
                    return False
                city = await queries.select_city(conn, region_code)
            if city is not None and city.list_url is not None:
                await self._note(city, await self._tried(city, city.list_url), now)
            return True

    async def _note(self, city: City, trouble: Trouble | None, now: datetime) -> None:
        """Write down how it went, if that is another than before."""
        failure = None if trouble is None else trouble.failure
        if failure == city.failure:
            return
        async with self._db.transaction() as conn:
            await queries.note_pull(conn, city.region_code, failure, now=now)
        if trouble is None:
            log.info("a city is read as it should be again", region=city.region_code)
        else:
            log.warning("a city is not read as it should be", region=city.region_code, error=failure, said=trouble.said)

    async def _tried(self, city: City, list_url: str) -> Trouble | None:
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._pull(city.region_code, list_url)
        except TimeoutError:
            return Trouble(PullFailure.CITY_TOO_SLOW, f"within {self._seconds_max} s")

    async def _pull(self, region_code: str, list_url: str) -> Trouble | None:
        """What does not come is left as it was: it serves until it expires."""
        trouble = await self._pull_trust_list(region_code, list_url)
        async with self._db.connection() as conn:
            city = await queries.select_city(conn, region_code)
        found = None if city is None else believed(city, int(self._clock.now().timestamp()))
        if city is None or found is None:
            return trouble
        beside = await self._pull_statuses(city, found.trusted)
        return trouble or beside

    async def _pull_trust_list(self, region_code: str, list_url: str) -> Trouble | None:
        try:
            token = await self._fetch(list_url, accept=TRUST_LIST_MEDIA, bytes_max=TOKEN_CHARACTERS_MAX)
            await self._cities.accept_list(region_code, token.decode("ascii"), actor=_ACTOR)
        except NotFetched as problem:
            return Trouble(PullFailure.TRUST_LIST_NOT_FETCHED, str(problem))
        except UnicodeDecodeError:
            return Trouble(PullFailure.TRUST_LIST_REFUSED, _NOT_ASCII)
        except (TrustListRefused, TrustListOlder) as refused:
            return Trouble(PullFailure(refused.code), str(refused))
        except CityNotFound:  # it was withdrawn meanwhile
            return None
        return None

    async def _pull_statuses(self, city: City, trusted: TrustedIssuer) -> Trouble | None:
        """Every list that the city names; what is wrong with the last one that was not taken."""
        try:
            raw = await self._fetch(
                f"{city.issuer}{STATUS_LISTS_PATH}", accept="application/json", bytes_max=NAMES_BYTES_MAX
            )
            uris = _uris_of(raw, city.issuer)
        except (NotFetched, NotSigned) as problem:
            return Trouble(PullFailure.STATUS_LISTS_NOT_NAMED, str(problem))
        trouble = None
        for uri in uris:
            try:
                await self._pull_status(city, trusted, uri)
            except UnicodeDecodeError:
                trouble = Trouble(PullFailure.STATUS_LIST_NOT_TAKEN, _NOT_ASCII)
            except (NotFetched, NotSigned, NotAStatusList) as problem:
                trouble = Trouble(PullFailure.STATUS_LIST_NOT_TAKEN, str(problem))
        return trouble

    async def _pull_status(self, city: City, trusted: TrustedIssuer, uri: str) -> None:
        raw = await self._fetch(uri, accept=f"application/{JWT_TYPE}", bytes_max=TOKEN_CHARACTERS_MAX)
        token, now = raw.decode("ascii"), self._clock.now()
        found = read_status(token, trusted, uri, int(now.timestamp()))
        async with self._db.transaction() as conn:
            await queries.put_status(
                conn,
                city.region_code,
                uri,
                token,
                issued_at=datetime.fromtimestamp(found.issued_at, UTC),
                expires_at=datetime.fromtimestamp(found.expires_at, UTC),
            )


def read_status(token: str, trusted: TrustedIssuer, uri: str, now: int) -> Published:
    """A city's status list, signed by a key of its own that may, and was valid then. Raises NotSigned, NotAStatusList.

    The signature is checked before anything else; only then is it known when the list says it was made.
    """
    entries = [entry for entry in trusted.entries if STATUS in entry.purposes and entry.revoked_at is None]
    for entry in entries:
        try:
            found = status_list.read_jwt(token, [entry.key], uri=uri, now=now)
        except NotSigned:
            continue
        if not entry.verifies(STATUS, found.issued_at) or found.issued_at > now + CLOCK_SKEW_MAX_SECONDS:
            raise NotAStatusList("it is from a time for which its key is not trusted")
        return found
    raise NotSigned("no trusted key of the city signed it")


def _uris_of(raw: bytes, issuer: str) -> Iterable[str]:
    """The lists a city names, of those on its own origin. Raises NotSigned for what is no such answer."""
    named: Any = strict_json(raw)
    match named:
        case {"status_lists": [*uris]}:
            own = [
                uri for uri in uris if isinstance(uri, str) and len(uri) <= URI_CHARACTERS_MAX and is_on(issuer, uri)
            ]
            return list(dict.fromkeys(own))[:STATUS_LISTS_MAX]
    raise NotSigned("the answer names no status lists")
