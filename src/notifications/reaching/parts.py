"""How people are reached, wired from values."""

from collections.abc import Awaitable, Callable

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import AccountId
from kernel.limits import Limits
from kernel.sealing import Keys
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from notifications.reaching.emails import EmailBounds, Emails
from notifications.reaching.errors import ChatNotLinked
from notifications.reaching.exporting import Exporting
from notifications.reaching.grants import Grants
from notifications.reaching.leaving import Leaving
from notifications.reaching.unsubscribing import UnsubscribeLinks, Unsubscribing
from notifications.residents.reading import Inbox
from notifications.seals import Seals

OpenidOf = Callable[[Connection, AccountId], Awaitable[str | None]]
"""Who an account is to the mini-program; the user linked last, where there are several."""


async def nobody_is_linked(_conn: Connection, _account_id: AccountId) -> str | None:
    """In a city without a mini-program."""
    return None


class Reaching:
    """What the gateway uses of this package."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        *,
        outbox: Outbox,
        contacts: Contacts,
        inbox: Inbox,
        grants: Grants,
        links: UnsubscribeLinks,
        openid_of: OpenidOf = nobody_is_linked,
        bounds: EmailBounds | None = None,
    ) -> None:
        self.db = db
        self.clock = clock
        self.contacts = contacts
        self.grants = grants
        self.emails = Emails(db, clock, keys, limits, outbox, contacts, bounds)
        self.unsubscribing = Unsubscribing(db, clock, Seals(keys), contacts, links)
        self.exporting = Exporting(db, contacts, inbox)
        self.leaving = Leaving(clock, contacts)
        self._openid_of = openid_of

    async def openid_of(self, conn: Connection, account_id: AccountId) -> str:
        """Who an account is to the mini-program. Raises ChatNotLinked."""
        openid = await self._openid_of(conn, account_id)
        if openid is None:
            raise ChatNotLinked
        return openid

    async def forget_old(self) -> None:
        """Forget challenges that ended, and grants used long ago; run by the worker now and then."""
        await self.emails.forget_old()
        async with self.db.transaction() as conn:
            await self.grants.forget_old(conn, now=self.clock.now())
