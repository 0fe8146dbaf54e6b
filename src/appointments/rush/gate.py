"""The gate: where people get in line for a release, ask where they stand, and are let through to book.

It filters and never decides: whoever is let through still needs a place, and only a place's row gives one. Each request
costs one question to Redis and none to the database.
"""

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address, ip_network
from time import monotonic
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from appointments.errors import AdmissionNeeded, NotInLine, TooManyJoins
from appointments.model import Slot
from appointments.rush.admission import Admission, is_for_good
from appointments.rush.admitting import Admitting
from appointments.rush.alone import Alone
from appointments.rush.line import Line
from appointments.rush.model import (
    ADMISSION,
    POLL_SECONDS_MAX,
    InLine,
    Place,
    Release,
    ReleaseId,
    Score,
    Standing,
    State,
    late_score,
    microseconds,
    moment_of,
    poll_after_seconds,
    pool_poll_seconds,
    release_of,
    sold_out_poll_seconds,
    wait_seconds,
    without_a_line_poll_seconds,
)
from appointments.rush.proving import Proofs
from appointments.rush.releases import Releases
from appointments.rush.streaming import Streams
from kernel.clock import Clock
from kernel.db import Database, DatabaseAway
from kernel.ids import PersonId
from kernel.limits import Limit, Limits
from kernel.log import get_logger
from kernel.redis import Redis, RedisAway, ReplyError
from kernel.sealing import Keys

JOINS_MAX: Final = 30
"""How often one person gets in line in a minute, in each process: once, and again when the line was lost."""
JOINS_OF_NETWORK_MAX: Final = 3_000
"""How many get in line from one network in a minute, in each process: behind one address of a phone company are
thousands of phones."""
IPV4_NETWORK: Final = 24
IPV6_NETWORK: Final = 48
LATE_SECONDS: Final = 1.0
"""A line that nobody has looked at for so long is looked at by whoever is asked about it."""
SOLD_OUT_SECONDS: Final = 1.0
_JOINS: Final = Limit("appointments.joins", permits=JOINS_MAX, window_seconds=60)
_OF_NETWORK: Final = Limit("appointments.joins_of_network", permits=JOINS_OF_NETWORK_MAX, window_seconds=60)
_AWAY: Final = (RedisAway, ReplyError)

log = get_logger(__name__)


