"""What is owed goes out: claim and commit the intent, send with no transaction open, record what came of it.

Killed between the intent and the record, an attempt stays without outcome; once its lease has ended it is *unknown*
(`closing`), which no ordinary lane ever sends again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database, OutcomeUnknown
from kernel.ids import MessageId
from kernel.log import get_logger
from notifications import queries
from notifications.carrying import queries as carrying
from notifications.carrying.giving_way import GivingWay
from notifications.carrying.offering import Answer, Offering
from notifications.carrying.plans import Flight, Plan
from notifications.carrying.recording import Recording
from notifications.channels import inbox
from notifications.composing import SealedContacts, parts_of
from notifications.contacts import Contacts
from notifications.ending.endings import Endings
from notifications.ending.reasons import Reason
from notifications.model import MAY_REPEAT, OUTSIDE, Channel, Lane, MessageStage, Outcome, Reading
from notifications.planning import POSTPONE, READ_SOON, Planning, Tried
from notifications.reaching.grants import Grants
from notifications.routing.carriers import Carriers
from notifications.seals import Seals
from notifications.wordings import Wordings

ORDINARY_AT_ONCE: Final = 6
"""Transactions of ordinary lanes at once, so that codes always find a connection and a database that listens."""


log = get_logger(__name__)


class Pace(msgspec.Struct, frozen=True):
    """How a lane is carried. `lease` outlasts the sending of a batch and the patience to record it."""

    send_timeout: timedelta
    record_patience: timedelta
    lease: timedelta
    batch_max: int
    claims_max: int
    """Batches being claimed at once: when little is due, every bucket's batch is small, and none waits for another."""


PACES: Final = {
    Lane.OTP: Pace(timedelta(seconds=5), timedelta(seconds=5), timedelta(seconds=20), 100, 8),
    Lane.CHANGE: Pace(timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=60), 100, 8),
    Lane.RESULT: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 250, 4),
    Lane.REMINDER: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 250, 4),
    Lane.BULK: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 512, 2),
}
"""A batch of bulk fills the largest shapes of a statement (`kernel.grouping.SIZES`)."""
assert PACES.keys() == set(Lane)
assert all(pace.send_timeout * 2 + pace.record_patience < pace.lease for pace in PACES.values())


class Batch(msgspec.Struct, frozen=True):
    """What was claimed together. `claimed` counts messages and tries, `flights` are those that need a provider."""

    bucket: int
    lane: Lane
    claimed: int
    is_full: bool
    """Whether more is probably due."""
    flights: list[Flight]


class NotesLastTold(Protocol):
    """Keeps which message a number was sent last, by whom."""

    async def note(
        self, conn: Connection, bucket: int, flights: Sequence[Flight], lane: Lane, *, now: datetime
    ) -> None:
        """Note the SMS among these."""
        ...


