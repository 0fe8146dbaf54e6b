"""The parts of notifications, wired."""

from collections.abc import Mapping, Sequence
from functools import partial

from kernel.clock import Clock
from kernel.db import Database
from kernel.idempotency import Answers
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.carrying.giving_way import GivingWay
from notifications.carrying.offering import Offering
from notifications.channels.demo_outbox import DemoOutbox
from notifications.channels.email.demo_mail import DemoMail
from notifications.channels.provider import Provider
from notifications.channels.subscribe.texts import SubscribeTexts
from notifications.contacts import Contacts
from notifications.delivering import Delivering
from notifications.ending.closing import Closing
from notifications.ending.endings import Endings
from notifications.finding import Finding
from notifications.outbox import Outbox
from notifications.planning import Planning
from notifications.reaching.grants import Grants
from notifications.receiving import Receiving
from notifications.residents.reading import Inbox
from notifications.routing.carriers import Carriers
from notifications.routing.falling_back import FallingBack
from notifications.routing.limiting import NumberLimits
from notifications.routing.rules import Rules, forget_said
from notifications.seals import Seals
from notifications.sending import Sending
from notifications.texts.reading import Texts
from notifications.wordings import Wordings


class Notifications:
    """What the gateway, and through it the worker, use of this package.

    `providers` carry messages out, of each channel the first one preferred where no `weights` are given (by name; one
    of weight 0 stands by). Without any, the demo outbox shows SMS and e-mail, and `stand_ins` carry the rest: they
    wake nobody, so they know no quiet hours. With `limits_in`, how often a number is told something is bounded.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        people: People,
        providers: Sequence[Provider] = (),
        *,
        weights: Mapping[str, float] | None = None,
        limits_in: Redis | None = None,
        subscribe_texts: SubscribeTexts | None = None,
        stand_ins: Sequence[Provider] = (),
    ) -> None:
        seals = Seals(keys)
        self.db = db
        self.clock = clock
        self.people = people
        self.endings = Endings()
        self.endings.listeners.append(FallingBack())
        self.outbox = Outbox(keys, self.endings)
        self.contacts = Contacts(keys)
        self.texts = Texts(db)
        self.wordings = Wordings(self.texts)
        self.inbox = Inbox(seals, self.wordings)
        self.answers = Answers(keys, "notifications.answers")
        self.grants = Grants(keys, subscribe_texts or SubscribeTexts())
        self.rules = Rules(seals, has_quiet_hours=bool(providers))
        self.demo_outbox = DemoOutbox(db, clock, seals)
        self.carriers = Carriers(list(providers) or [self.demo_outbox, DemoMail(db, clock, seals), *stand_ins], weights)
        limits = None if limits_in is None else NumberLimits(limits_in, key=keys.derived("notifications.told"))
        way = GivingWay()
        offering = Offering(clock, self.carriers, limits, way)
        planning = Planning(seals, self.contacts, self.carriers, self.wordings, self.rules, self.grants, way)
        self.sending = Sending(
            db, clock, seals, self.contacts, self.carriers, self.wordings, planning, offering, self.endings,
            self.grants, way,
        )  # fmt: skip
        self.receiving = Receiving(db, clock, seals, self.carriers, self.endings)
        self.finding = Finding(db, clock, seals, self.contacts, self.wordings, self.receiving.arrived)
        self.delivering = Delivering(db, clock, self.sending, self.carriers)
        self.closing = Closing(db, clock, self.carriers, self.endings)
        self.snapshots: list[Refreshable] = [self.texts]

    async def forget_said(self) -> None:
        """Forget what was said to numbers long enough ago to be said again."""
        await forget_said(self.db, self.clock.now())

    async def settle(self) -> None:
        """Send, confirm and close everything that is due by the clock, here and now: for tests and the demo."""
        take = partial(self.receiving.take, self.demo_outbox.name)
        while await self.delivering.send_everything_due() or await self.demo_outbox.receipt_some(take):
            await self.receiving.join_arrived()
        await self.closing.close_everywhere()