class Gate:
    """One per process; keeps the promises of `appointments.rush.admission.Admits`."""

    def __init__(
        self,
        db: Database,
        redis: Redis | None,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        *,
        chance: Callable[[], float],
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._chance = chance
        self._seconds = seconds
        self._line = Line(redis)
        self._sold_out_until: dict[ReleaseId, float] = {}
        self.proofs = Proofs(keys)
        self.releases = Releases(db, clock, seconds)
        self.admitting = Admitting(db, clock, self._line, self.proofs, self.releases, seconds)
        self.streams = Streams()
        self._alone = Alone(db, limits, self.proofs)

    async def join(
        self, release_id: ReleaseId, person_id: PersonId, *, address: str | None = None, ticket: str | None = None
    ) -> Place:
        """Get in line; once, however often and from however many phones it is asked for.

        Before the release everybody comes into the pool, in the order of the draw; afterwards behind it, by when they
        came. Who holds a `ticket` of a line that was lost gets their place back. Raises ReleaseNotFound, TooManyJoins.
        """
        release = await self.releases.find(release_id)
        self._limit(person_id, address)
        now = self._clock.now()
        if release.is_closed(now):
            return _closed(release)
        member = self.proofs.member(release_id, person_id)
        behind = late_score(release.opens_at, now)
        first = None if ticket is None else self.proofs.score_of(release_id, member, ticket)
        if first is None:
            first = self.proofs.drawn(release_id, member) if now < release.opens_at else behind
        try:
            standing = await self._line.join(release, member, first, behind, now=now)
        except _AWAY:
            return await self._without_a_line(release, member, now, self._ticket(release, member, first))
        return await self._told(release, member, standing, now)

    async def read(self, release_id: ReleaseId, person_id: PersonId) -> Place:
        """Where somebody stands. Raises ReleaseNotFound, and NotInLine for who is to get in line (again)."""
        release = await self.releases.find(release_id)
        now = self._clock.now()
        if release.is_closed(now):
            return _closed(release)
        if self._seconds() < self._sold_out_until.get(release_id, 0.0):
            return self._sold_out(release)
        member = self.proofs.member(release_id, person_id)
        try:
            standing = await self._line.read(release, member, now=now)
        except _AWAY:
            return await self._without_a_line(release, member, now)
        return await self._told(release, member, standing, now)

    async def leave(self, release_id: ReleaseId, person_id: PersonId) -> None:
        """Get out of line, or give an admission up; whoever is next moves up. Raises ReleaseNotFound, RedisAway."""
        release = await self.releases.find(release_id)
        await self._line.leave(release, self.proofs.member(release_id, person_id), now=self._clock.now())

    async def check(self, slot: Slot, person_id: PersonId, admission: str | None) -> Admission | None:
        """See `Admits`. An admission is good until its end, for one place, for this person; proved without Redis."""
        release_id = release_of(slot)
        if release_id is None:
            return None
        now, member = self._clock.now(), self.proofs.member(release_id, person_id)
        until_ms = None if admission is None else self.proofs.until_ms(release_id, member, admission, now=now)
        if until_ms is None or self._alone.is_spent(member, until_ms):
            raise AdmissionNeeded(release_id=str(release_id))
        since_ms = until_ms - int(ADMISSION.total_seconds() * 1000)
        try:
            is_spent = await self._line.is_spent(release_id, member, since_ms=since_ms, now=now)
        except _AWAY as away:
            log.debug("an admission is taken on its mark alone", error=type(away).__name__)
            is_spent = False
        if is_spent:
            raise AdmissionNeeded(release_id=str(release_id))
        return Admission(release_id=str(release_id), person_id=person_id, nonce=str(until_ms))

    async def spent(self, admission: Admission) -> None:
        """See `Admits`. A line that is away hears nothing: it counts the admission as out until it ends."""
        release_id = ReleaseId(UUID(admission.release_id))
        member = self.proofs.member(release_id, admission.person_id)
        self._alone.remember_spent(member, int(admission.nonce))
        try:
            await self._line.spend(release_id, member, now=self._clock.now())
        except _AWAY as away:
            log.debug("the line was not told of a place that was taken", error=type(away).__name__)

    async def give_back(self, admission: Admission, why: Exception) -> None:
        """See `Admits`. A line that is away lets nobody in for it: the admission stays good, and out, until it ends."""
        now, until_ms = self._clock.now(), int(admission.nonce)
        if not is_for_good(why, seconds_left=(moment_of(until_ms) - now).total_seconds()):
            return
        release_id = ReleaseId(UUID(admission.release_id))
        member = self.proofs.member(release_id, admission.person_id)
        try:
            await self._line.give_up(release_id, member, until_ms=until_ms, now=now)
        except _AWAY as away:
            log.debug("the line was not told of an admission that is of no use", error=type(away).__name__)
            return
        self._alone.remember_spent(member, until_ms)

    def _limit(self, person_id: PersonId, address: str | None) -> None:
        wait = self._limits.allow_locally(_JOINS, person_id.hex)
        network = None if address is None else network_of(address)
        if wait is None and network is not None:
            wait = self._limits.allow_locally(_OF_NETWORK, network)
        if wait is not None:
            raise TooManyJoins(retry_after_seconds=int(wait) + 1)

    async def _told(self, release: Release, member: bytes, standing: Standing, now: datetime) -> Place:
        if release.is_open(now) and self._is_late(standing, now) and self.admitting.is_due(release):
            try:
                await self.admitting.admit(release)
                standing = await self._line.read(release, member, now=now)
            except (*_AWAY, DatabaseAway) as away:
                log.warning("nobody is let through", error=type(away).__name__)
        if standing.known is InLine.USED:
            return Place(release_id=release.release_id, state=State.USED, poll_after_seconds=POLL_SECONDS_MAX)
        if standing.known in (InLine.NOBODY, InLine.LAPSED):
            raise NotInLine
        if now < release.opens_at:
            return self._pooled(release, member, standing, now)
        if standing.free == 0:
            self._sold_out_until[release.release_id] = self._seconds() + SOLD_OUT_SECONDS
            return self._sold_out(release, self._ticket(release, member, standing.score))
        if standing.known is InLine.ADMITTED:
            return self._admitted(release, member, standing)
        return self._waiting(release, member, standing)

    def _is_late(self, standing: Standing, now: datetime) -> bool:
        return standing.looked_at is None or (now - standing.looked_at).total_seconds() > LATE_SECONDS

    def _pooled(self, release: Release, member: bytes, standing: Standing, now: datetime) -> Place:
        opens_in = (release.opens_at - now).total_seconds()
        return Place(
            release_id=release.release_id,
            state=State.POOLED,
            people=standing.people,
            poll_after_seconds=pool_poll_seconds(opens_in, standing.rank, chance=self._chance),
            ticket=self._ticket(release, member, standing.score),
        )

    def _waiting(self, release: Release, member: bytes, standing: Standing) -> Place:
        rank, left = standing.rank, standing.left
        return Place(
            release_id=release.release_id,
            state=State.WAITING,
            position=rank + 1,
            people=standing.people,
            free=standing.free,
            wait_seconds=wait_seconds(rank, left=left, steady_per_second=standing.steady_per_second),
            poll_after_seconds=poll_after_seconds(rank, left=left, chance=self._chance),
            ticket=self._ticket(release, member, standing.score),
        )

    def _admitted(self, release: Release, member: bytes, standing: Standing) -> Place:
        """Raises NotInLine for an admission that no process of the city's gave."""
        assert standing.admitted_until is not None
        until_ms = microseconds(standing.admitted_until) // 1000
        mark = self.proofs.mark(release.release_id, member, until_ms)
        if standing.mark != mark:
            raise NotInLine
        return Place(
            release_id=release.release_id,
            state=State.ADMITTED,
            people=standing.people,
            free=standing.free,
            poll_after_seconds=POLL_SECONDS_MAX,
            admission=self.proofs.admission(until_ms, mark),
            expires_at=standing.admitted_until,
        )

    def _sold_out(self, release: Release, ticket: str | None = None) -> Place:
        return Place(
            release_id=release.release_id,
            state=State.SOLD_OUT,
            free=0,
            poll_after_seconds=sold_out_poll_seconds(self._chance),
            ticket=ticket,
        )

    def _ticket(self, release: Release, member: bytes, score: Score | None) -> str | None:
        return None if score is None else self.proofs.ticket(release.release_id, member, score)

    async def _without_a_line(self, release: Release, member: bytes, now: datetime, ticket: str | None = None) -> Place:
        """Redis is away: few are let through, and the others ask again some seconds later.

        Who joins keeps the ticket of where they would stand, for when there is a line again.
        """
        after = without_a_line_poll_seconds(self._chance)
        return replace(await self._alone.place(release, member, now=now, poll_after_seconds=after), ticket=ticket)


def _closed(release: Release) -> Place:
    return Place(release_id=release.release_id, state=State.CLOSED, poll_after_seconds=POLL_SECONDS_MAX)


def network_of(address: str) -> str | None:
    """The network an address is in: a /24, or a /48 of IPv6. None for one that says nothing of where a phone is."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if not found.is_global:
        return None
    return str(ip_network((found, IPV4_NETWORK if found.version == 4 else IPV6_NETWORK), strict=False))
