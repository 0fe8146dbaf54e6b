"""How a statement over many rows is written, and how rows are divided among its shapes."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.grouping import Many

INSERT = """
    -- rules.insert_pairs
    INSERT INTO pair (at, a, b) VALUES {rows} ON CONFLICT DO NOTHING RETURNING a
"""


class NotedConnection:
    """Stands in for a connection: notes what it is asked, and answers with nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Any]]] = []

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        self.asked.append((query, list(args)))
        return []

    async def fetchmany(self, query: str, args: Iterable[Sequence[Any]]) -> list[Any]:
        self.asked += [(query, list(each)) for each in args]
        return []


def test_rows_are_numbered_after_what_they_share():
    pairs = Many(INSERT, columns=2, shared=1, row="($1, {}, {}::text)", sizes=(1, 2))
    by_name = dict(pairs.statements())
    assert set(by_name) == {"rules.insert_pairs/1", "rules.insert_pairs/2"}
    assert "VALUES ($1, $2, $3::text), ($1, $4, $5::text) ON CONFLICT" in by_name["rules.insert_pairs/2"]


def test_a_statement_with_more_parameters_than_postgres_counts_is_refused_when_it_is_written():
    with pytest.raises(AssertionError, match="16 bits"):
        Many(INSERT, columns=2, sizes=(1, 20_000))


@given(count=st.integers(0, 700), shared=st.integers(0, 2))
async def test_every_row_is_sent_once_and_in_order(count: int, shared: int):
    pairs = Many(INSERT, columns=2, shared=shared)
    by_sql = {sql: int(name.rpartition("/")[2]) for name, sql in pairs.statements()}
    conn = NotedConnection()
    rows = [(nth, -nth) for nth in range(count)]
    await pairs.fetch(conn, rows, *range(shared))  # type: ignore[arg-type]
    sent: list[Any] = []
    for sql, arguments in conn.asked:
        assert arguments[:shared] == list(range(shared))
        assert len(arguments) == shared + 2 * by_sql[sql]
        sent += zip(arguments[shared::2], arguments[shared + 1 :: 2], strict=True)
    assert sent == rows
