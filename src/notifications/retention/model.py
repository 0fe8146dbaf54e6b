"""For how long messages are kept. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel.ids import DepartmentId, MessageId
from notifications.model import CALLER_PREFIX

DAYS_MIN = 5
"""Longer than any receipt is awaited."""
DAYS_MAX = 3_650


class Forgotten(Struct, frozen=True):
    """A message whose values were forgotten."""

    bucket: int
    message_id: MessageId
    caller: str


class Policy(Struct, frozen=True):
    """How many days messages are kept, and how many those of senders who chose fewer."""

    days: int
    of_caller: Mapping[str, int]

    def days_of(self, caller: str) -> int:
        """For how many days a sender's messages are kept."""
        return min(self.days, self.of_caller.get(caller, self.days))

    def every_number(self) -> list[int]:
        """Each number of days that somebody's messages are kept for."""
        return sorted({self.days, *(days for days in self.of_caller.values() if days < self.days)})

    def every_scope(self) -> list[tuple[DepartmentId | None, int]]:
        """Whose are kept for how many days: first everybody's (None), then those of departments that chose fewer."""
        fewer = [(caller, days) for caller, days in sorted(self.of_caller.items()) if days < self.days]
        of_departments = [(caller.removeprefix(CALLER_PREFIX), days) for caller, days in fewer]
        return [(None, self.days), *((DepartmentId(UUID(of)), days) for of, days in of_departments)]

    @property
    def fewest_days(self) -> int:
        return min([self.days, *self.of_caller.values()])


def first_id_at(moment: datetime) -> UUID:
    """An id before which every UUIDv7 (RFC 9562 §5.7) was made before this moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def is_over(due_at: datetime, days: int, now: datetime) -> bool:
    """Whether a message that was due then has been kept for so many days."""
    return due_at + timedelta(days=days) <= now
