"""What the proof reads of the ledger: every row of its messages, and how many have ended."""

from uuid import UUID

from city.proving.model import CALLERS, Attempt, Carried, Delivery, Owed, nth_of_key
from kernel.db import Connection
from notifications.model import DeliveryStage, Lane, MessageStage, Outcome


async def select_owed(conn: Connection) -> list[Owed]:
    rows = await conn.fetch(
        """
        -- city.select_owed
        SELECT key, message_id, lane, stage FROM notifications.message WHERE caller = ANY ($1)
        """,
        CALLERS,
    )
    return [Owed(nth_of_key(row[0]), row[1], Lane(row[2]), MessageStage(row[3])) for row in rows]


async def select_deliveries(conn: Connection) -> list[Delivery]:
    rows = await conn.fetch(
        """
        -- city.select_deliveries
        SELECT message_id, channel, stage, reason FROM notifications.delivery
        """
    )
    return [Delivery(row[0], row[1], DeliveryStage(row[2]), row[3]) for row in rows]


async def select_attempts(conn: Connection) -> list[Attempt]:
    rows = await conn.fetch(
        """
        -- city.select_attempts
        SELECT message_id, channel, fence, provider, intended_at, outcome, provider_ref, reason
          FROM notifications.attempt
        """
    )
    return [
        Attempt(row[0], row[1], row[2], row[3], row[4], None if row[5] is None else Outcome(row[5]), row[6], row[7])
        for row in rows
    ]


async def select_carried(conn: Connection) -> list[Carried]:
    rows = await conn.fetch(
        """
        -- city.select_carried
        SELECT provider, provider_ref, message_id, part FROM notifications.carried
        """
    )
    return [Carried(*row) for row in rows]


async def count_items(conn: Connection) -> dict[UUID, int]:
    """How often each message lies in an inbox."""
    rows = await conn.fetch(
        """
        -- city.count_items
        SELECT message_id, count(*) FROM notifications.inbox_item GROUP BY message_id
        """
    )
    return {row[0]: row[1] for row in rows}


async def count_by_stage(conn: Connection) -> dict[str, int]:
    """How many deliveries that go outside are where; and how many messages are none yet, as `owed`."""
    rows = await conn.fetch(
        """
        -- city.count_by_stage
        SELECT stage, count(*) FROM notifications.delivery WHERE channel <> 'inbox' GROUP BY stage
         UNION ALL
        SELECT 'owed', count(*) FROM notifications.message WHERE stage = 'owed'
        """
    )
    return {row[0]: row[1] for row in rows}
