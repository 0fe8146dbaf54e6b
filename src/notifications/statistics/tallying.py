"""What was taken is written down beside the messages themselves, in rows of its own, so that no row is hot."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.clock import in_shanghai
from kernel.db import Connection
from kernel.ids import uuid7
from notifications.model import Channel, DeliveryStage
from notifications.statistics import queries
from notifications.statistics.model import Change, change_of


class Taken(Struct, frozen=True):
    """So many messages, taken together. `is_direct`: to numbers or addresses that the sender named."""

    caller: str
    template: str
    version: int
    channel: Channel
    is_direct: bool
    count: int


async def tally_taken(conn: Connection, taken: Sequence[Taken], *, now: datetime) -> None:
    """Write down in the transaction that takes messages how many they are: a row for each text and channel."""
    day = in_shanghai(now).date()
    await queries.insert_tallies(
        conn,
        [
            queries.TallyRow(
                one.caller, uuid7(now), now, day, one.template, one.version, one.channel, one.is_direct, one.count
            )
            for one in taken
        ],
    )


async def tally_withdrawn(conn: Connection, taken: Taken, *, taken_at: datetime) -> None:
    """Count messages that were taken back before anything was made of them: no delivery of theirs will ever end."""
    day = in_shanghai(taken_at).date()
    place = (taken.caller, day, taken.template, taken.version, taken.channel, taken.is_direct)
    await queries.add_counts(conn, [(place, Change(withdrawn=taken.count))])


async def tally_batch(conn: Connection, batch_id: UUID, ended: Mapping[DeliveryStage, int]) -> None:
    """Add endings to what is known of a batch."""
    if ended:
        await queries.add_batch_counts(conn, [(batch_id, change_of(ended))])
