"""Who stands at the desk: what appointments ask of whoever knows people by their codes, phones and ID numbers."""

from typing import Annotated, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from appointments.errors import CodesNotRead, IdentityNotUnderstood, TooManyLooks
from kernel import audit
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import OfficeId, PersonId, StaffId
from kernel.limits import Limit, Limits
from kernel.plain_text import ONE_LINE

LOOKS: Final = Limit("appointments.looks_by_phone", 30, 600)
"""Looks by phone of one clerk: a line at a desk, and no way to try out numbers."""
SCANNED_MAX: Final = 1_200
"""Longer than any code of ours: what else a reader reads is answered `not_ours`."""
OneLine = Annotated[str, Meta(min_length=1, max_length=40, pattern=ONE_LINE)]


class ByCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="code"):
    """Known by the text of a shown code, made for checking in, and an id for this reading."""

    code: Annotated[str, Meta(max_length=SCANNED_MAX)]
    use_id: UUID

    def __repr__(self) -> str:
        return "ByCode(…)"


class ByPhone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="phone"):
    """Known by the whole phone number that they say is theirs."""

    phone: OneLine

    def __repr__(self) -> str:
        return "ByPhone(…)"


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


async def look_by_phone(
    db: Database, clock: Clock, limits: Limits, recognises: Recognises,
    staff_id: StaffId, office_id: OfficeId, phone: str,
) -> PersonId | None:  # fmt: skip
    """Who has this phone. Each look is recorded, found or not, and a clerk has LOOKS of them.

    Raises TooManyLooks, PhoneNotUnderstood.
    """
    wait = await limits.allow(LOOKS, str(staff_id))
    if wait is not None:
        raise TooManyLooks(retry_after_seconds=max(1, round(wait)))
    person_id = await recognises.by_phone(phone)
    async with db.transaction() as conn:
        await audit.record(
            conn, actor=f"staff:{staff_id}", act="appointments.look_by_phone", subject=f"office:{office_id}",
            now=clock.now(),
        )  # fmt: skip
    return person_id
