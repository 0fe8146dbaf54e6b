"""The parts of notifications, wired."""

from collections.abc import Sequence
from functools import partial

from kernel.clock import Clock
from kernel.db import Database
from kernel.people import People
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.channels.demo_outbox import DemoOutbox
from notifications.channels.provider import SmsProvider
from notifications.contacts import Contacts
from notifications.delivering import Delivering
from notifications.ending.closing import Closing
from notifications.outbox import Outbox
from notifications.receiving import Receiving
from notifications.residents.reading import Inbox
from notifications.routing import Carriers
from notifications.seals import Seals
from notifications.sending import Sending


class Notifications:
    """What the gateway, and through it the worker, use of this package.

    `providers` carry SMS, the first one preferred. Without any, the demo outbox shows them.
    """

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, people: People, providers: Sequence[SmsProvider] = ()
    ) -> None:
        seals = Seals(keys)
        self.db = db
        self.clock = clock
        self.people = people
        self.outbox = Outbox(keys)
        self.contacts = Contacts(keys)
        self.inbox = Inbox(seals)
        self.answers = keys.sealer("notifications.answers")
        self.demo_outbox = DemoOutbox(db, clock, seals)
        self.carriers = Carriers(list(providers) or [self.demo_outbox])
        self.sending = Sending(db, clock, seals, self.contacts, self.carriers)
        self.receiving = Receiving(db, clock, seals, self.carriers)
        self.delivering = Delivering(db, clock, self.sending)
        self.closing = Closing(db, clock, self.carriers)
        self.snapshots: list[Refreshable] = []

    async def settle(self) -> None:
        """Send, confirm and close everything that is due by the clock, here and now: for tests and the demo."""
        take = partial(self.receiving.take, self.demo_outbox.name)
        while await self.delivering.send_everything_due() or await self.demo_outbox.receipt_some(take):
            await self.receiving.join_arrived()
        await self.closing.close_everywhere()
