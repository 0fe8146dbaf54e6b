"""What is owed goes out: claim and commit the intent, send with no transaction open, record what came of it.

Killed between the intent and the record, an attempt stays without outcome; once its lease has ended it is *unknown*
(`closing`), which no ordinary lane ever sends again.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database, OutcomeUnknown
from kernel.ids import MessageId, bucket_of
from kernel.log import get_logger, redact
from notifications import queries
from notifications.channels import inbox
from notifications.channels import queries as channel_queries
from notifications.channels.provider import Accepted, Refused, fit_to_file
from notifications.contacts import Contacts
from notifications.model import MAY_REPEAT, Lane, MessageStage, Outcome, RefusalKind, next_step
from notifications.planning import Flight, Plan, Planning, SealedContacts
from notifications.routing import Carriers
from notifications.seals import Seals

BATCH_MAX = 100
POSTPONE = timedelta(seconds=30)
"""How long a message waits whose wording this worker does not know: another, newer one may."""
RECORD_PAUSE_SECONDS = 0.2
SPOILT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Errors that lie in what one attempt brought back, and would come again however long we wait."""

log = get_logger(__name__)


class Pace(msgspec.Struct, frozen=True):
    """How a lane is carried. `lease` outlasts the sending of a batch and the patience to record it."""

    send_timeout: timedelta
    record_patience: timedelta
    lease: timedelta
    flights_max: int
    """Batches under way at once: when little is due, every bucket's batch is small, and none waits for another."""


PACES = {
    Lane.OTP: Pace(timedelta(seconds=5), timedelta(seconds=5), timedelta(seconds=20), 64),
    Lane.CHANGE: Pace(timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=60), 64),
    Lane.RESULT: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 64),
    Lane.REMINDER: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 32),
    Lane.BULK: Pace(timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=2), 32),
}
assert PACES.keys() == set(Lane)
assert all(pace.send_timeout * 2 + pace.record_patience < pace.lease for pace in PACES.values())


class Batch(msgspec.Struct, frozen=True):
    """What was claimed together. `claimed` counts messages and tries, `flights` are those that need a provider."""

    bucket: int
    lane: Lane
    claimed: int
    flights: list[Flight]

    @property
    def is_full(self) -> bool:
        """Whether more is probably due."""
        return self.claimed >= BATCH_MAX


class Answer(msgspec.Struct, frozen=True):
    """What an attempt came to."""

    flight: Flight
    outcome: Outcome
    refusal: RefusalKind | None = None
    provider_ref: str | None = None
    reason: str | None = None


