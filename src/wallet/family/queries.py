"""Every statement on mandates."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import PersonId
from wallet.mandates import Basis, Mandate

Key = tuple[PersonId, UUID]

_SELECT_MANDATES = Many(
    """
    -- wallet.select_mandates
    SELECT m.person_id, m.mandate_id, m.agent_person_id, m.agent_name, m.basis, m.kind_codes, m.scenario_codes,
           m.starts_at, m.expires_at, m.made_at, m.made_by, m.revoked_at, m.may_book
      FROM (VALUES {rows}) AS wanted (person_id, mandate_id)
      JOIN wallet.mandate AS m ON m.person_id = wanted.person_id AND m.mandate_id = wanted.mandate_id
    """,
    columns=2,
    row="({}::uuid, {}::uuid)",
)


class Filed(Struct, frozen=True):
    """A mandate, and the name by which its agent was told of, sealed."""

    mandate: Mandate
    agent_name: bytes


class Reference(Struct, frozen=True):
    """What a department's reference for a guardianship stands for."""

    reference_digest: bytes
    body_digest: bytes
    person_id: PersonId
    mandate_id: UUID


async def insert_mandate(conn: Connection, filed: Filed) -> bool:
    """File a mandate; false when its person has one of this id."""
    mandate = filed.mandate
    made = await conn.fetchval(
        """
        -- wallet.insert_mandate
        INSERT INTO wallet.mandate (person_id, mandate_id, agent_person_id, agent_name, basis, kind_codes,
                                    scenario_codes, starts_at, expires_at, made_at, made_by, may_book)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING true
        """,
        mandate.person_id, mandate.mandate_id, mandate.agent_person_id, filed.agent_name, mandate.basis,
        mandate.kind_codes, mandate.scenario_codes, mandate.starts_at, mandate.expires_at, mandate.made_at,
        mandate.made_by, mandate.may_book,
    )  # fmt: skip
    return bool(made)


async def insert_mandate_held(conn: Connection, mandate: Mandate) -> bool:
    """File with the agent that they hold a mandate; false when they hold one of this id."""
    made = await conn.fetchval(
        """
        -- wallet.insert_mandate_held
        INSERT INTO wallet.mandate_held (person_id, mandate_id, holder_person_id, made_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        mandate.agent_person_id, mandate.mandate_id, mandate.person_id, mandate.made_at,
    )  # fmt: skip
    return bool(made)


async def select_mandates(conn: Connection, keys: Sequence[Key]) -> dict[Key, Filed]:
    """The mandates under exactly these keys: of which person, which."""
    rows = await _SELECT_MANDATES.fetch(conn, keys)
    return {(row["person_id"], row["mandate_id"]): _filed_of(row) for row in rows}


async def select_mandates_given(conn: Connection, person_id: PersonId, *, limit: int) -> list[Filed]:
    """The mandates by which others may act for a person, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_mandates_given
        SELECT person_id, mandate_id, agent_person_id, agent_name, basis, kind_codes, scenario_codes, starts_at,
               expires_at, made_at, made_by, revoked_at, may_book
          FROM wallet.mandate WHERE person_id = $1 ORDER BY made_at DESC, mandate_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [_filed_of(row) for row in rows]


async def select_mandates_granted(conn: Connection, person_id: PersonId, *, now: datetime, limit: int) -> list[UUID]:
    """The mandates that a person granted and that have not ended, in the order of their ids."""
    rows = await conn.fetch(
        """
        -- wallet.select_mandates_granted
        SELECT mandate_id FROM wallet.mandate
         WHERE person_id = $1 AND basis = 'granted' AND revoked_at IS NULL AND expires_at > $2
         ORDER BY mandate_id LIMIT $3
        """,
        person_id, now, limit,
    )  # fmt: skip
    return [mandate_id for (mandate_id,) in rows]


async def count_mandates(conn: Connection, person_id: PersonId, *, since: datetime, now: datetime) -> tuple[int, int]:
    """How many mandates of a person have not ended, and how many were made after `since`."""
    row = await conn.fetchrow(
        """
        -- wallet.count_mandates
        SELECT count(*) FILTER (WHERE revoked_at IS NULL AND expires_at > $2), count(*) FILTER (WHERE made_at > $3)
          FROM wallet.mandate WHERE person_id = $1
        """,
        person_id, now, since,
    )  # fmt: skip
    assert row is not None  # a count always answers
    return row[0], row[1]


async def select_mandates_held(conn: Connection, agent: PersonId, *, limit: int) -> list[Key]:
    """Under which keys the mandates lie that an agent holds, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_mandates_held
        SELECT holder_person_id, mandate_id FROM wallet.mandate_held WHERE person_id = $1
         ORDER BY made_at DESC, mandate_id LIMIT $2
        """,
        agent, limit,
    )  # fmt: skip
    return [(holder, mandate_id) for holder, mandate_id in rows]


