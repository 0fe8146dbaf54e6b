"""Mandates (授权): one person may show another's certificates; which, where, until when, and on what that rests."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from kernel.ids import PersonId


class Basis(StrEnum):
    """On what a mandate rests."""

    GRANTED = "granted"
    """The holder gave it."""
    GUARDIAN = "guardian"
    """A department says so: a parent for a child, a guardian for a ward."""


class Mandate(Struct, frozen=True):
    """`agent_person_id` may show certificates of `person_id`. `kind_codes` and `scenario_codes` None: any."""

    person_id: PersonId
    mandate_id: UUID
    agent_person_id: PersonId
    basis: Basis
    kind_codes: tuple[str, ...] | None
    scenario_codes: tuple[str, ...] | None
    starts_at: datetime
    expires_at: datetime
    made_at: datetime
    made_by: str
    revoked_at: datetime | None = None
    may_book: bool = False
    """Whether the agent may also see, make, move and cancel the holder's bookings."""

    def is_good(self, now: datetime) -> bool:
        """Whether it stands at `now`."""
        return self.revoked_at is None and self.starts_at <= now < self.expires_at

    def covers(self, kind_codes: Sequence[str], scenario_code: str) -> bool:
        """Whether certificates of these kinds may be shown under this scenario."""
        if self.scenario_codes is not None and scenario_code not in self.scenario_codes:
            return False
        return self.kind_codes is None or set(kind_codes) <= set(self.kind_codes)
