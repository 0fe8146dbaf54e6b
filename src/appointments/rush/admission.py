"""Who has been let through the gate: what booking asks of it, whatever stands behind."""

from typing import Protocol

import msgspec

from appointments.errors import AdmissionNeeded, Suspended, TooManyActive, TooManyChanges
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

    async def give_back(self, admission: Admission, why: Exception) -> None:
        """No place was taken with it, and why: it may be used for another slot of the release.

        Unless `why` would be heard at every slot of it (`is_for_good`): then it is good no more, and lets the next in.
        """
        ...


def is_for_good(why: Exception, *, seconds_left: float) -> bool:
    """Whether somebody would hear this at every slot of the release, as long as their admission is good.

    Not AlreadyBooked, which says to move that booking: it can be moved here with the admission. Nor what another
    request can put right, for a slot of another lane or hour, with an answer, or by the person instead of an agent.
    """
    if isinstance(why, TooManyChanges):
        return (why.retry_after_seconds or 0) >= seconds_left
    return isinstance(why, Suspended | TooManyActive)


class NoGate:
    """Lets nobody through to a gated slot; for where no gate was opened."""

    async def check(self, slot: Slot, person_id: PersonId, admission: str | None) -> Admission | None:
        del person_id, admission
        if slot.is_gated:
            raise AdmissionNeeded
        return None

    async def spent(self, admission: Admission) -> None:
        del admission

    async def give_back(self, admission: Admission, why: Exception) -> None:
        del admission, why
