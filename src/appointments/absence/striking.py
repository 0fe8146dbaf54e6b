"""Bookings that nobody came to are counted against a person; too many, and they may not book for a while."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from appointments.absence import queries
from appointments.absence.model import STRIKES_MAX, Strike, StrikeId, Strikes, counted_since, suspended_until
from appointments.model import Booking
from appointments.telling import CALLER, Telling, promise
from kernel.clock import in_shanghai
from kernel.db import Connection
from kernel.ids import BookingId, PersonId, uuid7
from notifications import templates
from notifications.outbox import Owed


async def strike(conn: Connection, telling: Telling, missed: Sequence[Booking], *, now: datetime) -> None:
    """Write a strike for each of these bookings, locked by the caller, and suspend whoever has STRIKES_MAX or more.

    Everybody is told how many they have now. Strikes, suspensions and messages commit with the caller's transaction,
    which marks the bookings missed, or not at all; a booking is struck once. Two that strike one person wait for each
    other, so that one of them sees both strikes.
    """
    if not missed:
        return
    ordered = sorted(missed, key=lambda one: (one.person_id, one.starts_at, one.booking_id))
    people = sorted({one.person_id for one in ordered})
    await queries.insert_strikes(conn, [_strike_for(booking, now) for booking in ordered])
    await queries.lock_suspensions(conn, people, now=now)
    counted = await queries.count_strikes(conn, people, counted_since(now))
    suspended = [person_id for person_id in people if counted.get(person_id, 0) >= STRIKES_MAX]
    await queries.suspend(conn, suspended, suspended_until(now), now=now)
    last = {booking.person_id: booking.booking_id for booking in ordered}
    owed = await _missed(telling, ordered, counted, now) + [_suspension(one, last[one], now) for one in suspended]
    await telling.owe(conn, owed, now=now)


async def lift_if_few(conn: Connection, person_id: PersonId, *, now: datetime) -> bool:
    """End a person's suspension if the strikes that led to it are fewer than STRIKES_MAX now; whether it was ended.

    For whoever has just waived a strike, in their transaction.
    """
    suspension = (await queries.lock_suspensions(conn, [person_id], now=now))[person_id]
    if not suspension.stands(now):
        return False
    counted = await queries.count_strikes(conn, [person_id], counted_since(suspension.since))
    if counted.get(person_id, 0) >= STRIKES_MAX:
        return False
    await queries.lift_suspension(conn, person_id, now=now)
    return True


async def waive_for_late_arrival(
    conn: Connection, person_id: PersonId, booking_id: BookingId, *, decided_by: str, now: datetime
) -> bool:
    """Waive the strike of a booking whose person came after all; whether there was one. `decided_by` is `staff:…`.

    For the desk's check-in, in its transaction, which has locked the booking.
    """
    found = await queries.lock_strike(conn, person_id, booking_id)
    if found is None or found.stage is Strikes.WAIVED:
        return False
    await queries.mark_decided(conn, person_id, booking_id, Strikes.WAIVED, decided_by, now=now)
    await lift_if_few(conn, person_id, now=now)
    return True


def _strike_for(booking: Booking, now: datetime) -> Strike:
    return Strike(
        person_id=booking.person_id,
        booking_id=booking.booking_id,
        strike_id=StrikeId(uuid7(now)),
        service_id=booking.service_id,
        office_id=booking.office_id,
        struck_at=now,
        stage=Strikes.STANDING,
        appeal=None,
        appealed_at=None,
        decided_at=None,
    )


async def _missed(
    telling: Telling, ordered: Sequence[Booking], counted: dict[PersonId, int], now: datetime
) -> list[Owed]:
    """One message for each booking, that says which strike of how many it was."""
    still_to_say = Counter(booking.person_id for booking in ordered)
    owed = []
    for booking in ordered:
        still_to_say[booking.person_id] -= 1
        strikes = counted[booking.person_id] - still_to_say[booking.person_id]
        values = await telling.about(booking.office_id, booking.service_id, booking.starts_at)
        owed.append(
            Owed(
                caller=CALLER,
                key=promise(templates.BOOKING_MISSED, booking),
                to=booking.person_id,
                template=templates.BOOKING_MISSED,
                values=values | {"strikes": str(strikes), "most": str(STRIKES_MAX)},
                due_at=now,
            )
        )
    return owed


def _suspension(person_id: PersonId, booking_id: BookingId, now: datetime) -> Owed:
    return Owed(
        caller=CALLER,
        key=f"{templates.BOOKING_SUSPENDED.id}/{person_id}/{booking_id}",
        to=person_id,
        template=templates.BOOKING_SUSPENDED,
        values={"ends": in_shanghai(suspended_until(now)).isoformat()},
        due_at=now,
    )
