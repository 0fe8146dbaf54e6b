"""A resident takes a place in a slot. Requests for one slot that wait together commit together."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Final

import msgspec

from appointments import queries
from appointments.errors import AlreadyBooked, BookingIdTaken, SlotFull, SlotNotFound, SlotPast, TimesOverlap
from appointments.model import Booking, Seq, Slot, Stage, cancellable_until, first_due, remind_at
from appointments.offices.queries import select_slots
from appointments.pacing import Pace
from appointments.queries import BookingKey
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import Refusal
from kernel.grouping import Group, TooManyWaiting
from kernel.ids import BookingId, PersonId, SlotId
from kernel.reading import ReadTogether

GROUP_MAX: Final = 256
GROUPS_AT_ONCE: Final = 2
READ_MAX: Final = 256
WINDOWS_MAX: Final = 2_000
"""How many slots a process keeps a group for; more at once are asked to come back."""
ROUNDS_MAX: Final = 64
"""How often one request goes round while others take the places before it; each round gives at least one away."""


class Asked(msgspec.Struct, frozen=True):
    """One request. `turn` is when it came: places go to who came first."""

    person_id: PersonId
    booking_id: BookingId
    turn: int

    @property
    def key(self) -> BookingKey:
        return self.person_id, self.booking_id


Answer = Booking | Refusal | None
"""The booking, why not, or nothing yet: somebody before you took the last place that was not being taken."""


class _Window:
    """Where people stand in line for one slot."""

    __slots__ = ("asking", "group", "slot")

    def __init__(self, slot: Slot, group: Group[Asked, Answer]) -> None:
        self.slot = slot
        self.group = group
        self.asking = 0

    @contextmanager
    def in_line(self) -> Iterator[None]:
        self.asking += 1
        try:
            yield
        finally:
            self.asking -= 1


class Booker:
    """Books places. `sold_out` is shared with those who give places back."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        telling: Telling,
        sold_out: SoldOut,
        pace: Pace,
        *,
        group_max: int = GROUP_MAX,
        groups_at_once: int = GROUPS_AT_ONCE,
        windows_max: int = WINDOWS_MAX,
    ) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._sold_out = sold_out
        self._pace = pace
        self._group_max = group_max
        self._groups_at_once = groups_at_once
        self._windows_max = windows_max
        self._windows: OrderedDict[SlotId, _Window] = OrderedDict()
        self._turns = count()
        self._slots = ReadTogether(self._read_slots, size_max=READ_MAX)
        self._bookings = ReadTogether(self._read_bookings, size_max=READ_MAX)

    async def book(self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId) -> Booking:
        """Take a place for a person and owe them a confirmation.

        Place, booking and message commit together or not at all. A retry gets the first try's booking, whatever
        became of it. Raises SlotNotFound, SlotPast, SlotFull, AlreadyBooked, TimesOverlap, BookingIdTaken,
        TooManyChanges.
        """
        asked = Asked(person_id, booking_id, next(self._turns))
        if self._sold_out.remembers(slot_id):
            return await self._first_try(asked, slot_id, otherwise=SlotFull())
        window = await self._window(slot_id)
        if self._clock.now() >= window.slot.starts_at:
            return await self._first_try(asked, slot_id, otherwise=SlotPast())
        if self._pace.is_first(person_id):
            return await self._take_a_place(asked, window)
        found = await self._found(asked, slot_id)
        if found is not None:
            return found
        async with self._pace.change(person_id) as change:
            await change.count()
            return await self._take_a_place(asked, window)

    async def _take_a_place(self, asked: Asked, window: _Window) -> Booking:
        with window.in_line():
            for _ in range(ROUNDS_MAX):
                answer = await window.group.submit(asked)
                if isinstance(answer, Booking):
                    return answer
                if isinstance(answer, SlotFull):
                    self._sold_out.remember(window.slot.slot_id)
                if answer is not None:
                    raise answer
        raise TooManyWaiting("others took every place this request was tried for")

    async def _first_try(self, asked: Asked, slot_id: SlotId, *, otherwise: Refusal) -> Booking:
        """What this very request was answered before, if it was; `otherwise` is raised if not."""
        found = await self._found(asked, slot_id)
        if found is None:
            raise otherwise
        return found

    async def _found(self, asked: Asked, slot_id: SlotId) -> Booking | None:
        """What this very request was answered before. Raises BookingIdTaken."""
        found = await self._bookings.get(asked.key)
        if found is not None and not found.answers(slot_id):
            raise BookingIdTaken
        return found

    async def _window(self, slot_id: SlotId) -> _Window:
        window = self._windows.get(slot_id)
        if window is not None:
            self._windows.move_to_end(slot_id)
            return window
        slot = await self._slots.get(slot_id)
        if slot is None:
            raise SlotNotFound
        window = self._windows.get(slot_id)  # somebody else may have opened it meanwhile
        if window is None:
            self._close_a_window()
            group = Group(
                self._db,
                partial(self._commit, slot),
                size_max=self._group_max,
                sort_key=attrgetter("turn"),
                groups_at_once=self._groups_at_once,
                retry_safe=True,
            )
            window = self._windows[slot_id] = _Window(slot, group)
        return window

    def _close_a_window(self) -> None:
        """Make room for one more: the one used longest ago where nobody stands in line is closed."""
        if len(self._windows) < self._windows_max:
            return
        idle = next((slot_id for slot_id, window in self._windows.items() if not window.asking), None)
        if idle is None:
            raise TooManyWaiting("people stand in line for too many slots")
        del self._windows[idle]

    async def _commit(self, slot: Slot, conn: Connection, asked: list[Asked]) -> list[Answer]:
        """One transaction for everybody in `asked`, who are sorted by turn. Doing it twice is doing it once.

        Locks are taken place first, then person. Nobody waits for a place while holding one: who gets fewer places
        than are wanted gives out what they have, and those left over ask again.
        """
        now = self._clock.now()
        wanted = list(dict.fromkeys(one.key for one in asked))  # a double click is one request
        places = await queries.claim_places(conn, slot.slot_id, len(wanted), now=now)
        if not places:
            places = await queries.recheck_places(conn, slot.slot_id, len(wanted), now=now)
        booked = await self._file(conn, slot, list(zip(wanted, places, strict=False)), now=now)
        answers: dict[BookingKey, Answer] = {**booked}
        left = [key for key in wanted if key not in booked]
        if left:
            theirs = await _bookings_in_the_way(conn, left)
            answers |= {
                (person_id, booking_id): why_not(slot, booking_id, theirs.get(person_id, ()), is_full=not places)
                for person_id, booking_id in left
            }
        return [answers[one.key] for one in asked]

    async def _file(
        self, conn: Connection, slot: Slot, given: Sequence[tuple[BookingKey, Seq]], *, now: datetime
    ) -> dict[BookingKey, Booking]:
        """Write the bookings that no constraint refuses, their places, what is due to them and the messages owed."""
        if not given:
            return {}
        drafts = {key: _draft(slot, key, seq, now) for key, seq in given}
        kept = await queries.insert_bookings(conn, [drafts[key] for key in sorted(drafts)])
        booked = {key: draft for key, draft in drafts.items() if key in kept}
        if booked:
            await queries.take_places(conn, slot.slot_id, [(booking.seq, key) for key, booking in booked.items()])
            await queries.insert_due(conn, list(booked), 1, *first_due(slot.starts_at, slot.ends_at, now))
            await self._telling.confirmed(conn, list(booked.values()), now=now)
        return booked

    async def _read_slots(self, slot_ids: list[SlotId]) -> dict[SlotId, Slot]:
        """Slots, with their offices and services known. Read together, so that people get in line as they came."""
        async with self._db.connection() as conn:
            found = await select_slots(conn, slot_ids)
        for slot in found.values():
            await self._telling.learn(slot)
        return found

    async def _read_bookings(self, keys: list[BookingKey]) -> dict[BookingKey, Booking]:
        async with self._db.connection() as conn:
            return await queries.select_bookings(conn, keys)


