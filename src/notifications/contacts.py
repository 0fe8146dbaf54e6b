"""How a person is reached: their number, their language, and what they want by SMS besides the inbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import PersonId
from kernel.sealing import Keys
from notifications.model import Language
from notifications.residents import queries
from notifications.seals import Seals
from notifications.template import Template


class Choices(msgspec.Struct, frozen=True):
    """What a person chose. Codes and changes of what is theirs always come by SMS; the inbox has everything."""

    language: Language = "zh"
    sms_results: bool = True
    sms_reminders: bool = True
    sms_notices: bool = True

    def wants_sms(self, template: Template) -> bool:
        match template.optional_sms:
            case "results":
                return self.sms_results
            case "reminders":
                return self.sms_reminders
            case "notices":
                return self.sms_notices
            case _:
                return True


class Contact(msgspec.Struct, frozen=True):
    """A person's number, if we have one (E.164), and their choices."""

    phone: str | None
    choices: Choices

    def __repr__(self) -> str:
        return "Contact(…)"


NOBODY_YET = Contact(None, Choices())
"""Somebody who never signed in: their inbox fills and waits."""


class Contacts:
    """Reads and writes contacts; numbers sealed to the person."""

    def __init__(self, keys: Keys) -> None:
        self._seals = Seals(keys)

    async def remember(
        self, conn: Connection, person_id: PersonId, phone: str, language: Language, now: datetime
    ) -> None:
        """File the number a person proved; what they chose before stays chosen."""
        await queries.upsert_phone(conn, person_id, self._seals.phone(person_id, phone), language, now=now)

    async def choose(self, conn: Connection, person_id: PersonId, choices: Choices, now: datetime) -> Contact:
        """File what a person wants; their number stays."""
        row = queries.ContactRow(
            person_id, None, choices.language, choices.sms_results, choices.sms_reminders, choices.sms_notices
        )
        return self.opened(await queries.upsert_choices(conn, row, now=now))

    async def find(self, conn: Connection, person_id: PersonId) -> Contact:
        rows = await queries.select_contacts(conn, [person_id])
        return self.opened(rows[person_id]) if person_id in rows else NOBODY_YET

    async def find_sealed(
        self, conn: Connection, person_ids: Sequence[PersonId]
    ) -> Mapping[PersonId, queries.ContactRow]:
        """Contacts of many, still sealed, so that one that does not open spoils nobody else's."""
        return await queries.select_contacts(conn, person_ids) if person_ids else {}

    def opened(self, row: queries.ContactRow) -> Contact:
        phone = None if row.phone is None else self._seals.open_phone(row.person_id, row.phone)
        return Contact(phone, Choices(row.language, row.sms_results, row.sms_reminders, row.sms_notices))
