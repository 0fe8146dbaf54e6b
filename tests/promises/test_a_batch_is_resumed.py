"""A batch is cut off at any row and repaired by what is told to be missing: no row is lost, and none is doubled."""

from collections.abc import Iterable
from itertools import cycle
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.batches.model import Act, Span
from notifications.batches.taking import TOGETHER_MAX
from notifications.seals import Seals
from tests.builders_batches import DEPARTMENT, Department, a_department, a_row, ndjson

ROWS = 2_500
TURNS_MAX = 200


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


async def missing(department: Department, batch_id: UUID) -> list[Span]:
    return (await department.batches.watching.read(DEPARTMENT, batch_id)).batch.missing


async def repair(department: Department, batch_id: UUID, cuts: Iterable[int]) -> int:
    """Send what is missing, run by run, each time cut off after so many bytes, until nothing is; how often."""
    turns = 0
    for cut in cuts:
        gaps = await missing(department, batch_id)
        if not gaps:
            return turns
        turns += 1
        assert turns < TURNS_MAX, "it comes to an end"
        gap = gaps[turns % len(gaps)]
        body = ndjson(a_row(number) for number in range(gap.first, gap.last + 1))
        if cut >= len(body):
            await department.send(batch_id, body, first=gap.first)
            continue
        with pytest.raises(ConnectionResetError):
            await department.send_cut(batch_id, body[:cut], first=gap.first)
    return turns


async def check_each_is_kept_once(department: Department, keys: Keys, batch_id: UUID, rows: int) -> None:
    """As rows, each with its own values, and then as messages."""
    seals = Seals(keys)
    kept = await department.db.fetch(
        "SELECT number, message_id, sealed_values FROM notifications.batch_row WHERE batch_id = $1 ORDER BY number",
        batch_id,
    )
    said = [seals.open_values(row["message_id"], row["sealed_values"])["name"] for row in kept]
    assert said == [f"人{number}" for number in range(1, rows + 1)]
    assert [row["number"] for row in kept] == list(range(1, rows + 1))
    assert len({row["message_id"] for row in kept}) == rows
    await department.act(batch_id, Act.START)
    assert await department.feed() == rows
    sent = await department.db.fetch("SELECT key FROM notifications.message WHERE batch_id = $1", batch_id)
    assert sorted(row["key"] for row in sent) == sorted(f"batch/{batch_id}/{number}" for number in range(1, rows + 1))


@pytest.mark.parametrize("every", [61, 500, TOGETHER_MAX - 1, TOGETHER_MAX, TOGETHER_MAX + 1, 2_000])
async def test_cut_off_at_every_so_manieth_row_and_repaired_each_row_is_kept_once(
    department: Department, keys: Keys, every: int
) -> None:
    batch_id = await department.opened(rows=ROWS)
    some = len(ndjson([a_row(1_000)])) * every + 20
    turns = await repair(department, batch_id, cycle([some]))
    assert turns >= ROWS // (every + 2)
    await check_each_is_kept_once(department, keys, batch_id, ROWS)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 250_000), min_size=1, max_size=12), whole=st.just(10**9))
async def test_cut_off_at_any_byte_and_repaired_each_row_is_kept_once(
    department: Department, keys: Keys, cuts: list[int], whole: int
) -> None:
    batch_id = await department.opened(rows=ROWS)
    await repair(department, batch_id, cycle([*cuts, whole]))
    await check_each_is_kept_once(department, keys, batch_id, ROWS)


async def test_a_file_of_csv_is_repaired_likewise_and_no_half_line_counts(department: Department) -> None:
    header = b"phone,name,hall\n"
    lines = [f"+8613{number:09d},人{number},三号厅\n".encode() for number in range(1, 301)]
    batch_id = await department.opened(rows=300)
    with pytest.raises(ConnectionResetError):
        await department.send_cut(batch_id, header + b"".join(lines[:120]) + lines[120][:-8], form="csv")
    assert await missing(department, batch_id) == [Span(121, 300)]
    await department.send(batch_id, header + b"".join(lines[120:]), first=121, form="csv")
    assert await missing(department, batch_id) == []
    assert await department.rows() == 300
