"""A person closes their account: what they have before them is given back.

What was and is over stays, with the office that keeps it.
"""

from typing import Final

from msgspec.structs import replace

from appointments import queries
from appointments.accounts import queries as accounts
from appointments.freeing import give_back
from appointments.holds import queries as holds
from appointments.model import Booking, EndedBy, Hold, Stage
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection
from kernel.ids import PersonId

BOOKINGS_MAX: Final = 1_000
"""Far more than anybody may have before them."""


class Leaving:
    """Ends what rests on an account being kept."""

    def __init__(self, clock: Clock, telling: Telling, sold_out: SoldOut) -> None:
        self._clock = clock
        self._telling = telling
        self._sold_out = sold_out

    async def leave(self, conn: Connection, person_id: PersonId) -> None:
        """Cancel every booking ahead and give every place back, in the caller's transaction; nothing waits any more.

        Calendar subscriptions end. Places are locked first, and among them in one order; what somebody else moves at
        this very moment meets a deadlock, and the whole is to be tried again.
        """
        now = self._clock.now()
        ahead = await accounts.select_bookings_ahead(conn, person_id, BOOKINGS_MAX)
        held = await holds.select_holds(conn, [person_id])
        places = {(one.slot_id, one.seq) for one in ahead} | {(one.slot_id, one.seq) for one in held}
        for slot_id, seq in sorted(places):
            await queries.lock_place(conn, slot_id, seq)
        for hold in held:
            await self._end_hold(conn, hold)
        for booking in await queries.lock_bookings(conn, sorted((one.person_id, one.booking_id) for one in ahead)):
            if booking.stage is Stage.BOOKED:
                await self._cancel(conn, booking)
        for service_id, waiting_id in await accounts.select_waiting_ahead(conn, person_id):
            await accounts.end_waiting_with_account(conn, service_id, waiting_id, now=now)
        await accounts.delete_feed_numbers(conn, person_id)
        await accounts.end_feeds(conn, person_id, now=now)

    async def _end_hold(self, conn: Connection, hold: Hold) -> None:
        is_theirs = await queries.lock_held_place(conn, hold)
        if await holds.lock_hold(conn, hold.person_id, hold.service_id) != hold:
            return
        await holds.end_hold(conn, hold)
        if is_theirs:
            await give_back(
                conn, self._telling, hold.slot_id, hold.seq, service_id=hold.service_id,
                person_id=hold.person_id, booking_id=hold.booking_id, now=self._clock.now(),
            )  # fmt: skip
            self._sold_out.forget(hold.slot_id)

    async def _cancel(self, conn: Connection, booking: Booking) -> None:
        now = self._clock.now()
        await queries.lock_place(conn, booking.slot_id, booking.seq)
        await give_back(
            conn, self._telling, booking.slot_id, booking.seq, service_id=booking.service_id,
            person_id=booking.person_id, booking_id=booking.booking_id, now=now,
        )  # fmt: skip
        await queries.mark_cancelled(conn, (booking.person_id, booking.booking_id), now=now)
        cancelled = replace(booking, stage=Stage.CANCELLED, changed_at=now, ended_by=EndedBy.PERSON)
        await self._telling.cancelled(conn, cancelled, now=now)
        self._sold_out.forget(booking.slot_id)
