"""Somebody takes a queue number (取号): walking in, or by checking in what they booked."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from appointments import changing
from appointments.desk.hall import queries
from appointments.desk.hall.model import LANE_LETTERS, Ticket, TicketLane, TicketStage, lane_of_booking, series_of
from appointments.errors import ServiceNotHere, TicketIdTaken, TicketNotFound
from appointments.model import Booking, Catalogue
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, PersonId, ServiceId, uuid7
from kernel.principal import Staff

TICKETS_OF_PERSON_MAX: Final = 20
"""Numbers that one person is shown of a day."""
GROUND_MAX: Final = 40
"""Characters of the ground on which staff give an urgent or special number: a word, `elderly`, `pregnant`."""


class _TakenMeanwhile(Exception):
    """Somebody wrote this very ticket between our look and our writing: what we did is rolled back."""


async def take_walk_in(
    db: Database,
    clock: Clock,
    catalogue: Catalogue,
    staff: Staff,
    office_id: OfficeId,
    ticket_id: UUID,
    service_id: ServiceId,
    lane: TicketLane,
    ground: str | None,
) -> Ticket:
    """A number for somebody who walked in; with the same id, the same number again.

    Urgent and special numbers are given by staff, who say on what ground; it is recorded. Raises ServiceNotHere,
    TicketIdTaken.
    """
    assert lane is not TicketLane.BOOKED, "a booked number comes from checking in"
    if not any(desk.office_id == office_id and desk.service_id == service_id for desk in catalogue.desks):
        raise ServiceNotHere
    now = clock.now()
    day, series = in_shanghai(now).date(), series_of(lane, office_id, service_id, catalogue)

    async def take(conn: Connection) -> Ticket:
        found = await queries.select_ticket(conn, office_id, ticket_id)
        if found is not None:
            if (found.day, found.service_id, found.lane, found.booking_id) != (day, service_id, lane, None):
                raise TicketIdTaken
            return found
        ticket = Ticket(
            office_id=office_id, ticket_id=ticket_id, day=day, series=series,
            number=await queries.next_number(conn, office_id, day, series), lane=lane, service_id=service_id,
            person_id=None, booking_id=None, stage=TicketStage.WAITING, taken_at=now, rank_at=now,
        )  # fmt: skip
        if not await queries.insert_ticket(conn, ticket):
            raise _TakenMeanwhile
        await audit.record(
            conn, actor=f"staff:{staff.staff_id}", act="appointments.take_ticket", subject=f"ticket:{ticket_id}",
            now=now, detail={"office": str(office_id), "lane": lane.value, "ground": ground or ""},
        )  # fmt: skip
        return ticket

    async def attempt() -> Ticket | None:
        try:
            async with db.transaction() as conn:
                return await take(conn)
        except _TakenMeanwhile:
            return None

    return await changing.until_settled(attempt)


async def take_for_booking(conn: Connection, booking: Booking, clock: Clock) -> Ticket:
    """The number of somebody who checked in, in the transaction that has their booking locked; one for a booking.

    Its rank is the booked hour, or now for who comes later than that.
    """
    found = await queries.select_ticket_of_booking(conn, booking.office_id, booking.person_id, booking.booking_id)
    if found is not None:
        return found
    now, lane = clock.now(), lane_of_booking(booking.lane)
    day, series = in_shanghai(now).date(), LANE_LETTERS[lane]
    ticket = Ticket(
        office_id=booking.office_id, ticket_id=uuid7(now), day=day, series=series,
        number=await queries.next_number(conn, booking.office_id, day, series), lane=lane,
        service_id=booking.service_id, person_id=booking.person_id, booking_id=booking.booking_id,
        stage=TicketStage.WAITING, taken_at=now, rank_at=max(now, booking.starts_at),
    )  # fmt: skip
    written = await queries.insert_ticket(conn, ticket)
    assert written, "whoever holds a booking locked is alone in giving it a number"
    return ticket


async def ticket_of_booking(db: Database, booking: Booking) -> Ticket | None:
    """The number that checking in gave a booking."""
    async with db.connection() as conn:
        return await queries.select_ticket_of_booking(conn, booking.office_id, booking.person_id, booking.booking_id)


async def ticket_of(db: Database, office_id: OfficeId, ticket_id: UUID) -> Ticket:
    """Raises TicketNotFound."""
    async with db.connection() as conn:
        found = await queries.select_ticket(conn, office_id, ticket_id)
    if found is None:
        raise TicketNotFound
    return found


async def tickets_of_person(db: Database, person_id: PersonId, day: date) -> Sequence[Ticket]:
    """A person's numbers of a day, in the order they were taken."""
    async with db.connection() as conn:
        return await queries.select_tickets_of_person(conn, person_id, day, TICKETS_OF_PERSON_MAX)
