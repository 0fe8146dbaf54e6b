"""A booking that nobody came to (爽约): the strike, what is said against it, and what many of them lead to."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

import msgspec

from kernel.ids import BookingId, OfficeId, PersonId, ServiceId

StrikeId = NewType("StrikeId", UUID)

STRIKES_MAX: Final = 3
"""So many strikes within STRIKE_DAYS, and a person may not book for SUSPENDED_DAYS from then."""
STRIKE_DAYS: Final = 90
SUSPENDED_DAYS: Final = 30
REASON_MAX: Final = 500


class Strikes(StrEnum):
    """How a strike stands. All but a waived one count; one that is appealed against stands until it is decided."""

    STANDING = "standing"
    APPEALED = "appealed"
    WAIVED = "waived"
    UPHELD = "upheld"


class Verdict(StrEnum):
    """What became of an appeal: the strike is gone, or it stays."""

    WAIVED = "waived"
    UPHELD = "upheld"


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A booking that nobody came to. `appeal` is sealed."""

    person_id: PersonId
    booking_id: BookingId
    strike_id: StrikeId
    service_id: ServiceId
    office_id: OfficeId
    struck_at: datetime
    stage: Strikes
    appeal: bytes | None
    appealed_at: datetime | None
    decided_at: datetime | None


class Suspension(msgspec.Struct, frozen=True):
    """Who may not book from `since` until `until`, unless it was lifted; one that never was has no length.

    One of no length stands at no hour, also not at an earlier one that somebody asks as of.
    """

    since: datetime
    until: datetime
    lifted_at: datetime | None

    def stands(self, now: datetime) -> bool:
        return self.lifted_at is None and self.since < self.until and now < self.until


def counted_since(now: datetime) -> datetime:
    """Strikes older than this no longer count."""
    return now - timedelta(days=STRIKE_DAYS)


def suspended_until(now: datetime) -> datetime:
    return now + timedelta(days=SUSPENDED_DAYS)
