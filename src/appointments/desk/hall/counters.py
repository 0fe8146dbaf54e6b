"""A clerk sits down at a counter and opens it, and closes it when they leave."""

from collections.abc import Sequence
from datetime import date

import asyncpg
from msgspec.structs import replace

from appointments import changing
from appointments.desk.hall import queries
from appointments.desk.hall.model import AT_A_COUNTER, Counter
from appointments.errors import (
    AtAnotherCounter,
    CounterBusy,
    CounterNotFound,
    CounterTaken,
    NotAtCounter,
    ServiceNotHere,
)
from appointments.model import Catalogue
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Staff


async def open_counter(
    db: Database,
    clock: Clock,
    catalogue: Catalogue,
    staff: Staff,
    office_id: OfficeId,
    number: int,
    service_ids: Sequence[ServiceId],
) -> Counter:
    """Sit at a counter and serve these services there. Opened again by who sits there, the services are these now.

    A clerk sits at one counter of an office, and nobody at somebody else's. Raises ServiceNotHere, CounterTaken,
    AtAnotherCounter.
    """
    served = tuple(dict.fromkeys(service_ids))
    here = {desk.service_id for desk in catalogue.desks if desk.office_id == office_id}
    if not set(served) <= here:
        raise ServiceNotHere
    now = clock.now()
    wanted = Counter(
        office_id=office_id, number=number, service_ids=served, staff_id=staff.staff_id, opened_at=now,
        ticket_id=None, version=1,
    )  # fmt: skip
    try:
        async with db.transaction() as conn:
            await queries.insert_counter(conn, wanted)
            found = await queries.lock_counter(conn, office_id, number)
            assert found is not None
            if found.staff_id not in (None, staff.staff_id):
                raise CounterTaken
            opened = replace(
                found, service_ids=served, staff_id=staff.staff_id,
                opened_at=found.opened_at if found.is_open else now,
            )  # fmt: skip
            await queries.write_counter(conn, opened)
            await audit.record(
                conn, actor=f"staff:{staff.staff_id}", act="appointments.open_counter", subject=f"office:{office_id}",
                now=now, detail={"counter": number, "services": len(served)},
            )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise AtAnotherCounter from None
    return opened


async def close_counter(db: Database, clock: Clock, staff: Staff, office_id: OfficeId, number: int) -> Counter:
    """Nobody sits there any more; closing twice is closing once. By who sits there, or by the supervisor.

    Whoever waited for this counter alone waits for any that serves them. Raises CounterNotFound, NotAtCounter,
    CounterBusy.
    """
    now = clock.now()
    today = in_shanghai(now).date()

    async def attempt() -> Counter:
        async with db.transaction() as conn:
            found = await locked(conn, staff, office_id, number)
            if not found.is_open:
                return found
            if await is_busy(conn, found, today):
                raise CounterBusy(ticket_id=str(found.ticket_id))
            closed = replace(found, staff_id=None, opened_at=None)
            await queries.write_counter(conn, closed)
            await queries.free_tickets_for(conn, office_id, today, number)
            await audit.record(
                conn, actor=f"staff:{staff.staff_id}", act="appointments.close_counter", subject=f"office:{office_id}",
                now=now, detail={"counter": number},
            )  # fmt: skip
        return closed

    return await changing.until_settled(attempt)


async def counters_of(db: Database, office_id: OfficeId) -> list[Counter]:
    """Every counter that was ever opened at an office, by number."""
    async with db.connection() as conn:
        return await queries.select_counters(conn, office_id)


async def locked(conn: Connection, staff: Staff, office_id: OfficeId, number: int) -> Counter:
    """The counter, locked, if this member of staff may act for it. Raises CounterNotFound, NotAtCounter."""
    found = await queries.lock_counter(conn, office_id, number)
    if found is None:
        raise CounterNotFound
    if found.is_open and found.staff_id != staff.staff_id and not staff.is_supervisor:
        raise NotAtCounter
    return found


async def is_busy(conn: Connection, counter: Counter, today: date) -> bool:
    """Whether what a locked counter called last today is still there: yesterday's visitor is not."""
    if counter.ticket_id is None:
        return False
    last = await queries.select_ticket(conn, counter.office_id, counter.ticket_id)
    return last is not None and last.day == today and last.stage in AT_A_COUNTER and last.counter == counter.number
