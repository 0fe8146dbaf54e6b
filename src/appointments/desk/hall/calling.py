"""A clerk calls the next number (叫号), and says what became of it."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from appointments import changing
from appointments.after.queries import mark_served
from appointments.desk.errors import CounterClosed
from appointments.desk.hall import queries
from appointments.desk.hall.counters import is_busy, locked
from appointments.desk.hall.estimating import Hall, ahead_of
from appointments.desk.hall.looking import HALL_MAX
from appointments.desk.hall.model import (
    AT_A_COUNTER,
    Act,
    Counter,
    Ticket,
    after,
    called,
    is_done_already,
    is_possible,
    not_before,
)
from appointments.desk.hall.ordering import PRIORITY_RUN_MAX, looks
from appointments.errors import (
    CounterBusy,
    CounterChanged,
    CounterNotFound,
    NotAtCounter,
    ServiceNotHere,
    TicketChanged,
    TicketNotFound,
    TicketNotThere,
)
from appointments.model import Catalogue, Stage, day_bounds
from appointments.offices.catalogue import Catalogues
from appointments.queries import lock_bookings
from appointments.telling import CALLER
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Staff
from notifications import templates
from notifications.outbox import Outbox, Owed

NEARLY_AHEAD: Final = 3
"""Who has no more than this many before them is told that it is nearly their turn."""
NEARLY_GOOD_FOR: Final = timedelta(minutes=20)
"""Later they have been called."""


class Change(msgspec.Struct, frozen=True):
    """What is done about a number: `service_id` and `for_counter` of a transfer, `later_minutes` of putting back."""

    act: Act
    service_id: ServiceId | None = None
    for_counter: int | None = None
    later_minutes: int = 0


class Calling:
    """Calls numbers, each by one counter alone."""

    def __init__(self, db: Database, clock: Clock, outbox: Outbox, catalogues: Catalogues) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._catalogues = catalogues

    async def call_next(
        self, staff: Staff, office_id: OfficeId, number: int, expected: int
    ) -> tuple[Counter, Ticket | None]:
        """Call who is next for a counter (`ordering.looks`); None when nobody waits.

        `expected` is the counter's version as the clerk saw it: asked again after a lost answer, the same number is
        answered and nobody is called twice. Numbers that other counters are calling at this moment are left to them.
        Whoever then has NEARLY_AHEAD before them is told, once. Raises CounterNotFound, NotAtCounter, CounterBusy,
        CounterChanged.
        """

        await self._catalogues.knowing_office(office_id)

        async def attempt() -> tuple[Counter, Ticket | None]:
            async with self._db.transaction() as conn:
                counter = await locked(conn, staff, office_id, number)
                if not counter.is_open:
                    raise NotAtCounter
                if counter.version != expected:
                    return counter, await self._called_already(conn, counter, expected)
                if await is_busy(conn, counter, in_shanghai(self._clock.now()).date()):
                    raise CounterBusy(ticket_id=str(counter.ticket_id))
                ticket = await self._claim(conn, counter)
                if ticket is None:
                    return counter, None
                counter = replace(counter, ticket_id=ticket.ticket_id, version=counter.version + 1)
                await queries.write_ticket(conn, ticket)
                await queries.write_counter(conn, counter)
                await self._record(conn, staff, "call_ticket", ticket, number)
                await self._tell_who_is_near(conn, office_id)
            return counter, ticket

        return await changing.until_settled(attempt)

    async def _called_already(self, conn: Connection, counter: Counter, expected: int) -> Ticket:
        """What this very call called before. Raises CounterChanged."""
        if counter.version == expected + 1 and counter.ticket_id is not None:
            last = await queries.select_ticket(conn, counter.office_id, counter.ticket_id)
            if last is not None and last.stage in AT_A_COUNTER and last.counter == counter.number:
                return last
        raise CounterChanged(version=counter.version)

    async def _claim(self, conn: Connection, counter: Counter) -> Ticket | None:
        """The next number of a counter, locked, as called."""
        now = self._clock.now()
        day = in_shanghai(now).date()
        end_of_day = day_bounds(day)[1]
        recent = await queries.select_lanes_called(conn, counter.office_id, day, counter.number, PRIORITY_RUN_MAX)
        for look in looks(recent):
            until = end_of_day if look.is_early else now
            ticket = await queries.claim_next(conn, counter, day, look.lanes, until=until)
            if ticket is not None:
                return called(ticket, counter.number, now)
        return None

    async def change(self, staff: Staff, office_id: OfficeId, ticket_id: UUID, expected: int, change: Change) -> Ticket:
        """Do something about a number that stands at version `expected`; asked again after a lost answer, the same.

        What is at a counter is changed by who sits there, or by the supervisor. A finished visit ends its booking as
        served in the same transaction; a number nobody came for leaves the booking as it is. Whoever is transferred
        keeps their rank and number. Raises TicketNotFound, NotAtCounter, TicketChanged, TicketNotThere,
        CounterNotFound, CounterClosed, ServiceNotHere.
        """
        catalogue = await self._catalogues.knowing_office(office_id)

        async def attempt() -> Ticket | None:
            async with self._db.connection() as conn:
                seen = await queries.select_ticket(conn, office_id, ticket_id)
            if seen is None:
                raise TicketNotFound
            if is_done_already(seen, change.act, expected):
                return seen
            if seen.version != expected:
                raise TicketChanged(version=seen.version, stage=seen.stage.value)
            if not is_possible(seen, change.act):
                possible = [act.value for act in Act if is_possible(seen, act)]
                raise TicketNotThere(stage=seen.stage.value, possible=possible)
            async with self._db.transaction() as conn:
                return await self._change_as_seen(conn, staff, seen, change, catalogue)

        return await changing.until_settled(attempt)

    async def _change_as_seen(
        self, conn: Connection, staff: Staff, seen: Ticket, change: Change, catalogue: Catalogue
    ) -> Ticket | None:
        """Change a number that is still as it was seen; None if it is not. The booking is locked first."""
        now = self._clock.now()
        if change.act is Act.FINISH and seen.person_id is not None and seen.booking_id is not None:
            [booking] = await lock_bookings(conn, [(seen.person_id, seen.booking_id)])
            if booking.stage is Stage.CHECKED_IN:
                await mark_served(conn, (seen.person_id, seen.booking_id), now=now)
        if seen.stage in AT_A_COUNTER:
            assert seen.counter is not None  # the database refuses anything else
            await locked(conn, staff, seen.office_id, seen.counter)
        if await queries.lock_ticket(conn, seen.office_id, seen.ticket_id) != seen:
            return None
        changed = not_before(after(seen, change.act, now), change.later_minutes, now)
        if change.act is Act.TRANSFER:
            changed = await self._transferred(conn, changed, change, catalogue)
        await queries.write_ticket(conn, changed)
        await self._record(conn, staff, f"{change.act.value}_ticket", changed, seen.counter)
        return changed

    async def _transferred(self, conn: Connection, ticket: Ticket, change: Change, catalogue: Catalogue) -> Ticket:
        """The number, to be called for another service or at one counter. Raises ServiceNotHere, CounterNotFound,
        CounterClosed."""
        service_id = change.service_id or ticket.service_id
        if not any(one.office_id == ticket.office_id and one.service_id == service_id for one in catalogue.desks):
            raise ServiceNotHere
        if change.for_counter is not None:
            counters = await queries.select_counters(conn, ticket.office_id)
            there = next((one for one in counters if one.number == change.for_counter), None)
            if there is None:
                raise CounterNotFound
            if not there.is_open:
                raise CounterClosed
        return replace(ticket, service_id=service_id, for_counter=change.for_counter)

    async def _record(self, conn: Connection, staff: Staff, act: str, ticket: Ticket, counter: int | None) -> None:
        await audit.record(
            conn, actor=f"staff:{staff.staff_id}", act=f"appointments.{act}", subject=f"ticket:{ticket.ticket_id}",
            now=self._clock.now(), detail={"office": str(ticket.office_id), "counter": counter or 0},
        )  # fmt: skip

    async def _tell_who_is_near(self, conn: Connection, office_id: OfficeId) -> None:
        """Owe a line to everybody known who has NEARLY_AHEAD or fewer before them; its key makes it one a number."""
        now = self._clock.now()
        counters = await queries.select_counters(conn, office_id)
        tickets = await queries.select_tickets_here(conn, office_id, in_shanghai(now).date(), HALL_MAX)
        hall = Hall(as_of=now, counters=tuple(counters), tickets=tuple(tickets), measured={}, slot_seconds={})
        office = self._catalogues.current.offices[office_id]
        owed = [
            Owed(
                caller=CALLER,
                key=f"{templates.QUEUE_NEARLY.id}/{office_id}/{ticket.ticket_id}",
                to=ticket.person_id,
                template=templates.QUEUE_NEARLY,
                values={"office": office.name_zh, "number": ticket.label, "ahead": str(ahead)},
                due_at=now,
                expires_at=now + NEARLY_GOOD_FOR,
            )
            for ticket in _first_of_their_lanes(hall)
            if ticket.person_id is not None
            and ticket.rank_at <= now
            and hall.serving(ticket)
            and (ahead := ahead_of(ticket, hall)) <= NEARLY_AHEAD
        ]
        await self._outbox.owe_many(conn, owed, now=now)


def _first_of_their_lanes(hall: Hall) -> Iterator[Ticket]:
    """The first few of each lane and service: nobody behind them can have so few before them."""
    lines: dict[tuple[object, ...], list[Ticket]] = {}
    for ticket in hall.waiting:
        lines.setdefault((ticket.lane, ticket.service_id, ticket.for_counter), []).append(ticket)
    for line in lines.values():
        yield from islice(sorted(line, key=lambda ticket: ticket.turn), NEARLY_AHEAD + 1)
