"""A department sends the rows of a batch: each is taken once by its number, and a bad one is told and stands alone."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import MalformedRequest
from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.batches.errors import BatchNotFound, BatchReused, BatchScattered
from notifications.batches.model import SPANS_MAX, Span
from notifications.batches.reading import LINE_BYTES_MAX
from notifications.batches.taking import TOGETHER_MAX
from notifications.model import Lane
from notifications.outbox import bucket_in
from notifications.seals import Address, Seals
from tests.builders_batches import ACTOR, DEPARTMENT, Department, a_department, a_row, ndjson, pieces
from tests.builders_loading import somebody

SECRET = "不可外传"


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


async def test_every_row_is_kept_sealed_to_the_message_it_will_be(department: Department, keys: Keys) -> None:
    batch_id = await department.opened()
    batch = await department.send(batch_id, [a_row(number) for number in range(1, 1_301)])
    assert (batch.received, batch.taken, batch.missing, batch.spans) == (1_300, 1_300, [], (Span(1, 1_300),))
    rows = await department.db.fetch("SELECT * FROM notifications.batch_row ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, 1_301))
    seals = Seals(keys)
    for row in (rows[0], rows[700], rows[1_299]):
        message_id, number = row["message_id"], row["number"]
        assert bucket_in(message_id) == row["bucket"]
        assert (message_id.version, message_id.variant) == (7, "specified in RFC 4122")
        assert seals.open_values(message_id, row["sealed_values"]) == {"name": f"人{number}", "hall": "三号厅"}
        assert seals.open_address(message_id, row["address"]) == Address(phone=f"+8613{number:09d}", language="zh")
        assert row["reference"] == f"R-{number}"
    assert len({row["message_id"] for row in rows}) == 1_300
    assert len({row["bucket"] for row in rows}) == 21


async def test_rows_may_come_in_any_order_and_what_is_missing_is_told(department: Department) -> None:
    batch_id = await department.opened(rows=40)
    await department.send(batch_id, [a_row(number) for number in range(21, 31)], first=21)
    batch = await department.send(batch_id, [a_row(number) for number in range(5, 11)], first=5)
    assert batch.missing == [Span(1, 4), Span(11, 20), Span(31, 40)]
    again = await department.send(batch_id, [a_row(number) for number in range(1, 26)])
    assert again.missing == [Span(31, 40)]
    assert await department.rows() == 30


async def test_the_same_rows_again_change_nothing(department: Department) -> None:
    batch_id = await department.opened()
    rows: list[Any] = [a_row(number) for number in range(1, 601)]
    rows[17] = b"{"
    before = await department.send(batch_id, rows)
    kept = await department.db.fetch("SELECT number, message_id FROM notifications.batch_row ORDER BY number")
    assert await department.send(batch_id, rows) == before
    assert await department.db.fetch("SELECT number, message_id FROM notifications.batch_row ORDER BY number") == kept


async def test_a_stream_that_breaks_off_is_gone_on_with(department: Department) -> None:
    batch_id = await department.opened()
    body = ndjson(a_row(number) for number in range(1, 3 * TOGETHER_MAX + 1))
    sent = body[: int(len(body) * 0.8)]
    with pytest.raises(ConnectionResetError):
        await department.send_cut(batch_id, sent)
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert progress.batch.received == sent.count(b"\n") > 2 * TOGETHER_MAX
    batch = await department.send(batch_id, body)
    assert (batch.received, await department.rows()) == (3 * TOGETHER_MAX, 3 * TOGETHER_MAX)


BAD: tuple[tuple[Any, str, str | None], ...] = (
    (b"{", "request.malformed", None),
    (b"\x00", "request.malformed", None),
    (b'{"phone": "\xff\xfe"}', "request.malformed", None),
    (b"[" * 5_000, "request.malformed", None),
    (b'"' + b"x" * LINE_BYTES_MAX + b'"', "notifications.row_too_long", None),
    (["a", "list"], "request.malformed", None),
    (a_row(1) | {SECRET: 1}, "request.malformed", None),
    (a_row(1, phone=13800138000), "request.malformed", "phone"),
    (a_row(1, phone=...), "services.recipient_refused", None),
    (a_row(1, email="a@example.org"), "services.recipient_refused", None),
    (a_row(1, phone=SECRET), "services.recipient_refused", "phone"),
    (a_row(1, phone="12345"), "services.recipient_refused", "phone"),
    (a_row(1, phone=..., email="a@example.org"), "services.wrong_channel", "email"),
    (a_row(1, phone=..., id_number="310101199001010011"), "services.recipient_refused", "id_number"),
    (a_row(1, values={"name": "某"}), "services.values_refused", "hall"),
    (a_row(1, values={"name": "某", "hall": SECRET * 20}), "services.values_refused", "hall"),
    (a_row(1, values={"name": "某", "hall": "x\x07"}), "services.values_refused", "hall"),
)


async def test_a_bad_row_is_told_and_keeps_no_other_from_being_taken(department: Department) -> None:
    rows: list[Any] = []
    for number, (bad, _, _) in enumerate(BAD):
        rows += [a_row(100 + number), bad]
    batch_id = await department.opened()
    batch = await department.send(batch_id, [*rows, a_row(1)])
    assert (batch.received, batch.refused, await department.rows()) == (len(rows) + 1, len(BAD), len(BAD) + 1)
    page = await department.batches.watching.refusals(DEPARTMENT, batch_id, after=0, limit=100)
    told = [(one.number, one.code, one.field) for one in page.refusals]
    assert told == [(2 * number + 2, code, field) for number, (_, code, field) in enumerate(BAD)]
    assert SECRET not in str([one.detail for one in page.refusals])


async def test_a_refused_row_may_be_sent_again_mended(department: Department) -> None:
    batch_id = await department.opened()
    rows: list[Any] = [a_row(number) for number in range(1, 11)]
    bad = [*rows[:3], b"nonsense", b"{}", *rows[5:]]
    assert (await department.send(batch_id, bad)).refused == 2
    batch = await department.send(batch_id, rows[3:5], first=4)
    assert (batch.received, batch.refused, await department.rows()) == (10, 0, 10)
    page = await department.batches.watching.refusals(DEPARTMENT, batch_id, after=0, limit=10)
    assert page.refusals == []
    assert (await department.send(batch_id, bad)).refused == 0


async def test_csv_names_its_columns_in_the_first_line(department: Department, keys: Keys) -> None:
    header = "\ufeffPHONE_,Hall,reference,phone,NAME,nobody asked\r\n".replace("PHONE_", "x")
    lines = [
        "x,三号厅,A-1,13800138000,王小明,\r\n",
        'x,"一号厅, ""东""",,+86 138 0013 8001,李四,y\r\n',
        "too,few\r\n",
        'x,open",A-4,13800138003,"赵""六",\r\n',
        "x,三号厅,A-5,13800138004,钱七,\r\n",
    ]
    body = (header + "".join(lines)).encode() + b"x,\xff,A-6,13800138005,\xff,\n"
    batch_id = await department.opened()
    batch = await department.send(batch_id, body, form="csv")
    assert (batch.received, batch.refused) == (6, 3)
    rows = await department.db.fetch("SELECT * FROM notifications.batch_row ORDER BY number")
    seals = Seals(keys)
    opened = [seals.open_values(row["message_id"], row["sealed_values"]) for row in rows]
    assert opened == [
        {"name": "王小明", "hall": "三号厅"},
        {"name": "李四", "hall": '一号厅, "东"'},
        {"name": "钱七", "hall": "三号厅"},
    ]
    phones = [seals.open_address(row["message_id"], row["address"]).phone for row in rows]
    assert phones == ["+8613800138000", "+8613800138001", "+8613800138004"]
    more = await department.send(batch_id, (header + lines[0]).encode(), first=9, form="csv")
    assert more.missing == [Span(7, 8)]


