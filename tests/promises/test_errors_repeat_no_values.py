"""What PostgreSQL says of a row that it refuses is in no error of ours, and so in no log and no trace."""

import traceback

import asyncpg
import pytest

from kernel.db import Connection, Database

SECRET = "values-of-somebody"


async def refuse(conn: Connection) -> None:
    """A row against a rule of its table, which PostgreSQL repeats whole."""
    await conn.execute("CREATE TEMPORARY TABLE once (word text CHECK (length(word) < 3)) ON COMMIT DROP")
    await conn.execute("INSERT INTO once VALUES ($1)", SECRET)


async def refuse_as_another(conn: Connection) -> None:
    try:
        await refuse(conn)
    except asyncpg.PostgresError as error:
        raise RuntimeError("no") from error


async def refuse_at_our_end(conn: Connection) -> None:
    await conn.fetchval("SELECT $1::text", SECRET + "\ud800")


@pytest.mark.parametrize("wrong", [refuse, refuse_as_another, refuse_at_our_end])
async def test_an_error_of_the_database_does_not_repeat_the_row_it_is_about(db: Database, wrong: object) -> None:
    with pytest.raises((asyncpg.PostgresError, RuntimeError)) as caught:
        async with db.transaction() as conn:
            await wrong(conn)  # type: ignore[operator]
    said = "".join(traceback.format_exception(caught.value))
    assert SECRET not in said
    assert "check constraint" in said or "query argument $1" in said


async def test_a_statement_that_commits_by_itself_does_not_either(db: Database) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        await db.fetchval("SELECT $1::text", SECRET + "\ud800")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
