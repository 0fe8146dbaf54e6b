"""Forgetting, wired."""

from kernel.clock import Clock
from kernel.db import Database
from kernel.snapshots import Refreshable
from notifications.callbacks.forgetting import ForgettingEvents
from notifications.replies.forgetting import forget_texts
from notifications.retention.choosing import Keeping
from notifications.retention.forgetting import Forgetting
from notifications.retention.sweeping import forget_carried, forget_refusals, forget_shown


class Retention:
    """Opened once per process. `days`: for how long the city keeps messages."""

    def __init__(self, db: Database, clock: Clock, *, days: int) -> None:
        self.keeping = Keeping(db, clock, days=days)
        self.forgetting = Forgetting(db, clock, lambda: self.keeping.snapshot.current)
        self.forgetting.listeners.append(ForgettingEvents())
        self.forgetting.sweeps += [forget_texts, forget_refusals, forget_carried, forget_shown]
        self.snapshots: list[Refreshable] = [self.keeping.snapshot]