def why_not(slot: Slot, booking_id: BookingId, theirs: Sequence[Booking], *, is_full: bool) -> Answer:
    """Why a person who has `theirs` was given no place: the booking itself if this is a retry, else the refusal.

    None when neither `theirs` nor a full slot explains it, so that asking again may help.
    """
    for booking in theirs:
        if booking.booking_id == booking_id:
            return booking if booking.answers(slot.slot_id) else BookingIdTaken()
    for booking in theirs:
        if booking.stage is Stage.BOOKED and booking.service_id == slot.service_id:
            return AlreadyBooked(booking_id=str(booking.booking_id))
    for booking in theirs:
        if booking.stage in (Stage.BOOKED, Stage.CHECKED_IN) and booking.overlaps(slot):
            return TimesOverlap(booking_id=str(booking.booking_id))
    return SlotFull() if is_full else None


async def _bookings_in_the_way(conn: Connection, keys: Sequence[BookingKey]) -> dict[PersonId, list[Booking]]:
    theirs: dict[PersonId, list[Booking]] = {}
    for booking in await queries.select_bookings_in_the_way(conn, [key[0] for key in keys], [key[1] for key in keys]):
        theirs.setdefault(booking.person_id, []).append(booking)
    return theirs


def _draft(slot: Slot, key: BookingKey, seq: Seq, now: datetime) -> Booking:
    return Booking(
        person_id=key[0],
        booking_id=key[1],
        asked_slot_id=slot.slot_id,
        slot_id=slot.slot_id,
        seq=seq,
        service_id=slot.service_id,
        office_id=slot.office_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        stage=Stage.BOOKED,
        version=1,
        cancellable_until=cancellable_until(slot.starts_at, now),
        remind_at=remind_at(slot.starts_at, now),
        reminded_version=0,
        booked_at=now,
        changed_at=now,
        checked_in_at=None,
    )
