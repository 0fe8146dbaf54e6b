"""What people are told by SMS, what they write back, and what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import msgspec

from kernel.db import Database
from kernel.ids import DepartmentId, MessageId
from kernel.sealing import Keys
from notifications.channels.provider import Parcel, ReceivedText, Sms
from notifications.model import Lane
from notifications.outbox import ToNobody, ToPhone, bucket_in
from notifications.replies.parts import Replies
from tests.builders_callbacks import messages_of
from tests.builders_notifications import PHONE

SERVICE = DepartmentId(uuid4())
OTHER = DepartmentId(uuid4())
DAY = timedelta(days=1)


class Flying(msgspec.Struct, frozen=True):
    """An attempt about to be made."""

    message_id: MessageId
    caller: str
    template: str
    parcel: Parcel


async def goes_out(
    replies: Replies, caller: str, template: str, message_ids: Sequence[MessageId], lane: Lane = Lane.BULK
) -> None:
    """The messages' SMS leave for PHONE."""
    until = replies.clock.now() + DAY
    async with replies.db.transaction() as conn:
        for one in message_ids:
            flights = [Flying(one, caller, template, Sms(str(one), PHONE, "x", until))]
            await replies.last_told.note(conn, bucket_in(one), flights, lane, now=replies.clock.now())


async def told_by(
    replies: Replies, keys: Keys, service_id: UUID, *, to: ToPhone | ToNobody | None = None, lane: Lane = Lane.BULK
) -> MessageId:
    """A department says something to PHONE."""
    [message_id] = await messages_of(replies.db, replies.clock, keys, service_id, to=to)
    await goes_out(replies, f"department:{service_id}", str(uuid4()), [message_id], lane)
    return message_id


def a_text(replies: Replies, text: str, *, phone: str = PHONE, ref: str | None = None) -> ReceivedText:
    return ReceivedText("carrier", phone, "1069", text, ref or str(uuid4()), replies.clock.now())


async def writes(replies: Replies, text: str, **how: str) -> None:
    """Somebody writes, and is heard."""
    replies.clock.advance(timedelta(seconds=1))
    await replies.hearing.hear([a_text(replies, text, **how)])
    await replies.handling.handle_arrived()


async def outcomes(db: Database) -> list[tuple[str, str]]:
    rows = await db.fetch("SELECT meaning, outcome FROM notifications.received_text ORDER BY received_at, text_id")
    return [(row[0], row[1]) for row in rows]


async def stopped(replies: Replies, caller: str, lane: Lane = Lane.BULK) -> bool:
    """Whether PHONE wants no more of a caller's messages in a lane."""
    asked = [(digest, caller, lane) for digest in replies.seals.every_digest(PHONE)]
    async with replies.db.connection() as conn:
        return bool(await replies.opt_outs.which(conn, asked))


async def answers(db: Database) -> list[str]:
    """Which answers are owed to people."""
    return [row[0] for row in await db.fetch(
        "SELECT template FROM notifications.message WHERE caller = 'replies' ORDER BY owed_at"
    )]  # fmt: skip
