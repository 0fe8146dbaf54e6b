"""Requests that wait together commit together, and each gets its own answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel.db import Connection, Database, OutcomeUnknown
from kernel.grouping import Group, Many, TooManyWaiting

KEEP = Many(
    """
    -- tests.keep
    INSERT INTO kept (key) VALUES {rows} ON CONFLICT DO NOTHING RETURNING key
    """,
    columns=1,
)


@pytest.fixture
async def table(db: Database) -> AsyncIterator[None]:
    async with db.connection() as conn:
        await conn.execute(
            """
            CREATE TABLE kept (key integer PRIMARY KEY CHECK (key >= 0));
            CREATE TABLE judged_at_commit (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
            """
        )
    yield
    async with db.connection() as conn:
        await conn.execute("DROP TABLE kept, judged_at_commit")


class Keeper:
    """Keeps keys in groups: True for a new key, False for one kept before."""

    def __init__(self, db: Database, **bounds: float) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.group = Group(db, self._commit, size_max=100, sort_key=lambda key: key, **bounds)  # type: ignore[arg-type]

    async def _commit(self, conn: Connection, keys: list[int]) -> list[bool]:
        self.groups.append(keys)
        await self.gate.wait()
        distinct = dict.fromkeys(keys)
        new = {row["key"] for row in await KEEP.fetch(conn, [(key,) for key in distinct])}
        return [key in new and not new.discard(key) for key in keys]  # type: ignore[func-returns-value]


async def kept(db: Database) -> list[int]:
    return [row["key"] for row in await db.fetch("SELECT key FROM kept ORDER BY key")]


pytestmark = pytest.mark.usefixtures("table")


async def test_what_waits_together_is_one_transaction_in_one_order(db: Database):
    keeper = Keeper(db)
    assert await asyncio.gather(*(keeper.group.submit(key) for key in (5, 3, 9, 3))) == [True, True, True, False]
    assert keeper.groups == [[3, 3, 5, 9]]
    assert await db.fetchval("SELECT count(DISTINCT xmin::text) FROM kept") == 1


async def test_a_conflict_is_an_outcome_and_spoils_nothing(db: Database):
    keeper = Keeper(db)
    await keeper.group.submit(1)
    assert await asyncio.gather(*(keeper.group.submit(key) for key in range(3))) == [True, False, True]


async def test_one_request_in_error_costs_the_others_nothing(db: Database):
    keeper = Keeper(db)
    answers = await asyncio.gather(*(keeper.group.submit(key) for key in (1, -1, 2)), return_exceptions=True)
    assert (answers[0], answers[2]) == (True, True)
    assert type(answers[1]).__name__ == "CheckViolationError"
    assert keeper.groups == [[-1, 1, 2], [-1], [1], [2]]
    assert await kept(db) == [1, 2]


async def test_nobody_is_answered_before_their_row_is_committed(db: Database):
    keeper = Keeper(db)

    async def submit_and_look(key: int) -> bool:
        await keeper.group.submit(key)
        return key in await kept(db)

    assert all(await asyncio.gather(*(submit_and_look(key) for key in range(300))))


async def test_who_goes_away_changes_nothing_for_the_others(db: Database):
    keeper = Keeper(db)
    keeper.gate.clear()
    out = [asyncio.create_task(keeper.group.submit(key)) for key in range(10)]
    await asyncio.sleep(0.02)
    waiting = [asyncio.create_task(keeper.group.submit(key)) for key in range(10, 20)]
    await asyncio.sleep(0)
    out[3].cancel()
    waiting[3].cancel()
    keeper.gate.set()
    answers = await asyncio.gather(*out, *waiting, return_exceptions=True)
    assert [key for key, answer in enumerate(answers) if answer is not True] == [3, 13]
    await keeper.group.drain()
    assert await kept(db) == [key for key in range(20) if key != 13]  # what had not begun is not begun


async def test_a_slow_group_does_not_hold_up_the_next_for_long(db: Database):
    keeper = Keeper(db)
    keeper.gate.clear()
    slow = asyncio.create_task(keeper.group.submit(1))
    await asyncio.sleep(0.005)
    late = asyncio.create_task(keeper.group.submit(2))
    await asyncio.sleep(0.1)
    assert keeper.groups == [[1], [2]]
    keeper.gate.set()
    assert await asyncio.gather(slow, late) == [True, True]


async def test_too_many_are_refused_at_once_and_nothing_of_theirs_is_tried(db: Database):
    keeper = Keeper(db, groups_at_once=1, waiting_max=5)
    keeper.gate.clear()
    out = asyncio.create_task(keeper.group.submit(0))
    await asyncio.sleep(0.005)
    waiting = [asyncio.create_task(keeper.group.submit(key)) for key in range(1, 8)]
    await asyncio.sleep(0)
    assert [isinstance(each.exception(), TooManyWaiting) for each in waiting if each.done()] == [True, True]
    keeper.gate.set()
    await asyncio.gather(out, *waiting, return_exceptions=True)
    assert await kept(db) == [0, 1, 2, 3, 4, 5]


async def test_who_waited_too_long_is_refused_and_never_tried(db: Database):
    keeper = Keeper(db, groups_at_once=1, wait_max_seconds=0.05)
    keeper.gate.clear()
    out = asyncio.create_task(keeper.group.submit(0))
    await asyncio.sleep(0.005)
    with pytest.raises(TooManyWaiting):
        await keeper.group.submit(1)
    keeper.gate.set()
    assert await out is True
    await keeper.group.drain()
    assert await kept(db) == [0]


async def test_an_error_at_commit_is_said_to_be_unknown(db: Database):
    async def commit(conn: Connection, items: list[int]) -> list[None]:
        await conn.execute("INSERT INTO judged_at_commit VALUES (7), (7)")
        return [None for _ in items]

    group = Group(db, commit, size_max=10, sort_key=lambda item: item)
    answers = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]


async def test_what_is_safe_to_repeat_is_repeated_after_an_unknown_commit(db: Database):
    tries: list[list[int]] = []

    async def commit(conn: Connection, items: list[int]) -> list[int]:
        tries.append(items)
        if len(tries) == 1:
            await conn.execute("INSERT INTO judged_at_commit VALUES (7), (7)")
        await KEEP.fetch(conn, [(item,) for item in items])
        return items

    group = Group(db, commit, size_max=10, sort_key=lambda item: item, retry_safe=True)
    assert await asyncio.gather(group.submit(2), group.submit(1)) == [2, 1]
    assert tries == [[1, 2], [1, 2]]
    assert await kept(db) == [1, 2]


@pytest.mark.parametrize("count", [1, 63, 256, 1000])
async def test_any_number_of_rows_goes_through_the_few_prepared_shapes(db: Database, count: int):
    async with db.transaction() as conn:
        rows = await KEEP.fetch(conn, [(key,) for key in range(count)])
    assert sorted(row["key"] for row in rows) == list(range(count))
