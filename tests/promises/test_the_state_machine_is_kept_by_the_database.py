"""What a certificate may not become, the database refuses too, whoever writes to it and by whatever statement."""

from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.db import Database
from tests.builders_wallet import POLICE_ID, an_id_card, issued
from wallet.departments.revoking import Reason
from wallet.model import ALLOWED_STEPS, State
from wallet.parts import Wallet

REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)
LIVES: dict[str, tuple[State, ...]] = {
    "issued": (),
    "suspended": (State.SUSPENDED,),
    "restored": (State.SUSPENDED, State.ISSUED),
    "revoked": (State.REVOKED,),
    "revoked while suspended": (State.SUSPENDED, State.REVOKED),
    "superseded": (State.SUPERSEDED,),
    "superseded while suspended": (State.SUSPENDED, State.SUPERSEDED),
}
"""How a certificate may come to where it is, after it was issued."""

STEP = """
    WITH was AS (UPDATE wallet.certificate_change SET is_last = false
                  WHERE certificate_id = $1 AND is_last RETURNING person_id, certificate_id, seq, to_state),
         step AS (INSERT INTO wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last, from_seq,
                                                         from_state, had_successor, at, actor, reason)
                  SELECT person_id, certificate_id, {seq}, $2, true, {from_seq}, {from_state}, {had}, now(), 'x', 'x'
                    FROM was RETURNING seq)
    UPDATE wallet.certificate SET state = $2, last_change = step.seq FROM step WHERE certificate_id = $1
"""
HONEST = STEP.format(seq="seq + 1", from_seq="seq", from_state="to_state", had="false")
CHANGE = """
    INSERT INTO wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last, from_seq, from_state,
                                           had_successor, at, actor, reason)
    SELECT person_id, certificate_id, {seq}, $2, {is_last}, {from_seq}, {from_state}, {had}, now(), 'x', 'x'
      FROM wallet.certificate_change WHERE certificate_id = $1 AND {which}
"""
BOTH = """
    WITH change AS ({change}) UPDATE wallet.certificate SET state = $2, last_change = {last} WHERE certificate_id = $1
"""
AGAIN = """
    WITH gone AS (DELETE FROM wallet.certificate AS c WHERE certificate_id = $1 RETURNING to_jsonb(c) AS was)
    INSERT INTO wallet.certificate
    SELECT (jsonb_populate_record(NULL::wallet.certificate, gone.was || jsonb_build_object('state', $2::text{more}))).*
      FROM gone
"""
ON_TABLE = "WHERE certificate_id = $1 AND $2::text IS NOT NULL"

