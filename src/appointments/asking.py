"""What comes with a request for a place: who asks, for whom, and what the service and the lane want to know."""

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from appointments.model import Channel
from appointments.queries import BookingKey
from kernel.ids import BookingId, PersonId

AnswerValue = str | int | float | bool


class Ground(StrEnum):
    """Why somebody who is not elderly is served in the special lane (特殊办); shown to the desk."""

    DISABLED = "disabled"
    PREGNANT = "pregnant"
    WITH_INFANT = "with_infant"
    OTHER = "other"


class Particulars(msgspec.Struct, frozen=True, kw_only=True):
    """All that a request says beside the slot. `agent_id` and `mandate_id`: who asks for the person; both or neither.

    `admission` is what the gate gave out (`appointments.rush`).
    """

    answers: dict[str, AnswerValue] = {}
    reason: str | None = None
    ground: Ground | None = None
    admission: str | None = None
    channel: Channel = Channel.APP
    agent_id: PersonId | None = None
    mandate_id: UUID | None = None

    @property
    def is_silent(self) -> bool:
        """Whether nothing is told that would have to be kept."""
        return not self.answers and self.reason is None and self.ground is None


NOTHING_MORE: Final = Particulars()


class Asked(msgspec.Struct, frozen=True):
    """One request. `turn` is when it came: places go to who came first. `sealed` is what was told with it."""

    person_id: PersonId
    booking_id: BookingId
    turn: int
    particulars: Particulars = NOTHING_MORE
    sealed: bytes | None = None

    @property
    def key(self) -> BookingKey:
        return self.person_id, self.booking_id

    @property
    def mandate(self) -> tuple[PersonId, PersonId, UUID] | None:
        """Agent, holder and mandate, where somebody asks for somebody else."""
        agent, mandate_id = self.particulars.agent_id, self.particulars.mandate_id
        return None if agent is None or mandate_id is None else (agent, self.person_id, mandate_id)
