"""A person chooses how they are told: a language, an order of channels for each sort of notice, and quiet nights."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import PersonId
from notifications.contacts import SORTS, Choices, Contact, Contacts, Outside, Sort, with_sms
from notifications.model import Language
from notifications.reaching import queries
from notifications.reaching.consents import change
from notifications.reaching.errors import ConsentNeeded, EmailNotConfirmed
from notifications.reaching.wordings import CURRENT, SWITCH


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. `sms` switches SMS for a sort and leaves its order; `by` gives a whole order.

    What is not named stays as it is. `wording` is the version of the words they agreed to.
    """

    language: Language | None = None
    sms: Mapping[Sort, bool] = {}
    by: Mapping[Sort, Sequence[Outside]] = {}
    has_quiet_hours: bool | None = None
    wording: int | None = None

    def applied(self, before: Choices) -> Choices:
        orders = {sort: before.by(sort) for sort in SORTS}
        orders |= {sort: with_sms(orders[sort], is_wanted=is_wanted) for sort, is_wanted in self.sms.items()}
        orders |= {sort: tuple(dict.fromkeys(order)) for sort, order in self.by.items()}
        return Choices(
            language=self.language or before.language,
            results=orders["results"],
            reminders=orders["reminders"],
            notices=orders["notices"],
            shown=orders["shown"],
            has_quiet_hours=before.has_quiet_hours if self.has_quiet_hours is None else self.has_quiet_hours,
        )


async def choose(conn: Connection, contacts: Contacts, person_id: PersonId, wish: Wish, *, now: datetime) -> Contact:
    """File a wish and every consent in it. SMS may be switched on by its plain switch; all else asks for `wording`.

    Raises EmailNotConfirmed, ConsentNeeded.
    """
    await queries.ensure_contact(conn, person_id, now=now)
    await queries.lock_contact(conn, person_id)
    contact = await contacts.find(conn, person_id)
    before, after = contact.choices, wish.applied(contact.choices)
    if contact.email is None and any("email" in after.by(sort) for sort in SORTS):
        raise EmailNotConfirmed
    if wish.wording is not None and wish.wording != CURRENT:
        raise ConsentNeeded(wording=CURRENT)
    if wish.wording is None and _asks_for_words(before, after):
        raise ConsentNeeded(wording=CURRENT)
    await change(conn, person_id, before, after, told_by="choice", wording=wish.wording or SWITCH, now=now)
    return await contacts.choose(conn, person_id, after, now)


def _asks_for_words(before: Choices, after: Choices) -> bool:
    """Whether something new is more than the plain switch of SMS says."""
    return any(
        channel not in before.by(sort) and (channel != "sms" or sort == "shown")
        for sort in SORTS
        for channel in after.by(sort)
    )
