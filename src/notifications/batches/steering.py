"""A department starts a batch, pauses it, resumes it, cancels it: at once, also what waits in its lane already."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, DepartmentId
from notifications import queries as messages
from notifications.batches import queries
from notifications.batches.errors import BatchIncomplete, BatchStepNotAllowed
from notifications.batches.feeding import queries as feeding
from notifications.batches.feeding.feeding import FinishedListener, channel_of, text_of
from notifications.batches.feeding.queries import TakenBack
from notifications.batches.model import REPEATED, STEPS, Act, Batch, BatchState, PausedFor
from notifications.batches.taking import own
from notifications.ending.endings import Ended, Endings
from notifications.model import Channel, DeliveryStage, MessageStage
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import GOOD_FOR, HINT_DUE
from notifications.services.errors import TextNotInUse
from notifications.statistics.tallying import Taken, tally_withdrawn
from notifications.texts.reading import Texts

SETTLED_EVERY = timedelta(seconds=5)
SETTLED_TOGETHER_MAX = 50
HELD_FOR = timedelta(days=3_650)
"""Messages of a paused batch are due so far ahead; whoever resumes it makes them due now."""
HELD_FROM = HELD_FOR / 2
ROWS_DELETED_MAX = 2_000
"""In one transaction."""
REACHED_TOGETHER_MAX = 1_000
"""Deliveries held, released or taken back by one statement."""
PAUSED_TOGETHER_MAX = 100
"""Batches paused in one beat, because a text is not approved any more."""
SAID_MAX = 100
"""Runs of missing rows that a refusal names."""
NONE_YET = UUID(int=0)
LEFT_KEPT_FOR = timedelta(days=30)
"""A batch that waits for its sender, open or paused, is cancelled when nothing was heard of them for so long."""


class Steering:
    """Moves batches from state to state. `listeners` hear of a cancelled one when all of it is taken back."""

    def __init__(self, db: Database, clock: Clock, endings: Endings, texts: Texts) -> None:
        self._db = db
        self._clock = clock
        self._endings = endings
        self._texts = texts
        self._looked_at = NONE_YET
        self.listeners: list[FinishedListener] = []

    async def act(
        self,
        department_id: DepartmentId,
        batch_id: UUID,
        act: Act,
        *,
        actor: str,
        without_missing: bool = False,
        why: PausedFor | None = None,
    ) -> Batch:
        """Do it, and return when nothing of a batch that was paused or cancelled will be sent that is not being sent.

        Said again, it changes nothing. `why`: where it is not the batch's sender that does it; what an operator paused,
        they alone resume. Raises BatchNotFound, BatchStepNotAllowed, TextNotInUse for a start or a resumption in a text
        that is withdrawn, and BatchIncomplete for a start while rows are missing, unless `without_missing`.
        """
        now = self._clock.now()
        if act in (Act.START, Act.RESUME):
            await self._read_text(batch_id)
        async with self._db.transaction() as conn:
            batch = own(await queries.lock_batch(conn, batch_id), department_id)
            is_led_there = batch.state in REPEATED[act]
            is_operators_now = act is Act.PAUSE and why == "operator" and batch.paused_for != "operator"
            if is_led_there and not is_operators_now:
                return batch
            state = batch.state if is_led_there else STEPS.get((batch.state, act))
            if state is None:
                raise BatchStepNotAllowed(f"it is {batch.state}", state=batch.state.value)
            if act is Act.RESUME and batch.paused_for == "operator" and why != "operator":
                raise BatchStepNotAllowed("an operator paused it", state=batch.state.value)
            if act is Act.START and batch.missing and not without_missing:
                gaps = [{"first": span.first, "last": span.last} for span in batch.missing[:SAID_MAX]]
                raise BatchIncomplete(missing=gaps)
            if act in (Act.START, Act.RESUME):
                self._check_text(batch, act)
            batch = batch.moved(state, now, paused_for=why if state is BatchState.PAUSED else None)
            await queries.update_state(conn, batch, is_settled=act is Act.START)
            subject = f"batch:{batch_id}"
            await audit.record(conn, actor=actor, act=f"notifications.batch_{act}", subject=subject, now=now)
        if batch.state is BatchState.CANCELLED:
            await self._reach_waiting(batch)  # a beat deletes its rows: they may be a million
        elif act is not Act.START:
            await self.settle(batch)
        return batch

    async def _read_text(self, batch_id: UUID) -> None:
        """Have the text of a batch in memory, where it was approved a moment ago in another process."""
        async with self._db.connection() as conn:
            batch = await queries.select_batch(conn, batch_id)
        if batch is not None:
            await text_of(self._texts, batch.plan.text_id, batch.plan.version)

    def _check_text(self, batch: Batch, act: Act) -> None:
        """Raises TextNotInUse."""
        text = self._texts.find(batch.plan.text_id, batch.plan.version)
        is_put_away = act is Act.START and self._texts.is_put_away(UUID(batch.plan.text_id))
        if text is None or not text.is_approved or is_put_away:
            raise TextNotInUse

    async def settle_due(self) -> None:
        """Carry out what a process began that is gone; pause what may not be said any more, hold what came back to a
        paused batch, cancel what was left open for long."""
        before = self._clock.now() - LEFT_KEPT_FOR
        await self._pause_withdrawn()
        async with self._db.connection() as conn:
            unsettled = await queries.select_unsettled_batches(conn, limit=SETTLED_TOGETHER_MAX)
            left = await queries.select_left(conn, before=before, limit=SETTLED_TOGETHER_MAX)
            restless = await feeding.select_paused(conn, after=self._looked_at, limit=SETTLED_TOGETHER_MAX)
        self._looked_at = restless[-1] if len(restless) == SETTLED_TOGETHER_MAX else NONE_YET
        for batch_id in restless:
            async with self._db.connection() as conn:
                batch = await queries.select_batch(conn, batch_id)
            if batch is not None:
                await self._reach_waiting(batch)
        for batch_id in unsettled:
            async with self._db.connection() as conn:
                batch = await queries.select_batch(conn, batch_id)
            if batch is not None:
                await self.settle(batch)
        for batch_id in left:
            await self._cancel_left(batch_id)

    async def _pause_withdrawn(self) -> None:
        """Pause every batch whose text an operator, or its department, has withdrawn."""
        async with self._db.connection() as conn:
            said = await feeding.select_texts_of_started(conn)
        for text_id, version in said:
            text = await text_of(self._texts, text_id, version)
            if text is None or text.is_approved:
                continue
            async with self._db.connection() as conn:
                found = await feeding.select_started_with(conn, UUID(text_id), version, limit=PAUSED_TOGETHER_MAX)
            for department_id, batch_id in found:
                try:
                    await self.act(department_id, batch_id, Act.PAUSE, actor="system:batches", why="text")
                except BatchStepNotAllowed:
                    continue  # it has ended meanwhile

    async def _cancel_left(self, batch_id: UUID) -> None:
        async with self._db.connection() as conn:
            batch = await queries.select_batch(conn, batch_id)
        if batch is not None and batch.state in (BatchState.OPEN, BatchState.PAUSED):
            await self.act(batch.department_id, batch_id, Act.CANCEL, actor="system:batches")

    async def settle(self, batch: Batch) -> None:
        """Carry out everywhere what the state of a batch means; done twice, the same."""
        await self._reach_waiting(batch)
        if batch.state is BatchState.CANCELLED:
            await self._delete_rows(batch.batch_id)
            async with self._db.connection() as conn:
                if await feeding.has_uncounted(conn, batch.batch_id):
                    return  # the next beat tells of it, when all that was taken back is counted
        async with self._db.transaction() as conn:
            settled = await queries.settle_batch(conn, batch.batch_id, batch.state)
            if settled is None:
                return  # somebody else did, or said otherwise
            if batch.state is BatchState.STARTED:
                await messages.hint(conn, HINT_DUE)
            if batch.state is BatchState.CANCELLED:
                for listener in self.listeners:
                    await listener.finished(conn, settled, self._clock.now())

    async def _reach_waiting(self, batch: Batch) -> None:
        """Carry out in every bucket what the state of a batch means for its messages that wait."""
        carry_out: dict[BatchState, Callable[[Connection, Batch, int], Coroutine[Any, Any, None]]] = {
            BatchState.PAUSED: self._hold,
            BatchState.STARTED: self._release,
            BatchState.CANCELLED: self._withdraw,
        }
        work = carry_out.get(batch.state)
        if work is None:
            return
        async with self._db.connection() as conn:
            buckets = await feeding.select_buckets_in_hand(conn, batch.batch_id)
        for bucket in buckets:
            async with self._db.transaction() as conn:
                held = await queries.lock_batch(conn, batch.batch_id)
                if held is None or held.state is not batch.state:
                    return  # somebody said otherwise meanwhile, and sees to that
                await work(conn, batch, bucket)

    async def _hold(self, conn: Connection, batch: Batch, bucket: int) -> None:
        until, held_from = self._clock.now() + HELD_FOR, self._clock.now() + HELD_FROM
        await feeding.hold_messages(conn, bucket, batch.batch_id, held_from=held_from, due_at=until)
        held = REACHED_TOGETHER_MAX
        while held == REACHED_TOGETHER_MAX:
            held = await feeding.hold_deliveries(
                conn, bucket, batch.batch_id, held_from=held_from, next_at=until, limit=REACHED_TOGETHER_MAX
            )

    async def _release(self, conn: Connection, batch: Batch, bucket: int) -> None:
        now = self._clock.now()
        expires_at = now + GOOD_FOR[batch.plan.lane]
        await feeding.release_messages(
            conn, bucket, batch.batch_id, held_from=now + HELD_FROM, now=now, expires_at=expires_at
        )
        released = REACHED_TOGETHER_MAX
        while released == REACHED_TOGETHER_MAX:
            released = await feeding.release_deliveries(
                conn, bucket, batch.batch_id,
                held_from=now + HELD_FROM, now=now, expires_at=expires_at, limit=REACHED_TOGETHER_MAX,
            )  # fmt: skip

    async def _withdraw(self, conn: Connection, batch: Batch, bucket: int) -> None:
        channel = await channel_of(self._texts, batch.plan)
        withdrawn = await feeding.withdraw_messages(conn, bucket, batch.batch_id)
        caller, stage = f"{CALLER_PREFIX}{batch.department_id}", MessageStage.WITHDRAWN
        ended = [Ended(bucket, one.message_id, None, stage, caller, None) for one in withdrawn]
        await self._endings.tell(conn, ended, self._clock.now())
        await queries.add_withdrawn(conn, batch.batch_id, len(withdrawn))
        for taken, taken_at in _taken(batch, caller, channel, withdrawn):
            await tally_withdrawn(conn, taken, taken_at=taken_at)
        await self._withdraw_deliveries(conn, batch, bucket, caller)

    async def _withdraw_deliveries(self, conn: Connection, batch: Batch, bucket: int, caller: str) -> None:
        """Take back what waits for another try, and make none at what is being sent. Counted like all that ends."""
        now, stage = self._clock.now(), DeliveryStage.WITHDRAWN
        await feeding.withdraw_what_is_sent(conn, bucket, batch.batch_id, now=now)
        while True:
            withdrawn = await feeding.withdraw_deliveries_of_batch(
                conn, bucket, batch.batch_id, now=now, limit=REACHED_TOGETHER_MAX
            )
            ended = [
                Ended(bucket, one.message_id, one.channel, stage, caller, None, batch.plan.lane) for one in withdrawn
            ]
            await self._endings.tell(conn, ended, now)
            if len(withdrawn) < REACHED_TOGETHER_MAX:
                return

    async def _delete_rows(self, batch_id: UUID) -> None:
        """Forget the rows of a cancelled batch that were never fed."""
        for bucket in range(BUCKETS):
            while True:
                async with self._db.transaction() as conn:
                    deleted = await queries.delete_rows(conn, bucket, batch_id, limit=ROWS_DELETED_MAX)
                if deleted < ROWS_DELETED_MAX:
                    break


def _taken(batch: Batch, caller: str, channel: Channel, withdrawn: Sequence[TakenBack]) -> list[tuple[Taken, datetime]]:
    """How many were taken back of those taken on each day, in the order of the counts, and a moment of that day."""
    counts: dict[tuple[date, bool], tuple[datetime, int]] = {}
    for one in withdrawn:
        key = (in_shanghai(one.owed_at).date(), one.is_direct)
        counts[key] = (one.owed_at, counts.get(key, (one.owed_at, 0))[1] + 1)
    plan = batch.plan
    return [
        (Taken(caller, plan.text_id, plan.version, channel, is_direct, count), taken_at)
        for (_, is_direct), (taken_at, count) in sorted(counts.items())
    ]