async def select_holder_of(conn: Connection, agent: PersonId, mandate_id: UUID) -> PersonId | None:
    """For whom an agent holds a mandate."""
    holder: PersonId | None = await conn.fetchval(
        """
        -- wallet.select_holder_of
        SELECT holder_person_id FROM wallet.mandate_held WHERE person_id = $1 AND mandate_id = $2
        """,
        agent, mandate_id,
    )  # fmt: skip
    return holder


async def lock_mandate(conn: Connection, person_id: PersonId, mandate_id: UUID) -> Filed | None:
    """A mandate, held by this transaction alone: nothing is shown under it meanwhile."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_mandate
        SELECT person_id, mandate_id, agent_person_id, agent_name, basis, kind_codes, scenario_codes, starts_at,
               expires_at, made_at, made_by, revoked_at, may_book
          FROM wallet.mandate WHERE person_id = $1 AND mandate_id = $2 FOR UPDATE
        """,
        person_id, mandate_id,
    )  # fmt: skip
    return None if row is None else _filed_of(row)


async def hold_mandate(conn: Connection, person_id: PersonId, mandate_id: UUID) -> Filed | None:
    """A mandate, kept as it is until the transaction ends; others may do the same."""
    row = await conn.fetchrow(
        """
        -- wallet.hold_mandate
        SELECT person_id, mandate_id, agent_person_id, agent_name, basis, kind_codes, scenario_codes, starts_at,
               expires_at, made_at, made_by, revoked_at, may_book
          FROM wallet.mandate WHERE person_id = $1 AND mandate_id = $2 FOR SHARE
        """,
        person_id, mandate_id,
    )  # fmt: skip
    return None if row is None else _filed_of(row)


async def end_mandate(conn: Connection, key: Key, *, actor: str, now: datetime) -> None:
    await conn.execute(
        """
        -- wallet.end_mandate
        UPDATE wallet.mandate SET revoked_at = $3, revoked_by = $4
         WHERE person_id = $1 AND mandate_id = $2 AND revoked_at IS NULL
        """,
        *key, now, actor,
    )  # fmt: skip


async def insert_mandate_reference(conn: Connection, reference: Reference) -> bool:
    """File a department's reference; false when it was known."""
    made = await conn.fetchval(
        """
        -- wallet.insert_mandate_reference
        INSERT INTO wallet.mandate_reference (reference_digest, body_digest, person_id, mandate_id)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true
        """,
        reference.reference_digest, reference.body_digest, reference.person_id, reference.mandate_id,
    )  # fmt: skip
    return bool(made)


async def select_mandate_reference(conn: Connection, reference_digest: bytes) -> Reference | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_mandate_reference
        SELECT reference_digest, body_digest, person_id, mandate_id
          FROM wallet.mandate_reference WHERE reference_digest = $1
        """,
        reference_digest,
    )
    return None if row is None else Reference(*row)


def _filed_of(row: Row) -> Filed:
    kinds, scenarios = row["kind_codes"], row["scenario_codes"]
    return Filed(
        Mandate(
            person_id=row["person_id"],
            mandate_id=row["mandate_id"],
            agent_person_id=row["agent_person_id"],
            basis=Basis(row["basis"]),
            kind_codes=None if kinds is None else tuple(kinds),
            scenario_codes=None if scenarios is None else tuple(scenarios),
            starts_at=row["starts_at"],
            expires_at=row["expires_at"],
            made_at=row["made_at"],
            made_by=row["made_by"],
            revoked_at=row["revoked_at"],
            may_book=row["may_book"],
        ),
        row["agent_name"],
    )
