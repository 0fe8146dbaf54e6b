"""Who has been let through the gate: what booking asks of it, whatever stands behind."""

from typing import Protocol

import msgspec

from appointments.errors import AdmissionNeeded
from appointments.model import Slot
from kernel.ids import PersonId


class Admission(msgspec.Struct, frozen=True):
    """One person let through to one release, to book once."""

    release_id: str
    person_id: PersonId
    nonce: str


class Admits(Protocol):
    """The gate, as booking sees it."""

    async def check(self, slot: Slot, person_id: PersonId, admission: str | None) -> Admission | None:
        """Take the admission into use; None where the slot is not gated. Raises AdmissionNeeded."""
        ...

    async def spent(self, admission: Admission) -> None:
        """A place was taken with it: it is good no more."""
        ...

    async def give_back(self, admission: Admission) -> None:
        """No place was taken with it: it may be used for another slot of the release."""
        ...


class NoGate:
    """Lets nobody through to a gated slot; for where no gate was opened."""

    async def check(self, slot: Slot, person_id: PersonId, admission: str | None) -> Admission | None:
        del person_id, admission
        if slot.is_gated:
            raise AdmissionNeeded
        return None

    async def spent(self, admission: Admission) -> None:
        del admission

    async def give_back(self, admission: Admission) -> None:
        del admission
