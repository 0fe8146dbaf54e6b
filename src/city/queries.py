"""Every statement on PostgreSQL's own catalog, for writing the schema down. The city has no tables of its own."""

from collections.abc import Sequence

from kernel.db import Connection, Row


async def select_extensions(conn: Connection) -> list[Row]:
    return await conn.fetch(
        """
        -- city.select_extensions
        SELECT extname AS name FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname
        """
    )


async def select_tables(conn: Connection, schemas: Sequence[str]) -> list[Row]:
    return await conn.fetch(
        """
        -- city.select_tables
        SELECT c.oid, n.nspname AS schema, c.relname AS name, c.reloptions AS options,
               c.relpersistence::text AS persistence, obj_description(c.oid, 'pg_class') AS comment
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname = ANY($1)
         ORDER BY array_position($1, n.nspname::text), c.relname COLLATE "C"
        """,
        schemas,
    )


async def select_columns(conn: Connection, table: int) -> list[Row]:
    return await conn.fetch(
        """
        -- city.select_columns
        SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
               pg_get_expr(d.adbin, d.adrelid, true) AS value, a.attgenerated::text AS generated,
               a.attidentity::text AS identity,
               CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation,
               col_description(a.attrelid, a.attnum) AS comment
          FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
          LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
          LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        """,
        table,
    )


async def select_constraints(conn: Connection, table: int) -> list[Row]:
    """The constraints of a table: keys, exclusions, checks, references. Its columns say what is NOT NULL."""
    return await conn.fetch(
        """
        -- city.select_constraints
        SELECT conname AS name, contype::text AS kind, pg_get_constraintdef(oid, true) AS definition
          FROM pg_constraint WHERE conrelid = $1 AND contype IN ('p', 'u', 'x', 'c', 'f')
         ORDER BY position(contype::text IN 'puxcf'), conname COLLATE "C"
        """,
        table,
    )


async def select_indexes(conn: Connection, table: int) -> list[Row]:
    """The indexes of a table that no constraint made."""
    return await conn.fetch(
        """
        -- city.select_indexes
        SELECT pg_get_indexdef(x.indexrelid, 0, true) AS definition
          FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
         WHERE x.indrelid = $1
           AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.indexrelid AND k.conrelid = $1)
         ORDER BY i.relname COLLATE "C"
        """,
        table,
    )


async def select_what_is_not_written(conn: Connection, schemas: Sequence[str]) -> list[Row]:
    """What is in these schemas besides tables and indexes: functions, views, sequences, types, triggers, policies."""
    return await conn.fetch(
        """
        -- city.select_what_is_not_written
        SELECT 'function ' || oid::regprocedure AS what FROM pg_proc WHERE pronamespace::regnamespace::text = ANY($1)
        UNION ALL
        SELECT 'relation ' || oid::regclass FROM pg_class
         WHERE relkind NOT IN ('r', 'i', 't', 'c') AND relnamespace::regnamespace::text = ANY($1)
        UNION ALL
        SELECT 'type ' || oid::regtype FROM pg_type
         WHERE typtype IN ('e', 'd', 'r') AND typnamespace::regnamespace::text = ANY($1)
        UNION ALL
        SELECT 'trigger ' || t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
         WHERE NOT t.tgisinternal AND c.relnamespace::regnamespace::text = ANY($1)
        UNION ALL
        SELECT 'policy ' || p.polname FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
         WHERE c.relnamespace::regnamespace::text = ANY($1)
        """,
        schemas,
    )
