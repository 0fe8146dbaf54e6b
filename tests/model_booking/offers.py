"""Who waits for a place gets it: one that is given back goes to them at once, any other when a worker has looked."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from appointments.model import Slot, Stage
from kernel.clock import in_shanghai
from kernel.ids import PersonId
from tests.model_booking.acting import GIVING_BACK, Kind
from tests.model_booking.city import Seen
from tests.model_booking.judging import Told

OFFERED_AT_LEAST: Final = timedelta(minutes=5)
"""A place that can be booked for less than this is offered to nobody."""


def passed_by(told: Told) -> list[str]:
    """Whoever was passed by: in a batch of one act, so that nobody else's doing explains it."""
    if len(told.deeds) != 1 or told.somebody_died or isinstance(told.answers[0], BaseException):
        return []
    kind = told.deeds[0].act.kind
    if kind is Kind.LOOK_AFTER:
        return [f"free, and not offered: {line}" for line in _free_and_wanted(told.after, told.after, None)]
    if kind in GIVING_BACK:
        giver = told.deeds[0].person_id
        return [f"given back, and not offered: {line}" for line in _free_and_wanted(told.before, told.after, giver)]
    return []


def _free_and_wanted(before: Seen, after: Seen, giver: PersonId | None) -> Iterator[str]:
    """Places that are free while somebody waits for them; with a giver, only those that were not free before."""
    for (slot_id, seq), place in after.places.items():
        was = before.places[slot_id, seq]
        if not place.is_free(after.now) or (giver is not None and was.is_free(before.now)):
            continue
        slot = after.slots[slot_id]
        for row in after.waiting:
            if row["person_id"] != giver and row in before.waiting and _may_be_offered(after, slot, row):
                yield f"place {seq} of {slot_id}, to {row['person_id']}"


def _may_be_offered(seen: Seen, slot: Slot, row: dict[str, Any]) -> bool:
    """Whether somebody waits for such a slot, who could book it now."""
    day = in_shanghai(slot.starts_at).date()
    fits = (
        row["stage"] == "waiting"
        and row["service_id"] == slot.service_id
        and row["office_id"] in (None, slot.office_id)
        and row["lane"] == slot.lane
        and row["first_day"] <= day <= row["last_day"]
    )
    can_be = slot.withdrawn_at is None and slot.starts_at - seen.now >= OFFERED_AT_LEAST
    return fits and can_be and not _is_taken_up(seen, slot, row["person_id"])


def _is_taken_up(seen: Seen, slot: Slot, person_id: PersonId) -> bool:
    """Whether somebody is booked for the service or at the hour, or holds a place of the service."""
    holds = any(
        key[0] == person_id and hold.hold_until >= seen.now and seen.slots[hold.slot_id].service_id == slot.service_id
        for key, hold in seen.holds.items()
    )
    return holds or any(
        (booked.service_id == slot.service_id and booked.stage is Stage.BOOKED)
        or (booked.starts_at < slot.ends_at and slot.starts_at < booked.ends_at)
        for booked in seen.standing(person_id)
    )
