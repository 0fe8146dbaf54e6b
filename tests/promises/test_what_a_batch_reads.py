"""What counts as a row: nothing inside somebody's words, no blank line; and a row's number is its line's."""

import gzip
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import MalformedRequest
from kernel.sealing import Keys
from notifications.batches.model import Act, BatchState, Span
from notifications.batches.pacing import PACED_BYTES_MIN, PACED_SECONDS, Pace
from notifications.batches.reading import LINE_BYTES_MAX
from notifications.retention.parts import Retention
from notifications.statistics.parts import Statistics
from tests.builders_batches import DEPARTMENT, Department, Wire, a_department, a_row, ndjson

HEADER = "phone,name,hall\n"


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


@pytest.fixture
async def client(department: Department) -> AsyncIterator[httpx.AsyncClient]:
    wire = Wire(
        department,
        Statistics(department.db, department.clock),
        Retention(department.db, department.clock, days=90),
    )
    async with wire.department() as opened:
        yield opened


async def numbers(department: Department) -> list[int]:
    rows = await department.db.fetch("SELECT number FROM notifications.batch_row ORDER BY number")
    return [row["number"] for row in rows]


SMUGGLED: tuple[str, ...] = (
    '13800138002,王,"您好\n13800138003,李,您中奖了"\n13800138004,赵,三号厅\n',
    '13800138002,王"x,"您好\n13800138003,李,您中奖了"\n',
    '13800138002,王,"' + "x" * LINE_BYTES_MAX + '\n13800138003,李,您中奖了"\n',
)


@pytest.mark.parametrize("body", SMUGGLED, ids=["unclosed", "unclosed after a stray one", "too long to be looked at"])
async def test_no_line_of_quoted_text_is_read_as_a_row(department: Department, body: str) -> None:
    batch_id = await department.opened()
    whole = HEADER + "13800138001,王小明,一号厅\n"
    with pytest.raises(MalformedRequest, match="row 2"):
        await department.send(batch_id, (whole + body).encode(), form="csv")
    assert await numbers(department) == [1]
    # Nor where the first line of it came before, in other words.
    await department.send(batch_id, (HEADER + "13800138002,王,三号厅\n").encode(), first=2, form="csv")
    with pytest.raises(MalformedRequest, match="row 2"):
        await department.send(batch_id, (HEADER + body).encode(), first=2, form="csv")
    assert await numbers(department) == [1, 2]


async def test_a_quote_inside_a_cell_refuses_its_row_alone(department: Department) -> None:
    batch_id = await department.opened()
    rows = ['13800138001,王"小"明,一号厅', '13800138002,"王"小明,一号厅', '13800138003,"王""小""明",一号厅']
    batch = await department.send(batch_id, (HEADER + "\n".join(rows) + "\n").encode(), form="csv")
    page = await department.batches.watching.refusals(DEPARTMENT, batch_id, after=0, limit=10)
    assert ([one.number for one in page.refusals], batch.received) == ([1, 2], 3)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_blank_lines_are_no_rows_and_keep_the_numbers_of_the_others(department: Department, form: Any) -> None:
    header = HEADER.encode() if form == "csv" else b""

    def line(number: int) -> bytes:
        return f"+8613{number:09d},人,三号厅\n".encode() if form == "csv" else ndjson([a_row(number)])

    lines = [line(1), b"\n", b" \r\n", line(4), b"\n", line(6), b"\n", b"\n", b"\n"]
    batch_id = await department.opened()
    batch = await department.send(batch_id, header + b"".join(lines), form=form)
    assert (batch.received, batch.refused, batch.taken, batch.missing) == (3, 0, 3, [])
    assert await numbers(department) == [1, 4, 6]
    for first in range(1, 7):  # whoever goes on, from whichever line, doubles nothing
        batch = await department.send(batch_id, header + b"".join(lines[first - 1 :]), first=first, form=form)
    assert (batch.received, batch.refused) == (3, 0)
    assert await numbers(department) == [1, 4, 6]
    kept = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
    assert (kept.received, kept.spans) == (batch.received, batch.spans)


