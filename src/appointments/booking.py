"""A resident takes a place in a slot. Requests for one slot that wait together commit together."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Final

import asyncpg

from appointments import queries
from appointments.acting import Mandates
from appointments.asking import NOTHING_MORE, Asked, Particulars
from appointments.entitling import Entitling, why_closed
from appointments.errors import AdmissionNeeded, BookingIdTaken, SlotFull, SlotNotFound
from appointments.filing import MANDATE_GONE, Answer, Filing, MandateGone
from appointments.holds import queries as hold_queries
from appointments.holds.holding import Holding
from appointments.model import Booking, Hold, Slot
from appointments.offices.queries import select_slots
from appointments.pacing import Pace
from appointments.queries import BookingKey
from appointments.rush.admission import Admits
from appointments.sold_out import KEYS_MAX, SoldOut
from kernel.clock import Clock
from kernel.db import Connection, Database, DatabaseAway
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
FRESH_FOR: Final = timedelta(seconds=5)
"""How long a slot is taken as it was read: its release, its end and its gate may be changed. That it was withdrawn is
seen by the statement that claims."""


class _Window:
    """Where people stand in line for one slot."""

    __slots__ = ("asking", "group", "read_at", "slot")

    def __init__(self, slot: Slot, read_at: datetime) -> None:
        self.slot = slot
        self.read_at = read_at
        self.group: Group[Asked, Answer]
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
        entitling: Entitling,
        filing: Filing,
        holding: Holding,
        mandates: Mandates,
        admits: Admits,
        sold_out: SoldOut,
        pace: Pace,
        *,
        group_max: int = GROUP_MAX,
        groups_at_once: int = GROUPS_AT_ONCE,
        windows_max: int = WINDOWS_MAX,
    ) -> None:
        self._db = db
        self._clock = clock
        self._entitling = entitling
        self._filing = filing
        self._holding = holding
        self._mandates = mandates
        self._admits = admits
        self._sold_out = sold_out
        self._pace = pace
        self._group_max = group_max
        self._groups_at_once = groups_at_once
        self._windows_max = windows_max
        self._windows: OrderedDict[SlotId, _Window] = OrderedDict()
        self._turns = count()
        self._slots = ReadTogether(self._read_slots, size_max=READ_MAX)
        self._requests = ReadTogether(self._read_requests, size_max=READ_MAX)

    async def book(
        self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId, particulars: Particulars = NOTHING_MORE
    ) -> Booking:
        """Take a place for a person and owe them a confirmation; where this very place is held for them, confirm it.

        Place, booking, answers and message commit together or not at all. A retry gets the first try's booking,
        whatever became of it. Raises SlotNotFound, SlotWithdrawn, NotReleased, SlotPast, SlotFull, AlreadyBooked,
        TimesOverlap, BookingIdTaken, Suspended, TooManyActive, TooManyChanges, AdmissionNeeded, what
        `Entitling.checked` raises, and MandateRefused of a mandate that has ended.
        """
        turn, key = next(self._turns), (person_id, booking_id)
        if self._sold_out.is_strange(slot_id, key):
            raise SlotFull
        is_full = self._sold_out.remembers(slot_id)
        window = await self._window(slot_id)
        now = self._clock.now()
        closed = why_closed(window.slot, now)
        found = None
        if is_full or closed is not None:
            found = await self._found(key, slot_id)
            if isinstance(found, Booking):
                return found
            if closed is not None or found is None:
                raise closed or SlotFull()
        sealed = await self._entitling.checked(window.slot, key, particulars, now=now)
        asked = Asked(person_id, booking_id, turn, particulars, sealed)
        if found is not None:
            return await self._take_a_place(asked, window)
        if window.slot.is_gated:
            return await self._let_through(asked, window)
        return await self._take_in_turn(asked, window)

    async def _let_through(self, asked: Asked, window: _Window) -> Booking:
        """For a slot behind the gate. What this person holds or has of it already needs no admission any more."""
        try:
            admission = await self._admits.check(window.slot, asked.person_id, asked.particulars.admission)
        except AdmissionNeeded:
            found = await self._found(asked.key, window.slot.slot_id)
            if isinstance(found, Booking):
                return found
            if found is None:
                raise
            return await self._take_a_place(asked, window)
        try:
            booking = await self._take_in_turn(asked, window)
        except Exception as why:
            if admission is not None:
                await self._admits.give_back(admission, why)
            raise
        if admission is not None:
            await self._admits.spent(admission)
        return booking

    async def _take_in_turn(self, asked: Asked, window: _Window) -> Booking:
        if self._pace.is_first(asked.person_id):
            return await self._take_a_place(asked, window)
        found = await self._found(asked.key, window.slot.slot_id)
        if isinstance(found, Booking):
            return found
        if found is not None:  # counted when it was held
            return await self._take_a_place(asked, window)
        async with self._pace.change(asked.person_id) as change:
            await change.count()
            return await self._take_a_place(asked, window)

    async def _take_a_place(self, asked: Asked, window: _Window) -> Booking:
        with window.in_line():
            for _ in range(ROUNDS_MAX):
                answer = await self._one_round(asked, window)
                if answer is not None:
                    return answer
        raise TooManyWaiting("others took every place this request was tried for")

    async def _one_round(self, asked: Asked, window: _Window) -> Booking | None:
        """The booking, or None: ask again. Raises why not."""
        try:
            answer = await window.group.submit(asked)
        except asyncpg.UniqueViolationError:
            # Held at this very moment under the same id: the next round confirms it. Or held long ago: that is over.
            async with self._db.connection() as conn:
                slot_id, now = window.slot.slot_id, self._clock.now()
                await hold_queries.free_stale_place(conn, slot_id, asked.key, now=now)
            return None
        match answer:
            case Hold():
                return await self._holding.confirm(asked, window.slot, answer)
            case MandateGone():
                agent, mandate_id = asked.particulars.agent_id, asked.particulars.mandate_id
                assert agent is not None
                assert mandate_id is not None
                await self._mandates.holder_of(agent, mandate_id, now=self._clock.now())
                return None
            case Refusal():
                if isinstance(answer, SlotFull):
                    await self._remember_full(window.slot.slot_id)
                raise answer
        return answer

    async def _remember_full(self, slot_id: SlotId) -> None:
        """So that those who never had to do with the slot hear no without a look, for a moment."""
        if self._sold_out.remembers(slot_id):
            return
        finding = self._sold_out.remember(slot_id)
        with suppress(DatabaseAway):  # then every one is looked up
            async with self._db.connection() as conn:
                keys = await hold_queries.select_keys_of_places(conn, slot_id)
                keys += await hold_queries.select_keys_that_left(conn, slot_id, KEYS_MAX + 1)
            self._sold_out.learn(slot_id, finding, frozenset(keys))

    async def _found(self, key: BookingKey, slot_id: SlotId) -> Booking | Hold | None:
        """What this very request was answered before: a booking, or a hold of this slot. Raises BookingIdTaken."""
        found = await self._requests.get(key)
        if isinstance(found, Booking) and not found.answers(slot_id):
            raise BookingIdTaken
        if isinstance(found, Hold) and found.slot_id != slot_id:
            return None
        return found

    async def _window(self, slot_id: SlotId) -> _Window:
        window, now = self._windows.get(slot_id), self._clock.now()
        if window is not None and now - window.read_at < FRESH_FOR:
            self._windows.move_to_end(slot_id)
            return window
        slot = await self._slots.get(slot_id)  # whoever asks meanwhile waits for the same read
        if slot is None:
            raise SlotNotFound
        window = self._windows.get(slot_id)  # somebody else may have opened it meanwhile
        if window is None:
            self._close_a_window()
            window = self._windows[slot_id] = _Window(slot, now)
            window.group = Group(
                self._db,
                partial(self._commit, window),
                size_max=self._group_max,
                sort_key=attrgetter("turn"),
                groups_at_once=self._groups_at_once,
                retry_safe=True,
            )
        if window.read_at <= now:
            window.slot, window.read_at = slot, now
        return window

    def _close_a_window(self) -> None:
        """Make room for one more: the one used longest ago where nobody stands in line is closed."""
        if len(self._windows) < self._windows_max:
            return
        idle = next((slot_id for slot_id, window in self._windows.items() if not window.asking), None)
        if idle is None:
            raise TooManyWaiting("people stand in line for too many slots")
        del self._windows[idle]

    async def _commit(self, window: _Window, conn: Connection, asked: list[Asked]) -> list[Answer]:
        """One transaction for everybody in `asked`, who are sorted by turn. Doing it twice is doing it once.

        Locks are taken place first, then person. Nobody waits for a place while holding one: who gets fewer places
        than are wanted gives out what they have, and those left over ask again.
        """
        now, slot = self._clock.now(), window.slot
        wanted: dict[BookingKey, Asked] = {}
        for one in asked:
            wanted.setdefault(one.key, one)  # a double click is one request
        places = await queries.claim_places(conn, slot.slot_id, len(wanted), now=now)
        if not places:
            places = await queries.recheck_places(conn, slot.slot_id, len(wanted), now=now)
        standing = await self._filing.standing(conn, list(wanted.values()), slot.service_id, now)
        answers: dict[BookingKey, Answer] = {}
        if places:
            free = [
                one
                for one in wanted.values()
                if one.person_id not in standing.holds and standing.refusal(one.person_id) is None
            ]
            gone = await self._filing.without_mandate(conn, free, now=now)
            given = list(zip([one for one in free if one.key not in gone], places, strict=False))
            service = await self._entitling.service_of(slot)
            answers |= dict.fromkeys(gone, MANDATE_GONE)
            answers |= await self._filing.book(conn, slot, service, given, standing, now=now)
        left = [one for one in wanted.values() if one.key not in answers]
        if left:
            answers |= await self._filing.why_not(conn, slot, left, standing, is_full=not places)
        return [answers[one.key] for one in asked]

    async def _read_slots(self, slot_ids: list[SlotId]) -> dict[SlotId, Slot]:
        """Slots, with their offices and services known. Read together, so that people get in line as they came."""
        async with self._db.connection() as conn:
            found = await select_slots(conn, slot_ids)
        for slot in found.values():
            await self._entitling.service_of(slot)
        return found

    async def _read_requests(self, keys: list[BookingKey]) -> dict[BookingKey, Booking | Hold]:
        """What each of these requests came to: a booking, whatever became of it, or a hold."""
        async with self._db.connection() as conn:
            holds = await hold_queries.select_holds(conn, [person_id for person_id, _ in keys])
            found: dict[BookingKey, Booking | Hold] = {(hold.person_id, hold.booking_id): hold for hold in holds}
            found |= await queries.select_bookings(conn, keys)
        return found