class Sending:
    """Carries what is owed through `carriers`, and files it in inboxes."""

    def __init__(self, db: Database, clock: Clock, seals: Seals, contacts: Contacts, carriers: Carriers) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._contacts = contacts
        self._carriers = carriers
        self._planning = Planning(seals, contacts, carriers)

    async def send_due(self, bucket: int, lane: Lane) -> int:
        """Send one batch of what is due in a lane of a bucket; return how many were claimed."""
        batch = await self.claim(bucket, lane)
        await self.carry(batch)
        return batch.claimed

    async def claim(self, bucket: int, lane: Lane) -> Batch:
        """Take a batch, file its inbox items, and commit the intent of every attempt before any is made."""
        now = self._clock.now()
        lease_until = now + PACES[lane].lease
        batch = Batch(bucket, lane, 0, [])
        try:
            async with self._db.transaction() as conn:
                messages = await queries.claim_messages(conn, bucket, lane, now=now, limit=BATCH_MAX)
                contacts = await self._contacts_of(conn, messages)
                plan = self._planning.first(bucket, messages, contacts, lease_until=lease_until, now=now)
                room = BATCH_MAX - len(messages)
                again = await self._claim_again(conn, plan, bucket, lane, lease_until, room, now) if room else 0
                batch = Batch(bucket, lane, len(messages) + again, plan.flights)
                await self._write(conn, plan, bucket, lane, now)
        except OutcomeUnknown:
            # Perhaps the intents are committed; it is certain that none was acted on, so that is recorded.
            await self._record_patiently(
                batch, [Answer(flight, Outcome.REJECTED, "busy", reason="never sent") for flight in batch.flights]
            )
            raise
        return batch

    async def _contacts_of(self, conn: Connection, messages: Sequence[queries.DueMessage]) -> SealedContacts:
        person_ids = {message.person_id for message in messages if message.person_id is not None}
        return await self._contacts.find_sealed(conn, sorted(person_ids))

    async def _claim_again(
        self, conn: Connection, plan: Plan, bucket: int, lane: Lane, lease_until: datetime, room: int, now: datetime
    ) -> int:
        """Add to the plan what was tried before and is due again; return how many that is."""
        due = await queries.claim_deliveries(conn, bucket, lane, now=now, lease_until=lease_until, limit=room)
        if not due:
            return 0
        contacts = await self._contacts_of(conn, [delivery.message for delivery in due])
        tries: dict[MessageId, dict[str, Outcome | None]] = {delivery.message.message_id: {} for delivery in due}
        for tried in await queries.select_tries(conn, bucket, list(tries)):
            tries[tried.message_id][tried.provider] = tried.outcome
        self._planning.again(plan, due, contacts, tries, now=now)
        return len(due)

    async def _write(self, conn: Connection, plan: Plan, bucket: int, lane: Lane, now: datetime) -> None:
        may_repeat = lane in MAY_REPEAT
        intents = [
            queries.Intent(bucket, one.message_id, one.channel, one.fence, one.provider, may_repeat, now)
            for one in plan.flights
        ]
        await queries.insert_deliveries(conn, plan.deliveries)
        await queries.insert_intents(conn, intents)
        await inbox.file(conn, self._seals, plan.items, now=now)
        if plan.moved:
            await queries.move_deliveries(conn, bucket, plan.moved)
        if plan.unsendable:
            await queries.set_aside(conn, bucket, plan.unsendable, MessageStage.UNSENDABLE)
        if plan.postponed:
            await queries.postpone(conn, bucket, plan.postponed, due_at=now + POSTPONE)

    async def carry(self, batch: Batch) -> None:
        """Send a batch side by side, no transaction open, and record what came of each."""
        answers = await asyncio.gather(*(self._offer(flight, PACES[batch.lane]) for flight in batch.flights))
        await self._record_patiently(batch, answers)

    async def _offer(self, flight: Flight, pace: Pace) -> Answer:
        """One attempt. Running late, or any surprise, means unknown: it may have left."""
        try:
            async with asyncio.timeout(pace.send_timeout.total_seconds()):
                said = await self._carriers.named(flight.provider).send(flight.sms)
        except Exception as surprise:  # noqa: BLE001 -- recorded with the attempt, and alerted
            answer = Answer(flight, Outcome.UNKNOWN, reason=type(surprise).__name__)
        else:
            answer = _answer(flight, said)
        is_failure = answer.outcome is Outcome.UNKNOWN or answer.refusal in ("busy", "provider")
        self._carriers.note(flight.provider, is_failure=is_failure, now=self._clock.now())
        return answer

    async def _record_patiently(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Record outcomes, waiting for the database for as long as the lane's patience allows."""
        if not answers:
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + PACES[batch.lane].record_patience.total_seconds()
        while True:
            try:
                await self._record(batch, answers)
                return
            except SPOILT as fault:
                if len(answers) == 1:
                    raise
                log.warning("a batch was not recorded together", bucket=batch.bucket, error=type(fault).__name__)
                await self._record_alone(batch, answers)
                return
            except Exception:
                if loop.time() >= give_up_at:
                    raise
                await asyncio.sleep(RECORD_PAUSE_SECONDS)

    async def _record_alone(self, batch: Batch, answers: Sequence[Answer]) -> None:
        for answer in answers:
            try:
                await self._record(batch, [answer])
            except Exception as fault:  # noqa: BLE001 -- its lease ends, then it is unknown, and alerted
                message_id = str(answer.flight.message_id)
                log.warning("an outcome was not recorded", message_id=message_id, error=type(fault).__name__)

    async def _record(self, batch: Batch, answers: Sequence[Answer]) -> None:
        now = self._clock.now()
        ended = [
            queries.Ended(
                one.flight.message_id, one.flight.channel, one.flight.fence, one.outcome, one.provider_ref, one.reason
            )
            for one in answers
        ]
        moved = [self._moved(batch.lane, answer, now) for answer in answers]
        async with self._db.transaction() as conn:
            await queries.record_outcomes(conn, batch.bucket, ended, now=now)
            await queries.move_deliveries(conn, batch.bucket, moved)
            await channel_queries.insert_carried(conn, _carried(batch, answers, now))

    def _moved(self, lane: Lane, answer: Answer, now: datetime) -> queries.Moved:
        flight = answer.flight
        step = next_step(
            answer.outcome,
            answer.refusal,
            lane=lane,
            tries=flight.fence,
            is_another_left=self._carriers.is_another_left({*flight.tried, flight.provider}),
            now=now,
            expires_at=flight.expires_at,
        )
        ended_at = now if step.next_at is None else None
        return queries.Moved(
            flight.message_id, flight.channel, flight.fence, step.stage, step.next_at, ended_at, answer.reason
        )


def _answer(flight: Flight, said: Accepted | Refused) -> Answer:
    if isinstance(said, Accepted):
        return Answer(flight, Outcome.ACCEPTED, provider_ref=fit_to_file(said.provider_ref) or None)
    return Answer(flight, Outcome.REJECTED, said.kind, reason=fit_to_file(redact(said.reason)))


def _carried(batch: Batch, answers: Sequence[Answer], now: datetime) -> list[channel_queries.Carried]:
    """Under which references providers will speak of what they accepted, sorted, each once."""
    places = {
        (bucket_of(one.flight.provider, one.provider_ref), one.flight.provider, one.provider_ref): one.flight
        for one in answers
        if one.provider_ref is not None
    }
    return [
        channel_queries.Carried(*place, batch.bucket, flight.message_id, flight.fence, batch.lane, now)
        for place, flight in sorted(places.items(), key=lambda pair: pair[0])
    ]
