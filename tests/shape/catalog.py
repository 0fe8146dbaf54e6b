"""The migrated schema as PostgreSQL knows it, and what DESIGN asks of it so that it can be spread over machines.

Each rule is a function from the tables to what is wrong with them, so that each can be shown to go red.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY_OF = {"person": "person_id", "slot": "slot_id", "bucket": "bucket", "reference": None, "local": None}
"""The column each named distribution goes by; another name is the column itself."""

_COMMENT = re.compile(r"^\S.*[.?!…] distribution: (\w+)$", re.DOTALL)
_VOLATILE_DEFAULT = re.compile(r"\w+\(|CURRENT_|LOCALTIME", re.IGNORECASE)
_UNZONED = ("timestamp without time zone", "time without time zone", "time with time zone")

_TABLES = """
SELECT n.nspname || '.' || c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
       ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1) ORDER BY 1
"""
_COLUMNS = """
SELECT n.nspname || '.' || c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS required, a.attidentity <> '' AS counted, a.attgenerated <> '' AS derived,
       pg_get_expr(d.adbin, d.adrelid) AS default
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY($1)
"""
_INDEXES = """
SELECT n.nspname || '.' || c.relname AS table, i.relname AS name,
       x.indisprimary AS primary, x.indimmediate AS immediate,
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey[0:x.indnkeyatts - 1]) AS k(at)
               JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.at) AS columns
  FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE x.indisunique AND n.nspname = ANY($1)
"""
# A column named '' is an expression.
_CONSTRAINTS = """
SELECT n.nspname || '.' || c.relname AS table, k.conname AS name, k.contype AS kind, k.condeferrable AS deferrable,
       ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(k.conkey) WITH ORDINALITY AS o(at, nth)
               LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = o.at ORDER BY o.nth) AS columns,
       ARRAY(SELECT p.oprname::text FROM unnest(k.conexclop) WITH ORDINALITY AS o(op, nth)
               JOIN pg_operator AS p ON p.oid = o.op ORDER BY o.nth) AS operators,
       rn.nspname || '.' || r.relname AS target, k.confdeltype AS on_delete, k.confupdtype AS on_update,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS o(at, nth)
               JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = o.at ORDER BY o.nth) AS target_columns,
       pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_class AS r ON r.oid = k.confrelid LEFT JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
 WHERE n.nspname = ANY($1)
"""
_OTHERS = """
SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table ' ELSE 'view ' END
       || n.nspname || '.' || c.relname AS said
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('S', 'v', 'm', 'f') AND n.nspname = ANY($1)
UNION ALL
SELECT 'enum or domain ' || n.nspname || '.' || t.typname
  FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
 WHERE t.typtype IN ('e', 'd') AND n.nspname = ANY($1)
"""


@dataclass(frozen=True)
class Table:
    """One table and its rules, as the catalog has them."""

    name: str
    comment: str | None
    triggers: Sequence[str]
    columns: Mapping[str, Any]
    unique: Sequence[Any]
    constraints: Sequence[Any]

    @property
    def distribution(self) -> str | None:
        found = _COMMENT.match(self.comment or "")
        return found[1] if found else None

    @property
    def key(self) -> str | None:
        name = self.distribution
        return KEY_OF.get(name, name) if name else None


@dataclass(frozen=True)
class Schema:
    tables: Mapping[str, Table]
    others: Sequence[str]


async def read(conn: Any, schemas: Iterable[str]) -> Schema:
    """The tables of these schemas, seen from inside the connection's transaction."""
    names = list(schemas)
    columns, indexes, constraints = [await conn.fetch(sql, names) for sql in (_COLUMNS, _INDEXES, _CONSTRAINTS)]
    tables = {
        row["name"]: Table(
            row["name"],
            row["comment"],
            row["triggers"],
            {column["name"]: column for column in columns if column["table"] == row["name"]},
            [index for index in indexes if index["table"] == row["name"]],
            [constraint for constraint in constraints if constraint["table"] == row["name"]],
        )
        for row in await conn.fetch(_TABLES, names)
    }
    return Schema(tables, [row["said"] for row in await conn.fetch(_OTHERS, names)])


