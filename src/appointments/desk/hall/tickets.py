"""Somebody takes a queue number (取号): walking in, or by checking in what they booked."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from appointments import changing
from appointments.desk import queries as desk_queries
from appointments.desk.errors import BookedHere
from appointments.desk.hall import queries
from appointments.desk.hall.model import LANE_LETTERS, Ticket, TicketLane, TicketStage, lane_of_booking, series_of
from appointments.desk.recognising import ByCode, ByPhone
from appointments.errors import ServiceNotHere, TicketIdTaken, TicketNotFound
from appointments.model import Booking, Catalogue, day_bounds
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, PersonId, ServiceId, uuid7
from kernel.principal import Staff

TICKETS_OF_PERSON_MAX: Final = 20
"""Numbers that one person is shown of a day."""
GROUND_MAX: Final = 40
"""Characters of the ground on which staff give an urgent or special number: a word, `elderly`, `pregnant`."""


Knows = Callable[[ByCode | ByPhone], Awaitable[PersonId | None]]
"""Who is known by what they show or say; None for a phone that is nobody's."""


class WalkIn(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who walked in takes a number for. `known_by`: where they wish to see it in their own app."""

    ticket_id: UUID
    service_id: ServiceId
    lane: TicketLane
    ground: str | None = None
    known_by: ByCode | ByPhone | None = None

    @property
    def by(self) -> str:
        """How they let themselves be known, as it is recorded."""
        match self.known_by:
            case ByCode():
                return "code"
            case ByPhone():
                return "phone"
            case None:
                return ""

    def is_same(self, ticket: Ticket, day: date) -> bool:
        """Whether this is what a number was taken for. Whose it is, is not asked: no answer tells whom a phone is."""
        taken_for = ticket.day, ticket.service_id, ticket.lane, ticket.booking_id
        return taken_for == (day, self.service_id, self.lane, None)


class _TakenMeanwhile(Exception):
    """Somebody wrote this very ticket between our look and our writing: what we did is rolled back."""


async def take_walk_in(
    db: Database, clock: Clock, catalogue: Catalogue, staff: Staff, office_id: OfficeId, wanted: WalkIn, knows: Knows
) -> Ticket:
    """A number for somebody who walked in; with the same id, the same number again, and nobody is looked up twice.

    It is of whoever is known by what they showed or said, if anybody is, and nobody's else. Urgent and special numbers
    are given by staff, who say on what ground; it is recorded. Raises ServiceNotHere, TicketIdTaken, BookedHere, and
    what `knows` raises: then no number is given.
    """
    assert wanted.lane is not TicketLane.BOOKED, "a booked number comes from checking in"
    if not any(desk.office_id == office_id and desk.service_id == wanted.service_id for desk in catalogue.desks):
        raise ServiceNotHere
    now = clock.now()
    day, series = in_shanghai(now).date(), series_of(wanted.lane, office_id, wanted.service_id, catalogue)

    async def taken(conn: Connection) -> Ticket | None:
        found = await queries.select_ticket(conn, office_id, wanted.ticket_id)
        if found is not None and not wanted.is_same(found, day):
            raise TicketIdTaken
        return found

    async with db.connection() as conn:
        before = await taken(conn)
    if before is not None:
        return before
    person_id = None if wanted.known_by is None else await knows(wanted.known_by)

    async def attempt() -> Ticket | None:
        try:
            async with db.transaction() as conn:
                return await taken(conn) or await _give(conn, staff, office_id, wanted, person_id, day, series, now)
        except _TakenMeanwhile:
            return None

    return await changing.until_settled(attempt)


async def _give(
    conn: Connection, staff: Staff, office_id: OfficeId, wanted: WalkIn, person_id: PersonId | None, day: date,
    series: str, now: datetime,
) -> Ticket:  # fmt: skip
    """Write the number and who gave it. Raises BookedHere: that hour would count as missed, though they came."""
    if person_id is not None:
        booked = await desk_queries.find_booked_for(conn, office_id, person_id, wanted.service_id, *day_bounds(day))
        if booked is not None:
            raise BookedHere(booking_id=str(booked))
    ticket = Ticket(
        office_id=office_id, ticket_id=wanted.ticket_id, day=day, series=series,
        number=await queries.next_number(conn, office_id, day, series), lane=wanted.lane, service_id=wanted.service_id,
        person_id=person_id, booking_id=None, stage=TicketStage.WAITING, taken_at=now, rank_at=now,
    )  # fmt: skip
    if not await queries.insert_ticket(conn, ticket):
        raise _TakenMeanwhile
    await audit.record(
        conn, actor=f"staff:{staff.staff_id}", act="appointments.take_ticket", subject=f"ticket:{ticket.ticket_id}",
        now=now, detail={
            "office": str(office_id), "lane": wanted.lane.value, "ground": wanted.ground or "", "by": wanted.by,
        },
    )  # fmt: skip
    return ticket


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
