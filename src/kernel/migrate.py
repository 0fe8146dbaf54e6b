"""Applies the city's migrations in order: one at a time, under an advisory lock, each in its own transaction."""

import hashlib
import re
from pathlib import Path

import asyncpg

LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "5s"
_LOCK_KEY = 0x5355_4953  # "SUIS"
_NAME = re.compile(r"^\d{4}_(expand|contract)_[a-z0-9_]+\.sql$")
_LONGER = re.compile(r"^-- statement_timeout: (\d+s) because .+$", re.MULTILINE)


class MigrationRefused(Exception):
    """The migrations and the database do not fit; the text says how."""


def migrations_in(folder: Path) -> list[Path]:
    """The migration files, in order. Raises MigrationRefused for a name or number out of line."""
    files = sorted(folder.glob("*.sql"))
    for number, file in enumerate(files, start=1):
        if not _NAME.match(file.name) or int(file.name[:4]) != number:
            raise MigrationRefused(f"{file.name}: expected {number:04d}_expand_… or {number:04d}_contract_….sql")
    return files


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def migrate(database_url: str, folder: Path) -> list[str]:
    """Bring the database up to the newest migration; return the names applied now.

    Raises MigrationRefused when an applied file was changed since, or when the database is ahead of this code.
    """
    conn = await asyncpg.connect(database_url)
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        await conn.execute(
            "CREATE SCHEMA IF NOT EXISTS kernel; CREATE TABLE IF NOT EXISTS kernel.migration"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL);"
            " COMMENT ON TABLE kernel.migration IS 'Which migrations were applied. distribution: local'"
        )
        applied = {
            row["name"]: row["checksum"] for row in await conn.fetch("SELECT name, checksum FROM kernel.migration")
        }
        files = migrations_in(folder)
        _compare(applied, files)
        fresh = [file for file in files if file.name not in applied]
        for file in fresh:
            await _apply(conn, file)
        return [file.name for file in fresh]
    finally:
        await conn.close()


def _compare(applied: dict[str, str], files: list[Path]) -> None:
    known = {file.name: file for file in files}
    for name, was in applied.items():
        if name not in known:
            raise MigrationRefused(f"the database has {name}, which this version does not know: use the newer version")
        if checksum(known[name]) != was:
            raise MigrationRefused(
                f"{name} was changed after it was applied: put it back, write a new migration instead"
            )


async def _apply(conn: asyncpg.Connection, file: Path) -> None:
    text = file.read_text(encoding="utf-8")  # noqa: ASYNC240 -- before anything serves
    longer = _LONGER.search(text)
    async with conn.transaction():
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await conn.execute(f"SET LOCAL statement_timeout = '{longer[1] if longer else STATEMENT_TIMEOUT}'")
        await conn.execute(text)
        await conn.execute(
            "INSERT INTO kernel.migration (name, checksum, applied_at) VALUES ($1, $2, now())",
            file.name,
            checksum(file),
        )
