"""What people are told about their bookings, and the names of those promises in the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from appointments.model import Booking, Slot
from appointments.offices.catalogue import Catalogues
from kernel.clock import in_shanghai
from kernel.db import Connection
from kernel.ids import OfficeId, ServiceId
from notifications import templates
from notifications.outbox import Outbox, Owed
from notifications.template import Template

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

    async def reminded_soon(self, conn: Connection, bookings: Sequence[Booking], *, now: datetime) -> None:
        await self._owe(conn, bookings, templates.BOOKING_SOON, now=now)

    async def asked_how_it_was(self, conn: Connection, bookings: Sequence[Booking], *, now: datetime) -> None:
        await self._owe(conn, bookings, templates.VISIT_RATING, now=now)

    async def told_result(self, conn: Connection, booking: Booking, outcome: str, note: str, *, now: datetime) -> None:
        """Say what a visit came to, once for each visit."""
        await self._owe(conn, [booking], templates.VISIT_RESULT, more={"outcome": outcome, "note": note}, now=now)

    async def about(self, office_id: OfficeId, service_id: ServiceId, starts_at: datetime) -> dict[str, str]:
        """What a text about an hour of a service at an office says: its name, where, when, and what to bring."""
        catalogue = await self._catalogues.knowing(office_id, service_id)
        service = catalogue.services[service_id]
        return {
            "service": service.name_zh,
            "office": catalogue.offices[office_id].name_zh,
            "when": in_shanghai(starts_at).isoformat(),
            "bring": service.bring_zh,
        }

    async def name_of(self, service_id: ServiceId) -> str:
        """The name of a service."""
        if service_id not in self._catalogues.current.services:
            await self._catalogues.refresh()
        return self._catalogues.current.services[service_id].name_zh

    async def owe(self, conn: Connection, owed: Sequence[Owed], *, now: datetime) -> None:
        """Owe messages that others of this package have put together."""
        await self._outbox.owe_many(conn, owed, now=now)

    async def moved_by_office(
        self, conn: Connection, was: Booking, booking: Booking, reason: str, *, now: datetime
    ) -> None:
        """Say the new hour and why, and take back a reminder of the old one that has not left."""
        await self._withdraw_reminder(conn, was, now=now)
        await self._owe_with_reason(conn, booking, templates.BOOKING_MOVED_BY_OFFICE, reason, now=now)

    async def cancelled_by_office(self, conn: Connection, booking: Booking, reason: str, *, now: datetime) -> None:
        """Say so and why, and take back a reminder that was owed but has not left."""
        await self._withdraw_reminder(conn, booking, now=now)
        await self._owe_with_reason(conn, booking, templates.BOOKING_CANCELLED_BY_OFFICE, reason, now=now)

    async def _owe_with_reason(
        self, conn: Connection, booking: Booking, template: Template, reason: str, *, now: datetime
    ) -> None:
        values = await self.about(booking.office_id, booking.service_id, booking.starts_at) | {"reason": reason}
        expires_at = booking.starts_at if booking.starts_at > now else None
        owed = Owed(
            caller=CALLER, key=promise(template, booking), to=booking.person_id, template=template, values=values,
            due_at=now, expires_at=expires_at,
        )  # fmt: skip
        await self.owe(conn, [owed], now=now)

    async def _withdraw_reminder(self, conn: Connection, booking: Booking, *, now: datetime) -> None:
        if booking.reminded_version == booking.version:
            for reminder in (templates.BOOKING_REMINDER, templates.BOOKING_SOON):
                await self._outbox.withdraw(conn, CALLER, promise(reminder, booking), now=now)

    async def _owe(
        self,
        conn: Connection,
        bookings: Sequence[Booking],
        template: Template,
        *,
        more: Mapping[str, str] = MappingProxyType({}),
        now: datetime,
    ) -> None:
        owed = []
        for booking in bookings:
            values = await self.about(booking.office_id, booking.service_id, booking.starts_at)
            owed.append(
                Owed(
                    caller=CALLER,
                    key=promise(template, booking),
                    to=booking.person_id,
                    template=template,
                    values={**values, **more},
                    due_at=now,
                    expires_at=booking.starts_at if booking.starts_at > now else None,
                )
            )
        await self._outbox.owe_many(conn, owed, now=now)


def promise(template: Template, booking: Booking) -> str:
    """The key of a message: one for each version of a booking and each text, so that nobody is told twice."""
    return f"{template.id}/{booking.person_id}/{booking.booking_id}/{booking.version}"
