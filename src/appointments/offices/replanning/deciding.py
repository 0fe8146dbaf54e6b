"""A department carries out what it decided about hours that changed, and gives or takes back slots one by one."""

from collections.abc import Sequence

from msgspec.structs import replace

from appointments.errors import SlotNotFound
from appointments.model import Slot
from appointments.offices import offering
from appointments.offices import queries as offices
from appointments.offices.replanning import applying, fitting, queries
from appointments.offices.replanning.applying import CONFLICTS_MAX, SLOTS_MAX, Applied
from appointments.offices.replanning.moving import Decision, Mover, OnConflict
from kernel import audit
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import OfficeId, ServiceId, SlotId


async def apply(
    db: Database, clock: Clock, mover: Mover, office_id: OfficeId, service_id: ServiceId, decision: Decision,
    *, slots_max: int = SLOTS_MAX, bookings_max: int = CONFLICTS_MAX,
) -> Applied:  # fmt: skip
    """Make a desk's slots as planned, and carry out the decision about who is booked in what goes.

    What is more than the bounds is left for the next call (`is_done` False). Nobody is moved into a slot that is to go:
    those are withdrawn first. Raises PartAway when somebody keeps changing what is to be changed.
    """
    plan = await applying.planned(db, clock, office_id, service_id)
    appeared = 0
    for batch in offering.batches(plan.changes.appear[:slots_max]):
        appeared += await offering.offer(db, batch)
    settled = await applying.settle(db, clock, plan, slots_max=slots_max)
    mover.opened(slot.slot_id for slot in (*plan.changes.appear, *plan.changes.fit))
    is_settled = settled.is_done and len(plan.changes.appear) <= slots_max
    applied = replace(settled, appeared=appeared, is_done=is_settled)
    if is_settled:
        resolved = await applying.resolve(db, clock, mover, plan, decision, bookings_max=bookings_max)
        applied = replace(
            applied, moved=resolved.moved, cancelled=resolved.cancelled, kept=resolved.kept, is_done=resolved.is_done
        )
    async with db.transaction() as conn:
        if applied.is_done:
            await offices.set_offered_until(conn, plan.context.desk, plan.last_day)
        await audit.record(
            conn, actor=decision.actor, act="appointments.replan", subject=f"desk:{office_id}/{service_id}",
            now=clock.now(), detail={
                "on_conflict": decision.on_conflict.value, "appeared": applied.appeared, "fitted": applied.fitted,
                "withdrawn": applied.withdrawn, "moved": applied.moved, "cancelled": applied.cancelled,
                "kept": applied.kept,
            },
        )  # fmt: skip
    return applied


async def apply_in_office(
    db: Database, clock: Clock, mover: Mover, office_id: OfficeId, service_ids: Sequence[ServiceId], decision: Decision,
    *, slots_max: int = SLOTS_MAX, bookings_max: int = CONFLICTS_MAX,
) -> dict[ServiceId, Applied]:  # fmt: skip
    """Do `apply` at these desks of an office, one after the other, within the bounds together.

    A desk that was not reached any more is not done; the next call goes on there. Raises PartAway.
    """
    done: dict[ServiceId, Applied] = {}
    for service_id in service_ids:
        if slots_max <= 0 or bookings_max <= 0:
            done[service_id] = Applied(is_done=False)
            continue
        applied = await apply(
            db, clock, mover, office_id, service_id, decision, slots_max=slots_max, bookings_max=bookings_max
        )
        slots_max -= applied.appeared + applied.fitted + applied.withdrawn
        bookings_max -= applied.moved + applied.cancelled
        done[service_id] = applied
    return done


async def give_slot(db: Database, clock: Clock, mover: Mover, slot: Slot, *, actor: str) -> Slot:
    """Offer one slot that follows from no rules: a trip, a sitting. Given again, it is as it was given last: more or
    fewer places (never fewer than are booked), other moments, other details; one that was withdrawn comes back."""
    assert not slot.is_planned
    if not await offering.offer(db, [slot]):
        await fitting.fit(db, clock, slot)
    mover.opened([slot.slot_id])
    await _note(db, clock, "give_slot", slot.slot_id, actor, places=slot.places)
    return await read_slot(db, slot.slot_id)


async def read_slot(db: Database, slot_id: SlotId) -> Slot:
    """Raises SlotNotFound."""
    async with db.connection() as conn:
        found = await offices.select_slots(conn, [slot_id])
    if slot_id not in found:
        raise SlotNotFound
    return found[slot_id]


async def withdraw_slot(db: Database, clock: Clock, mover: Mover, slot: Slot, decision: Decision) -> Applied:
    """Let nobody book one slot any more, and carry out the decision about who is booked there."""
    await fitting.withdraw(db, clock, slot)
    await _note(db, clock, "withdraw_slot", slot.slot_id, decision.actor, on_conflict=decision.on_conflict.value)
    moved = cancelled = 0
    async with db.connection() as conn:
        booked = await queries.select_booked_in(conn, [slot.slot_id], CONFLICTS_MAX)
    if decision.on_conflict is not OnConflict.KEEP:
        for booking in booked:
            done = await mover.carry_out(booking, decision)
            if done is not None:
                moved, cancelled = moved + (done.ended_by is None), cancelled + (done.ended_by is not None)
    async with db.connection() as conn:
        left = (await queries.count_booked_in(conn, [slot.slot_id])).get(slot.slot_id, 0)
    is_done = decision.on_conflict is OnConflict.KEEP or left == 0
    return Applied(withdrawn=1, moved=moved, cancelled=cancelled, kept=left, is_done=is_done)


async def _note(db: Database, clock: Clock, act: str, slot_id: SlotId, actor: str, **detail: str | int | bool) -> None:
    async with db.transaction() as conn:
        await audit.record(
            conn, actor=actor, act=f"appointments.{act}", subject=f"slot:{slot_id}", now=clock.now(), detail=detail
        )