WAYS: dict[str, tuple[str, ...]] = {
    "the certificate alone": (f"UPDATE wallet.certificate SET state = $2 {ON_TABLE}",),
    "the certificate alone, one change on": (
        f"UPDATE wallet.certificate SET state = $2, last_change = last_change + 1 {ON_TABLE}",
    ),
    "the certificate back at its first change": (
        f"UPDATE wallet.certificate SET state = $2, last_change = 1 {ON_TABLE} AND last_change > 1",
    ),
    "the certificate at any change that had this state": (
        """
        UPDATE wallet.certificate AS c SET state = $2, last_change = o.seq FROM wallet.certificate_change AS o
         WHERE c.certificate_id = $1 AND o.certificate_id = $1 AND o.to_state = $2 AND NOT o.is_last
        """,
    ),
    "the certificate of no last change": (
        f"UPDATE wallet.certificate SET state = $2, is_of_last = false, last_change = 1 {ON_TABLE}",
    ),
    "the certificate of an unknown last change": (
        f"UPDATE wallet.certificate SET state = $2, is_of_last = NULL {ON_TABLE}",
    ),
    "the certificate taken out and put back": (AGAIN.format(more=""),),
    "the certificate taken out and put back at its first change": (AGAIN.format(more=", 'last_change', 1"),),
    "a step that says it came from issued": (
        STEP.format(seq="seq + 1", from_seq="seq", from_state="'issued'", had="false"),
    ),
    "a step that says it came from suspended": (
        STEP.format(seq="seq + 1", from_seq="seq", from_state="'suspended'", had="false"),
    ),
    "a step from the first change": (STEP.format(seq="seq + 1", from_seq="1", from_state="'issued'", had="false"),),
    "a step that skips a number": (STEP.format(seq="seq + 2", from_seq="seq + 1", from_state="to_state", had="false"),),
    "a step from nowhere": (STEP.format(seq="seq + 1", from_seq="NULL", from_state="NULL", had="NULL"),),
    "a step from an unknown state": (STEP.format(seq="seq + 1", from_seq="seq", from_state="NULL", had="false"),),
    "a step whose forerunner may be the last": (
        STEP.format(seq="seq + 1", from_seq="seq", from_state="'issued'", had="NULL"),
    ),
    "a step whose forerunner is the last": (
        STEP.format(seq="seq + 1", from_seq="seq", from_state="'issued'", had="true"),
    ),
    "a new first change": (STEP.format(seq="1", from_seq="NULL", from_state="NULL", had="NULL"),),
    "a change beside the last": (
        CHANGE.format(
            seq="seq + 1", is_last="true", from_seq="seq", from_state="to_state", had="false", which="is_last"
        ),
    ),
    "a change out of the middle": (
        CHANGE.format(
            seq="seq + 1", is_last="true", from_seq="seq", from_state="to_state", had="false", which="NOT is_last"
        ),
    ),
    "a change beside the last, with the certificate": (
        BOTH.format(
            change=CHANGE.format(
                seq="seq + 1", is_last="true", from_seq="seq", from_state="to_state", had="false", which="is_last"
            ),
            last="last_change + 1",
        ),
    ),
    "the last change told otherwise": (
        "UPDATE wallet.certificate_change SET to_state = $2 WHERE certificate_id = $1 AND is_last",
    ),
    "the last change told otherwise, with the certificate": (
        BOTH.format(
            change="UPDATE wallet.certificate_change SET to_state = $2 WHERE certificate_id = $1 AND is_last",
            last="last_change",
        ),
    ),
    "the last change written over": (
        CHANGE.format(seq="seq", is_last="true", from_seq="from_seq", from_state="from_state", had="had_successor",
                      which="is_last")
        + " ON CONFLICT (person_id, certificate_id, seq) DO UPDATE SET to_state = EXCLUDED.to_state",
    ),
    "the last change taken out": (
        "DELETE FROM wallet.certificate_change WHERE certificate_id = $1 AND is_last AND $2::text IS NOT NULL",
    ),
    "the last change taken out, with the certificate": (
        BOTH.format(
            change="DELETE FROM wallet.certificate_change WHERE certificate_id = $1 AND is_last", last="last_change - 1"
        ),
    ),
    "an older change made the last": (
        BOTH.format(
            change="UPDATE wallet.certificate_change SET is_last = (seq = 1) WHERE certificate_id = $1", last="1"
        ).replace("WHERE certificate_id = $1\n", "WHERE certificate_id = $1 AND last_change > 1\n"),
    ),
    "no change the last": (
        f"UPDATE wallet.certificate_change SET is_last = false {ON_TABLE}",
    ),
    "history forgotten": ("TRUNCATE wallet.certificate_change CASCADE",),
    "constraints put off": ("SET CONSTRAINTS ALL DEFERRED", f"UPDATE wallet.certificate SET state = $2 {ON_TABLE}"),
    "constraints put off, and a dishonest step": (
        "SET CONSTRAINTS ALL DEFERRED",
        STEP.format(seq="seq + 1", from_seq="seq", from_state="'suspended'", had="false"),
    ),
    "as a replica does": (
        "SET LOCAL session_replication_role = 'replica'",
        f"UPDATE wallet.certificate SET state = $2 {ON_TABLE}",
    ),
}  # fmt: skip
"""Statements by which somebody might bring a certificate ($1) to a state ($2), each way in a transaction of its own."""


class TakenBack(Exception):
    """Rolls back what the database took."""


async def lived(wallet: Wallet, life: tuple[State, ...], reference: str) -> Any:
    """The id of a certificate that came to where it is by allowed steps, taken by the wallet itself."""
    certificate = await issued(wallet, an_id_card(reference))
    for step in life:
        if step is State.SUPERSEDED:
            next_one = an_id_card(f"{reference}-next")
            await wallet.revoking.supersede(POLICE_ID, certificate.certificate_id, next_one, actor="system:test")
            continue
        revoking = wallet.revoking
        take = {State.SUSPENDED: revoking.suspend, State.ISSUED: revoking.restore, State.REVOKED: revoking.revoke}
        await take[step](POLICE_ID, certificate.certificate_id, Reason.LOST, actor="system:test")
    return certificate.certificate_id


async def record_of(db: Database, certificate_id: Any) -> tuple[Any, ...]:
    """Everything the database says about a certificate's life."""
    certificate = await db.fetch(
        "SELECT c::text FROM wallet.certificate AS c WHERE certificate_id = $1", certificate_id
    )
    sql = "SELECT c::text FROM wallet.certificate_change AS c WHERE certificate_id = $1 ORDER BY seq"
    return tuple(row[0] for row in [*certificate, *await db.fetch(sql, certificate_id)])


