"""What people are told about their bookings, and the names of those promises in the outbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from appointments.model import Booking, Slot
from appointments.offices.catalogue import Catalogues
from kernel.clock import in_shanghai
from kernel.db import Connection
from notifications import templates
from notifications.outbox import Outbox, Owed
from notifications.templates import Template

CALLER: Final = "appointments"


class Telling:
    """Owes messages about bookings; each in the transaction that makes it true."""

    def __init__(self, outbox: Outbox, catalogues: Catalogues) -> None:
        self._outbox = outbox
        self._catalogues = catalogues

    async def learn(self, slot: Slot) -> None:
        """Know the slot's office and service before a transaction begins that has to name them."""
        await self._catalogues.knowing(slot.office_id, slot.service_id)

    async def confirmed(self, conn: Connection, bookings: Sequence[Booking], *, now: datetime) -> None:
        await self._owe(conn, bookings, templates.BOOKING_CONFIRMED, now=now)

    async def cancelled(self, conn: Connection, booking: Booking, *, now: datetime) -> None:
        """Say so, and take back a reminder that was owed but has not left."""
        await self._withdraw_reminder(conn, booking, now=now)
        await self._owe(conn, [booking], templates.BOOKING_CANCELLED, now=now)

    async def moved(self, conn: Connection, was: Booking, booking: Booking, *, now: datetime) -> None:
        """Say the new hour, and take back a reminder of the old one that has not left."""
        await self._withdraw_reminder(conn, was, now=now)
        await self._owe(conn, [booking], templates.BOOKING_CHANGED, now=now)

    async def reminded(self, conn: Connection, bookings: Sequence[Booking], *, now: datetime) -> None:
        await self._owe(conn, bookings, templates.BOOKING_REMINDER, now=now)

    async def _withdraw_reminder(self, conn: Connection, booking: Booking, *, now: datetime) -> None:
        if booking.reminded_version == booking.version:
            await self._outbox.withdraw(conn, CALLER, promise(templates.BOOKING_REMINDER, booking), now=now)

    async def _owe(self, conn: Connection, bookings: Sequence[Booking], template: Template, *, now: datetime) -> None:
        owed = []
        for booking in bookings:
            catalogue = await self._catalogues.knowing(booking.office_id, booking.service_id)
            office, service = catalogue.offices[booking.office_id], catalogue.services[booking.service_id]
            owed.append(
                Owed(
                    caller=CALLER,
                    key=promise(template, booking),
                    to=booking.person_id,
                    template=template,
                    values={
                        "service": service.name_zh,
                        "office": office.name_zh,
                        "when": in_shanghai(booking.starts_at).isoformat(),
                        "bring": service.bring_zh,
                    },
                    due_at=now,
                    expires_at=booking.starts_at if booking.starts_at > now else None,
                )
            )
        await self._outbox.owe_many(conn, owed, now=now)


def promise(template: Template, booking: Booking) -> str:
    """The key of a message: one for each version of a booking and each text, so that nobody is told twice."""
    return f"{template.id}/{booking.person_id}/{booking.booking_id}/{booking.version}"
