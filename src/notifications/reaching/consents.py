"""What a person agreed to is written down with the words they read, and beside it what they took back."""

from datetime import datetime
from typing import Literal

from kernel.db import Connection
from kernel.ids import PersonId, uuid7
from notifications.contacts import OUTSIDE, SORTS, Choices
from notifications.reaching import queries

ToldBy = Literal["choice", "unsubscribe", "removal", "closing"]
"""How it was told: among the choices, by a link in a mail, with an address that was removed, by closing the account."""


async def change(
    conn: Connection,
    person_id: PersonId,
    before: Choices,
    after: Choices,
    *,
    told_by: ToldBy,
    wording: int | None,
    now: datetime,
) -> None:
    """Write down every channel of every sort that was agreed to or taken back from `before` to `after`."""
    rows = []
    for sort in SORTS:
        for channel in OUTSIDE:
            was_in, is_in = channel in before.by(sort), channel in after.by(sort)
            if was_in != is_in:
                said = wording if is_in else None
                rows.append(queries.NewConsent(person_id, uuid7(now), sort, channel, is_in, said, told_by, now))
    await queries.insert_consents(conn, rows)
