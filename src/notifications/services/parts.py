"""What departments' programs use of notifications, wired."""

from typing import Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.limits import Limits
from kernel.people import People
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.ending.endings import Endings
from notifications.replies.reading import Received
from notifications.services.counting import Counting
from notifications.services.errors import TextNotInUse
from notifications.services.keys.keeping import KeyBook
from notifications.services.keys.proving import Proving
from notifications.services.keys.teams import Teams
from notifications.services.limiting import PerDay, PerMinute
from notifications.services.rehearsing import Rehearsing
from notifications.services.sending import Accepting
from notifications.services.states import States
from notifications.texts.model import DepartmentText
from notifications.texts.reading import Texts


class ReceivedTexts(Protocol):
    """What people sent to services: `notifications.replies.reading.Reading`."""

    async def received(
        self, service_id: DepartmentId, older_than: UUID | None = None, *, limit: int = 250
    ) -> list[Received]:
        """Texts to a service, newest first, those before `older_than`."""
        ...


class Services:
    """Opened once per process. `origin` is where we are reached, `mail_from` whom our mails are from."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        people: People,
        limits: Limits,
        texts: Texts,
        endings: Endings,
        received: ReceivedTexts,
        *,
        origin: str,
        mail_from: str,
    ) -> None:
        self.clock = clock
        self.origin = origin
        self.mail_from = mail_from
        self.texts = texts
        self.keys = KeyBook(db, clock, keys)
        self.proving = Proving(lambda: self.keys.snapshot.current)
        self.teams = Teams(db, clock, keys)
        self.per_day = PerDay(db, clock)
        per_minute = PerMinute(limits, clock)
        self.counting = Counting(clock, self.keys, per_minute, self.per_day)
        self.accepting = Accepting(db, clock, keys, people, self.keys, self.teams, per_minute, self.per_day)
        self.states = States(db, clock, keys, endings)
        self.rehearsing = Rehearsing(db, clock, endings)
        self.received = received
        self.snapshots: list[Refreshable] = [self.keys.snapshot, self.per_day]

    def text_in_use(self, service_id: DepartmentId, text_id: UUID) -> DepartmentText:
        """The version of a service's text that is sent now. Raises TextNotInUse."""
        text = self.texts.in_use(text_id)
        if text is None or text.of.department_id != service_id:
            raise TextNotInUse
        return text
