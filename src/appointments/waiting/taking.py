"""A person takes the place that the waiting list offers them."""

from msgspec.structs import replace

from appointments.asking import Particulars
from appointments.booking import Booker
from appointments.model import Booking, Channel
from appointments.queries import select_bookings
from appointments.sold_out import SoldOut
from appointments.waiting import queries
from appointments.waiting.errors import NothingOffered, WaitingNotFound
from appointments.waiting.model import WaitingId, Waits
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import PersonId


class Taking:
    """Confirms offers."""

    def __init__(self, db: Database, clock: Clock, booker: Booker, sold_out: SoldOut) -> None:
        self._db = db
        self._clock = clock
        self._booker = booker
        self._sold_out = sold_out

    async def take(self, person_id: PersonId, waiting_id: WaitingId, particulars: Particulars) -> Booking:
        """Book the offered place, as it would be booked freely: the same is asked, and the same may be refused.

        The booking and the end of the wait commit together (`holds.holding`). Taking it again answers the same
        booking. Raises WaitingNotFound, NothingOffered, and what `Booker.book` does.
        """
        async with self._db.connection() as conn:
            seen = await queries.select_waiting_of_person(conn, person_id, waiting_id)
            if seen is None:
                raise WaitingNotFound
            offered = seen.offered
            if seen.stage is Waits.TAKEN and offered is not None:
                return (await select_bookings(conn, [(person_id, offered.booking_id)]))[person_id, offered.booking_id]
        if offered is None or seen.offered_until is None or self._clock.now() >= seen.offered_until:
            raise NothingOffered
        self._sold_out.forget(offered.slot_id)  # it was remembered as full for everybody but those who had places then
        asked = replace(particulars, channel=Channel.WAITING_LIST)
        return await self._booker.book(offered.booking_id, offered.slot_id, person_id, asked)
