"""What a venue asks of one resident, until it is answered or declined."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from kernel.ids import AskId, CertificateId, DeviceId, PersonId, VenueId


class AskState(StrEnum):
    """The stored life of an ask; `expired` is told from its time, never stored."""

    WAITING = "waiting"
    ANSWERED = "answered"
    DECLINED = "declined"


class Ask(Struct, frozen=True):
    """A venue's request, and after consent whose certificate answered it with which fields."""

    ask_id: AskId
    code_hash: bytes
    venue_id: VenueId
    device_id: DeviceId
    scenario_code: str
    scenario_edition: int
    kind_codes: tuple[str, ...]
    asked_at: datetime
    expires_at: datetime
    state: AskState
    answered_at: datetime | None = None
    person_id: PersonId | None = None
    certificate_id: CertificateId | None = None
    fields: tuple[str, ...] = ()

    def is_answered_with(self, person_id: PersonId, certificate_id: CertificateId) -> bool:
        """Whether this person answered it with this certificate."""
        return self.state is AskState.ANSWERED and (self.person_id, self.certificate_id) == (person_id, certificate_id)
