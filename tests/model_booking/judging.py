"""Whether what people were told is true: a yes has its row, a no had its reason, and nothing else has changed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from appointments import errors
from appointments.model import CANCEL_BEFORE, Booking, Stage
from appointments.pacing import CHANGES_AT_ONCE_MAX
from appointments.waiting import errors as waiting_errors
from kernel.clock import in_shanghai
from kernel.db import DatabaseAway, OutcomeUnknown
from kernel.errors import Refusal
from kernel.ids import PersonId, SlotId
from tests.model_booking.acting import GIVING_BACK, OF_THE_OFFICE, Deed, Kind
from tests.model_booking.city import Booked, City, Key, Seen

NOT_TOLD: Final = (DatabaseAway, OutcomeUnknown)
"""What somebody hears whose process died: perhaps it is done, perhaps not."""
_ORDER: Final = (Stage.BOOKED, Stage.CHECKED_IN, Stage.CANCELLED, Stage.MISSED)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One batch: what was so before and after, and what everybody was told."""

    city: City
    before: Seen
    after: Seen
    deeds: Sequence[Deed]
    answers: Sequence[Any]
    somebody_died: bool
    changes_of: dict[PersonId, int]
    """How often each person has asked for something in this example."""

    def yes(self) -> list[tuple[Deed, Any]]:
        pairs = zip(self.deeds, self.answers, strict=True)
        return [(deed, answer) for deed, answer in pairs if not isinstance(answer, BaseException)]

    def bookings_told(self) -> list[Booking]:
        return [answer for _, answer in self.yes() if isinstance(answer, Booking)]

    def touched(self) -> set[Key]:
        """Bookings that somebody acted on without being told what became of it."""
        pairs = zip(self.deeds, self.answers, strict=True)
        return {deed.key for deed, answer in pairs if isinstance(answer, NOT_TOLD)}

    def ever(self, person_id: PersonId) -> list[Booked | Booking]:
        """Everything a person had at some moment of the batch, as far as anybody can know."""
        of = [seen.bookings.items() for seen in (self.before, self.after)]
        had: list[Booked | Booking] = [booked for items in of for (who, _), booked in items if who == person_id]
        return had + [booking for booking in self.bookings_told() if booking.person_id == person_id]


def untruths(told: Told) -> list[str]:
    """Everything that is wrong with a batch."""
    wrong = []
    for deed, answer in zip(told.deeds, told.answers, strict=True):
        if isinstance(answer, NOT_TOLD):
            if not told.somebody_died:
                wrong.append(f"{deed.act} was not told anything: {answer!r}")
        elif isinstance(answer, Refusal):
            reason = REASONS.get(type(answer))
            if reason is None or not reason(told, deed):
                wrong.append(f"{deed.act} was refused without a reason: {answer!r}")
        elif isinstance(answer, BaseException):
            wrong.append(f"{deed.act} met an error: {answer!r}")
    return wrong + _rows_that_differ(told)


def _rows_that_differ(told: Told) -> list[str]:
    """A booking is what its people were told last; who was told nothing new has what they had."""
    wrong = []
    last: dict[Key, Booking] = {}
    for booking in told.bookings_told():
        key = booking.person_id, booking.booking_id
        if key not in last or _age(booking) > _age(last[key]):
            last[key] = booking
    for key in told.before.bookings.keys() | told.after.bookings.keys() | last.keys():
        if key in told.touched():
            continue
        row, said = told.after.bookings.get(key), last.get(key)
        expected = told.before.bookings.get(key) if said is None else _as_booked(said)
        if row != expected:
            wrong.append(f"booking {key[1].hex[-4:]}: is {row}, should be {expected}")
    return wrong


def _age(booking: Booking) -> tuple[int, int]:
    return booking.version, _ORDER.index(booking.stage)


def _as_booked(booking: Booking) -> Booked:
    return Booked(**{field: getattr(booking, field) for field in Booked.__struct_fields__})


# ------------------------------------------------------------------------------------------ reasons for a no


def was_full(told: Told, slot_id: SlotId) -> bool:
    """Whether the free places of a slot may all have been away at one moment: there were no more than could be taken.

    Taken by who was told yes or told nothing, or offered when somebody gave one back or a worker looked.
    """
    if any(deed.act.kind in OF_THE_OFFICE and deed.slot_id == slot_id for deed in told.deeds):
        return True
    yes = {deed.key for deed, answer in told.yes() if getattr(answer, "slot_id", None) == slot_id}
    offers = sum(deed.act.kind in GIVING_BACK for deed in told.deeds) if _somebody_waits(told, slot_id) else 0
    gone = sum(
        place.is_free(told.before.now) and not told.after.places[name].is_free(told.after.now)
        for name, place in told.before.places.items()
        if name[0] == slot_id and name in told.after.places
    )
    return told.before.free(slot_id) <= max(len(yes), gone) + len(told.touched()) + offers


