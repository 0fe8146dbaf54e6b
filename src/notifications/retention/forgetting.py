"""What a message said, to whom, and what providers said of it is forgotten; its stages stay, and are answered.

Messages are looked at in the order they were made, once for each number of days that somebody is kept for, up to those
that are so many days old; which was looked at last is remembered. One that has not ended by then, or was to be sent
much later than it was made, is remembered too, and looked at again. What is kept beside messages is swept away by its
age.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, DepartmentId, MessageId, bucket_of
from kernel.log import get_logger
from notifications.model import RECEIPT_PATIENCE
from notifications.notifying import CALLER_PREFIX
from notifications.retention import queries
from notifications.retention.model import DAYS_MIN, Forgotten, Policy, first_id_at, is_over
from notifications.retention.queries import Old
from notifications.services.sending import KEY_PREFIX

FORGOTTEN_EVERY = timedelta(minutes=10)
TOGETHER_MAX = 500
STEPS_MAX = 200
"""Groups of one bucket and number of days in one beat, so that a full one does not hold up the others for long."""
LOOKED_AGAIN_AFTER = timedelta(days=1)
FIRST = UUID(int=0)
assert timedelta(days=DAYS_MIN) > RECEIPT_PATIENCE + timedelta(days=1), "a receipt finds what it speaks of"

log = get_logger(__name__)


class Listener(Protocol):
    async def forgotten(self, conn: Connection, rows: Sequence[Forgotten], now: datetime) -> None:
        """Forget what else is kept of these messages, in the transaction that forgets them."""
        ...


Sweep = Callable[[Connection, DepartmentId | None, datetime, int], Awaitable[int]]
"""Forgets up to so many rows that are older than the moment given, of one department or (None) of everybody; how many
that were."""


class Forgetting:
    """Forgets. `policy` says for how long is remembered; `listeners` keep something of messages themselves, `sweeps`
    something that came of them."""

    def __init__(self, db: Database, clock: Clock, policy: Callable[[], Policy]) -> None:
        self._db = db
        self._clock = clock
        self._policy = policy
        self.listeners: list[Listener] = []
        self.sweeps: list[Sweep] = []

    async def forget_due(self) -> int:
        """Forget everything whose time is over; how many messages that was."""
        policy, forgotten = self._policy(), 0
        for bucket in range(BUCKETS):
            for days in policy.every_number():
                for _ in range(STEPS_MAX):
                    looked, gone = await self._look_on(bucket, days, policy)
                    forgotten += gone
                    if looked < TOGETHER_MAX:
                        break
            forgotten += await self._look_again(bucket, policy)
            await self._forget_receipts(bucket, policy)
        await self._sweep(policy)
        if forgotten:
            log.info("messages forgotten", count=forgotten)
        return forgotten

    async def _look_on(self, bucket: int, days: int, policy: Policy) -> tuple[int, int]:
        """Look at the next messages, for those kept so many days; how many were looked at, and how many forgotten."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            await queries.ensure_reached(conn, bucket, days, FIRST)
            reached = await queries.lock_reached(conn, bucket, days)
            if reached is None:
                return 0, 0
            before = first_id_at(now - timedelta(days=days))
            old = await queries.select_old(conn, bucket, after=reached, before=before, limit=TOGETHER_MAX)
            if not old:
                return 0, 0
            ours = [one for one in old if policy.days_of(one.caller) == days]
            gone = [one for one in ours if not one.is_open and is_over(one.due_at, days, now)]
            later = [one for one in ours if one.is_open or not is_over(one.due_at, days, now)]
            await self._forget(conn, bucket, gone, now)
            await queries.insert_not_forgotten(conn, bucket, _looked_at_again(later, policy, now))
            await queries.update_reached(conn, bucket, days, old[-1].message_id)
        return len(old), len(gone)

    async def _look_again(self, bucket: int, policy: Policy) -> int:
        """Look at those that had not ended; how many were forgotten."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            old = await queries.claim_not_forgotten(conn, bucket, now=now, limit=TOGETHER_MAX)
            gone = [one for one in old if not one.is_open and is_over(one.due_at, policy.days_of(one.caller), now)]
            gone_ids = {one.message_id for one in gone}
            later = [one for one in old if one.message_id not in gone_ids]
            await self._forget(conn, bucket, gone, now)
            await queries.delete_not_forgotten(conn, bucket, sorted(gone_ids))
            await queries.insert_not_forgotten(conn, bucket, _looked_at_again(later, policy, now))
        return len(gone)

    async def _forget(self, conn: Connection, bucket: int, gone: Sequence[Old], now: datetime) -> None:
        if not gone:
            return
        message_ids = [one.message_id for one in gone]
        await queries.forget_messages(conn, bucket, message_ids, now=now)
        await queries.forget_reasons(conn, bucket, message_ids)
        spoken_of = await queries.delete_attempts(conn, bucket, message_ids)
        places = {(bucket_of(provider, reference), provider, reference) for provider, reference in spoken_of}
        await queries.delete_carried(conn, sorted(places))
        for caller in sorted({one.caller for one in gone if one.caller.startswith(CALLER_PREFIX)}):
            service_id = UUID(caller.removeprefix(CALLER_PREFIX))
            theirs = [one.message_id for one in gone if one.caller == caller]
            await queries.forget_references(conn, service_id, theirs)
            await queries.forget_keys(conn, bucket, theirs, prefix=KEY_PREFIX)
        rows = [Forgotten(bucket, one.message_id, one.caller) for one in gone]
        for listener in self.listeners:
            await listener.forgotten(conn, rows, now)

    async def _forget_receipts(self, bucket: int, policy: Policy) -> None:
        """What providers said names numbers, and is kept no longer than anybody's messages."""
        before = first_id_at(self._clock.now() - timedelta(days=policy.fewest_days))
        for _ in range(STEPS_MAX):
            async with self._db.transaction() as conn:
                if await queries.delete_receipts(conn, bucket, before=before, limit=TOGETHER_MAX) < TOGETHER_MAX:
                    return

    async def _sweep(self, policy: Policy) -> None:
        """Forget what is kept beside messages, for as long as those of its sender at most."""
        now = self._clock.now()
        for sweep in self.sweeps:
            for department_id, days in policy.every_scope():
                for _ in range(STEPS_MAX):
                    async with self._db.transaction() as conn:
                        gone = await sweep(conn, department_id, now - timedelta(days=days), TOGETHER_MAX)
                    if gone < TOGETHER_MAX:
                        break


def _looked_at_again(later: Sequence[Old], policy: Policy, now: datetime) -> list[tuple[MessageId, datetime]]:
    """When to look again: at what goes on, tomorrow; at what is over, when it has been kept for long enough.

    Whoever chooses to have theirs kept for less begins from the first message anew, and so finds these.
    """
    again = now + LOOKED_AGAIN_AFTER
    return [
        (one.message_id, again if one.is_open else one.due_at + timedelta(days=policy.days_of(one.caller)))
        for one in later
    ]