@pytest.mark.parametrize(
    "header", [b"name,hall\n", b"phone,email\n", b"phone,name,name\n", b"\xff,phone\n", b"\n", b"a" * 9_000]
)
async def test_csv_without_a_header_that_says_whom_is_refused(department: Department, header: bytes) -> None:
    batch_id = await department.opened()
    with pytest.raises(MalformedRequest):
        await department.send(batch_id, header + b"\n13800138000,x\n", form="csv")


async def test_a_person_is_named_by_id_number_and_nobody_learns_whether_they_are_known(department: Department) -> None:
    known, unknown = somebody(1), somebody(2)
    async with department.db.transaction() as conn:
        person_id = await department.people.mint(conn, known, now=department.clock.now())
    batch_id = await department.opened()
    rows = [a_row(1, phone=..., id_number=who.id_number) for who in (known, unknown)]
    batch = await department.send(batch_id, rows)
    assert (batch.taken, batch.refused) == (2, 0)
    kept = await department.db.fetch("SELECT person_id, address FROM notifications.batch_row ORDER BY number")
    assert [(row["person_id"], row["address"]) for row in kept] == [(person_id, None), (None, None)]


async def test_a_team_key_reaches_the_team_alone(department: Department) -> None:
    await department.teams.add(DEPARTMENT, "+8613000000001", actor=ACTOR)
    batch_id = await department.opened(kind="team")
    batch = await department.send(batch_id, [a_row(1), a_row(2)])
    page = await department.batches.watching.refusals(DEPARTMENT, batch_id, after=0, limit=10)
    assert (batch.taken, [(one.number, one.code) for one in page.refusals]) == (1, [(2, "services.not_in_team")])


