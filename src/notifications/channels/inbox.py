"""The inbox: filed in the transaction that routes the message, so that it is there once, and at once."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId, PersonId
from notifications.residents import queries
from notifications.seals import Seals
from notifications.template import Template


class Item(msgspec.Struct, frozen=True):
    """A message for somebody's inbox."""

    person_id: PersonId
    message_id: MessageId
    template: Template
    values: dict[str, str]


async def file(conn: Connection, seals: Seals, items: Sequence[Item], *, now: datetime) -> None:
    """Put items in their inboxes, in the order of their keys; one filed before stays once."""
    rows = [
        queries.NewItem(
            item.person_id,
            item.message_id,
            item.template.id,
            item.template.version,
            seals.item(item.person_id, item.message_id, item.values),
            now,
        )
        for item in sorted(items, key=lambda item: (item.person_id, item.message_id))
    ]
    await queries.insert_items(conn, rows)