class Sending:
    """Carries what is owed through `carriers`, and files it in inboxes."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        contacts: Contacts,
        carriers: Carriers,
        wordings: Wordings,
        planning: Planning,
        offering: Offering,
        endings: Endings,
        grants: Grants,
        way: GivingWay,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._contacts = contacts
        self._carriers = carriers
        self._wordings = wordings
        self._planning = planning
        self._offering = offering
        self._endings = endings
        self._grants = grants
        self._way = way
        self._again_first: dict[tuple[int, Lane], bool] = defaultdict(bool)
        """Whose turn it is: of what comes new, or of second tries, which would else never leave where much comes."""
        self._recording = Recording(db, clock, carriers, endings, grants)
        self._ordinary = asyncio.Semaphore(ORDINARY_AT_ONCE)
        self.last_told: NotesLastTold | None = None
        """Set once, when the parts are wired: who is told remembers by whom, for what they may write back."""

    def _turn(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        """A place in the database: for ordinary lanes there are only so many."""
        return nullcontext() if lane in MAY_REPEAT else self._ordinary

    async def send_due(self, bucket: int, lane: Lane) -> int:
        """Send one batch of what is due in a lane of a bucket; return how many were claimed."""
        batch = await self.claim(bucket, lane)
        await self.carry(batch)
        return batch.claimed

    async def claim(self, bucket: int, lane: Lane) -> Batch:
        """Take a batch, file its inbox items, and commit the intent of every attempt before any is made.

        No more is taken than somebody has hands for.
        """
        plan, claimed, limit = Plan(), 0, 0
        try:
            await self._way.stop(lane)
            async with self._turn(lane):
                with self._way.passing(lane), self._carriers.claiming(lane, PACES[lane].batch_max) as limit:
                    if limit:
                        claimed = await self._claim(bucket, lane, plan, limit)
        except OutcomeUnknown:
            # Perhaps the intents are committed; it is certain that none was acted on, so that is recorded.
            self._let_go(lane, plan.flights)
            never = [Answer(one, Outcome.REJECTED, "busy", reason=Reason.NEVER_SENT) for one in plan.flights]
            await self._record(bucket, lane, never)
            raise
        except BaseException:
            self._let_go(lane, plan.flights)
            raise
        if plan.unknown:
            await self._read_texts(plan)
        return Batch(bucket, lane, claimed, claimed >= limit, plan.flights)

    async def _read_texts(self, plan: Plan) -> None:
        try:
            await self._wordings.read_through(plan.unknown)
        except Exception as fault:  # noqa: BLE001 -- what was claimed beside them must go out all the same
            log.warning("departments' texts were not read", error=type(fault).__name__)

    async def _claim(self, bucket: int, lane: Lane, plan: Plan, limit: int) -> int:
        now = self._clock.now()
        lease_until = now + PACES[lane].lease
        again_first = self._again_first[bucket, lane]
        self._again_first[bucket, lane] = not again_first
        async with self._db.transaction() as conn:
            again: Sequence[queries.DueDelivery] = ()
            messages: Sequence[queries.DueMessage] = ()
            if again_first:
                again = await self._claim_again(conn, bucket, lane, limit, lease_until, now)
            if len(again) < limit:
                messages = await queries.claim_messages(conn, bucket, lane, now=now, limit=limit - len(again))
            if not again_first:
                again = await self._claim_again(conn, bucket, lane, limit - len(messages), lease_until, now)
            contacts = await self._contacts_of(conn, [*messages, *(one.message for one in again)])
            tried = await _tried(conn, bucket, again)
            await self._planning.plan(
                conn, bucket, lane, messages, again, contacts, tried, plan, lease_until=lease_until, now=now
            )
            await self._write(conn, plan, bucket, lane, now)
        return len(messages) + len(again)

    async def _claim_again(
        self, conn: Connection, bucket: int, lane: Lane, limit: int, lease_until: datetime, now: datetime
    ) -> list[queries.DueDelivery]:
        """Deliveries whose next try is due: by no channel more than it has hands for, or they would come back."""
        if limit <= 0:
            return []
        rooms = self._carriers.rooms(lane)
        uncarried = [channel for channel in OUTSIDE if channel not in rooms]  # what waits there must be told its end
        rooms = {channel: room for channel, room in rooms.items() if room > 0} | dict.fromkeys(uncarried, limit)
        narrow = [channel for channel, room in rooms.items() if room < limit]
        asked = [([channel], rooms[channel]) for channel in narrow]
        if len(narrow) < len(rooms):
            asked.append(([channel for channel in rooms if channel not in narrow], limit))
        again: list[queries.DueDelivery] = []
        for channels, most in asked:
            again += await queries.claim_deliveries(
                conn,
                bucket,
                lane,
                channels=channels,
                now=now,
                lease_until=lease_until,
                limit=min(most, limit - len(again)),
            )
        return again

    async def _contacts_of(self, conn: Connection, messages: Sequence[queries.DueMessage]) -> SealedContacts:
        person_ids = {message.person_id for message in messages if message.person_id is not None}
        return await self._contacts.find_sealed(conn, sorted(person_ids))

    async def _write(self, conn: Connection, plan: Plan, bucket: int, lane: Lane, now: datetime) -> None:
        may_repeat = lane in MAY_REPEAT
        intents = [
            carrying.Intent(
                bucket, one.message_id, one.channel, one.fence, one.provider, may_repeat, now, parts_of(one.parcel)
            )
            for one in plan.flights
        ]
        await carrying.insert_deliveries(conn, plan.deliveries)
        await carrying.insert_intents(conn, intents)
        if self.last_told is not None:
            await self.last_told.note(conn, bucket, plan.flights, lane, now=now)
        await inbox.file(conn, self._seals, plan.items, now=now)
        if plan.moved:
            await carrying.move_deliveries(conn, bucket, plan.moved)
        if plan.unsendable:
            await queries.set_aside(conn, bucket, plan.unsendable, MessageStage.UNSENDABLE)
        if plan.postponed:
            until = now + (READ_SOON if plan.unknown else POSTPONE)
            await queries.postpone(conn, bucket, plan.postponed, due_at=until)
        if plan.ungranted:
            await self._grants.refused(conn, [(one, "") for one in plan.ungranted], now=now)
        await self._endings.tell(conn, plan.ended, now)

    async def carry(self, batch: Batch) -> None:
        """Send a batch, no transaction open, and record what came of each; no provider waits for another."""
        by_provider: dict[str, list[Flight]] = defaultdict(list)
        for flight in batch.flights:
            by_provider[flight.provider].append(flight)
        if len(by_provider) == 1:
            [(provider, flights)] = by_provider.items()
            await self._carry_by(batch, provider, flights)
            return
        ends = await asyncio.gather(
            *(self._carry_by(batch, provider, flights) for provider, flights in by_provider.items()),
            return_exceptions=True,
        )
        for end in ends:
            if end is not None:
                raise end

    async def _carry_by(self, batch: Batch, provider: str, flights: Sequence[Flight]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await self._way.stop(batch.lane)
            patience = PACES[batch.lane].send_timeout
            answers = await self._offering.offer(batch.lane, provider, flights, patience)
        finally:
            self._carriers.let_go(provider, batch.lane, len(flights))
        seconds = asyncio.get_running_loop().time() - began
        was_busy = any(one.refusal == "busy" for one in answers)
        self._carriers.learn(provider, len(flights), seconds, was_busy=was_busy)
        await self._record(batch.bucket, batch.lane, answers)

    async def _record(self, bucket: int, lane: Lane, answers: Sequence[Answer]) -> None:
        await self._way.stop(lane)
        async with self._turn(lane):
            await self._recording.record_patiently(bucket, lane, answers, PACES[lane].record_patience)

    def _let_go(self, lane: Lane, flights: Sequence[Flight]) -> None:
        for flight in flights:
            self._carriers.let_go(flight.provider, lane)


async def _tried(conn: Connection, bucket: int, again: Sequence[queries.DueDelivery]) -> Tried:
    """What earlier attempts at deliveries came to, and how many they were."""
    if not again:
        return {}
    message_ids = sorted({delivery.message.message_id for delivery in again})
    outcomes: dict[tuple[MessageId, Channel], dict[str, Outcome | Reading | None]] = {}
    counts: dict[tuple[MessageId, Channel], int] = defaultdict(int)
    for one in await queries.select_tries(conn, bucket, message_ids):
        key = (one.message_id, one.channel)
        outcomes.setdefault(key, {})[one.provider] = Reading.UNDELIVERED if one.missed else one.outcome
        counts[key] += 1
    return {key: (by_provider, counts[key]) for key, by_provider in outcomes.items()}
