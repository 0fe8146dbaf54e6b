"""What the benchmark of city scale asks of the databases it made."""

from datetime import date
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection


class Relation(Struct, frozen=True):
    """A table with its rows, or an index, and its bytes on disk."""

    table: str
    index: str | None
    bytes: int
    path: str
    """Of its first file, below the server's folder."""


class Good(Struct, frozen=True):
    """A certificate that is good today."""

    person_id: UUID
    certificate_id: UUID
    kind_code: str


async def create_database(conn: Connection, name: str) -> None:
    """Make a database, unless there is one of this name."""
    words = await conn.fetchval(
        """
        -- scale.create_database
        SELECT format('CREATE DATABASE %I', $1::text)
         WHERE NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1::text)
        """,
        name,
    )
    if words is not None:
        await conn.execute(words)


async def vacuum(conn: Connection) -> None:
    """Tidy every table up and count what is in it, as autovacuum would sooner or later."""
    await conn.execute(
        """
        -- scale.vacuum
        VACUUM (ANALYZE)
        """
    )


async def checkpoint(conn: Connection) -> None:
    await conn.execute(
        """
        -- scale.checkpoint
        CHECKPOINT
        """
    )


async def count_certificates(conn: Connection) -> int:
    counted: int = await conn.fetchval(
        """
        -- scale.count_certificates
        SELECT count(*) FROM wallet.certificate
        """
    )
    return counted


async def count_kinds(conn: Connection) -> int:
    counted: int = await conn.fetchval(
        """
        -- scale.count_kinds
        SELECT count(*) FROM wallet.kind
        """
    )
    return counted


async def select_buffer_bytes(conn: Connection) -> int:
    """How much memory PostgreSQL has of its own."""
    found: int = await conn.fetchval(
        """
        -- scale.select_buffer_bytes
        SELECT setting::bigint * current_setting('block_size')::bigint FROM pg_settings WHERE name = 'shared_buffers'
        """
    )
    return found


async def read_through(conn: Connection) -> None:
    """Read every certificate; by the index of persons, where other ways are switched off."""
    await conn.fetchrow(
        """
        -- scale.read_through
        SELECT count(certificate_id), sum(length(attributes)) FROM wallet.certificate
         WHERE person_id >= '00000000-0000-0000-0000-000000000000'
        """
    )


async def select_relations(conn: Connection) -> list[Relation]:
    """Every table of ours and every index."""
    rows = await conn.fetch(
        """
        -- scale.select_relations
        SELECT n.nspname || '.' || t.relname AS table_name, NULL::text AS index_name, pg_table_size(t.oid) AS bytes,
               pg_relation_filepath(t.oid) AS path
          FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
         WHERE t.relkind = 'r' AND n.nspname IN ('kernel', 'notifications', 'appointments', 'wallet', 'gateway')
        UNION ALL
        SELECT n.nspname || '.' || t.relname, i.relname, pg_relation_size(i.oid), pg_relation_filepath(i.oid)
          FROM pg_index AS x
          JOIN pg_class AS i ON i.oid = x.indexrelid
          JOIN pg_class AS t ON t.oid = x.indrelid
          JOIN pg_namespace AS n ON n.oid = t.relnamespace
         WHERE n.nspname IN ('kernel', 'notifications', 'appointments', 'wallet', 'gateway')
        """
    )
    return [Relation(*row) for row in rows]


async def select_some_good(conn: Connection, *, today: date, in_65536: int) -> list[Good]:
    """Certificates that are good today, `in_65536` out of so many, drawn from the whole table.

    Drawn by the random end of their ids (UUIDv7), so that neither when nor to whom they were issued matters.
    """
    rows = await conn.fetch(
        """
        -- scale.select_some_good
        SELECT person_id, certificate_id, kind_code FROM wallet.certificate
         WHERE state = 'issued' AND valid_from <= $1 AND (valid_until IS NULL OR valid_until >= $1)
           AND get_byte(uuid_send(certificate_id), 15) * 256 + get_byte(uuid_send(certificate_id), 14) < $2::integer
        """,
        today,
        in_65536,
    )
    return [Good(*row) for row in rows]