def _somebody_waits(told: Told, slot_id: SlotId) -> bool:
    service_id = told.city.slot(slot_id).service_id
    return any(
        row["service_id"] == service_id and row["stage"] in ("waiting", "offered")
        for seen in (told.before, told.after)
        for row in seen.waiting
    )


def _had_of_service(told: Told, deed: Deed) -> bool:
    service_id = deed.slot.service_id
    return any(one.service_id == service_id and one.stage is Stage.BOOKED for one in told.ever(deed.person_id))


def _had_at_that_time(told: Told, deed: Deed) -> bool:
    slot = deed.slot
    return any(
        one.starts_at < slot.ends_at and slot.starts_at < one.ends_at and one.stage in (Stage.BOOKED, Stage.CHECKED_IN)
        for one in told.ever(deed.person_id)
    )


def _id_names_another(told: Told, deed: Deed) -> bool:
    return _is_known(told, deed) or sum(other.key == deed.key for other in told.deeds) > 1


def _is_known(told: Told, deed: Deed) -> bool:
    return deed.key in told.before.bookings or deed.key in told.after.bookings


def _was_not_booked(told: Told, deed: Deed) -> bool:
    rows = [seen.bookings[deed.key] for seen in (told.before, told.after) if deed.key in seen.bookings]
    return any(row.stage is not Stage.BOOKED for row in rows)


def _is_of_another_service(told: Told, deed: Deed) -> bool:
    return any(one.service_id != deed.slot.service_id for one in told.ever(deed.person_id))


def _is_late(told: Told, deed: Deed) -> bool:
    return told.before.now >= min(one.starts_at for one in told.ever(deed.person_id)) - CANCEL_BEFORE


def _was_not_expected(told: Told, deed: Deed) -> bool:
    """At the office of the act's slot, today."""
    here, today = deed.slot.office_id, in_shanghai(told.before.now).date()
    rows = [seen.bookings.get(deed.key) for seen in (told.before, told.after)]
    return any(
        row is None
        or row.stage not in (Stage.BOOKED, Stage.CHECKED_IN)
        or told.city.slot(row.slot_id).office_id != here
        or in_shanghai(row.starts_at).date() != today
        for row in rows
    )


def _was_withdrawn(told: Told, slot_id: SlotId) -> bool:
    return any(seen.slots[slot_id].withdrawn_at is not None for seen in (told.before, told.after)) or any(
        deed.act.kind is Kind.WITHDRAW and deed.slot_id == slot_id for deed in told.deeds
    )


def _held_nothing(told: Told, deed: Deed) -> bool:
    """At some moment, as far as can be known: before, after, or a hold that was made and ended within the batch."""
    held = [seen.holds.get(deed.key) for seen in (told.before, told.after)]
    return any(hold is None or hold.hold_until <= told.before.now for hold in held)


def _waits(told: Told, deed: Deed, *stages: str) -> bool:
    """Whether this wait was there all the time, in one of these stages."""
    rows = [[row for row in seen.waiting if row["waiting_id"] == deed.booking_id] for seen in (told.before, told.after)]
    return all(row and (not stages or row[0]["stage"] in stages) for row in rows)


def _was_offered_nothing(told: Told, deed: Deed) -> bool:
    """At some moment, or not any more."""
    over = [row for row in told.before.waiting if row["offered_until"] and row["offered_until"] <= told.before.now]
    return not _waits(told, deed, "offered") or any(row["waiting_id"] == deed.booking_id for row in over)


def _waits_for_service(told: Told, deed: Deed) -> bool:
    service_id = deed.slot.service_id
    return any(
        row["person_id"] == deed.person_id and row["service_id"] == service_id
        for seen in (told.before, told.after)
        for row in seen.waiting
    )


REASONS: Final[dict[type[Refusal], Callable[[Told, Deed], bool]]] = {
    errors.SlotFull: lambda told, deed: was_full(told, deed.slot_id),
    errors.AlreadyBooked: _had_of_service,
    errors.TimesOverlap: _had_at_that_time,
    errors.BookingIdTaken: _id_names_another,
    errors.BookingNotFound: lambda told, deed: deed.key not in told.before.bookings,
    errors.NotBooked: _was_not_booked,
    errors.OtherService: _is_of_another_service,
    errors.CancellationClosed: _is_late,
    errors.ReschedulingClosed: _is_late,
    errors.SlotPast: lambda told, deed: told.before.now >= deed.slot.starts_at,
    errors.TooManyChanges: lambda told, deed: told.changes_of[deed.person_id] > CHANGES_AT_ONCE_MAX,
    errors.NotExpected: _was_not_expected,
    errors.HoldNotFound: _held_nothing,
    errors.SlotWithdrawn: lambda told, deed: _was_withdrawn(told, deed.slot_id),
    waiting_errors.WaitingNotFound: lambda told, deed: not _waits(told, deed),
    waiting_errors.AlreadyWaiting: _waits_for_service,
    waiting_errors.WaitingEnded: lambda told, deed: not _waits(told, deed, "waiting", "offered"),
    waiting_errors.NothingOffered: _was_offered_nothing,
}
