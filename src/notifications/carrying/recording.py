"""What attempts came to is recorded: the ledger, where each delivery goes next, and what its provider calls it."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import MessageId, bucket_of
from kernel.log import get_logger
from notifications import queries as messages
from notifications.carrying import queries
from notifications.carrying.offering import Answer
from notifications.carrying.plans import Flight
from notifications.channels import queries as channel_queries
from notifications.channels.provider import PARTS_MAX
from notifications.composing import Tries
from notifications.ending.endings import Ended, Endings
from notifications.ending.reasons import Reason
from notifications.model import (
    RECEIPT_PATIENCE,
    Channel,
    DeliveryStage,
    Lane,
    Outcome,
    Step,
    has_surely_failed,
    next_step,
)
from notifications.reaching.grants import Grants
from notifications.routing.carriers import Carriers

PAUSE_SECONDS: Final = 0.2
SPOILT: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Errors that lie in what one attempt brought back, and would come again however long we wait."""

log = get_logger(__name__)


class Recording:
    """Writes down what attempts of one bucket came to."""

    def __init__(self, db: Database, clock: Clock, carriers: Carriers, endings: Endings, grants: Grants) -> None:
        self._db = db
        self._clock = clock
        self._carriers = carriers
        self._endings = endings
        self._grants = grants

    async def record_patiently(self, bucket: int, lane: Lane, answers: Sequence[Answer], patience: timedelta) -> None:
        """Record outcomes, waiting for the database for as long as the lane's patience allows."""
        if not answers:
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + patience.total_seconds()
        while True:
            try:
                await self._record(bucket, lane, answers)
                return
            except SPOILT as fault:
                if len(answers) == 1:
                    raise
                log.warning("a batch was not recorded together", bucket=bucket, error=type(fault).__name__)
                await self._record_alone(bucket, lane, answers)
                return
            except Exception:
                if loop.time() >= give_up_at:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)

    async def _record_alone(self, bucket: int, lane: Lane, answers: Sequence[Answer]) -> None:
        for answer in answers:
            try:
                await self._record(bucket, lane, [answer])
            except Exception as fault:  # noqa: BLE001 -- its lease ends, then it is unknown, and alerted
                message_id = str(answer.flight.message_id)
                log.warning("an outcome was not recorded", message_id=message_id, error=type(fault).__name__)

    async def _record(self, bucket: int, lane: Lane, answers: Sequence[Answer]) -> None:
        now = self._clock.now()
        awaited: dict[Channel, list[Answer]] = {}
        others: list[Answer] = []
        for one in answers:
            if one.outcome is Outcome.ACCEPTED and self._carriers.named(one.flight.provider).receipts_come:
                awaited.setdefault(one.flight.channel, []).append(one)
            else:
                others.append(one)
        carried = _carried(answers)
        async with self._db.transaction() as conn:
            for channel, accepted in awaited.items():
                await queries.accept(
                    conn,
                    bucket,
                    channel,
                    [one.flight.message_id for one in accepted],
                    [one.flight.fence for one in accepted],
                    [_ref(one) for one in accepted],
                    now=now,
                    next_at=now + RECEIPT_PATIENCE,
                )
            if others:
                await self._record_others(conn, bucket, lane, others, now)
            for (provider, channel), rows in carried.items():
                await channel_queries.insert_carried(conn, (provider, bucket, lane, now, channel), rows)

    async def _record_others(
        self, conn: Connection, bucket: int, lane: Lane, answers: Sequence[Answer], now: datetime
    ) -> None:
        """Record what is not just accepted, to be heard of later."""
        tries = [
            queries.Try(one.flight.message_id, one.flight.channel, one.flight.fence, one.outcome, _ref(one), one.reason)
            for one in answers
        ]
        moved = [self._moved(lane, one, now) for one in answers]
        waiting = [one.message_id for one in moved if one.stage is DeliveryStage.WAITING]
        if waiting:
            withdrawn = await messages.select_withdrawn(conn, bucket, waiting)
            moved = [_stopped(one, answer, withdrawn, now) for one, answer in zip(moved, answers, strict=True)]
        await queries.record_outcomes(conn, bucket, tries, now=now)
        went = await queries.move_deliveries(conn, bucket, moved)
        refused = [
            (one.flight.granted, one.reason or "")
            for one in answers
            if one.flight.granted is not None and one.outcome is Outcome.REJECTED
        ]
        if refused:
            await self._grants.refused(conn, refused, now=now)
        ended = [
            Ended(bucket, one.message_id, one.channel, one.stage, answer.flight.caller, one.reason, lane)
            for one, answer in zip(moved, answers, strict=True)
            if one.ended_at is not None and (one.message_id, one.channel) in went
        ]
        await self._endings.tell(conn, ended, now)

    def _moved(self, lane: Lane, answer: Answer, now: datetime) -> queries.Moved:
        flight = answer.flight
        step = self._step(lane, answer, now)
        ended_at = now if step.next_at is None else None
        return queries.Moved(
            flight.message_id, flight.channel, flight.fence, step.stage, step.next_at, ended_at, answer.reason
        )

    def _step(self, lane: Lane, answer: Answer, now: datetime) -> Step:
        flight = answer.flight
        if answer.stopped_as is not None:
            return _over(Step(answer.stopped_as), flight)
        if answer.outcome is Outcome.ACCEPTED and not self._carriers.named(flight.provider).receipts_come:
            return Step(DeliveryStage.DELIVERED)
        step = next_step(
            answer.outcome,
            answer.refusal,
            lane=lane,
            tries=flight.tries,
            is_another_left=self._carriers.is_another_left(
                flight.channel, {*_not_asked_again(flight.tried, answer.outcome), flight.provider}, flight.kept_by
            ),
            now=now,
            expires_at=flight.expires_at,
            has_stand_in=flight.has_stand_in,
        )
        return _over(step, flight)


