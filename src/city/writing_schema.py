"""`schema`: writes src/gateway/schema.sql, the sum of the migrations; `make schema` and the drift test use it."""

import argparse
import asyncio
import sys
from pathlib import Path

import asyncpg

from city import locating, queries
from city.embedded import servers
from city.errors import CannotStart
from city.migrating import FOLDER
from kernel.db import Connection, Row
from kernel.migrate import migrate

SCHEMAS = ("kernel", "notifications", "appointments", "wallet", "gateway")
PREAMBLE = """\
-- The schema of the city: the sum of src/gateway/migrations, as PostgreSQL's catalog has it.
-- Written by `make schema`, to be read and compared; the migrations are what is applied.
"""


class NotWritten(Exception):
    """The schema holds something that this writer does not know how to write."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `schema`."""
    default = FOLDER.parent / "schema.sql"
    parser.add_argument(
        "--into", metavar="FILE", type=Path, default=default, help="where to write (default: in src/gateway)"
    )


def run(args: argparse.Namespace) -> int:
    """Apply every migration to a throw-away database and write down what came of it. Exit 0."""
    if locating.checkout() is None and not args.into.is_absolute():
        raise CannotStart("An installed copy keeps its schema as it is.", "Name a file with --into.")
    with servers() as running:
        text = asyncio.run(_migrated(running.database_url))
    args.into.write_text(text, encoding="utf-8")
    sys.stdout.write(f"written: {args.into}\n")
    return 0


async def _migrated(database_url: str) -> str:
    await migrate(database_url, FOLDER)
    conn = await asyncpg.connect(database_url, server_settings={"search_path": ""})  # so that every name is whole
    try:
        return await describe(conn)
    finally:
        await conn.close()


async def describe(conn: Connection) -> str:
    """The city's schemas as SQL that makes them anew: the same text for the same schema, on any version of PostgreSQL.

    Raises NotWritten for what is neither a table nor an index.
    """
    unknown = [row["what"] for row in await queries.select_what_is_not_written(conn, SCHEMAS)]
    if unknown:
        raise NotWritten(f"schema.sql has no form for {', '.join(unknown)}")
    extensions = [f"CREATE EXTENSION IF NOT EXISTS {row['name']};" for row in await queries.select_extensions(conn)]
    tables, references = [], []
    for table in await queries.select_tables(conn, SCHEMAS):
        constraints = await queries.select_constraints(conn, table["oid"])
        tables.append(await _table(conn, table, [row for row in constraints if row["kind"] != "f"]))
        name = f"{table['schema']}.{table['name']}"
        references += [
            f"ALTER TABLE {name} ADD CONSTRAINT {row['name']} {row['definition']};"
            for row in constraints
            if row["kind"] == "f"
        ]
    schemas = [f"CREATE SCHEMA {name};" for name in SCHEMAS]
    return "\n".join([PREAMBLE, *extensions, *schemas, "", *tables, *references, ""])


async def _table(conn: Connection, table: Row, constraints: list[Row]) -> str:
    name = f"{table['schema']}.{table['name']}"
    columns = await queries.select_columns(conn, table["oid"])
    lines = [_column(row) for row in columns]
    lines += [f"CONSTRAINT {row['name']} {row['definition']}" for row in constraints]
    unlogged = "UNLOGGED " if table["persistence"] == "u" else ""
    options = f" WITH ({', '.join(table['options'])})" if table["options"] else ""
    inside = ",\n".join(f"    {line}" for line in lines)
    written = [f"CREATE {unlogged}TABLE {name} (\n{inside}\n){options};"]
    written += [f"{row['definition']};" for row in await queries.select_indexes(conn, table["oid"])]
    if table["comment"]:
        written.append(f"COMMENT ON TABLE {name} IS {_quoted(table['comment'])};")
    written += [
        f"COMMENT ON COLUMN {name}.{row['name']} IS {_quoted(row['comment'])};" for row in columns if row["comment"]
    ]
    return "\n".join([*written, ""])


def _column(row: Row) -> str:
    words = [row["name"], row["type"]]
    if row["collation"]:
        words.append(f'COLLATE "{row["collation"]}"')
    if row["generated"]:
        words.append(f"GENERATED ALWAYS AS ({row['value']}) STORED")
    elif row["value"]:
        words.append(f"DEFAULT {row['value']}")
    if row["identity"]:
        words.append("GENERATED ALWAYS AS IDENTITY")
    if row["required"]:
        words.append("NOT NULL")
    return " ".join(words)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
