"""Unasked notices about certificates, wired."""

from collections.abc import Callable
from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from wallet.catalogue import Catalogue
from wallet.noticing.forewarning import Forewarning
from wallet.noticing.summing_up import SPAN, SummingUp


class Noticing:
    """What the worker plays. `span`: how long a venue's looks are gathered before a person is told of them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        contacts: Contacts,
        catalogue: Callable[[], Catalogue],
        *,
        span: timedelta = SPAN,
    ) -> None:
        self.forewarning = Forewarning(db, clock, outbox, catalogue)
        self.summing_up = SummingUp(db, clock, outbox, contacts, catalogue, span=span)
