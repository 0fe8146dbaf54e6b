"""An operator sees what ended badly: what nobody knows the end of, what reached nobody, what could not be sent."""

from datetime import datetime, timedelta

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.ending import queries
from notifications.model import Lane

LISTED_MAX = 50
LOOKED_BACK = timedelta(days=7)


class AlertCount(msgspec.Struct, frozen=True):
    """How many ended so in the last seven days."""

    ending: str
    """`unknown`: perhaps sent; `undeliverable`: reached nobody; `unsendable`: no delivery could be made of it."""
    lane: str
    count: int


class Alert(msgspec.Struct, frozen=True):
    message_id: MessageId
    ending: str
    lane: str
    reason: str | None
    since: datetime


class Alerts(msgspec.Struct, frozen=True):
    """Counts of all, and the newest of each; never to whom or what."""

    counts: list[AlertCount]
    newest: list[Alert]
    unsendable: list[MessageId]


async def read(conn: Connection, *, now: datetime) -> Alerts:
    """What ended badly in the last seven days."""
    since = now - LOOKED_BACK
    counts = await queries.count_alerts(conn, since=since) + await queries.count_unsendable(conn, since=since)
    newest = await queries.select_alerted(conn, since=since, limit=LISTED_MAX)
    return Alerts(
        counts=[AlertCount(one.stage, _said(one.lane), one.count) for one in counts],
        newest=[Alert(one.message_id, one.stage, _said(one.lane), one.reason, one.ended_at) for one in newest],
        unsendable=await queries.select_unsendable(conn, since=since, limit=LISTED_MAX),
    )


def _said(lane: Lane) -> str:
    return lane.name.lower()
