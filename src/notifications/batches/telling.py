"""Departments that asked for it are called back when a batch is over."""

from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from notifications.batches import queries
from notifications.batches.model import Batch
from notifications.batches.progress import taken_back
from notifications.callbacks.model import EventType
from notifications.callbacks.noting import Happened, Noting


class BatchEnded(msgspec.Struct, frozen=True):
    """`data` of an event about a batch: how it ended, how many of its rows were taken, refused, fed and withdrawn."""

    batch_id: UUID
    name: str
    state: str
    taken: int
    refused: int
    fed: int
    withdrawn: int


class TellingFinished:
    """Notes the end of batches; a listener of `Feeding` and `Steering`."""

    def __init__(self, noting: Noting) -> None:
        self._noting = noting

    async def finished(self, conn: Connection, batch: Batch, now: datetime) -> None:
        withdrawn = taken_back(batch, await queries.select_tally(conn, batch.batch_id))
        data = BatchEnded(
            batch.batch_id, batch.plan.name, batch.state.value, batch.taken, batch.refused, batch.fed, withdrawn
        )
        happened = Happened(batch.department_id, EventType.BATCH_FINISHED, batch.batch_id, data)
        await self._noting.note(conn, [happened], now=now)
