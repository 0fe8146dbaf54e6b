"""Batches, wired."""

from datetime import datetime

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.people import People
from kernel.sealing import Keys
from notifications.batches.counting import CountingUnsendable
from notifications.batches.feeding.feeding import Feeding, FinishedListener
from notifications.batches.progress import Watching
from notifications.batches.steering import Steering
from notifications.batches.taking import Taking
from notifications.ending.endings import Endings
from notifications.services.keys.keeping import KeyBook
from notifications.services.keys.teams import Teams
from notifications.services.limiting import PerDay
from notifications.texts.reading import Texts


class Daily:
    """What departments may send on a day, asked of their services."""

    def __init__(self, book: KeyBook, per_day: PerDay) -> None:
        self._book = book
        self._per_day = per_day

    def left(self, service_id: DepartmentId, now: datetime) -> int:
        """How many more it may send on this day."""
        allowed = self._book.snapshot.current.allowance(service_id)
        return self._per_day.left(service_id, allowed.per_day, now)

    def take(self, service_id: DepartmentId, count: int, now: datetime) -> int:
        """Count messages, as many of these as it may send; how many."""
        allowed = self._book.snapshot.current.allowance(service_id)
        count = min(count, self._per_day.left(service_id, allowed.per_day, now))
        self._per_day.take(service_id, allowed.per_day, now, count)
        return count

    def give_back(self, service_id: DepartmentId, count: int) -> None:
        self._per_day.give_back(service_id, count)


class Batches:
    """Opened once per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        people: People,
        texts: Texts,
        teams: Teams,
        daily: Daily,
        endings: Endings,
    ) -> None:
        self.taking = Taking(db, clock, keys, people, texts, teams)
        self.feeding = Feeding(db, clock, texts, daily)
        self.steering = Steering(db, clock, endings, texts)
        self.watching = Watching(db, clock)
        endings.listeners.append(CountingUnsendable())

    def when_finished(self, listener: FinishedListener) -> None:
        """Tell somebody of every batch whose last message has left, and of every one that is cancelled."""
        self.feeding.listeners.append(listener)
        self.steering.listeners.append(listener)
