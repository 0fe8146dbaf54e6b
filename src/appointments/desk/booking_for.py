"""A clerk books for somebody who stands at the desk and has shown their identity card."""

from typing import Protocol
from uuid import UUID

import msgspec

from appointments.asking import AnswerValue, Ground, Particulars
from appointments.desk.recognising import Recognises
from appointments.model import Booking, Channel
from appointments.offices.catalogue import Catalogues
from appointments.telling import CALLER
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import BookingId, OfficeId, PersonId, SlotId
from kernel.principal import Staff
from notifications import templates
from notifications.outbox import Outbox, Owed, ToPhone


class Books(Protocol):
    """How a place is taken: `Booker.book`."""

    async def __call__(
        self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId, particulars: Particulars, /
    ) -> Booking: ...


class BookedAtDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What the clerk typed: who, which slot, and what the service asks. `phone`: where to tell them, if they wish."""

    booking_id: UUID
    slot_id: UUID
    id_number: str
    name: str
    phone: str | None = None
    answers: dict[str, AnswerValue] = {}
    reason: str | None = None
    ground: Ground | None = None

    def __repr__(self) -> str:
        return "BookedAtDesk(…)"


async def book_for(
    db: Database, clock: Clock, outbox: Outbox, catalogues: Catalogues, recognises: Recognises, books: Books,
    staff: Staff, office_id: OfficeId, wanted: BookedAtDesk,
) -> Booking:  # fmt: skip
    """Book for the person of this ID number, who is made known if they were not; with the same id, the same booking.

    Nobody but the person can look at it afterwards beyond what every desk sees. They are told like anybody who books,
    and by SMS to `phone` where they have no contact of their own. Recorded. Raises IdentityNotUnderstood,
    PhoneNotUnderstood and what `Booker.book` raises.
    """
    person_id = await recognises.by_id_number(wanted.id_number, wanted.name)
    tell = None if wanted.phone is None else await recognises.phone_to_tell(person_id, wanted.phone)
    particulars = Particulars(answers=wanted.answers, reason=wanted.reason, ground=wanted.ground, channel=Channel.DESK)
    booking = await books(BookingId(wanted.booking_id), SlotId(wanted.slot_id), person_id, particulars)
    catalogue = await catalogues.knowing(booking.office_id, booking.service_id)
    office, service = catalogue.offices[booking.office_id], catalogue.services[booking.service_id]
    now = clock.now()
    async with db.transaction() as conn:
        await audit.record(
            conn, actor=f"staff:{staff.staff_id}", act="appointments.book_for", subject=f"booking:{booking.booking_id}",
            now=now, detail={"office": str(office_id)},
        )  # fmt: skip
        if tell is not None:
            told = Owed(
                caller=CALLER,
                key=f"{templates.BOOKING_CONFIRMED.id}/desk/{person_id}/{booking.booking_id}/1",
                to=ToPhone(tell),
                template=templates.BOOKING_CONFIRMED,
                values={
                    "service": service.name_zh,
                    "office": office.name_zh,
                    "when": in_shanghai(booking.starts_at).isoformat(),
                    "bring": service.bring_zh,
                },
                due_at=now,
                expires_at=booking.starts_at if booking.starts_at > now else None,
            )
            await outbox.owe_many(conn, [told], now=now)
    return booking