async def test_a_batch_with_blank_lines_is_finished_when_its_rows_are_sent(department: Department) -> None:
    batch_id = await department.opened(rows=4)
    batch = await department.send(batch_id, ndjson([a_row(1)]) + b"\n\n" + ndjson([a_row(4)]))
    assert (batch.spans, batch.taken) == ((Span(1, 4),), 2)
    await department.act(batch_id, Act.START)
    assert await department.feed() == 2
    await department.db.fetch("UPDATE notifications.message SET stage = 'routed' RETURNING 1")
    await department.feed()
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert (progress.batch.state, progress.sent) == (BatchState.FINISHED, 2)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_the_last_line_of_a_file_needs_no_line_feed_and_of_a_broken_stream_it_does(
    department: Department, form: Any
) -> None:
    header = HEADER.encode() if form == "csv" else b""
    first, last = ndjson([a_row(1)]), ndjson([a_row(2)])
    if form == "csv":
        first, last = "13800138001,王,一号厅\n".encode(), "13800138002,李,二号厅\n".encode()
    cut = header + first + last[:-4]  # inside a sign, or an object
    batch_id = await department.opened()
    with pytest.raises(ConnectionResetError):
        await department.send_cut(batch_id, cut, form=form)
    assert await numbers(department) == [1]
    batch = await department.send(batch_id, header + first + last[:-1], form=form)
    assert (batch.received, batch.refused) == (2, 0)


async def test_a_byte_order_mark_is_no_part_of_the_first_row(department: Department) -> None:
    for body, form in ((ndjson([a_row(1)]), "ndjson"), ((HEADER + "13800138001,王,一号厅\n").encode(), "csv")):
        batch_id = await department.opened()
        batch = await department.send(batch_id, b"\xef\xbb\xbf" + body, form=form)  # type: ignore[arg-type]
        assert (batch.received, batch.refused) == (1, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
        {"Content-Type": "text/csv; charset=gbk"},
        {"Content-Type": 'text/csv; header=present; charset="iso-8859-1"'},
    ],
)
async def test_rows_in_another_encoding_are_refused_and_not_read(
    department: Department, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    batch_id = await department.opened()
    body = gzip.compress(ndjson([a_row(1)])) + b"\n"
    answer = await client.post(f"/batches/{batch_id}/lines?from=1", content=body, headers=headers)
    assert answer.status_code == 415
    assert (await department.batches.watching.read(DEPARTMENT, batch_id)).batch.received == 0
    plain = {"Content-Type": 'application/x-ndjson; charset="UTF-8"', "Content-Encoding": "identity"}
    taken = await client.post(f"/batches/{batch_id}/lines?from=1", content=ndjson([a_row(1)]), headers=plain)
    assert (taken.status_code, taken.json()["received"]) == (200, 1)


@pytest.mark.parametrize(
    "cursor",
    ["0001-01-01T00:00:00+14:00~", "9999-12-31T23:59:59-14:00~", "9999999999999999~", "99999999999999999999~", "1~x"],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/batches", params={"cursor": f"{cursor}{uuid4()}"})
    assert (answer.status_code, answer.json()["code"]) == (400, "notifications.cursor_unknown")


async def test_a_cursor_may_stand_in_an_address_as_it_is(department: Department, client: httpx.AsyncClient) -> None:
    text_id = await department.text()
    ids = {str(await department.opened(text_id)) for _ in range(3)}
    page = (await client.get("/batches?limit=2")).json()
    rest = (await client.get(f"/batches?limit=2&cursor={page['next_cursor']}")).json()
    assert {one["batch_id"] for one in page["batches"] + rest["batches"]} == ids
    assert rest["next_cursor"] is None


def test_who_sends_drop_by_drop_is_broken_off_and_whom_we_keep_waiting_is_not() -> None:
    slow, fast, ours = Pace(), Pace(), Pace()
    for _ in range(2):  # a few bytes whenever the patience for a piece is nearly over
        slow.came(100, waited_seconds=PACED_SECONDS / 2 - 1)
    with pytest.raises(MalformedRequest, match="too slowly"):
        slow.came(100, waited_seconds=PACED_SECONDS / 2 - 1)
    for _ in range(1_000):
        fast.came(PACED_BYTES_MIN // 4, waited_seconds=PACED_SECONDS / 5)
        ours.came(10, waited_seconds=0.001)
    Pace().came(0, waited_seconds=PACED_SECONDS - 1)  # it ended