def wrong_with(schema: Schema) -> list[str]:
    """Everything that would not hold past one machine, table by table."""
    found = [f"{said}: not used here" for said in schema.others]
    for table in schema.tables.values():
        for rule in (_declared, _keyed, _columns_plain, _never_late, _bucketed):
            found += [f"{table.name}: {said}" for said in rule(table)]
        found += [f"{table.name}: {said}" for said in _refers_within(table, schema.tables)]
    return found + _of_one_type(schema.tables)


def _declared(table: Table) -> list[str]:
    if table.distribution is None:
        return ["its comment does not end with `what it holds. distribution: …`"]
    if table.key is not None and table.key not in table.columns:
        return [f"distributed by {table.key}, which it does not have"]
    return []


def _keyed(table: Table) -> list[str]:
    """A primary key; the distribution's column NOT NULL and in every uniqueness."""
    found = [] if any(index["primary"] for index in table.unique) else ["no primary key"]
    key = table.key
    if key is None or key not in table.columns:
        return found
    if not table.columns[key]["required"]:
        found.append(f"{key} may be NULL")
    found += [f"{index['name']} is unique without {key}" for index in table.unique if key not in index["columns"]]
    for constraint in table.constraints:
        pairs = zip(constraint["columns"], constraint["operators"] or constraint["columns"], strict=True)
        if constraint["kind"] == b"x" and (key, "=") not in pairs:
            found.append(f"{constraint['name']} excludes without {key} WITH =")
    return found


def _columns_plain(table: Table) -> list[str]:
    found = []
    for name, column in table.columns.items():
        if column["counted"]:
            found.append(f"{name} counts by a sequence: ids are made by us")
        if column["type"] in _UNZONED:
            found.append(f"{name} is a {column['type']}: times are timestamptz")
        if column["default"] and not column["derived"] and _VOLATILE_DEFAULT.search(column["default"]):
            found.append(f"{name} DEFAULT {column['default']}: time, chance and ids are arguments")
    return found


def _never_late(table: Table) -> list[str]:
    found = [f"{name} is a trigger" for name in table.triggers]
    found += [f"{index['name']} is deferrable" for index in table.unique if not index["immediate"]]
    return found + [
        f"{c['name']} is deferrable" for c in table.constraints if c["deferrable"] and c["kind"] not in (b"p", b"u")
    ]


def _bucketed(table: Table) -> list[str]:
    if table.distribution != "bucket" or "bucket" not in table.columns:
        return []
    checks = [c["definition"] for c in table.constraints if c["kind"] == b"c" and "bucket" in c["columns"]]
    return [] if any("63" in check for check in checks) else ["bucket is not CHECKed BETWEEN 0 AND 63"]


def _refers_within(table: Table, tables: Mapping[str, Table]) -> list[str]:
    """Foreign keys only to a reference table, or key to key within one distribution; nothing emptied unasked."""
    found = []
    for constraint in table.constraints:
        if constraint["kind"] != b"f":
            continue
        target = tables.get(constraint["target"])
        pairs = list(zip(constraint["columns"], constraint["target_columns"], strict=True))
        same = target is not None and table.distribution == target.distribution
        key_to_key = same and (table.key is None or (table.key, table.key) in pairs)
        if target is None or (target.distribution != "reference" and not key_to_key):
            found.append(f"{constraint['name']} refers to {constraint['target']}, which may be on another machine")
        if {constraint["on_delete"], constraint["on_update"]} & {b"n", b"d"}:
            found.append(f"{constraint['name']} sets NULL or DEFAULT")
        if table.key in constraint["columns"] and constraint["on_update"] == b"c":
            found.append(f"{constraint['name']} may change {table.key}")
    return found


def _of_one_type(tables: Mapping[str, Table]) -> list[str]:
    types: dict[str, set[str]] = {}
    for table in tables.values():
        key = table.key
        if table.distribution and key and key in table.columns:
            types.setdefault(table.distribution, set()).add(table.columns[key]["type"])
    return [
        f"distribution {name} is of several types: {', '.join(sorted(seen))}"
        for name, seen in types.items()
        if len(seen) > 1
    ]
