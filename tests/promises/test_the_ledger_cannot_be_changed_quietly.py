"""Whatever is removed from the ledger or altered in it, by whomever, is found."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database, DatabaseAway
from kernel.ids import PersonId
from suishenban_verify import checkpoint, ledger, merkle
from suishenban_verify.checkpoint import Checkpoint
from tests.builders_ledger import (
    ORIGIN,
    a_signer,
    a_use,
    audited,
    keys_of,
    logged,
    many_recorded,
    note_keys,
    recorded,
)
from wallet.ledger import queries as log_queries
from wallet.ledger import recording
from wallet.ledger.erasing import Eraser
from wallet.ledger.errors import NoCheckpointYet
from wallet.ledger.keys import LogKeys
from wallet.ledger.model import Head, RecordRow, entry_of
from wallet.ledger.proving import Prover
from wallet.ledger.sequencing import Sequencer
from wallet.model import Flag, Route, Use

LATER = timedelta(days=30)


@pytest.fixture
def keys() -> LogKeys:
    return keys_of(a_signer())


async def a_ledger(db: Database, clock: StoppedClock, keys: LogKeys) -> list[Use]:
    """Some three hundred records in several batches, among them erased ones, and some that wait."""
    held = await many_recorded(db, clock, 280)
    gone = [a_use(clock.now(), PersonId(held[0].person_id)) for _ in range(3)]
    await recorded(db, gone)
    await logged(db, clock, keys)
    clock.advance(LATER)
    agent = a_use(clock.now(), mandate_id=uuid4(), agent_person_id=PersonId(uuid4()), flags=(Flag.DOUBLE_USE,))
    await recorded(db, [agent, a_use(clock.now(), route=Route.OFFLINE)])
    await logged(db, clock, keys)
    await Eraser(db, clock, keys).erase(held[0].person_id, used_before=clock.now(), reason="asked")
    await logged(db, clock, keys)
    clock.advance(timedelta(minutes=5))
    await many_recorded(db, clock, 3)
    return held


async def test_an_untouched_ledger_is_found_in_order(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    await a_ledger(db, clock, keys)
    report = await audited(db, clock, keys)
    assert report.findings == []
    assert (report.records, report.erased, report.waiting, report.checkpoints) == (284, 4, 3, 4)
    assert report.size == 284 + 4 - 3 + 4 + 3
    note = (await Prover(db).latest()).note
    assert checkpoint.read(note, note_keys(keys)) == Checkpoint(ORIGIN, report.size, report.root)


async def test_a_city_whose_log_has_not_begun_is_in_order(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    assert (await audited(db, clock, keys)).is_clean
    with pytest.raises(NoCheckpointYet):
        await Prover(db).latest()
    assert await logged(db, clock, keys) == 0
    assert (await Prover(db).latest()).root == merkle.EMPTY_ROOT
    assert (await audited(db, clock, keys)).is_clean


CHANGES = {
    "use": {
        "person_id": "gen_random_uuid()",
        "code_hash": "sha256(code_hash)",
        "used_at": "used_at + interval '1 microsecond'",
        "use_id": "gen_random_uuid()",
        "device_id": "gen_random_uuid()",
        "venue_id": "gen_random_uuid()",
        "scenario_code": "'museum.entry'",
        "scenario_edition": "-1",
        "certificate_id": "gen_random_uuid()",
        "kind_code": "kind_code || ' '",
        "route": "CASE route WHEN 'ask' THEN 'code' ELSE 'ask' END",
        "outcome": "'suspended', fields = '{}'",
        "fields": "'{name}'",
        "mandate_id": "gen_random_uuid(), agent_person_id = gen_random_uuid()",
        "agent_person_id": "gen_random_uuid(), mandate_id = coalesce(mandate_id, gen_random_uuid())",
        "flags": "'{late_revocation}'",
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "salt": "sha256(salt)",
    },
    "ledger_leaf": {"log_index": "1000", "commitment": "sha256(commitment)"},
    "ledger_position": {"commitment": "sha256(commitment)", "log_index": "log_index + 1"},
    "ledger_tile": {"level": "7", "tile": "tile + 1000", "hashes": "overlay(hashes placing '\\x00'::bytea from 5)"},
    "ledger_checkpoint": {
        "size": "size + 1",
        "root": "sha256(root)",
        "note": "note || '— x AAAAAAAA' || chr(10)",
        "signed_at": "signed_at - interval '1 microsecond'",
    },
    "ledger_head": {"size": "size - 1", "frontier": "sha256(frontier)"},
    "ledger_erasure": {
        "commitment": "sha256(commitment)",
        "tombstone": "sha256(tombstone)",
        "salt": "sha256(salt)",
        "reason": "'because'",
        "erased_at": "erased_at - interval '1 microsecond'",
    },
    "ledger_pending": {
        "bucket": "(bucket + 1) % 64",
        "entry_id": "gen_random_uuid()",
        "commitment": "sha256(commitment)",
    },
}
"""For each column of the ledger something else that the database would accept in its place."""
FIXED = {("ledger_head", "head_id")}
"""What the database does not let anybody change."""
ORDER = {"ledger_checkpoint": "size", "ledger_tile": "level, tile"}


async def rows_of(db: Database, table: str) -> list[str]:
    """Three rows of a table, by where they lie: the first, one in the middle, the last the log has gone on from."""
    order = ORDER.get(table, "ctid")
    found = [row[0] for row in await db.fetch(f"SELECT ctid::text FROM wallet.{table} ORDER BY {order}")]
    assert found, table
    last = -2 if table == "ledger_checkpoint" else -1
    return list(dict.fromkeys([found[0], found[len(found) // 2], found[last]]))


async def test_the_changes_tried_are_of_every_column_of_every_table(db: Database) -> None:
    columns = await db.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'wallet'"
        " AND (table_name = 'use' OR table_name LIKE 'ledger%')"
    )
    tried = {(table, column) for table, changes in CHANGES.items() for column in changes}
    assert tried | FIXED == {tuple(row) for row in columns}


@pytest.mark.parametrize("table", sorted(CHANGES))
async def test_any_one_record_altered_or_deleted_is_found(
    db: Database, clock: StoppedClock, keys: LogKeys, table: str
) -> None:
    await a_ledger(db, clock, keys)
    for place in await rows_of(db, table):
        for column, other in CHANGES[table].items():
            await _tampered(db, clock, keys, f"UPDATE wallet.{table} SET {column} = {other} WHERE ctid = '{place}'")
        await _tampered(db, clock, keys, f"DELETE FROM wallet.{table} WHERE ctid = '{place}'")
    assert (await audited(db, clock, keys)).is_clean


class Undone(Exception):
    """What was tried out is rolled back."""


async def _tampered(db: Database, clock: StoppedClock, keys: LogKeys, sql: str) -> None:
    """Tamper, see it found, and undo it: the audit runs on the very connection that tampered."""
    with pytest.raises(Undone):
        await _tamper_and_undo(db, clock, keys, sql)


async def _tamper_and_undo(db: Database, clock: StoppedClock, keys: LogKeys, sql: str) -> None:
    async with db.transaction() as conn:
        tag = await conn.execute(sql)
        assert tag in ("UPDATE 1", "DELETE 1", "INSERT 0 1"), sql
        report = await audited(OneConnection(conn), clock, keys)
        assert not report.is_clean, sql
        raise Undone


class OneConnection:
    """A database that is one open transaction, which its user may look at but not end."""

    def __init__(self, conn: object) -> None:
        self._conn = conn

    def connection(self) -> "OneConnection":
        return self

    transaction = connection

    async def __aenter__(self) -> object:
        return self._conn

    async def __aexit__(self, *_: object) -> None: ...


async def test_a_made_up_record_is_found(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    await a_ledger(db, clock, keys)
    copied = (
        "INSERT INTO wallet.use (person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code,"
        " scenario_edition, certificate_id, kind_code, route, outcome, fields, flags, recorded_at, salt)"
        " SELECT person_id, sha256(code_hash), used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,"
        " certificate_id, kind_code, route, outcome, fields, flags, recorded_at, {salt} FROM wallet.use LIMIT 1"
    )
    for salt in ("salt", "sha256(salt)", "NULL"):
        await _tampered(db, clock, keys, copied.format(salt=salt))
    for made_up in (
        "INSERT INTO wallet.ledger_leaf (log_index, commitment) VALUES (500, sha256('x'))",
        "INSERT INTO wallet.ledger_position (commitment, log_index) VALUES (sha256('x'), 3)",
        "INSERT INTO wallet.ledger_position (commitment, log_index) VALUES (sha256('x'), 3000)",
        "INSERT INTO wallet.ledger_tile (level, tile, hashes) VALUES (0, 99, sha256('x'))",
        (
            "UPDATE wallet.ledger_checkpoint SET signed_at = signed_at + interval '1 day'"
            " WHERE size = (SELECT max(size) FROM wallet.ledger_checkpoint)"
        ),
        "UPDATE wallet.ledger_tile SET hashes = hashes || sha256('x') WHERE level = 0 AND tile = 1",
        (
            "INSERT INTO wallet.ledger_checkpoint (size, root, note, signed_at)"
            " SELECT 5, root, note, signed_at FROM wallet.ledger_checkpoint ORDER BY size LIMIT 1"
        ),
        (
            "INSERT INTO wallet.ledger_checkpoint (size, root, note, signed_at)"
            " SELECT 5000, root, note, signed_at FROM wallet.ledger_checkpoint ORDER BY size LIMIT 1"
        ),
        (
            "INSERT INTO wallet.ledger_erasure (commitment, tombstone, salt, reason, erased_at)"
            " SELECT commitment, sha256('x'), sha256('y'), 'asked', now() FROM wallet.ledger_leaf WHERE log_index = 9"
        ),
        "INSERT INTO wallet.ledger_pending (bucket, entry_id, commitment) VALUES (0, gen_random_uuid(), sha256('x'))",
    ):
        await _tampered(db, clock, keys, made_up)


async def test_findings_name_what_they_are_about_and_nobody(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    held = await a_ledger(db, clock, keys)
    use = held[7]
    place = await position_of(db, use)
    await db.fetch("UPDATE wallet.use SET outcome = 'revoked', fields = '{}' WHERE use_id = $1", use.use_id)
    report = await audited(db, clock, keys)
    assert [(found.sort, found.place) for found in report.findings] == [
        ("record_not_in_log", f"use {use.use_id}"),
        ("leaf_without_record", f"leaf {place}"),
    ]
    assert str(use.person_id) not in str(report)


async def position_of(db: Database, use: Use) -> int:
    assert use.salt is not None
    async with db.connection() as conn:
        commitment = ledger.commitment_of(use.salt, use)
        return (await log_queries.select_positions(conn, [commitment]))[commitment]


async def test_a_missing_leaf_is_named_and_nothing_else_blamed(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    await a_ledger(db, clock, keys)
    await db.fetch("DELETE FROM wallet.ledger_leaf WHERE log_index = 100")
    found = (await audited(db, clock, keys)).findings
    assert {(one.sort, one.place) for one in found} == {("leaf_missing", "leaf 100")}


async def rewritten(db: Database, clock: StoppedClock, keys: LogKeys, without: Use) -> None:
    """What somebody with the whole database and our key could do: leave one record out and log all others anew."""
    await db.fetch("DELETE FROM wallet.use WHERE code_hash = $1", without.code_hash)
    for table in ("leaf", "position", "tile", "head", "checkpoint", "pending"):
        await db.fetch(f"DELETE FROM wallet.ledger_{table}")
    async with db.transaction() as conn:
        rows = await log_queries.select_records_after(conn, PersonId(UUID(int=0)), b"", limit=10_000)
        await recording.record(conn, rows)
    await logged(db, clock, keys)


async def test_a_log_written_anew_without_one_record_is_found_by_whoever_kept_a_checkpoint(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    uses = await many_recorded(db, clock, 40)
    await logged(db, clock, keys)
    kept = (await Prover(db).latest()).note
    await many_recorded(db, clock, 40)
    await logged(db, clock, keys)
    assert (await audited(db, clock, keys, kept)).is_clean
    await rewritten(db, clock, keys, uses[5])
    assert (await audited(db, clock, keys)).is_clean
    report = await audited(db, clock, keys, kept)
    assert [found.sort for found in report.findings] == ["kept_differs"]


async def test_a_log_written_anew_by_whoever_does_not_have_our_key_is_found(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    use = (await many_recorded(db, clock, 300))[40]
    await logged(db, clock, keys)
    await many_recorded(db, clock, 3)
    await logged(db, clock, keys)
    at = await position_of(db, use)
    await db.fetch("UPDATE wallet.use SET outcome = 'revoked', fields = '{}' WHERE use_id = $1", use.use_id)
    async with db.transaction() as conn:
        record = await log_queries.select_record(conn, use.person_id, use.code_hash)
        leaf = ledger.commitment_of(record.salt, record)
        await conn.execute("UPDATE wallet.ledger_leaf SET commitment = $1 WHERE log_index = $2", leaf, at)
        await conn.execute("UPDATE wallet.ledger_position SET commitment = $1 WHERE log_index = $2", leaf, at)
        leaves = [merkle.leaf_hash(found) for _, found in await log_queries.select_leaves(conn, 0, 1000)]
        tiles = merkle.append(0, {}, leaves)
        await log_queries.put_tiles(conn, tiles)
        frontier = b"".join(merkle.frontier_of(len(leaves), tiles))
        await log_queries.update_head(conn, Head(len(leaves), frontier))
    found = (await audited(db, clock, keys)).findings
    assert [(one.sort, one.place) for one in found] == [("root_differs", "checkpoint 301")]
    assert "1 more" in found[0].said


async def test_a_log_that_was_cut_is_found_by_whoever_kept_a_checkpoint(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    await many_recorded(db, clock, 40)
    await logged(db, clock, keys)
    before = {table: await db.fetch(f"SELECT * FROM wallet.ledger_{table}") for table in ("tile", "head")}
    shorter = await Prover(db).latest()
    later = await many_recorded(db, clock, 5)
    await logged(db, clock, keys)
    kept = (await Prover(db).latest()).note
    await db.fetch("DELETE FROM wallet.use WHERE code_hash = ANY ($1)", [use.code_hash for use in later])
    await db.fetch("DELETE FROM wallet.ledger_leaf WHERE log_index >= $1", shorter.size)
    await db.fetch("DELETE FROM wallet.ledger_position WHERE log_index >= $1", shorter.size)
    await db.fetch("DELETE FROM wallet.ledger_checkpoint WHERE size > $1", shorter.size)
    for row in before["tile"]:
        sql = "UPDATE wallet.ledger_tile SET hashes = $1 WHERE level = $2 AND tile = $3"
        await db.fetch(sql, row["hashes"], row["level"], row["tile"])
    [head] = before["head"]
    await db.fetch("UPDATE wallet.ledger_head SET size = $1, frontier = $2", head["size"], head["frontier"])
    assert (await audited(db, clock, keys)).is_clean
    assert (await audited(db, clock, keys, shorter.note)).is_clean
    assert [found.sort for found in (await audited(db, clock, keys, kept)).findings] == ["log_cut"]


async def test_a_checkpoint_that_somebody_else_signed_is_not_believed(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    await many_recorded(db, clock, 3)
    await logged(db, clock, keys)
    latest = await Prover(db).latest()
    forged = checkpoint.sign(Checkpoint(ORIGIN, latest.size, latest.root), a_signer())
    assert [found.sort for found in (await audited(db, clock, keys, forged)).findings] == ["kept_unsigned"]


async def test_records_that_wait_too_long_are_found(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    await many_recorded(db, clock, 5)
    clock.advance(timedelta(minutes=9))
    assert (await audited(db, clock, keys)).is_clean
    clock.advance(timedelta(minutes=2))
    assert [found.sort for found in (await audited(db, clock, keys)).findings] == ["waits_too_long"]


async def test_the_ledger_is_audited_while_the_city_goes_on(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    await a_ledger(db, clock, keys)
    going_on = True

    async def go_on() -> None:
        while going_on:
            uses = await many_recorded(db, clock, 5)
            await Eraser(db, clock, keys).erase(uses[0].person_id, used_before=clock.now() + LATER, reason="asked")
            await Sequencer(db, clock, keys).append_pending()

    busy = asyncio.create_task(go_on())
    reports = [await audited(db, clock, keys) for _ in range(8)]
    going_on = False
    await busy
    assert [finding for report in reports for finding in report.findings] == []
    assert reports[-1].size > reports[0].size


async def test_an_audit_without_a_database_says_nothing_is_in_order(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    await db.close()
    with pytest.raises(DatabaseAway):
        await audited(db, clock, keys)


async def test_an_erasure_that_somebody_with_the_database_alone_feigns_is_found(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    [use, *_] = await many_recorded(db, clock, 5)
    await logged(db, clock, keys)
    clock.advance(LATER)
    [row] = await db.fetch("SELECT * FROM wallet.use WHERE code_hash = $1", use.code_hash)
    commitment, salt = ledger.commitment_of(row["salt"], RecordRow(**row)), bytes(32)
    made = ledger.tombstone_of(salt, commitment, clock.now(), "asked")
    await db.fetch("DELETE FROM wallet.use WHERE code_hash = $1", use.code_hash)
    await db.fetch(
        "INSERT INTO wallet.ledger_erasure (commitment, tombstone, salt, reason, erased_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        commitment, made, salt, "asked", clock.now(),
    )  # fmt: skip
    async with db.transaction() as conn:
        await log_queries.insert_pending(conn, [entry_of(made, clock.now())])
    await logged(db, clock, keys)
    report = await audited(db, clock, keys)
    assert [finding.sort for finding in report.findings] == ["erasure_differs"]
