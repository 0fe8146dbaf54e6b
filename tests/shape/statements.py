"""The SQL of the project, as the shape tests read it: where each statement stands, and what it does to which tables.

The rules are functions from a statement to what is wrong with it, so that each can be shown to go red.
"""

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cache

from kernel.grouping import Many
from tests.shape.tree import INSTALLED_ALONE, PACKAGES, Source, docstrings, sources

STATEMENTS_LIVE_ELSEWHERE = {
    "kernel.migrate": "it applies DDL, which lives in .sql files, and keeps its own record of that",
    "kernel.db": "the transaction itself, and the pulse of a listening connection: no tables",
    "city.private_postgres": "the first statements of a new cluster: its role and its database",
    "city.writing_schema": "it writes DDL into a file, and sends none",
}
"""The only modules that hold SQL outside `queries.py`, or put it together from pieces, and why."""

_MARKER = re.compile(r"\s*-- (\w+(?:\.\w+)+)\s*\n")
_LOOKS_LIKE_SQL = re.compile(
    r"\s*(-- \w+(\.\w+)+\s*\n|SELECT\s|INSERT INTO\s|UPDATE\s+[\w.]+\s+(AS\s|SET\s)|DELETE FROM\s|WITH\s+\w+\s.*AS\s*\("
    r"|(CREATE|ALTER|DROP)\s+(UNIQUE |TEMP )?(TABLE|INDEX|SCHEMA|DATABASE|ROLE|EXTENSION|VIEW|FUNCTION)\s|TRUNCATE\s"
    r"|VALUES\s*\(|COPY\s+[\w.]+|BEGIN$|COMMIT$|ROLLBACK$|SET LOCAL\s|LOCK TABLE\s"
    r"|(LISTEN|NOTIFY|VACUUM|ANALYZE|EXPLAIN)\s)",
    re.DOTALL,
)
_TABLE = re.compile(rf"\b((?:{'|'.join(PACKAGES)})\.\w+)")
_STAR = re.compile(r"\b(SELECT|RETURNING|DISTINCT|ALL)\s+\*|,\s*\*|\b\w+\.\*")
_VOLATILE = re.compile(
    r"\b(now|random|gen_random_uuid|uuidv[47]|uuid_generate_v\w+|clock_timestamp|statement_timestamp|transaction_timestamp"
    r"|timeofday|nextval|setval|lastval|txid_current|pg_current_xact_id|gen_random_bytes|pg_sleep)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
_NEWER_THAN_15 = re.compile(
    r"\b(JSON_TABLE|ANY_VALUE|JSON_ARRAYAGG|JSON_OBJECTAGG|uuidv[47]|merge_action|WITHOUT\s+OVERLAPS|NOT\s+ENFORCED|random_normal)\b"
    r"|\bRETURNING\s+(WITH\s*\(|OLD\.|NEW\.|\*?\s*OLD\b)|\)\s+VIRTUAL\b",
    re.IGNORECASE,
)
_SLOW_WHEN_SPREAD = re.compile(r"\bINSERT\s+INTO\b.*\bunnest\s*\(", re.IGNORECASE | re.DOTALL)
_HELD_BY_ONE_NODE = re.compile(r"\bpg_(try_)?advisory_\w+", re.IGNORECASE)
_LOCKS = re.compile(
    r"\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b(?:\s+OF\s+([\w,\s]+?))?(?=\s+SKIP|\s+NOWAIT|\s*\)|\s*$)"
)
_SET_LIST = re.compile(r"\bSET\s+(.*?)(?=\bFROM\b|\bWHERE\b|\bRETURNING\b|$)", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One SQL literal. `owner` is the function it stands in, or the constant of the module it belongs to."""

    source: Source
    line: int
    owner: str | None
    sql: str

    @property
    def at(self) -> str:
        return f"{self.source.path}:{self.line}"

    @property
    def name(self) -> str | None:
        marker = _MARKER.match(self.sql)
        return marker[1] if marker else None

    @property
    def bare(self) -> str:
        return without_comments(self.sql)


@dataclass(frozen=True)
class Keys:
    """How each table is distributed: by which column (None: it is on every node, or on one), and under which name."""

    column: dict[str, str | None]
    distribution: dict[str, str]


def without_comments(sql: str) -> str:
    """The statement itself, quoted texts emptied, so that words in them are not taken for SQL."""
    return re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--[^\n]*", "", sql)).strip()


def literals(source: Source) -> list[Statement]:
    """Every text in a module that looks like SQL, in pieces of an f-string too."""
    skipped = docstrings(source)
    found: list[Statement] = []

    def walk(node: ast.AST, owner: str | None) -> None:
        for child in ast.iter_child_nodes(node):
            inside = owner
            match child:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    inside = name
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    inside = owner or name.strip("_").lower()
                case ast.Constant(value=str(text)) if child not in skipped and _LOOKS_LIKE_SQL.match(text):
                    found.append(Statement(source, child.lineno, inside, text))
            walk(child, inside)

    walk(source.tree, None)
    return found


@cache
def written() -> tuple[Statement, ...]:
    """Every statement of every `queries.py`, as written."""
    return tuple(s for source in sources("src") if source.name == "queries" for s in literals(source))


@cache
def prepared() -> tuple[tuple[str, str], ...]:
    """What PostgreSQL is sent, by name: every literal, and every size of a `Many`."""
    found = [
        (statement.name or statement.at, statement.sql) for statement in written() if "{rows}" not in statement.sql
    ]
    for source in sources("src"):
        if source.name == "queries":
            for value in vars(importlib.import_module(source.module)).values():
                found += value.statements() if isinstance(value, Many) else []
    return tuple(found)


def built_up(source: Source) -> list[str]:
    """Where SQL is put together from pieces: f-string, `+`, `%`, `format`, `join`."""
    found = []
    for node in source.nodes:
        pieces: list[ast.expr] = []
        if isinstance(node, ast.JoinedStr):
            pieces = node.values if any(isinstance(value, ast.FormattedValue) for value in node.values) else []
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            pieces = [node.left, node.right]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("format", "replace")
        ):
            pieces = [node.func.value]
        if any(
            isinstance(piece, ast.Constant) and isinstance(piece.value, str) and _LOOKS_LIKE_SQL.match(piece.value)
            for piece in pieces
        ):
            found.append(f"{source.at(node)}: SQL put together from pieces")
    return found


def misplaced(source: Source) -> list[str]:
    """Statements outside `queries.py`."""
    is_excused = source.module in STATEMENTS_LIVE_ELSEWHERE or source.package == INSTALLED_ALONE
    if source.name == "queries" or is_excused:  # what a venue installs keeps its own small file, not our database
        return []
    return [f"{statement.at}: SQL outside queries.py: {statement.sql.strip()[:40]}" for statement in literals(source)]


def misnamed(statement: Statement) -> list[str]:
    """The first line is `-- package.owner`: of the package or the sub-package, and of the function or the constant."""
    if statement.name is None:
        return [f"{statement.at}: the first line is not `-- {statement.source.package}.{statement.owner}`"]
    *package, owner = statement.name.split(".")
    above = statement.source.module.split(".")[:-1]
    wrong = []
    if package not in (above, above[:1], above[-1:]):
        wrong.append(f"{statement.at}: {statement.name} is not named after {'.'.join(above)}")
    if owner != statement.owner:
        wrong.append(f"{statement.at}: {statement.name} stands in {statement.owner}")
    return wrong


def tables_in(sql: str) -> set[str]:
    return set(_TABLE.findall(without_comments(sql)))


def foreign(package: str, sql: str) -> list[str]:
    """Tables of other packages that a statement touches. What is named without a schema does not even prepare.

    `city` has no tables: its benchmarks look at what they measured, and change nothing.
    """
    if package == "city" and not re.search(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", without_comments(sql)):
        return []
    return [f"{table} is not of {package}" for table in sorted(tables_in(sql)) if table.split(".")[0] != package]


def sloppy(sql: str) -> list[str]:
    """What no statement does: select everything, ask the server for time or chance, need a PostgreSQL newer than 15,
    insert through `unnest` (ten times slower once spread), or trust a lock that one node holds."""
    bare = without_comments(sql)
    never = {
        "names no columns": _STAR,
        "volatile": _VOLATILE,
        "newer than PostgreSQL 15": _NEWER_THAN_15,
        "use kernel.grouping.Many": _SLOW_WHEN_SPREAD,
        "an advisory lock": _HELD_BY_ONE_NODE,
    }
    return [f"{what}: {found[0].strip()[:40]}" for what, pattern in never.items() if (found := pattern.search(bare))]


def asks_which_constraint(source: Source) -> list[str]:
    """Where an outcome is read from a constraint's name, which is another on each shard, and not from SQLSTATE."""
    named = [node for node in source.nodes if isinstance(node, ast.Attribute) and node.attr == "constraint_name"]
    return [f"{source.at(node)}: {ast.unparse(node)}" for node in named]


def locks_loosely(sql: str, keys: Keys) -> list[str]:
    """A lock that does not name one key by equality: past one machine it would have to be taken on many."""
    bare = without_comments(sql)
    if not _LOCKS.search(bare) and not re.search(r"\bFOR\s+(UPDATE|SHARE)\b", bare):
        return []
    wrong = []
    for table in sorted(tables_in(sql)):
        column = keys.column.get(table) or r"\w+"
        if not re.search(rf"(?:\w+\.)?{column}\s*=\s*\$\d+", bare):
            wrong.append(f"a lock in {table} without `{column} = $…`")
    return wrong


def moves_key(sql: str, keys: Keys) -> list[str]:
    """The column a table is distributed by in a SET list."""
    columns = {column for table in tables_in(sql) if (column := keys.column.get(table))}
    found = []
    for assignments in _SET_LIST.findall(without_comments(sql)):
        for target in re.findall(r"(?:^|,)\s*\(?\s*(?:\w+\.)?(\w+)\s*=(?!=)|\(([\w,\s]+)\)\s*=", _flat(assignments)):
            found += [f"SET {name}" for name in re.split(r"[,\s]+", " ".join(target)) if name in columns]
    return found


def _flat(text: str) -> str:
    """`text` without what stands in the parentheses of its right-hand sides."""
    previous = ""
    while previous != text:
        previous, text = text, re.sub(r"(\w|=\s*)\((?:[^()]*)\)", r"\1", text)
    return text


def crosses(sql: str, keys: Keys) -> list[str]:
    """A join, or a change, across distributions."""
    names = {keys.distribution[table] for table in tables_in(sql) if table in keys.distribution}
    spread = sorted(names - {"reference"})
    if len(spread) > 1:
        return [f"across distributions: {', '.join(spread)}"]
    changed = set(re.findall(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+\.\w+)", without_comments(sql)))
    changing = sorted({keys.distribution[table] for table in changed if table in keys.distribution})
    return [f"changes across distributions: {', '.join(changing)}"] if len(changing) > 1 else []
