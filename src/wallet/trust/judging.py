"""A venue that is online scans an offline code of another city: it is judged by what is known of that city here.

The same rules hold as on a device without network, with the lists as they are now; and a code is spent in the
database, once in this city, whichever device scans it. It shows no person of ours, so there is no ledger of ours that
a look at it could enter: its own city learns of it if the venue uploads its scans there.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import UseId
from kernel.log import get_logger
from suishenban_verify import offline_code, verifying
from suishenban_verify.claim_set import Claims
from suishenban_verify.jws import NotSigned
from suishenban_verify.offline_code import NotACode
from suishenban_verify.replay import Claim
from suishenban_verify.status_list import NotAStatusList, Published
from suishenban_verify.trust_list import OFFLINE, TrustedIssuer, TrustEntry, TrustList
from wallet.catalogue import Catalogue
from wallet.model import REPLAYED_FOR, Device, Outcome, Verdict, VerdictBeside, today_in_city
from wallet.trust import queries
from wallet.trust.model import Beliefs, City, is_on
from wallet.trust.pulling import read_status
from wallet.venues.terms import TakesQuota, granted_scenario, is_open, taken_over, terms_of

FORGOTTEN_AFTER = timedelta(days=1)
"""How long after its end a spent code is remembered."""
STATUS_LISTS_KEPT_MAX = 32
"""Status lists of other cities kept read in memory, a quarter of a megabyte each."""

log = get_logger(__name__)

_OUTCOMES = {
    verifying.Outcome.VALID: Outcome.VALID,
    verifying.Outcome.EXPIRED: Outcome.EXPIRED,
    verifying.Outcome.ALREADY_USED: Outcome.ALREADY_USED,
    verifying.Outcome.NOT_OURS: Outcome.NOT_OURS,
    verifying.Outcome.WRONG_SCENARIO: Outcome.WRONG_SCENARIO,
    verifying.Outcome.REVOKED: Outcome.REVOKED,
    verifying.Outcome.SUSPENDED: Outcome.SUSPENDED,
    verifying.Outcome.NOT_YET_VALID: Outcome.NOT_YET_VALID,
    verifying.Outcome.CERTIFICATE_EXPIRED: Outcome.CERTIFICATE_EXPIRED,
    verifying.Outcome.CANNOT_TELL: Outcome.CANNOT_TELL,
    verifying.Outcome.HOLDER_PROOF_MISSING: Outcome.NOT_OURS,
    verifying.Outcome.HOLDER_PROOF_REFUSED: Outcome.NOT_OURS,
    verifying.Outcome.CLOCK_WRONG: Outcome.EXPIRED,
}
assert set(_OUTCOMES) == set(verifying.Outcome)


class _NothingSpent:
    """The replay cache of a judge who asks the database afterwards."""

    def claim(self, cti: bytes, expires_at: int, now: int) -> Claim:
        del cti, expires_at, now
        return Claim.FIRST


class _OverQuota(Exception):
    """The venue has had its looks today: the code is not spent."""


class ForeignJudge:
    """Judges codes of recognised cities, for the online verifier."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        catalogue: Callable[[], Catalogue],
        cities: Callable[[], Sequence[City]],
        take_quota: TakesQuota,
    ) -> None:
        self._db = db
        self._clock = clock
        self._catalogue = catalogue
        self._cities = cities
        self._take_quota = take_quota
        self._read: dict[str, tuple[object, datetime, Published]] = {}
        self._beliefs = Beliefs()
        self._known: tuple[object, dict[bytes, list[tuple[City, TrustEntry]]]] = (None, {})

    async def judge(self, text: str, device: Device, use_id: UseId, now: datetime) -> Verdict | None:
        """The verdict on a code of a recognised city; None for a code of nobody's.

        Asked again by the same device with the same `use_id` within 90 s, the same verdict.
        """
        opened = self._opened(text, int(now.timestamp()))
        if opened is None:
            return None
        city, trusted, claims = opened
        code_hash = sha256(f"{city.issuer}\0".encode() + claims.cti).digest()
        lists = await self._lists(city, trusted, claims, now)
        async with self._db.connection() as conn:
            used = await queries.select_foreign_use(conn, code_hash)
        again = _is_heard(used, device, use_id, now)
        at = used.used_at if used is not None and again else now
        verdict = self._judged(text, trusted, claims, lists, device, at)
        if verdict.outcome is not Outcome.VALID or again:
            return verdict
        if used is not None:
            return Verdict(Outcome.ALREADY_USED)
        return await self._spent(verdict, claims, code_hash, device, use_id, now)

    async def forget_ended(self) -> None:
        """Forget what was spent and is good nowhere any more; run by the worker now and then."""
        async with self._db.transaction() as conn:
            await queries.delete_ended_foreign_uses(conn, before=self._clock.now())

    def _opened(self, text: str, now: int) -> tuple[City, TrustedIssuer, Claims] | None:
        """Whose code it is, by its signature, and what it says."""
        try:
            presented = offline_code.read(text)
            for city, entry in self._entries(now).get(presented.message.short_id, ()):
                code = offline_code.opened_by(presented, entry.key)
                trusted = self._beliefs.of(city, now)
                if code is not None and trusted is not None and code.claims.issuer == city.issuer:
                    return city, trusted, code.claims
        except NotACode:
            return None
        return None

    def _entries(self, now: int) -> Mapping[bytes, list[tuple[City, TrustEntry]]]:
        """Keys of recognised cities by their short id."""
        cities = self._cities()
        if self._known[0] is not cities:
            found: dict[bytes, list[tuple[City, TrustEntry]]] = {}
            for city in cities:
                trusted = self._beliefs.of(city, now)
                for entry in () if trusted is None else trusted.entries:
                    if OFFLINE in entry.purposes and entry.revoked_at is None:
                        found.setdefault(entry.key.short_id, []).append((city, entry))
            self._known = (cities, found)
        return self._known[1]

    def _judged(
        self,
        text: str,
        trusted: TrustedIssuer,
        claims: Claims,
        lists: Mapping[str, Published],
        device: Device,
        at: datetime,
    ) -> Verdict:
        seconds = int(at.timestamp())
        scenario = granted_scenario(self._catalogue().scenarios.get(claims.scenario_code), device.venue, at)
        grants = {} if scenario is None else {claims.scenario_code: scenario.grants}
        believing = TrustList("", 0, seconds + 1, 0, {trusted.issuer: trusted}, ())
        judged = verifying.Verifier(believing, lists, _NothingSpent(), scenarios=grants).verify(text, seconds)
        outcome = _OUTCOMES[judged.outcome]
        if outcome is not Outcome.VALID:
            return Verdict(outcome)
        if not is_open(terms_of(device.venue, claims.scenario_code), at):
            return Verdict(Outcome.OUTSIDE_HOURS)
        first, *others = judged.certificates
        beside = tuple([VerdictBeside(Outcome.VALID, one.kind_code, dict(one.fields)) for one in others])
        return Verdict(outcome, first.kind_code, claims.scenario_code, dict(first.fields), beside)

    async def _spent(
        self, verdict: Verdict, claims: Claims, code_hash: bytes, device: Device, use_id: UseId, now: datetime
    ) -> Verdict:
        """The yes, once it is in the database that this scan is the one that had it."""
        expires_at = datetime.fromtimestamp(claims.expires_at, UTC) + FORGOTTEN_AFTER
        quota = terms_of(device.venue, claims.scenario_code).quota_per_day
        try:
            async with self._db.transaction() as conn:
                is_first = await queries.insert_foreign_use(
                    conn, code_hash, device.device_id, use_id, used_at=now, expires_at=expires_at
                )
                if is_first and quota is not None:
                    look = ((device.venue.venue_id, claims.scenario_code), quota, today_in_city(now))
                    if await taken_over(self._take_quota, conn, [look]):
                        raise _OverQuota
                used = await queries.select_foreign_use(conn, code_hash)
        except _OverQuota:
            return Verdict(Outcome.OVER_QUOTA)
        if is_first or _is_heard(used, device, use_id, now):
            return verdict
        return Verdict(Outcome.ALREADY_USED)

    async def _lists(self, city: City, trusted: TrustedIssuer, claims: Claims, now: datetime) -> dict[str, Published]:
        """The status lists a code names, those that are on its city's own origin and kept here."""
        uris = {shown.status[0] for shown in claims.certificates if shown.status is not None}
        found: dict[str, Published] = {}
        for uri in sorted(uri for uri in uris if is_on(city.issuer, uri)):
            published = await self._list(city, trusted, uri, now)
            if published is not None:
                found[uri] = published
        return found

    async def _list(self, city: City, trusted: TrustedIssuer, uri: str, now: datetime) -> Published | None:
        """One status list: as it was read last, unless it or its city's keys have changed since."""
        async with self._db.connection() as conn:
            issued_at = await queries.select_status_time(conn, city.region_code, uri)
            if issued_at is None:
                return None
            kept = self._read.get(uri)
            if kept is not None and kept[0] is trusted and kept[1] == issued_at:
                return kept[2]
            token = await queries.select_status(conn, city.region_code, uri)
        if token is None:
            return None
        try:
            found = await asyncio.to_thread(read_status, token, trusted, uri, int(now.timestamp()))
        except (NotSigned, NotAStatusList) as problem:
            log.warning("a city's status list is of no use", region=city.region_code, error=type(problem).__name__)
            return None
        if len(self._read) >= STATUS_LISTS_KEPT_MAX:
            self._read.pop(next(iter(self._read)))
        self._read[uri] = (trusted, issued_at, found)
        return found


def _is_heard(used: queries.ForeignUse | None, device: Device, use_id: UseId, now: datetime) -> bool:
    """Whether this scan is the one that spent the code, asked again because its answer was lost."""
    return (
        used is not None
        and (used.device_id, used.use_id) == (device.device_id, use_id)
        and now - used.used_at <= REPLAYED_FOR
    )
