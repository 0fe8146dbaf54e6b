"""What people and offices do in the model: an act as it was drawn, and as it is carried out in the city as it is."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from appointments.asking import NOTHING_MORE
from appointments.desk.checking_in import check_in
from appointments.model import Slot, Stage
from appointments.offices.replanning import fitting
from appointments.parts import Appointments
from appointments.waiting.model import WaitingId, Wish
from kernel.clock import in_shanghai
from kernel.ids import BookingId, PersonId, SlotId, StaffId
from tests.builders_appointments import THURSDAY_TEN
from tests.model_booking.city import Booked, City, Seen

PLACES_MAX: Final = 3
A_CLERK: Final = StaffId(UUID(int=0xC1E4))


class Kind(StrEnum):
    BOOK = "book"
    BOOK_AGAIN = "book again"
    """Under the id used last: a retry, or a mistake."""
    CANCEL = "cancel"
    MOVE = "move"
    CHECK_IN = "check in"
    HOLD = "hold"
    CONFIRM = "confirm"
    """Book under the id and in the slot of what is held."""
    LET_GO = "let go"
    """Of what is held."""
    JOIN = "join the waiting list"
    LEAVE = "leave the waiting list"
    ACCEPT = "accept what is offered"
    FIT = "give the slot another number of places"
    WITHDRAW = "withdraw the slot"
    LOOK_AFTER = "a worker looks after holds and waiting lists"


TAKING: Final = frozenset({Kind.BOOK, Kind.BOOK_AGAIN, Kind.HOLD, Kind.CONFIRM, Kind.MOVE, Kind.ACCEPT})
GIVING_BACK: Final = frozenset({Kind.CANCEL, Kind.MOVE, Kind.LET_GO, Kind.LEAVE})
OF_THE_OFFICE: Final = frozenset({Kind.FIT, Kind.WITHDRAW})
FRESH: Final = frozenset({Kind.BOOK, Kind.HOLD, Kind.JOIN})


class Act(msgspec.Struct, frozen=True):
    """Numbers of a process, a person and a slot; for a capacity, the person's is how many places."""

    kind: Kind
    process: int
    person: int
    slot: int

    def __repr__(self) -> str:
        return f"Act(Kind.{self.kind.name}, {self.process}, {self.person}, {self.slot})"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """An act with names: who, under which id, where."""

    act: Act
    person_id: PersonId
    booking_id: BookingId
    slot: Slot

    def begin(self, part: Appointments) -> Awaitable[Any]:
        """Carry it out, in the process whose part this is."""
        return CALLS[self.act.kind](part, self)

    @property
    def slot_id(self) -> SlotId:
        return self.slot.slot_id

    @property
    def key(self) -> tuple[PersonId, BookingId]:
        return self.person_id, self.booking_id


