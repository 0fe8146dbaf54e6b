"""The hall's display: which number is at which counter, for everybody, and nothing about anybody."""

import asyncio
from itertools import count

import msgspec
import pytest

from appointments.desk.display.boards import HEARTBEAT_SECONDS, KEPT_SECONDS, Displays
from appointments.desk.display.page import CONTENT_SECURITY_POLICY
from appointments.desk.hall.model import Act, TicketLane
from appointments.errors import TooManyWatching
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import OfficeId
from kernel.principal import Audience, NotProved
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, Wire, a_person, a_slot, an_id, at, open_appointments
from tests.builders_desk import Hall


class Seconds:
    """A clock that whoever waits moves on; after `most` waits, whoever waits is stopped."""

    def __init__(self, most: int = 1_000) -> None:
        self.now = 0.0
        self.waits = count(1)
        self.most = most

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)
        if next(self.waits) > self.most:
            raise asyncio.CancelledError


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


def displays(hall: Hall, clock: StoppedClock, seconds: Seconds, **bounds: int) -> Displays:
    return Displays(hall.db, clock, hall.appointments.catalogues, seconds=seconds, pause=seconds.pause, **bounds)


async def test_everybody_sees_numbers_and_counters_and_nothing_personal(hall: Hall, clock: StoppedClock):
    person, booking_id = a_person(), an_id()
    await hall.appointments.book(booking_id, await a_slot(hall.db), person)
    at(clock, THURSDAY_TEN)
    await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking_id)
    walk_in = await hall.walk_in()
    clerk = hall.clerk()
    await hall.call(clerk, await hall.counter(clerk, 3))
    async with Wire(hall.appointments).signed_in(Audience.PUBLIC, NotProved("absent")) as anybody:
        answer = await anybody.get(f"/offices/{hall.office_id}/display")
        board = answer.json()
        nowhere = await anybody.get(f"/offices/{an_id()}/display")
    assert [(one["counter"], one["number"], one["stage"]) for one in board["counters"]] == [(3, "Y001", "called")]
    assert [(one["number"], one["counter"]) for one in board["last_called"]] == [("Y001", 3)]
    assert len(board["lines"]) == 2
    assert len(board["lines"]) == 2
    assert [one["waiting"] for one in board["lines"]].count({"walk_in": 1}) == 1
    assert {one["wait_minutes"] for one in board["lines"]} == {30}
    for told in (person, booking_id, clerk.staff_id, walk_in.ticket_id):
        assert str(told) not in answer.text
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "appointments.office_not_found")


async def test_a_board_is_read_once_however_many_look(hall: Hall, clock: StoppedClock):
    seconds = Seconds()
    shown = displays(hall, clock, seconds)
    boards = await asyncio.gather(*(shown.board(hall.office_id) for _ in range(20)))
    assert all(board is boards[0] for board in boards)
    await hall.walk_in()
    assert await shown.board(hall.office_id) is boards[0]
    seconds.now += KEPT_SECONDS
    assert (await shown.board(hall.office_id)).lines != boards[0].lines


async def events(stream) -> list[bytes]:
    """What a display hears until its process is told to stop."""
    heard: list[bytes] = []

    async def listen() -> None:
        async for part in stream:
            heard.append(part)

    with pytest.raises(asyncio.CancelledError):
        await listen()
    return heard


async def test_a_display_hears_of_each_change_and_that_the_line_lives(hall: Hall, clock: StoppedClock):
    seconds = Seconds(most=3 * int(HEARTBEAT_SECONDS))
    shown = displays(hall, clock, seconds)
    heard = await events(await shown.watch(hall.office_id, seconds=300))
    assert heard[0].startswith(b"retry: ")
    assert [part.split(b"\n")[0] for part in heard[1:]] == [b"event: board"] + [b": still here"] * 3
    assert shown.streams == 0


async def test_a_call_reaches_the_display_as_it_happens(hall: Hall, clock: StoppedClock):
    await hall.walk_in()
    shown = displays(hall, clock, Seconds())
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    stream = await shown.watch(hall.office_id, seconds=300)
    assert (await anext(stream)).startswith(b"retry")
    first = await anext(stream)
    _, ticket = await hall.call(clerk, counter)
    second = await anext(stream)
    await hall.do(clerk, ticket, Act.RECALL)
    third = await anext(stream)
    await stream.aclose()
    said = [msgspec.json.decode(part.split(b"data: ")[1]) for part in (first, second, third)]
    assert [(one["counters"][0]["number"], one["counters"][0]["calls"]) for one in said] == [
        (None, 0), ("B001", 1), ("B001", 2),
    ]  # fmt: skip
    assert shown.streams == 0


async def test_no_more_displays_are_watched_than_a_process_bears(hall: Hall, clock: StoppedClock):
    shown = displays(hall, clock, Seconds(), streams_max=1)
    stream = await shown.watch(hall.office_id, seconds=300)
    await anext(stream)
    with pytest.raises(TooManyWatching):
        await shown.watch(hall.office_id, seconds=300)
    await stream.aclose()
    await (await shown.watch(hall.office_id, seconds=1)).aclose()


async def test_the_stream_over_http_ends_when_it_was_asked_to(hall: Hall):
    async with Wire(hall.appointments).signed_in(Audience.PUBLIC, NotProved("absent")) as anybody:
        answer = await anybody.get(f"/offices/{hall.office_id}/display/events", params={"seconds": 1})
        refused = await anybody.get(f"/offices/{an_id()}/display/events", params={"seconds": 1})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b"event: board" in answer.content
    assert refused.status_code == 404


async def test_the_page_shows_the_board_without_a_word_from_elsewhere(hall: Hall):
    await hall.walk_in(TicketLane.SPECIAL)
    await hall.db.fetch("UPDATE appointments.office SET name_en = '</script><script>alert(1)</script>'")
    await hall.appointments.catalogues.refresh()
    clerk = hall.clerk()
    await hall.call(clerk, await hall.counter(clerk))
    async with Wire(hall.appointments).signed_in(Audience.PUBLIC, NotProved("absent")) as anybody:
        page = await anybody.get(f"/offices/{hall.office_id}/board")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "<b>T001</b>" in page.text
    assert "<script>alert" not in page.text


async def test_an_office_without_counters_has_a_display(db: Database, hall: Hall):
    board = await hall.appointments.desks.displays.board(OfficeId(hall.office_id))
    assert (board.counters, board.last_called) == ([], [])
    assert {one.wait_minutes for one in board.lines} == {None}
