"""A person takes along everything notifications hold about them: contacts, consents, grants and the inbox."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.db import Connection, Database
from kernel.ids import PersonId
from notifications.contacts import Choices, Contacts
from notifications.model import Language
from notifications.reaching import queries
from notifications.residents.reading import PAGE_MAX, Inbox, InboxItem

KEPT_MAX: Final = 1_000
"""Of each sort, the newest."""
assert KEPT_MAX % PAGE_MAX == 0


class ContactExport(msgspec.Struct):
    """How the person is reached, unmasked, and what they chose."""

    phone: str | None
    email: str | None
    email_confirmed_at: datetime | None
    choices: Choices


class ConsentExport(msgspec.Struct):
    """Something agreed to (`is_given`) or taken back; `wording` is the version of the words."""

    sort: str
    channel: str
    is_given: bool
    wording: int | None
    told_by: str
    at: datetime


class GrantExport(msgspec.Struct):
    """A subscribe message allowed in the mini-program, and the message that used it."""

    provider_template: str
    is_long_term: bool
    granted_at: datetime
    used_by: UUID | None
    used_at: datetime | None
    voided_at: datetime | None


class NotificationsExport(msgspec.Struct):
    """Everything notifications hold about a person, the newest thousand of each sort."""

    contact: ContactExport
    consents: list[ConsentExport]
    subscribe_grants: list[GrantExport]
    inbox: list[InboxItem]


class Exporting:
    """Reads it all, a bounded number of each."""

    def __init__(self, db: Database, contacts: Contacts, inbox: Inbox) -> None:
        self._db = db
        self._contacts = contacts
        self._inbox = inbox

    async def everything_of(self, person_id: PersonId) -> NotificationsExport:
        """What is known of how this person is reached, and what was said to them, newest first."""
        async with self._db.connection() as conn:
            contact = await self._contacts.find(conn, person_id)
            confirmed_at = await queries.select_email_confirmed_at(conn, person_id)
            consents = await queries.select_consents(conn, person_id, limit=KEPT_MAX)
            grants = await queries.select_grants(conn, person_id, limit=KEPT_MAX)
            items = await self._items(conn, person_id, contact.choices.language)
        return NotificationsExport(
            contact=ContactExport(contact.phone, contact.email, confirmed_at, contact.choices),
            consents=[ConsentExport(**dict(row)) for row in consents],
            subscribe_grants=[GrantExport(**dict(row)) for row in grants],
            inbox=items,
        )

    async def _items(self, conn: Connection, person_id: PersonId, language: Language) -> list[InboxItem]:
        items: list[InboxItem] = []
        cursor = None
        for _ in range(KEPT_MAX // PAGE_MAX):
            page = await self._inbox.page(conn, person_id, language, cursor, limit=PAGE_MAX)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return items
