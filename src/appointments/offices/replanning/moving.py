"""The office moves or cancels a booking whose slot goes, and tells the person, in one transaction each."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import asyncpg
import msgspec
from msgspec.structs import replace

from appointments import changing
from appointments import queries as bookings
from appointments.due import first_due, remind_at
from appointments.model import Booking, Channel, EndedBy, Slot, Stage, cancellable_until, day_bounds
from appointments.offices.replanning import fitting, queries
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import SlotId

CANDIDATES_MAX: Final = 200
"""How many slots with room are looked at for one booking."""
TRIED_MAX: Final = 12
"""How many of them are tried: others may be taking their places, or the person be elsewhere then."""
WITHIN_DAYS_MAX: Final = 30


class OnConflict(StrEnum):
    """What becomes of who is booked in a slot that goes."""

    KEEP = "keep"
    """They come as booked; nobody else can book there."""
    MOVE = "move"
    """They get the nearest free slot, or none is near and they are cancelled."""
    CANCEL = "cancel"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a department decided, why, and who decided it (`kind:id`). Moves stay `within_days` of the old day."""

    on_conflict: OnConflict
    reason_zh: str
    actor: str
    within_days: int = 7


def nearest_first(slots: Iterable[Slot], starts_at: datetime) -> list[Slot]:
    """Slots in the order in which somebody booked at `starts_at` would want them: the same day first, then by how far
    away; of two equally far the later one, for which nobody has to hurry."""
    day = in_shanghai(starts_at).date()

    def distance(slot: Slot) -> tuple[bool, timedelta, timedelta]:
        return in_shanghai(slot.starts_at).date() != day, abs(slot.starts_at - starts_at), starts_at - slot.starts_at

    return sorted(slots, key=distance)


class Mover:
    """Carries out a decision, one booking at a time."""

    def __init__(self, db: Database, clock: Clock, telling: Telling, sold_out: SoldOut) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._sold_out = sold_out

    def opened(self, slot_ids: Iterable[SlotId]) -> None:
        """There may be room in these again: nobody is told from memory that they are full."""
        for slot_id in slot_ids:
            self._sold_out.forget(slot_id)

    async def carry_out(self, seen: Booking, decision: Decision) -> Booking | None:
        """Move or cancel a booking, and say so to the person; None if they gave it up, or came, before us.

        Done again for the same booking it does nothing: what counts is where the booking is when it is locked.
        """
        assert decision.on_conflict is not OnConflict.KEEP
        if decision.on_conflict is OnConflict.MOVE:
            for slot in await self._near(seen, decision.within_days):
                moved = await self._move(seen, slot, decision)
                if isinstance(moved, Booking) or moved is _GONE:
                    return moved if isinstance(moved, Booking) else None
        return await self._cancel(seen, decision)

    async def _near(self, seen: Booking, within_days: int) -> list[Slot]:
        now, day = self._clock.now(), in_shanghai(seen.starts_at).date()
        first = max(now, day_bounds(day - timedelta(days=within_days))[0])
        last = day_bounds(day + timedelta(days=within_days))[1]
        async with self._db.connection() as conn:
            found = await queries.select_with_room(
                conn, seen.office_id, seen.service_id, seen.lane, first, last, CANDIDATES_MAX, now=now
            )
        others = [slot for slot in found if slot.slot_id != seen.slot_id]
        return nearest_first(others, seen.starts_at)[:TRIED_MAX]

    async def _move(self, seen: Booking, slot: Slot, decision: Decision) -> "Booking | _Answer":
        """Move a booking that is still where it was seen: the new place is locked first, as everybody does."""
        await self._telling.learn(slot)

        async def attempt() -> "Booking | _Answer":
            now = self._clock.now()
            async with self._db.transaction() as conn:
                places = await bookings.claim_places(conn, slot.slot_id, 1, now=now)
                if not places:
                    return _FULL
                if not await changing.lock_as_seen(conn, seen):
                    return _GONE
                moved = replace(
                    seen, slot_id=slot.slot_id, seq=places[0], office_id=slot.office_id, starts_at=slot.starts_at,
                    ends_at=slot.ends_at, version=seen.version + 1, channel=Channel.MOVED_BY_OFFICE,
                    cancellable_until=cancellable_until(slot.starts_at, now),
                    remind_at=remind_at(slot.starts_at, now), changed_at=now,
                )  # fmt: skip
                key = seen.person_id, seen.booking_id
                await fitting.drop(conn, seen.slot_id, seen.seq)
                await bookings.take_places(conn, slot.slot_id, [(places[0], key)])
                await queries.move_by_office(conn, moved)
                due, due_at = first_due(moved.starts_at, moved.ends_at, now)
                await bookings.insert_due(conn, [key], moved.version, due, due_at)
                await self._telling.moved_by_office(conn, seen, moved, decision.reason_zh, now=now)
                await _note(conn, "move_booking", seen, decision, now=now, to=slot.slot_id)
            return moved

        try:
            return await changing.until_settled(attempt)
        except asyncpg.ExclusionViolationError:
            return _FULL  # the person is elsewhere then

    async def _cancel(self, seen: Booking, decision: Decision) -> Booking | None:
        async def attempt() -> "Booking | _Answer":
            now = self._clock.now()
            async with self._db.transaction() as conn:
                if not await changing.lock_as_seen(conn, seen):
                    return _GONE
                await fitting.drop(conn, seen.slot_id, seen.seq)
                await queries.cancel_by_office(conn, (seen.person_id, seen.booking_id), now=now)
                cancelled = replace(seen, stage=Stage.CANCELLED, ended_by=EndedBy.OFFICE, changed_at=now)
                await self._telling.cancelled_by_office(conn, cancelled, decision.reason_zh, now=now)
                await _note(conn, "cancel_booking", seen, decision, now=now)
            return cancelled

        cancelled = await changing.until_settled(attempt)
        return cancelled if isinstance(cancelled, Booking) else None


class _Answer(StrEnum):
    """Why a booking was not moved to a slot."""

    FULL = "full"
    GONE = "gone"


_FULL: Final = _Answer.FULL
_GONE: Final = _Answer.GONE


async def _note(
    conn: Connection, act: str, seen: Booking, decision: Decision, *, now: datetime, to: SlotId | None = None
) -> None:
    detail: dict[str, str | int | bool] = {"slot": str(seen.slot_id)}
    if to is not None:
        detail["to"] = str(to)
    await audit.record(
        conn, actor=decision.actor, act=f"appointments.{act}", subject=f"booking:{seen.booking_id}", now=now,
        detail=detail,
    )  # fmt: skip
