"""The only door by which other packages make the city say something: a message is owed in the transaction that makes
it true, and leaves after it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.ids import BUCKETS, MessageId, PersonId, bucket_of, uuid7
from kernel.sealing import Keys
from notifications import queries
from notifications.ending.endings import Ended, Endings
from notifications.ending.reasons import Reason
from notifications.model import Lane, Language, MessageStage
from notifications.seals import Address, Seals
from notifications.template import Template

OWED_TOGETHER_MAX = 10_000
HINT_PAUSE = timedelta(milliseconds=50)
"""Between hints about ordinary messages: a hint makes commits queue in PostgreSQL, and nobody waits for a blink."""
HINT_CHANNEL = "suishenban_owed"
HINT_OTP = "otp"
"""Followed by the buckets that hold a code somebody waits for."""
HINT_DUE = "due"
_BUCKET_BITS = BUCKETS - 1

GOOD_FOR = {
    Lane.OTP: timedelta(minutes=5),
    Lane.CHANGE: timedelta(hours=24),
    Lane.RESULT: timedelta(hours=72),
    Lane.REMINDER: timedelta(hours=12),
    Lane.BULK: timedelta(hours=72),
}
"""How long after it is due a message may still be sent, where its sender does not say."""


class ToPhone(msgspec.Struct, frozen=True):
    """A telephone number, E.164, that need not be a resident's."""

    phone: str
    language: Language = "zh"


class ToEmail(msgspec.Struct, frozen=True):
    """An e-mail address that need not be a resident's."""

    address: str
    language: Language = "zh"


class ToNobody(msgspec.Struct, frozen=True):
    """A recipient we do not know: filed and closed like any other, so that its sender cannot tell."""


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must reach somebody.

    `caller` (`appointments`, `department:…`) and `key` name the promise: a second one of the same name is the same
    promise, also after it was withdrawn, so a key names the version of the fact too. Sent from `due_at` on, never
    after `expires_at` (by default as long after `due_at` as its lane allows).
    """

    caller: str
    key: str
    to: PersonId | ToPhone | ToEmail | ToNobody
    template: Template
    values: dict[str, str]
    due_at: datetime
    expires_at: datetime | None = None


def message_id_in(bucket: int, now: datetime) -> MessageId:
    """A fresh UUIDv7 whose lowest six bits are its bucket, so that a message is found by its id alone."""
    return MessageId(UUID(int=uuid7(now).int & ~_BUCKET_BITS | bucket))


def bucket_in(message_id: MessageId) -> int:
    """The bucket a message is filed in."""
    return message_id.int & _BUCKET_BITS


class Outbox:
    """Writes what is owed; the values sealed to the row."""

    def __init__(self, keys: Keys, endings: Endings | None = None) -> None:
        self._seals = Seals(keys)
        self._endings = endings or Endings()
        self._hinted_at = datetime.min.replace(tzinfo=UTC)

    async def owe_many(self, conn: Connection, owed: Sequence[Owed], *, now: datetime) -> None:
        """Owe every message of `owed`: it commits with the caller's transaction or not at all.

        Raises ValueError for values a template does not take: a fault of the caller's.
        """
        assert len(owed) <= OWED_TOGETHER_MAX
        if not owed:
            return
        rows = [self._row(one, now) for one in owed]
        rows.sort(key=lambda row: (row.bucket, row.caller, row.key))  # so that groups cannot deadlock
        await queries.insert_messages(conn, rows)
        await self._hint(conn, rows, now)

    async def owe(self, conn: Connection, owed: Owed, *, now: datetime) -> MessageId:
        """Owe one message; its id, or that of the same promise made before."""
        row = self._row(owed, now)
        await queries.insert_messages(conn, [row])
        await self._hint(conn, [row], now)
        return await queries.select_message_id(conn, row.bucket, row.caller, row.key)

    async def withdraw(self, conn: Connection, caller: str, key: str, *, now: datetime) -> bool:
        """Take back what is not yet sent: a reminder of a booking that was moved. What is sent is sent, and what is
        in the air at this moment is not tried again.

        Whether nobody was told anything of it, not even in an inbox.
        """
        bucket = bucket_of(caller, key)
        found = await queries.withdraw_message(conn, bucket, caller, key, now=now)
        if found is None:
            return False
        ended = [
            Ended(bucket, found.message_id, channel, stage, caller, Reason.TAKEN_BACK, found.lane)
            for channel, stage in await queries.withdraw_deliveries(conn, bucket, found.message_id, now=now)
        ]
        if found.stage is MessageStage.WITHDRAWN:
            ended.append(Ended(bucket, found.message_id, None, MessageStage.WITHDRAWN, caller, None, found.lane))
        await self._endings.tell(conn, ended, now)
        return found.stage is MessageStage.WITHDRAWN

    async def hasten(self, conn: Connection, lane: Lane, *, until: datetime, now: datetime) -> None:
        """Send now what a lane would send until then: for showing an hour that has not come."""
        for bucket in range(BUCKETS):
            await queries.hasten(conn, bucket, lane, until=until, now=now)
        await queries.hint(conn, HINT_DUE)

    def _row(self, owed: Owed, now: datetime) -> queries.NewMessage:
        owed.template.check(owed.values)
        bucket = bucket_of(owed.caller, owed.key)
        message_id = message_id_in(bucket, now)
        to, lane = owed.to, owed.template.lane
        address = _address(to)
        return queries.NewMessage(
            bucket=bucket,
            message_id=message_id,
            caller=owed.caller,
            key=owed.key,
            person_id=None if isinstance(to, ToPhone | ToEmail | ToNobody) else to,
            address=None if address is None else self._seals.address(message_id, address),
            template=owed.template.id,
            version=owed.template.version,
            lane=lane,
            sealed_values=self._seals.values(message_id, owed.values),
            owed_at=now,
            due_at=owed.due_at,
            expires_at=owed.expires_at or owed.due_at + GOOD_FOR[lane],
        )

    async def _hint(self, conn: Connection, rows: Sequence[queries.NewMessage], now: datetime) -> None:
        """Wake the workers: at once for a code somebody waits for, seldom for the rest. A poll finds all of it."""
        urgent = sorted({row.bucket for row in rows if row.lane is Lane.OTP and row.due_at <= now})
        if urgent:
            await queries.hint(conn, f"{HINT_OTP} {' '.join(map(str, urgent))}")
        if abs(now - self._hinted_at) < HINT_PAUSE:
            return
        if any(row.lane is not Lane.OTP and row.due_at <= now for row in rows):
            self._hinted_at = now
            await queries.hint(conn, HINT_DUE)


def _address(to: PersonId | ToPhone | ToEmail | ToNobody) -> Address | None:
    if isinstance(to, ToPhone):
        return Address(phone=to.phone, language=to.language)
    return Address(email=to.address, language=to.language) if isinstance(to, ToEmail) else None