class Naming:
    """Ids as a phone would choose them, the same each time the example is played."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._next = 0
        self._last: dict[PersonId, BookingId] = {}

    def deed(self, act: Act, seen: Seen) -> Deed:
        """Acts on what is there choose among it, whoever has it; where nothing is, somebody asks in vain."""
        person_id, slot = self._city.people[act.person], self._city.slots[act.slot]
        there = _there(act.kind, seen)
        if there:
            person_id, booking_id, slot_id = there[(act.person + act.slot) % len(there)]
            slot = self._to_move_to(act, slot_id) if act.kind is Kind.MOVE else self._city.slot(slot_id or slot.slot_id)
        elif act.kind in FRESH or person_id not in self._last:
            if act.kind is Kind.JOIN or act.process == 0:  # mostly it is asked for by who has not got it
                person_id = self._somebody_without(act, slot, seen)
            self._next += 1
            booking_id = BookingId(UUID(int=0xB000 + self._next))
        else:
            booking_id = self._last[person_id]
        if act.kind in (Kind.BOOK, Kind.HOLD):
            self._last[person_id] = booking_id
        return Deed(act=act, person_id=person_id, booking_id=booking_id, slot=slot)

    def _somebody_without(self, act: Act, slot: Slot, seen: Seen) -> PersonId:
        have = {key[0] for key, row in seen.bookings.items() if _is_of(row, slot)}
        without = [person_id for person_id in self._city.people if person_id not in have] or self._city.people
        return without[act.person % len(without)]

    def _to_move_to(self, act: Act, slot_id: SlotId | None) -> Slot:
        """Another slot of the service, now and then one of another."""
        assert slot_id is not None
        here = self._city.slot(slot_id)
        others = [
            slot
            for slot in self._city.slots
            if slot is not here and (slot.service_id == here.service_id or act.person == act.slot)
        ]
        return others[act.slot % len(others)]


def _is_of(row: Booked, slot: Slot) -> bool:
    return row.service_id == slot.service_id and row.stage is Stage.BOOKED


def _there(kind: Kind, seen: Seen) -> list[tuple[PersonId, BookingId, SlotId | None]]:
    """What an act of this kind can be about: whose, under which id, in which slot."""
    match kind:
        case Kind.CONFIRM | Kind.LET_GO:
            return sorted((*key, held.slot_id) for key, held in seen.holds.items())
        case Kind.ACCEPT | Kind.LEAVE:
            open_ones = [row for row in seen.waiting if row["stage"] in ("waiting", "offered")]
            offered = [row for row in open_ones if row["stage"] == "offered"]
            rows = offered if kind is Kind.ACCEPT and offered else open_ones
            return [(row["person_id"], BookingId(row["waiting_id"]), row["slot_id"]) for row in rows]
        case Kind.CANCEL | Kind.MOVE | Kind.CHECK_IN:
            return sorted((*key, row.slot_id) for key, row in seen.bookings.items() if row.stage is Stage.BOOKED)
    return []


def _fit(part: Appointments, deed: Deed) -> Awaitable[Any]:
    wanted = replace(deed.slot, places=1 + deed.act.person % PLACES_MAX)
    return fitting.fit(part.db, part.clock, wanted)


def _wish(deed: Deed) -> Wish:
    """Any day of the model; of the slot's office, or of any."""
    day = in_shanghai(THURSDAY_TEN).date()
    return Wish(
        service_id=deed.slot.service_id,
        office_id=deed.slot.office_id if deed.act.process else None,
        first_day=day,
        last_day=day + timedelta(days=1),
    )


async def look_after(part: Appointments) -> None:
    """A worker's round."""
    await part.forget_holds()
    await part.offer_freed()


CALLS: Final[dict[Kind, Callable[[Appointments, Deed], Awaitable[Any]]]] = {
    Kind.BOOK: lambda part, deed: part.book(deed.booking_id, deed.slot_id, deed.person_id),
    Kind.BOOK_AGAIN: lambda part, deed: part.book(deed.booking_id, deed.slot_id, deed.person_id),
    Kind.CANCEL: lambda part, deed: part.cancel(deed.person_id, deed.booking_id),
    Kind.MOVE: lambda part, deed: part.reschedule(deed.person_id, deed.booking_id, deed.slot_id),
    Kind.CHECK_IN: lambda part, deed: check_in(part.db, part.clock, A_CLERK, deed.slot.office_id, deed.booking_id),
    Kind.HOLD: lambda part, deed: part.hold(deed.booking_id, deed.slot_id, deed.person_id),
    Kind.CONFIRM: lambda part, deed: part.book(deed.booking_id, deed.slot_id, deed.person_id),
    Kind.LET_GO: lambda part, deed: part.holding.release(deed.person_id, deed.booking_id),
    Kind.JOIN: lambda part, deed: part.joining.join(deed.person_id, WaitingId(deed.booking_id), _wish(deed)),
    Kind.LEAVE: lambda part, deed: part.joining.leave(deed.person_id, WaitingId(deed.booking_id)),
    Kind.ACCEPT: lambda part, deed: part.taking.take(deed.person_id, WaitingId(deed.booking_id), NOTHING_MORE),
    Kind.FIT: _fit,
    Kind.WITHDRAW: lambda part, deed: fitting.withdraw(part.db, part.clock, deed.slot),
    Kind.LOOK_AFTER: lambda part, deed: look_after(part),
}
