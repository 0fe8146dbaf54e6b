"""Every statement about contacts and inboxes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId, PersonId
from notifications.model import Language


class ContactRow(msgspec.Struct, frozen=True):
    """A contact, sealed. `sms_…` say whether a sort comes by SMS at all, `…_by` in which order with others."""

    person_id: PersonId
    phone: bytes | None
    language: Language
    sms_results: bool
    sms_reminders: bool
    sms_notices: bool
    email: bytes | None = None
    results_by: Sequence[Any] = ("sms",)
    reminders_by: Sequence[Any] = ("sms",)
    notices_by: Sequence[Any] = ("sms",)
    shown_by: Sequence[Any] = ()
    has_quiet_hours: bool = True


async def upsert_phone(
    conn: Connection, person_id: PersonId, phone: bytes, language: Language, *, now: datetime
) -> None:
    """File a person's number; what they chose before stays chosen."""
    await conn.execute(
        """
        -- notifications.upsert_phone
        INSERT INTO notifications.contact
               (person_id, phone, language, sms_results, sms_reminders, sms_notices, updated_at)
        VALUES ($1, $2, $3, TRUE, TRUE, TRUE, $4)
        ON CONFLICT (person_id) DO UPDATE SET phone = EXCLUDED.phone, updated_at = EXCLUDED.updated_at
        """,
        person_id, phone, language, now,
    )  # fmt: skip


async def upsert_choices(conn: Connection, choices: ContactRow, *, now: datetime) -> ContactRow:
    """File what a person chose; their number stays."""
    row = await conn.fetchrow(
        """
        -- notifications.upsert_choices
        INSERT INTO notifications.contact
               (person_id, phone, language, sms_results, sms_reminders, sms_notices,
                results_by, reminders_by, notices_by, shown_by, has_quiet_hours, updated_at)
        VALUES ($1, NULL, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (person_id) DO UPDATE
           SET language = EXCLUDED.language, sms_results = EXCLUDED.sms_results, sms_reminders = EXCLUDED.sms_reminders,
               sms_notices = EXCLUDED.sms_notices, results_by = EXCLUDED.results_by,
               reminders_by = EXCLUDED.reminders_by, notices_by = EXCLUDED.notices_by, shown_by = EXCLUDED.shown_by,
               has_quiet_hours = EXCLUDED.has_quiet_hours, updated_at = EXCLUDED.updated_at
        RETURNING person_id, phone, language, sms_results, sms_reminders, sms_notices, email,
                  results_by, reminders_by, notices_by, shown_by, has_quiet_hours
        """,
        choices.person_id, choices.language, choices.sms_results, choices.sms_reminders, choices.sms_notices,
        choices.results_by, choices.reminders_by, choices.notices_by, choices.shown_by, choices.has_quiet_hours, now,
    )  # fmt: skip
    assert row is not None
    return ContactRow(*row)


async def select_contacts(conn: Connection, person_ids: Sequence[PersonId]) -> dict[PersonId, ContactRow]:
    rows = await conn.fetch(
        """
        -- notifications.select_contacts
        SELECT person_id, phone, language, sms_results, sms_reminders, sms_notices, email,
               results_by, reminders_by, notices_by, shown_by, has_quiet_hours
          FROM notifications.contact WHERE person_id = ANY($1)
        """,
        person_ids,
    )
    return {row["person_id"]: ContactRow(*row) for row in rows}


async def select_wanting_shown(conn: Connection, person_ids: Sequence[PersonId]) -> set[PersonId]:
    """Those of these people who chose a channel for it."""
    rows = await conn.fetch(
        """
        -- notifications.select_wanting_shown
        SELECT person_id FROM notifications.contact WHERE person_id = ANY($1) AND cardinality(shown_by) > 0
        """,
        person_ids,
    )
    return {row["person_id"] for row in rows}


class NewItem(msgspec.Struct, frozen=True):
    person_id: PersonId
    message_id: MessageId
    template: str
    version: int
    sealed_values: bytes
    arrived_at: datetime


INSERT_ITEMS = Many(
    """
    -- notifications.insert_items
    INSERT INTO notifications.inbox_item (person_id, message_id, template, version, sealed_values, arrived_at)
    VALUES {rows}
    ON CONFLICT (person_id, message_id) DO NOTHING
    """,
    columns=6,
)


async def insert_items(conn: Connection, rows: Sequence[NewItem]) -> None:
    """Put messages in inboxes; one that is there already stays once."""
    await INSERT_ITEMS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


class ItemRow(msgspec.Struct, frozen=True):
    message_id: MessageId
    template: str
    version: int
    sealed_values: bytes
    arrived_at: datetime
    read_at: datetime | None


async def select_items(
    conn: Connection, person_id: PersonId, *, before: datetime, before_id: MessageId, limit: int
) -> list[ItemRow]:
    """A page of an inbox, newest first, what came before the given item."""
    rows = await conn.fetch(
        """
        -- notifications.select_items
        SELECT message_id, template, version, sealed_values, arrived_at, read_at
          FROM notifications.inbox_item
         WHERE person_id = $1 AND (arrived_at, message_id) < ($2, $3)
         ORDER BY arrived_at DESC, message_id DESC LIMIT $4
        """,
        person_id, before, before_id, limit,
    )  # fmt: skip
    return [ItemRow(*row) for row in rows]


async def count_unread(conn: Connection, person_id: PersonId, *, most: int) -> int:
    """How many items a person has not read, counted up to `most`."""
    count = await conn.fetchval(
        """
        -- notifications.count_unread
        SELECT count(*) FROM (
            SELECT FROM notifications.inbox_item WHERE person_id = $1 AND read_at IS NULL LIMIT $2) AS unread
        """,
        person_id, most,
    )  # fmt: skip
    return int(count)


async def mark_read(conn: Connection, person_id: PersonId, message_id: MessageId, *, now: datetime) -> datetime | None:
    """When the item was first read; None if the person has no such item."""
    row = await conn.fetchrow(
        """
        -- notifications.mark_read
        UPDATE notifications.inbox_item SET read_at = COALESCE(read_at, $3)
         WHERE person_id = $1 AND message_id = $2 RETURNING read_at
        """,
        person_id, message_id, now,
    )  # fmt: skip
    return None if row is None else row["read_at"]
