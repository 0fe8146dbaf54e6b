"""What departments tell people of their cases, wired."""

from kernel.clock import Clock
from kernel.db import Database
from kernel.people import People
from kernel.sealing import Keys
from notifications.cases.forgetting import Forgetting
from notifications.cases.seals import CaseSeals
from notifications.cases.telling import Telling
from notifications.outbox import Outbox


class Cases:
    """Opened once per process. `forgetting` is to be added to the listeners of `retention.forgetting`."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, people: People, outbox: Outbox) -> None:
        self.db = db
        self.seals = CaseSeals(keys)
        self.telling = Telling(db, clock, self.seals, people, outbox)
        self.forgetting = Forgetting(db, clock)
