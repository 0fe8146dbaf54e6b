"""A resident says in the app whose SMS they want no more of, or want again."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, PersonId, uuid7
from notifications.contacts import Contacts
from notifications.notifying import CALLER_PREFIX
from notifications.reaching.queries import lock_contact
from notifications.replies.errors import ChangedTooOften, NoNumberKnown, SenderUnknown, TooManyOptOuts
from notifications.replies.model import OptSource
from notifications.replies.opt_outs import OptOuts
from notifications.replies.opting import queries
from notifications.replies.seals import ReplySeals

OPT_OUTS_MAX: Final = 200
"""Senders that one number can have opted out of in the app: more than a city has departments."""
CHANGES_PER_DAY_MAX: Final = 50
"""Every change is written down for good. What people say by SMS does not count, and is never refused."""
DAY: Final = timedelta(days=1)

IsDepartment = Callable[[DepartmentId], Awaitable[bool]]
"""Whether the city has a department of this id."""


async def _there_is_none(_: DepartmentId) -> bool:
    return False


class Changing:
    """Changes opt-outs of residents, within bounds."""

    def __init__(self, db: Database, clock: Clock, seals: ReplySeals, contacts: Contacts, opt_outs: OptOuts) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._contacts = contacts
        self._opt_outs = opt_outs
        self.is_department: IsDepartment = _there_is_none
        """Set once, when the parts are wired."""

    async def change(self, person_id: PersonId, caller: str, *, is_out: bool) -> list[queries.OptOutRow]:
        """Want no more of a sender, or of EVERY_SENDER, or want them again; of whom nothing is wanted then.

        What is so already changes nothing. Raises NoNumberKnown, SenderUnknown, TooManyOptOuts and ChangedTooOften.
        """
        now = self._clock.now()
        if is_out:
            await self._check_sender(caller)
        async with self._db.transaction() as conn:
            await lock_contact(conn, person_id)
            contact = await self._contacts.find(conn, person_id)
            if contact.phone is None:
                raise NoNumberKnown
            digests = self._seals.every_digest(contact.phone)
            before = await self._opt_outs.of(conn, digests)
            if is_out == any(row.caller == caller for row in before):
                return before
            await self._check_bounds(conn, digests, len(before) + is_out, now)
            if is_out:
                await self._opt_outs.opt_out(conn, digests, caller, OptSource.APP, now=now)
            else:
                await self._opt_outs.opt_in(conn, digests, caller, OptSource.APP, now=now)
            return await self._opt_outs.of(conn, digests)

    async def _check_sender(self, caller: str) -> None:
        """Raises SenderUnknown. What departments are called is looked at in its one form, as callers are named by."""
        if not caller.startswith(CALLER_PREFIX):
            return
        said = caller.removeprefix(CALLER_PREFIX)
        try:
            department_id = DepartmentId(UUID(said))
        except ValueError:
            raise SenderUnknown from None
        if str(department_id) != said or not await self.is_department(department_id):
            raise SenderUnknown

    async def _check_bounds(self, conn: Connection, digests: list[bytes], count: int, now: datetime) -> None:
        """Raises TooManyOptOuts and ChangedTooOften."""
        if count > OPT_OUTS_MAX:
            raise TooManyOptOuts
        changes = await queries.count_opt_out_changes(conn, digests, OptSource.APP, since=uuid7(now - DAY))
        if changes >= CHANGES_PER_DAY_MAX:
            raise ChangedTooOften(retry_after_seconds=int(DAY.total_seconds()))
