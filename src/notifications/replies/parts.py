"""Replies, wired."""

from kernel.clock import Clock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.callbacks.noting import Noting
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from notifications.replies.handlers import ReplyHandlers
from notifications.replies.handling import Handling
from notifications.replies.hearing import Hearing
from notifications.replies.last_told import LastTold
from notifications.replies.opt_outs import OptOuts
from notifications.replies.opting.changing import Changing
from notifications.replies.reading import Reading
from notifications.replies.seals import ReplySeals


class Replies:
    """What people write to the city's numbers."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, outbox: Outbox, contacts: Contacts, noting: Noting
    ) -> None:
        self.db = db
        self.clock = clock
        self.contacts = contacts
        self.seals = ReplySeals(keys)
        self.handlers = ReplyHandlers()
        self.opt_outs = OptOuts()
        self.changing = Changing(db, clock, self.seals, contacts, self.opt_outs)
        self.last_told = LastTold(self.seals, self.handlers)
        self.hearing = Hearing(db, clock, self.seals)
        self.handling = Handling(
            db, clock, self.seals, outbox, self.opt_outs, self.last_told, self.handlers, noting,
            self.hearing.arrived,
        )  # fmt: skip
        self.reading = Reading(db, clock, self.seals)