def _not_asked_again(tried: Tries, outcome: Outcome) -> Collection[str]:
    """Who is not asked next: of those that surely did not send it, any may be after an unknown outcome of another."""
    if outcome is not Outcome.UNKNOWN:
        return tried
    return [name for name, came_to in tried.items() if came_to is not Outcome.REJECTED]


def _stopped(moved: queries.Moved, answer: Answer, withdrawn: Collection[MessageId], now: datetime) -> queries.Moved:
    """No further try at what was taken back while this one was made: its end, unless it has one."""
    if moved.stage is not DeliveryStage.WAITING or moved.message_id not in withdrawn:
        return moved
    is_certain = answer.outcome is Outcome.REJECTED and has_surely_failed(answer.flight.tried.values())
    stage = DeliveryStage.WITHDRAWN if is_certain else DeliveryStage.UNKNOWN
    return msgspec.structs.replace(moved, stage=stage, next_at=None, ended_at=now, reason=Reason.TAKEN_BACK)


def _over(step: Step, flight: Flight) -> Step:
    """What it ends as: unknown, where an earlier attempt may be in somebody's hand."""
    if step.next_at is None and not has_surely_failed(flight.tried.values()):
        return Step(DeliveryStage.UNKNOWN)
    return step


def _ref(answer: Answer) -> str | None:
    """What the ledger names: the first part's reference."""
    return answer.provider_refs[0] or None if answer.provider_refs else None


def _carried(answers: Sequence[Answer]) -> dict[tuple[str, Channel], list[channel_queries.Carried]]:
    """Under which references each provider will speak of what it accepted, sorted, each once."""
    places: dict[tuple[str, Channel], dict[tuple[int, str], channel_queries.Carried]] = {}
    for one in answers:
        refs, flight = one.provider_refs[:PARTS_MAX], one.flight
        for part, ref in enumerate(refs):
            if ref:
                bucket = bucket_of(flight.provider, ref)
                of_provider = places.setdefault((flight.provider, flight.channel), {})
                of_provider[bucket, ref] = (bucket, ref, flight.message_id, flight.fence, part, len(refs))
    return {whose: [rows[place] for place in sorted(rows)] for whose, rows in sorted(places.items())}
