"""Every statement is one literal in `queries.py`, named after its function, on tables of its own package."""

from collections import Counter

import pytest

from tests.shape.statements import (
    STATEMENTS_LIVE_ELSEWHERE,
    Statement,
    asks_which_constraint,
    built_up,
    foreign,
    literals,
    misnamed,
    misplaced,
    sloppy,
    written,
)
from tests.shape.tree import Source, sources


def a_query(body: str, path: str = "src/wallet/queries.py") -> Source:
    return Source(path, f'async def read_kind(conn):\n    """Select a kind."""\n    return await conn.fetch({body})\n')


def test_statements_live_in_queries() -> None:
    assert [line for source in sources("src") for line in misplaced(source)] == []


def test_a_statement_elsewhere_is_noticed() -> None:
    for sql in (
        "SELECT kind FROM wallet.kind",
        "-- wallet.x\\nDELETE FROM wallet.kind",
        "BEGIN",
        "CREATE TABLE a (b text)",
    ):
        assert misplaced(a_query(f'"{sql}"', "src/wallet/issuing.py")) != []
        assert misplaced(a_query(f'"{sql}"')) == []
    assert misplaced(a_query('"Update your contact, or select another"', "src/wallet/issuing.py")) == []


def test_modules_excused_are_few_and_still_need_it() -> None:
    assert len(STATEMENTS_LIVE_ELSEWHERE) <= 5
    by_module = {source.module: source for source in sources("src")}
    assert [module for module in STATEMENTS_LIVE_ELSEWHERE if not literals(by_module[module])] == []


def test_no_statement_is_put_together_from_pieces() -> None:
    checked = [source for source in sources("src") if source.module not in STATEMENTS_LIVE_ELSEWHERE]
    assert [line for source in checked for line in built_up(source)] == []


@pytest.mark.parametrize(
    "body",
    [
        'f"SELECT kind FROM {table}"',
        '"SELECT kind FROM " + table',
        '"DELETE FROM %s" % table',
        '"SELECT {} ".format(column)',
    ],
)
def test_a_statement_from_pieces_is_noticed(body: str) -> None:
    assert built_up(a_query(body)) != []


def test_each_statement_is_named_after_its_function() -> None:
    assert [line for statement in written() for line in misnamed(statement)] == []


def test_no_two_statements_share_a_name() -> None:
    names = Counter(statement.name for statement in written())
    assert [name for name, times in names.items() if times > 1] == []


def test_a_statement_with_a_wrong_name_or_none_is_noticed() -> None:
    def complaints(sql: str) -> list[str]:
        (statement,) = literals(a_query(f'"""\n{sql}\n"""'))
        return misnamed(statement)

    assert complaints("-- wallet.read_kind\nSELECT code FROM wallet.kind") == []
    assert complaints("SELECT code FROM wallet.kind") != []
    assert complaints("-- gateway.read_kind\nSELECT code FROM wallet.kind") != []
    assert complaints("-- wallet.read_kinds\nSELECT code FROM wallet.kind") != []
    constant = Source(
        "src/wallet/queries.py", '_A = Many("""\n-- wallet.put_kinds\nINSERT INTO wallet.kind VALUES {rows}""")'
    )
    assert [line for statement in literals(constant) for line in misnamed(statement)] != []


def test_each_statement_touches_tables_of_its_own_package_only() -> None:
    wrong = [f"{s.at}: {said}" for s in written() for said in foreign(s.source.package, s.sql)]
    assert wrong == []


def test_a_statement_on_another_package_is_noticed() -> None:
    assert foreign("wallet", "SELECT 1 FROM wallet.kind JOIN kernel.person USING (person_id)") == [
        "kernel.person is not of wallet"
    ]
    assert foreign("city", "SELECT count(*) FROM wallet.kind") == []
    assert foreign("city", "DELETE FROM wallet.kind") == ["wallet.kind is not of city"]
    assert foreign("wallet", "-- gateway.x\nSELECT kind FROM wallet.kind -- not kernel.person") == []


def test_statements_name_columns_and_take_time_and_chance_as_arguments() -> None:
    assert [f"{s.at}: {said}" for s in written() for said in sloppy(s.sql)] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM wallet.kind",
        "SELECT kind.* FROM wallet.kind",
        "INSERT INTO wallet.kind (code) VALUES ($1) RETURNING *",
        "UPDATE wallet.kind SET changed_at = now() WHERE code = $1",
        "INSERT INTO wallet.kind (id) VALUES (gen_random_uuid())",
        "UPDATE wallet.kind SET changed_at = CURRENT_TIMESTAMP",
        "UPDATE wallet.kind SET name = $1 RETURNING OLD.name",
        "INSERT INTO wallet.kind (code) SELECT code FROM unnest($1::text[]) AS code",
        "SELECT pg_advisory_xact_lock($1)",
    ],
)
def test_a_sloppy_statement_is_noticed(sql: str) -> None:
    assert sloppy(sql) != []


def test_a_careful_statement_is_left_alone() -> None:
    assert sloppy("SELECT count(*) AS n, price * 2 FROM wallet.kind WHERE said <> 'now() * random()' -- SELECT *") == []


def test_outcomes_are_never_read_from_a_constraints_name() -> None:
    assert [line for source in sources("src") for line in asks_which_constraint(source)] == []
    planted = (
        "try:\n    f()\nexcept UniqueViolationError as error:\n    raise X if error.constraint_name == 'a' else Y\n"
    )
    assert asks_which_constraint(Source("src/wallet/issuing.py", planted)) != []


def test_statements_are_found_at_all() -> None:
    assert len({statement.source.package for statement in written()}) >= 4
    assert all(isinstance(statement, Statement) for statement in written())