async def is_taken(db: Database, statements: tuple[str, ...], certificate_id: Any, to_state: State) -> bool:
    """Whether the database takes the statements and they change anything; taken back in any case."""
    before = await record_of(db, certificate_id)
    try:
        async with db.transaction() as conn:
            for statement in statements:
                arguments = (certificate_id, to_state.value) if "$1" in statement else ()
                await conn.execute(statement, *arguments)
            sql = "SELECT c::text FROM wallet.certificate AS c WHERE certificate_id = $1"
            changes = "SELECT c::text FROM wallet.certificate_change AS c WHERE certificate_id = $1 ORDER BY seq"
            rows = [*await conn.fetch(sql, certificate_id), *await conn.fetch(changes, certificate_id)]
            if tuple(row[0] for row in rows) == before:
                return False
            raise TakenBack
    except REFUSED:
        return False
    except TakenBack:
        return True
    finally:
        assert await record_of(db, certificate_id) == before


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
async def test_every_step_is_taken_or_refused_as_the_state_machine_says(
    wallet: Wallet, life: tuple[State, ...]
) -> None:
    certificate_id = await lived(wallet, life, "R-1")
    from_state = State(
        await wallet.db.fetchval("SELECT state FROM wallet.certificate WHERE certificate_id = $1", certificate_id)
    )
    for to_state in State:
        allowed = to_state in ALLOWED_STEPS[from_state]
        assert await is_taken(wallet.db, (HONEST,), certificate_id, to_state) == allowed, (from_state, to_state)


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
async def test_no_other_statement_brings_a_certificate_to_any_state(wallet: Wallet, life: tuple[State, ...]) -> None:
    certificate_id = await lived(wallet, life, "R-1")
    now_in = await wallet.db.fetchval("SELECT state FROM wallet.certificate WHERE certificate_id = $1", certificate_id)
    taken = [
        (name, to_state.value)
        for name, statements in WAYS.items()
        for to_state in State
        if await is_taken(wallet.db, statements, certificate_id, to_state)
    ]
    assert taken == [expected for expected in taken if is_honest(expected, now_in)]


def is_honest(taken: tuple[str, str], now_in: str) -> bool:
    """Whether a way says nothing but the truth for this very certificate: then it is an ordinary step."""
    name, to_state = taken
    claims = {
        "a step that says it came from issued": "issued",
        "a step that says it came from suspended": "suspended",
        "constraints put off, and a dishonest step": "suspended",
        "a step from the first change": "issued" if now_in == "issued" else None,
    }
    return claims.get(name) == now_in and State(to_state) in ALLOWED_STEPS[State(now_in)]


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
async def test_the_constraints_alone_keep_the_chain_whoever_may_write_what(
    wallet: Wallet, life: tuple[State, ...]
) -> None:
    """With every right but the right to rewrite a step together with its certificate, which rights alone can refuse."""
    certificate_id = await lived(wallet, life, "R-1")
    async with wallet.db.connection() as conn:
        await conn.execute("GRANT UPDATE, DELETE ON wallet.certificate_change TO CURRENT_USER")
    now_in = await wallet.db.fetchval("SELECT state FROM wallet.certificate WHERE certificate_id = $1", certificate_id)
    single = {
        name: ways for name, ways in WAYS.items() if "with the certificate" not in name and "written over" not in name
    }
    taken = [
        (name, to_state.value)
        for name, statements in single.items()
        for to_state in State
        if await is_taken(wallet.db, statements, certificate_id, to_state)
    ]
    assert taken == [expected for expected in taken if is_honest(expected, now_in)]


NEEDED = (
    "ALTER TABLE wallet.certificate_change DROP CONSTRAINT change_is_allowed",
    "ALTER TABLE wallet.certificate_change DROP CONSTRAINT change_continues",
    "ALTER TABLE wallet.certificate DROP CONSTRAINT state_is_of_last_change",
    "ALTER TABLE wallet.certificate ALTER is_of_last DROP NOT NULL",
    "GRANT UPDATE, DELETE ON wallet.certificate_change TO CURRENT_USER",
)


@pytest.mark.parametrize("without", NEEDED)
async def test_each_of_the_guards_is_needed(wallet: Wallet, without: str) -> None:
    certificate_id = await lived(wallet, LIVES["revoked while suspended"], "R-1")
    async with wallet.db.connection() as conn:
        await conn.execute(without)
    ways = {**WAYS, "an ordinary step": (HONEST,)}
    taken = [
        name
        for name, statements in ways.items()
        for to_state in (State.ISSUED, State.SUSPENDED)
        if await is_taken(wallet.db, statements, certificate_id, to_state)
    ]
    assert taken != []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(walk=st.lists(st.sampled_from(State), max_size=8))
async def test_on_any_walk_the_database_takes_exactly_the_allowed_steps(wallet: Wallet, walk: list[State]) -> None:
    count = await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate")
    certificate_id = (await issued(wallet, an_id_card(f"W-{count}"))).certificate_id
    state, steps = State.ISSUED, 1
    for to_state in walk:
        try:
            async with wallet.db.transaction() as conn:
                await conn.execute(HONEST, certificate_id, to_state.value)
        except REFUSED:
            assert to_state not in ALLOWED_STEPS[state]
        else:
            assert to_state in ALLOWED_STEPS[state]
            state, steps = to_state, steps + 1
    sql = "SELECT state, last_change FROM wallet.certificate WHERE certificate_id = $1"
    row = await wallet.db.fetchrow(sql, certificate_id)
    assert row is not None
    assert (row["state"], row["last_change"]) == (state, steps)
