"""How a person is reached: their number and e-mail address, their language, and what they want besides the inbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

from kernel.db import Connection
from kernel.ids import PersonId
from kernel.sealing import Keys
from notifications.model import Channel, Lane, Language
from notifications.reaching.seals import ReachSeals
from notifications.residents import queries
from notifications.seals import Seals
from notifications.template import Template

Sort = Literal["results", "reminders", "notices", "shown"]
"""Sorts of notices a person decides about: what came of something, what is to come, what departments tell, and that a
certificate of theirs was shown."""
Outside = Literal["sms", "email", "subscribe"]
"""Channels besides the inbox."""
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
OUTSIDE: Final[tuple[Outside, ...]] = get_args(Outside)
NEVER_OPTIONAL: Final = frozenset({Lane.OTP, Lane.CHANGE})
"""What goes where its text says, whatever was chosen: codes, and changes of what is a person's own."""
_ANY_TEXT: Final[frozenset[Channel]] = frozenset({"email", "subscribe"})
"""Where a text may go that a person decides about, by their choice alone: title and body are those of the inbox."""


class Choices(msgspec.Struct, frozen=True, gc=False):
    """What a person chose: for each sort the channels beside the inbox, in the order they are to be tried.

    `subscribe` before others: those come in only if it fails; the others each carry the message. The inbox has all.
    """

    language: Language = "zh"
    results: tuple[Outside, ...] = ("sms",)
    reminders: tuple[Outside, ...] = ("sms",)
    notices: tuple[Outside, ...] = ("sms",)
    shown: tuple[Outside, ...] = ()
    has_quiet_hours: bool = True
    """Whether what can wait waits for the morning."""

    def by(self, sort: Sort) -> tuple[Outside, ...]:
        chosen: tuple[Outside, ...] = getattr(self, sort)
        return chosen

    def channels(self, template: Template, lane: Lane) -> tuple[Channel, ...]:
        """Where a message goes, in order. What a person has no say in goes where its text says."""
        sort = template.optional_sms
        if lane in NEVER_OPTIONAL or sort not in SORTS:
            return template.channels
        inbox: tuple[Channel, ...] = tuple(one for one in template.channels if one == "inbox")
        may = _ANY_TEXT.union(template.channels)
        return inbox + tuple(one for one in self.by(sort) if one in may)

    def wants_sms(self, template: Template) -> bool:
        return "sms" in self.channels(template, template.lane)


class Contact(msgspec.Struct, frozen=True, gc=False):
    """A person's number (E.164) and confirmed e-mail address, if we have them, and their choices."""

    phone: str | None
    choices: Choices
    email: str | None = None

    def __repr__(self) -> str:
        return "Contact(…)"


NOBODY_YET = Contact(None, Choices())
"""Somebody who never signed in: their inbox fills and waits."""


class Contacts:
    """Reads and writes contacts; numbers and addresses sealed to the person."""

    def __init__(self, keys: Keys) -> None:
        self._seals = Seals(keys)
        self._reach_seals = ReachSeals(keys)

    async def remember(
        self, conn: Connection, person_id: PersonId, phone: str, language: Language, now: datetime
    ) -> None:
        """File the number a person proved; what they chose before stays chosen."""
        await queries.upsert_phone(conn, person_id, self._seals.phone(person_id, phone), language, now=now)

    async def choose(self, conn: Connection, person_id: PersonId, choices: Choices, now: datetime) -> Contact:
        """File what a person wants; their number and address stay."""
        return self.opened(await queries.upsert_choices(conn, _row(person_id, choices), now=now))

    async def find(self, conn: Connection, person_id: PersonId) -> Contact:
        rows = await queries.select_contacts(conn, [person_id])
        return self.opened(rows[person_id]) if person_id in rows else NOBODY_YET

    async def find_sealed(
        self, conn: Connection, person_ids: Sequence[PersonId]
    ) -> Mapping[PersonId, queries.ContactRow]:
        """Contacts of many, still sealed, so that one that does not open spoils nobody else's."""
        return await queries.select_contacts(conn, person_ids) if person_ids else {}

    async def wanting_shown(self, conn: Connection, person_ids: Sequence[PersonId]) -> set[PersonId]:
        """Those of these people who want to be told outside the inbox that a certificate was shown."""
        return await queries.select_wanting_shown(conn, person_ids)

    def opened(self, row: queries.ContactRow) -> Contact:
        phone = None if row.phone is None else self._seals.open_phone(row.person_id, row.phone)
        email = None if row.email is None else self._reach_seals.open_email(row.person_id, row.email)
        choices = Choices(
            row.language,
            with_sms(row.results_by, is_wanted=row.sms_results),
            with_sms(row.reminders_by, is_wanted=row.sms_reminders),
            with_sms(row.notices_by, is_wanted=row.sms_notices),
            tuple(row.shown_by),
            row.has_quiet_hours,
        )
        return Contact(phone, choices, email)


def with_sms(chosen: Sequence[Outside], *, is_wanted: bool) -> tuple[Outside, ...]:
    """An order of channels with SMS in it, last if it was not, or without."""
    if not is_wanted:
        return tuple(one for one in chosen if one != "sms")
    return tuple(chosen) if "sms" in chosen else (*chosen, "sms")


def _row(person_id: PersonId, choices: Choices) -> queries.ContactRow:
    return queries.ContactRow(
        person_id=person_id,
        phone=None,
        email=None,
        language=choices.language,
        sms_results="sms" in choices.results,
        sms_reminders="sms" in choices.reminders,
        sms_notices="sms" in choices.notices,
        results_by=list(choices.results),
        reminders_by=list(choices.reminders),
        notices_by=list(choices.notices),
        shown_by=list(choices.shown),
        has_quiet_hours=choices.has_quiet_hours,
    )
