"""One numbered history: each file says why, what it locks and how long, and what was shipped never changes."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from city.writing_schema import SCHEMAS, describe
from kernel.migrate import checksum, migrations_in
from tests.shape.tree import ROOT, text_of

FOLDER = ROOT / "src" / "gateway" / "migrations"
SHIPPED = FOLDER / "checksums"
"""`make release` adds the release and its new migrations: `# release 0.1.0`, then lines of `CHECKSUM  NAME`."""

NARROWS = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|SCHEMA|VIEW|TYPE|INDEX|CONSTRAINT)|RENAME\s+(TO|COLUMN|CONSTRAINT)|ALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE"
    r"|SET\s+NOT\s+NULL|SET\s+SCHEMA|TRUNCATE)\b",
    re.IGNORECASE,
)
WIDENS = re.compile(r"\bCREATE\s+(TABLE|SCHEMA|TYPE)\b|\bADD\s+COLUMN\b|\bDROP\s+NOT\s+NULL\b", re.IGNORECASE)


def wrong_with(name: str, text: str) -> list[str]:
    """What a migration does not say at its top, or does besides what its name says."""
    lines = text.splitlines()
    above = next((nth for nth, line in enumerate(lines) if line.strip() and not line.startswith("--")), len(lines))
    header = "\n".join(line.removeprefix("--").strip() for line in lines[:above])
    wrong = [f"{name}: says not `{word}`" for word in ("Locks:", "Time:") if word not in header]
    if not header or header.startswith(("Locks:", "Time:", "Old code:", "statement_timeout:")):
        wrong.append(f"{name}: says not why, in its first line")
    body = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", text)
    mixed = NARROWS if "_expand_" in name else WIDENS
    wrong += [f"{name}: {found[0]!r} belongs in the other kind of migration" for found in mixed.finditer(body)]
    if re.search(r"\b(BEGIN|COMMIT|ROLLBACK|CONCURRENTLY)\b\s*;?", body):
        wrong.append(f"{name}: runs inside the runner's transaction, and cannot begin or end one, nor go without")
    return wrong


def shipped(text: str) -> dict[str, str]:
    """The checksums of what was shipped, by name, in order."""
    pairs = [line.split("  ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: digest for digest, name in pairs}


def changed(folder: Path, text: str) -> list[str]:
    """Shipped migrations that are not there, not the same, or not the first."""
    known = shipped(text)
    files = {file.name: checksum(file) for file in migrations_in(folder)}
    wrong = [
        f"{name}: {'is gone' if name not in files else 'was changed'}"
        for name in known
        if files.get(name) != known[name]
    ]
    if list(files)[: len(known)] != list(known):
        wrong.append("a migration stands before one that was shipped")
    return wrong


def unlisted(changelog: str, text: str) -> list[str]:
    """Releases in the changelog whose migrations nobody wrote down."""
    releases = re.findall(r"^## \[?v?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    return [release for release in releases if f"# release {release}\n" not in text]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert len(migrations_in(FOLDER)) >= 5


def test_migrations_say_why_what_they_lock_and_how_long() -> None:
    assert [
        line for file in migrations_in(FOLDER) for line in wrong_with(file.name, file.read_text(encoding="utf-8"))
    ] == []


def test_a_migration_that_says_too_little_or_does_too_much_is_noticed() -> None:
    header = "-- Why.\n-- Locks: none. Time: instant.\n"
    assert wrong_with("0009_expand_x.sql", header + "CREATE TABLE wallet.x (y text);") == []
    assert wrong_with("0009_contract_x.sql", header + "ALTER TABLE wallet.x DROP COLUMN y;") == []
    for name, text in (
        ("0009_expand_x.sql", "CREATE TABLE wallet.x (y text);"),
        ("0009_expand_x.sql", "-- Locks: none. Time: instant.\nCREATE TABLE wallet.x (y text);"),
        ("0009_expand_x.sql", "-- Why.\n-- Locks: none.\nCREATE TABLE wallet.x (y text);"),
        ("0009_expand_x.sql", header + "ALTER TABLE wallet.x DROP COLUMN y;"),
        ("0009_expand_x.sql", header + "ALTER TABLE wallet.x ALTER COLUMN y TYPE bigint;"),
        ("0009_expand_x.sql", header + "CREATE INDEX CONCURRENTLY ON wallet.x (y);"),
        ("0009_contract_x.sql", header + "ALTER TABLE wallet.x ADD COLUMN z text, DROP COLUMN y;"),
    ):
        assert wrong_with(name, text) != [], text


def test_what_was_shipped_never_changes() -> None:
    assert changed(FOLDER, SHIPPED.read_text(encoding="utf-8")) == []
    assert unlisted(text_of("CHANGELOG.md") or "", SHIPPED.read_text(encoding="utf-8")) == []


def test_a_changed_shipped_migration_is_noticed(tmp_path: Path) -> None:
    for name in ("0001_expand_a.sql", "0002_expand_b.sql"):
        (tmp_path / name).write_text(f"-- {name}\n", encoding="utf-8")
    first, second = migrations_in(tmp_path)
    assert changed(tmp_path, f"# release 0.1.0\n{checksum(first)}  {first.name}\n") == []
    assert changed(tmp_path, f"{checksum(second)}  {second.name}\n") != []
    assert changed(tmp_path, f"{checksum(first)}  0001_expand_z.sql\n") != []
    listed = f"{checksum(first)}  {first.name}\n"
    first.write_text("-- something else\n", encoding="utf-8")
    assert changed(tmp_path, listed) == ["0001_expand_a.sql: was changed"]


def test_a_release_without_its_migrations_is_noticed() -> None:
    assert unlisted("# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-05-01)\n\n## 0.1.0\n", "# release 0.1.0\n") == [
        "0.2.0"
    ]


async def test_the_written_schema_is_the_sum_of_the_migrations(migrated: Any) -> None:
    assert await describe(migrated) == (FOLDER.parent / "schema.sql").read_text(encoding="utf-8"), "run make schema"


async def test_the_written_schema_makes_the_same_schema_anew(servers: Any, migrated_url: str, migrated: Any) -> None:
    written = await describe(migrated)
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute("CREATE DATABASE shape_anew")
    anew = await asyncpg.connect(migrated_url.replace("/shape?", "/shape_anew?"))
    try:
        assert await anew.fetchval("SELECT current_database()") == "shape_anew"
        await anew.execute(written)
        await anew.execute("SET search_path = ''")
        assert await describe(anew) == written
    finally:
        await anew.close()
        await admin.execute("DROP DATABASE shape_anew WITH (FORCE)")
        await admin.close()


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE kernel.person ADD nickname text",
        "ALTER TABLE kernel.person ALTER created_at DROP NOT NULL",
        "ALTER TABLE kernel.person ADD CONSTRAINT early CHECK (created_at < '2100-01-01')",
        "CREATE INDEX by_creation ON kernel.person (created_at)",
        "COMMENT ON TABLE kernel.person IS 'Somebody.'",
    ],
)
async def test_a_schema_that_drifted_is_noticed(migrated: Any, ddl: str) -> None:
    before = await describe(migrated)
    await migrated.execute(ddl)
    assert await describe(migrated) != before


def test_the_written_schema_covers_every_package_with_tables() -> None:
    assert set(SCHEMAS) == {"kernel", "notifications", "appointments", "wallet", "gateway"}
