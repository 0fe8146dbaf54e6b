"""The hall as it is at this moment, for whoever counts or shows it."""

from typing import Final

from appointments.desk.hall import queries
from appointments.desk.hall.estimating import Hall
from appointments.desk.hall.model import Ticket
from appointments.model import Catalogue
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import OfficeId

HALL_MAX: Final = 2_000
"""Numbers of an office that are looked at together; who waits behind more is told when the hall is emptier."""
LAST_CALLED_MAX: Final = 6


async def look_into(db: Database, clock: Clock, catalogue: Catalogue, office_id: OfficeId) -> tuple[Hall, list[Ticket]]:
    """The hall of an office at this moment, and what was called last today."""
    now = clock.now()
    day = in_shanghai(now).date()
    async with db.connection() as conn:
        counters = await queries.select_counters(conn, office_id)
        tickets = await queries.select_tickets_here(conn, office_id, day, HALL_MAX)
        measured = await queries.measure_services(conn, office_id, day)
        last = await queries.select_last_called(conn, office_id, day, LAST_CALLED_MAX)
    slot_seconds = {one.service_id: one.slot_minutes * 60 for one in catalogue.desks if one.office_id == office_id}
    hall = Hall(
        as_of=now, counters=tuple(counters), tickets=tuple(tickets), measured=measured, slot_seconds=slot_seconds
    )
    return hall, last
