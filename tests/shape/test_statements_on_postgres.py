"""Every statement, in every size it is sent in, is understood by the migrated schema and keeps to one key's machine."""

from typing import Any

import asyncpg
import pytest

from tests.shape.statements import Keys, crosses, locks_loosely, moves_key, prepared, written

PLANTED = Keys(
    {"wallet.use": "person_id", "wallet.kind": None, "wallet.code": "code_digest", "wallet.certificate": "person_id"},
    {"wallet.use": "person", "wallet.kind": "reference", "wallet.code": "code_digest", "wallet.certificate": "person"},
)


async def refused(conn: Any, sql: str) -> str | None:
    """What PostgreSQL says against a statement, if anything."""
    try:
        async with conn.transaction():
            await conn.prepare(sql)
    except asyncpg.PostgresError as error:
        return str(error)
    return None


async def test_every_statement_is_understood_by_the_migrated_schema(migrated: Any) -> None:
    said = [(name, await refused(migrated, sql)) for name, sql in prepared()]
    assert [pair for pair in said if pair[1]] == []
    assert {name.split("/")[0] for name, _ in said} >= {statement.name for statement in written()}


async def test_a_statement_that_postgres_does_not_understand_is_noticed(migrated: Any) -> None:
    for sql in ("SELECT nonsense FROM kernel.person", "SELECT person_id FROM person", "SELECT $1 + FROM kernel.person"):
        assert await refused(migrated, sql) is not None
    assert await refused(migrated, "SELECT created_at FROM kernel.person WHERE person_id = $1") is None


async def test_every_lock_names_one_key(keys_of: Keys) -> None:
    assert [f"{s.at}: {said}" for s in written() for said in locks_loosely(s.sql, keys_of)] == []


async def test_no_statement_moves_a_row_to_another_key(keys_of: Keys) -> None:
    assert [f"{s.at}: {said}" for s in written() for said in moves_key(s.sql, keys_of)] == []


async def test_no_statement_crosses_distributions(keys_of: Keys) -> None:
    assert [f"{s.at}: {said}" for s in written() for said in crosses(s.sql, keys_of)] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT use_id FROM wallet.use WHERE use_id = $1 FOR UPDATE",
        "SELECT use_id FROM wallet.use WHERE person_id = ANY($1) FOR UPDATE SKIP LOCKED",
        "SELECT code FROM wallet.kind ORDER BY code FOR SHARE",
        "WITH due AS (SELECT use_id FROM wallet.use ORDER BY at LIMIT 3 FOR UPDATE SKIP LOCKED) SELECT use_id FROM due",
    ],
)
def test_a_lock_without_a_key_is_noticed(sql: str) -> None:
    assert locks_loosely(sql, PLANTED) != []


def test_a_lock_with_its_key_is_left_alone() -> None:
    assert (
        locks_loosely("SELECT u.use_id FROM wallet.use AS u WHERE u.person_id = $1 FOR NO KEY UPDATE OF u", PLANTED)
        == []
    )
    assert locks_loosely("SELECT code FROM wallet.kind WHERE code = $1 FOR UPDATE", PLANTED) == []
    assert locks_loosely("SELECT use_id FROM wallet.use", PLANTED) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE wallet.use SET person_id = $1 WHERE use_id = $2",
        "UPDATE wallet.use AS u SET note = coalesce($1, u.note), person_id = $2 WHERE u.use_id = $3",
        "UPDATE wallet.use SET (note, person_id) = ($1, $2) WHERE use_id = $3",
        "INSERT INTO wallet.use (person_id) VALUES ($1) ON CONFLICT (person_id) DO UPDATE SET person_id = EXCLUDED.person_id",
    ],
)
def test_a_moved_key_is_noticed(sql: str) -> None:
    assert moves_key(sql, PLANTED) == ["SET person_id"]


def test_an_update_that_keeps_its_key_is_left_alone() -> None:
    sql = (
        "UPDATE wallet.use SET note = (SELECT max(name) FROM wallet.kind WHERE code = $2), at = $3 WHERE person_id = $1"
    )
    assert moves_key(sql, PLANTED) == []


def test_a_statement_across_distributions_is_noticed() -> None:
    join = "SELECT 1 FROM wallet.use AS u JOIN wallet.code AS c ON c.use_id = u.use_id"
    both = "WITH k AS (UPDATE wallet.kind SET name = $1 RETURNING code) INSERT INTO wallet.use (person_id) VALUES ($2)"
    assert crosses(join, PLANTED) != []
    assert crosses(both, PLANTED) != []
    within = "SELECT 1 FROM wallet.use JOIN wallet.certificate USING (person_id) JOIN wallet.kind USING (code) WHERE person_id = $1"
    assert crosses(within, PLANTED) == []
