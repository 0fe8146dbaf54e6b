"""The worker fetches what recognised cities publish: their trust lists, and the status lists of their certificates.

What comes is believed for its signature alone, never for where it came from. How it is fetched is handed in: within
bounds of size and time, without following redirects.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.log import get_logger
from suishenban_verify import status_list
from suishenban_verify.jws import TOKEN_CHARACTERS_MAX, NotSigned, strict_json
from suishenban_verify.status_list import JWT_TYPE, NotAStatusList, Published
from suishenban_verify.trust_list import STATUS, TrustedIssuer
from suishenban_verify.verifying import CLOCK_SKEW_MAX_SECONDS
from wallet.trust import queries
from wallet.trust.cities import Cities
from wallet.trust.model import CITIES_MAX, City, believed, is_on

PULLED_EVERY = timedelta(seconds=60)
LOOKED_EVERY = timedelta(seconds=10)
"""How often the worker looks whether a city is due."""
CITIES_AT_ONCE = 8
CITY_SECONDS_MAX = 50.0
STATUS_LISTS_MAX = 200
"""Of one city: a certificate each for 200 million, or several for fewer."""
NAMES_BYTES_MAX = 256 * 1024
STATUS_LISTS_PATH = "/status-lists"
"""Where a city names its status lists (draft-ietf-oauth-status-list, aggregation)."""
TRUST_LIST_MEDIA = "application/trust-list+jwt"
_ACTOR = "system:pulling"

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


class Puller:
    """Fetches from the cities that have a `list_url`."""

    def __init__(self, db: Database, clock: Clock, cities: Cities, fetch: Fetches) -> None:
        self._db = db
        self._clock = clock
        self._cities = cities
        self._fetch = fetch

    async def pull_due(self) -> int:
        """Fetch from every city that nobody fetched from in the last minute; how many there were.

        Several at once, each within a bound, so that one that is slow does not hold up the others for long.
        """
        older_than = self._clock.now() - PULLED_EVERY
        async with self._db.connection() as conn:
            regions = await queries.select_due_regions(conn, older_than=older_than, limit=CITIES_MAX)
        room = asyncio.Semaphore(CITIES_AT_ONCE)
        pulled = await asyncio.gather(*(self._pull_one(region, room) for region in regions))
        return sum(pulled)

    async def _pull_one(self, region_code: str, room: asyncio.Semaphore) -> bool:
        async with room:
            now = self._clock.now()
            async with self._db.transaction() as conn:
                if not await queries.claim_pull(conn, region_code, now=now, older_than=now - PULLED_EVERY):
                    return False
            try:
                async with asyncio.timeout(CITY_SECONDS_MAX):
                    await self._pull(region_code)
            except TimeoutError:
                log.warning("a city was too slow", region=region_code)
            return True

    async def _pull(self, region_code: str) -> None:
        """What does not come is left as it was: it serves until it expires."""
        city = await self._city(region_code)
        if city is None or city.list_url is None:
            return
        try:
            token = await self._fetch(city.list_url, accept=TRUST_LIST_MEDIA, bytes_max=TOKEN_CHARACTERS_MAX)
            await self._cities.accept_list(region_code, token.decode("ascii"), actor=_ACTOR)
        except (NotFetched, UnicodeDecodeError, Refusal) as problem:
            log.warning("a city's trust list was not taken", region=region_code, error=_said(problem))
        current = await self._city(region_code)
        found = None if current is None else believed(current, int(self._clock.now().timestamp()))
        if current is not None and found is not None:
            await self._pull_statuses(current, found.trusted)

    async def _city(self, region_code: str) -> City | None:
        async with self._db.connection() as conn:
            return await queries.select_city(conn, region_code)

    async def _pull_statuses(self, city: City, trusted: TrustedIssuer) -> None:
        try:
            raw = await self._fetch(
                f"{city.issuer}{STATUS_LISTS_PATH}", accept="application/json", bytes_max=NAMES_BYTES_MAX
            )
            uris = _uris_of(raw, city.issuer)
        except (NotFetched, NotSigned) as problem:
            log.warning("a city does not name its status lists", region=city.region_code, error=_said(problem))
            return
        for uri in uris:
            try:
                await self._pull_status(city, trusted, uri)
            except (NotFetched, UnicodeDecodeError, NotSigned, NotAStatusList) as problem:
                log.warning("a city's status list was not taken", region=city.region_code, error=_said(problem))

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
            return [uri for uri in uris if isinstance(uri, str) and is_on(issuer, uri)][:STATUS_LISTS_MAX]
    raise NotSigned("the answer names no status lists")


def _said(problem: Exception) -> str:
    """What is known of a failure, and nothing that the other side wrote."""
    return getattr(problem, "code", None) or type(problem).__name__
