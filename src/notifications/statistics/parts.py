"""Counting, wired."""

from kernel.clock import Clock
from kernel.db import Database
from notifications.statistics.counting import Counting


class Statistics:
    """Opened once per process."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.counting = Counting(db, clock)
