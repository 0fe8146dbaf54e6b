"""What the hall's screen shows (叫号屏): which number is at which counter, and how many wait. Nothing personal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from time import monotonic
from typing import Final

import msgspec

from appointments import moments
from appointments.desk.hall.estimating import Hall, minutes_of, wait_of_newcomer
from appointments.desk.hall.looking import look_into
from appointments.desk.hall.model import AT_A_COUNTER, Ticket, TicketLane, TicketStage
from appointments.errors import OfficeNotFound, TooManyWatching
from appointments.model import Catalogue, Office
from appointments.offices.catalogue import Catalogues
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import OfficeId, ServiceId

KEPT_SECONDS: Final = 1.0
"""A board is read again after so long, however many are watching it."""
BOARDS_MAX: Final = 1_000
HEARTBEAT_SECONDS: Final = 15.0
"""Between comments on a silent stream, so that whatever stands between does not close it."""
STREAM_SECONDS_MAX: Final = 300
"""Then a stream ends, and the display asks again."""
STREAMS_MAX: Final = 200
"""Streams at once in one process; polling goes on beside them."""
RETRY_MILLISECONDS: Final = 3_000

_encode = msgspec.json.Encoder().encode


class CounterOnBoard(msgspec.Struct, frozen=True):
    """An open counter. `number` is null while nobody is called; `calls` grows when a number is called again."""

    counter: int
    number: str | None
    stage: TicketStage | None
    calls: int
    called_at: datetime | None


class CalledOnBoard(msgspec.Struct, frozen=True):
    """A number that was called lately, and to which counter."""

    number: str
    counter: int
    called_at: datetime


class LineOnBoard(msgspec.Struct, frozen=True):
    """Who waits for a service: how many of each lane; `wait_minutes` is what a number taken now would wait, estimated,
    null while no counter is open for it."""

    service_id: ServiceId
    service_zh: str
    service_en: str
    waiting: dict[TicketLane, int]
    wait_minutes: int | None


class Board(msgspec.Struct, frozen=True):
    """An office's display at `as_of`: numbers and counters alone."""

    office_zh: str
    office_en: str
    as_of: datetime
    counters: list[CounterOnBoard]
    last_called: list[CalledOnBoard]
    lines: list[LineOnBoard]

    def content(self) -> bytes:
        """What is shown, whenever it was read."""
        return _encode((self.counters, self.last_called, self.lines))


class _Kept(msgspec.Struct):
    board: Board
    until: float


class Displays:
    """The boards of a process, each read at most once in KEPT_SECONDS."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        catalogues: Catalogues,
        *,
        seconds: Callable[[], float] = monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        streams_max: int = STREAMS_MAX,
    ) -> None:
        self._db = db
        self._clock = clock
        self._catalogues = catalogues
        self._seconds = seconds
        self._pause = pause
        self._streams_max = streams_max
        self._kept: dict[OfficeId, _Kept] = {}
        self._reading = asyncio.Lock()
        self.streams = 0
        """How many are open."""

    async def board(self, office_id: OfficeId) -> Board:
        """An office's board, at most KEPT_SECONDS old. Raises OfficeNotFound."""
        kept = self._kept.get(office_id)
        if kept is not None and kept.until > self._seconds():
            return kept.board
        async with self._reading:  # many ask at once when it is due: it is read once
            kept = self._kept.get(office_id)
            if kept is None or kept.until <= self._seconds():
                if len(self._kept) >= BOARDS_MAX:
                    self._kept.clear()
                board = await self._read(office_id)
                kept = self._kept[office_id] = _Kept(board, self._seconds() + KEPT_SECONDS)
        return kept.board

    async def _read(self, office_id: OfficeId) -> Board:
        catalogue = await self._catalogues.knowing_office(office_id)
        office = catalogue.offices.get(office_id)
        if office is None:
            raise OfficeNotFound
        hall, last = await look_into(self._db, self._clock, catalogue, office_id)
        return board_of(office, catalogue, hall, last)

    async def watch(self, office_id: OfficeId, *, seconds: int) -> AsyncIterator[bytes]:
        """The board as server-sent events (WHATWG HTML §9.2), whenever it changes, for so many seconds.

        A display that lost its connection is sent the whole board anew. The stream ends sooner when its reader goes,
        and when the process is told to stop. Raises OfficeNotFound, TooManyWatching.
        """
        assert 1 <= seconds <= STREAM_SECONDS_MAX
        if self.streams >= self._streams_max:
            raise TooManyWatching(retry_after_seconds=int(HEARTBEAT_SECONDS))
        await self.board(office_id)  # a refusal is said as one, before anything is sent
        return self._events(office_id, seconds)

    async def _events(self, office_id: OfficeId, seconds: int) -> AsyncIterator[bytes]:
        self.streams += 1
        try:
            until = self._seconds() + seconds
            shown, said_at = b"", self._seconds()
            yield b"retry: %d\n\n" % RETRY_MILLISECONDS
            while self._seconds() < until:
                board = await self.board(office_id)
                content = board.content()
                if content != shown:
                    shown, said_at = content, self._seconds()
                    yield event_of(board)
                elif self._seconds() - said_at >= HEARTBEAT_SECONDS:
                    said_at = self._seconds()
                    yield b": still here\n\n"
                await self._pause(KEPT_SECONDS)
        finally:
            self.streams -= 1


def event_of(board: Board) -> bytes:
    """One event of a stream; its id is what is shown, so that two of one id show the same."""
    name = sha256(board.content()).hexdigest()[:16].encode()
    return b"event: board\nid: %s\ndata: %s\n\n" % (name, _encode(board))


def board_of(office: Office, catalogue: Catalogue, hall: Hall, last: list[Ticket]) -> Board:
    """What the screen of an office shows of its hall."""
    at = {ticket.counter: ticket for ticket in hall.tickets if ticket.stage in AT_A_COUNTER}
    here = sorted(
        (catalogue.services[service_id] for service_id in hall.slot_seconds), key=lambda service: service.slug
    )
    return Board(
        office.name_zh,
        office.name_en,
        in_shanghai(hall.as_of),
        [_counter(one.number, at.get(one.number)) for one in hall.counters if one.is_open or one.number in at],
        [
            CalledOnBoard(one.label, one.counter, in_shanghai(one.called_at))
            for one in last
            if one.counter is not None and one.called_at is not None
        ],
        [
            LineOnBoard(
                service.service_id,
                service.name_zh,
                service.name_en,
                _count(hall, service.service_id),
                minutes_of(wait_of_newcomer(service.service_id, hall)),
            )
            for service in here
        ],
    )


def _counter(number: int, ticket: Ticket | None) -> CounterOnBoard:
    if ticket is None:
        return CounterOnBoard(number, None, None, 0, None)
    return CounterOnBoard(number, ticket.label, ticket.stage, ticket.calls, moments.shown(ticket.called_at))


def _count(hall: Hall, service_id: ServiceId) -> dict[TicketLane, int]:
    waiting = [ticket.lane for ticket in hall.waiting if ticket.service_id == service_id]
    return {lane: count for lane in TicketLane if (count := waiting.count(lane))}