async def test_an_id_is_the_departments_own_and_means_one_batch(department: Department) -> None:
    batch_id = await department.opened()
    batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
    again = await department.batches.taking.open(DEPARTMENT, batch_id, batch.plan, actor=ACTOR)
    assert again == batch
    other = type(batch.plan)(name="另一批", text_id=batch.plan.text_id, version=1, lane=Lane.BULK, kind="live")
    with pytest.raises(BatchReused):
        await department.batches.taking.open(DEPARTMENT, batch_id, other, actor=ACTOR)
    somebody_else = DepartmentId(batch_id)
    with pytest.raises(BatchNotFound):
        await department.batches.taking.open(somebody_else, batch_id, batch.plan, actor=ACTOR)
    with pytest.raises(BatchNotFound):
        await department.batches.watching.read(somebody_else, batch_id)


async def test_rows_sent_here_and_there_without_end_are_refused(department: Department) -> None:
    batch_id = await department.opened()
    spans = [number for first in range(2, 2 * SPANS_MAX + 1, 2) for number in (first, first)]
    await department.db.fetchval(
        "UPDATE notifications.batch SET spans = $2, received = $3 WHERE batch_id = $1 RETURNING 1",
        batch_id, spans, SPANS_MAX,
    )  # fmt: skip
    with pytest.raises(BatchScattered):
        await department.send(batch_id, [a_row(1)], first=2 * SPANS_MAX + 2)
    assert len((await department.send(batch_id, [a_row(1)], first=3)).spans) == SPANS_MAX - 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sends=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 15)), min_size=1, max_size=6),
    size=st.integers(1, 400),
)
async def test_whatever_is_sent_again_and_cut_anywhere_each_row_is_kept_once(
    department: Department, sends: list[tuple[int, int]], size: int
) -> None:
    batch_id = await department.opened()
    came: set[int] = set()
    for first, count in sends:
        rows = [a_row(number) for number in range(first, first + count)]
        body = ndjson(rows)
        await department.batches.taking.take(DEPARTMENT, batch_id, pieces(body, size), first=first, form="ndjson")
        came |= set(range(first, first + count))
    kept = await department.db.fetch(
        "SELECT number FROM notifications.batch_row WHERE batch_id = $1 ORDER BY number", batch_id
    )
    assert [row["number"] for row in kept] == sorted(came)
    batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
    gaps = {number for gap in batch.missing for number in range(gap.first, gap.last + 1)}
    assert gaps == set(range(1, max(came))) - came
