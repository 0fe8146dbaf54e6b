"""Who stands at the desk: what appointments ask of whoever knows people by their codes, phones and ID numbers."""

from typing import Protocol
from uuid import UUID

from appointments.errors import CodesNotRead, IdentityNotUnderstood
from kernel.ids import OfficeId, PersonId


class Recognises(Protocol):
    """Kept by the city's entrance and its wallet."""

    async def by_code(self, office_id: OfficeId, text: str, use_id: UUID) -> PersonId:
        """Whose shown code this is. It is spent, and the look is in the person's ledger, like any other.

        Asked again with the same `use_id` within 90 s, the same answer. Raises CodeNotGood, CodesNotRead.
        """
        ...

    async def by_phone(self, phone: str) -> PersonId | None:
        """The real-name checked person of a whole phone number, if there is one. Raises PhoneNotUnderstood."""
        ...

    async def by_id_number(self, id_number: str, name: str) -> PersonId:
        """The person of a resident identity number (GB 11643), made now if nobody knew them. Raises
        IdentityNotUnderstood."""
        ...

    async def phone_to_tell(self, person_id: PersonId, phone: str) -> str | None:
        """The number, as E.164, by which this person is to be told beside their own contact; None where that has one.

        Raises PhoneNotUnderstood."""
        ...


class RecognisesNobody(Recognises):
    """For where no entrance was opened: nobody is known, and no code is read."""

    async def by_code(self, office_id: OfficeId, text: str, use_id: UUID) -> PersonId:
        raise CodesNotRead

    async def by_phone(self, phone: str) -> PersonId | None:
        return None

    async def by_id_number(self, id_number: str, name: str) -> PersonId:
        raise IdentityNotUnderstood

    async def phone_to_tell(self, person_id: PersonId, phone: str) -> str | None:
        return None
