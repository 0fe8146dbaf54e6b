"""Every statement on certificates, uses and asks; those on the catalogue are in `wallet.registry.queries`."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from msgspec import Struct, structs

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import AskId, CertificateId, PersonId, VenueId
from wallet.asks import Ask, AskState
from wallet.model import Flag, Outcome, Route, Standing, State, Use

Key = tuple[PersonId, CertificateId]
Place = tuple[datetime, bytes]
"""A place in a person's ledger: when, and the hash of the look."""

_SELECT_STANDINGS = Many(
    """
    -- wallet.select_standings
    SELECT c.person_id, c.certificate_id, c.kind_code, c.state, c.valid_from, c.valid_until
      FROM (VALUES {rows}) AS wanted (person_id, certificate_id)
      JOIN wallet.certificate AS c ON c.person_id = wanted.person_id AND c.certificate_id = wanted.certificate_id
    """,
    columns=2,
    row="({}::uuid, {}::uuid)",
)
_SELECT_STANDINGS_AND_ATTRIBUTES = Many(
    """
    -- wallet.select_standings_and_attributes
    SELECT c.person_id, c.certificate_id, c.kind_code, c.state, c.valid_from, c.valid_until, c.attributes, c.issuer_code
      FROM (VALUES {rows}) AS wanted (person_id, certificate_id)
      JOIN wallet.certificate AS c ON c.person_id = wanted.person_id AND c.certificate_id = wanted.certificate_id
    """,
    columns=2,
    row="({}::uuid, {}::uuid)",
)
_INSERT_USES = Many(
    """
    -- wallet.insert_uses
    INSERT INTO wallet.use (person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
                            certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags,
                            recorded_at, salt)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING code_hash
    """,
    columns=18,
)
_SELECT_USES = Many(
    """
    -- wallet.select_uses
    SELECT u.person_id, u.code_hash, u.used_at, u.use_id, u.device_id, u.venue_id, u.scenario_code, u.scenario_edition,
           u.certificate_id, u.kind_code, u.route, u.outcome, u.fields, u.mandate_id, u.agent_person_id, u.flags,
           u.recorded_at, u.salt
      FROM (VALUES {rows}) AS wanted (person_id, code_hash)
      JOIN wallet.use AS u ON u.person_id = wanted.person_id AND u.code_hash = wanted.code_hash
    """,
    columns=2,
    row="({}::uuid, {}::bytea)",
)


class Sealed(Struct, frozen=True):
    """A certificate's standing, its attributes still sealed, and who issued it."""

    standing: Standing
    attributes: bytes
    issuer_code: str


class CertificateRow(Struct, frozen=True):
    """A row of `wallet.certificate`."""

    person_id: PersonId
    certificate_id: CertificateId
    issuer_code: str
    kind_code: str
    version: int
    state: str
    last_change: int
    valid_from: date
    valid_until: date | None
    issued_at: datetime
    attributes: bytes
    status_list: int | None = None
    status_index: int | None = None


class Wanted(Struct, frozen=True):
    """Which uses of a ledger: None wants any. From `since` on, before `until`."""

    certificate_id: CertificateId | None = None
    kind_code: str | None = None
    venue_id: VenueId | None = None
    scenario_code: str | None = None
    route: Route | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


async def select_standings(conn: Connection, keys: Sequence[Key]) -> dict[Key, Standing]:
    """How the certificates under exactly these keys stand; those that do not exist are missing."""
    rows = await _SELECT_STANDINGS.fetch(conn, keys)
    return {
        (person, certificate): Standing(kind, State(state), since, until)
        for person, certificate, kind, state, since, until in rows
    }


async def select_standings_and_attributes(conn: Connection, keys: Sequence[Key]) -> dict[Key, Sealed]:
    """The same with the sealed attributes and the issuer."""
    rows = await _SELECT_STANDINGS_AND_ATTRIBUTES.fetch(conn, keys)
    return {
        (person, certificate): Sealed(Standing(kind, State(state), since, until), attributes, issuer_code)
        for person, certificate, kind, state, since, until, attributes, issuer_code in rows
    }


async def insert_uses(conn: Connection, uses: Iterable[Use]) -> set[bytes]:
    """Record what was not spent yet; the hashes of the codes that were spent by this very statement.

    Only `wallet.recording_uses` calls this, which enters in the ledger what was recorded.
    """
    rows = await _INSERT_USES.fetch(
        conn,
        [
            (
                use.person_id, use.code_hash, use.used_at, use.use_id, use.device_id, use.venue_id, use.scenario_code,
                use.scenario_edition, use.certificate_id, use.kind_code, use.route, use.outcome, use.fields,
                use.mandate_id, use.agent_person_id, use.flags, use.recorded_at, use.salt,
            )
            for use in uses
        ],
    )  # fmt: skip
    return {code_hash for (code_hash,) in rows}


async def select_uses(conn: Connection, keys: Sequence[tuple[PersonId, bytes]]) -> dict[bytes, Use]:
    """What is recorded about these codes, by their hash."""
    return {row["code_hash"]: _use_of(row) for row in await _SELECT_USES.fetch(conn, keys)}


async def select_uses_of_person(
    conn: Connection, person_id: PersonId, wanted: Wanted, *, before: Place | None, limit: int
) -> list[Use]:
    """A person's uses before a place in the ledger, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_uses_of_person
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use
         WHERE person_id = $1 AND ($2::timestamptz IS NULL OR (used_at, code_hash) < ($2, $3::bytea))
           AND ($4::uuid IS NULL OR certificate_id = $4) AND ($5::text IS NULL OR kind_code = $5)
           AND ($6::uuid IS NULL OR venue_id = $6) AND ($7::text IS NULL OR scenario_code = $7)
           AND ($8::text IS NULL OR route = $8) AND ($9::text IS NULL OR outcome = $9)
           AND ($10::timestamptz IS NULL OR used_at >= $10) AND ($11::timestamptz IS NULL OR used_at < $11)
         ORDER BY used_at DESC, code_hash DESC LIMIT $12
        """,
        person_id, *(before or (None, None)), *structs.astuple(wanted), limit,
    )  # fmt: skip
    return [_use_of(row) for row in rows]


async def select_uses_by_agent(
    conn: Connection, agent: PersonId, holders: Sequence[PersonId], wanted: Wanted, *, before: Place | None, limit: int
) -> list[Use]:
    """Uses of these holders' certificates that an agent made for them, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_uses_by_agent
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use
         WHERE person_id = ANY ($1::uuid[]) AND agent_person_id = $2
           AND ($3::timestamptz IS NULL OR (used_at, code_hash) < ($3, $4::bytea))
           AND ($5::uuid IS NULL OR certificate_id = $5) AND ($6::text IS NULL OR kind_code = $6)
           AND ($7::uuid IS NULL OR venue_id = $7) AND ($8::text IS NULL OR scenario_code = $8)
           AND ($9::text IS NULL OR route = $9) AND ($10::text IS NULL OR outcome = $10)
           AND ($11::timestamptz IS NULL OR used_at >= $11) AND ($12::timestamptz IS NULL OR used_at < $12)
         ORDER BY used_at DESC, code_hash DESC LIMIT $13
        """,
        list(holders), agent, *(before or (None, None)), *structs.astuple(wanted), limit,
    )  # fmt: skip
    return [_use_of(row) for row in rows]


async def select_certificates_of_person(conn: Connection, person_id: PersonId, *, limit: int) -> list[CertificateRow]:
    """What a person holds, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_certificates_of_person
        SELECT person_id, certificate_id, issuer_code, kind_code, version, state, last_change, valid_from, valid_until,
               issued_at, attributes, status_list, status_index
          FROM wallet.certificate WHERE person_id = $1 ORDER BY issued_at DESC, certificate_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [_certificate_of(row) for row in rows]


async def select_certificate(
    conn: Connection, person_id: PersonId, certificate_id: CertificateId
) -> CertificateRow | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_certificate
        SELECT person_id, certificate_id, issuer_code, kind_code, version, state, last_change, valid_from, valid_until,
               issued_at, attributes, status_list, status_index
          FROM wallet.certificate WHERE person_id = $1 AND certificate_id = $2
        """,
        person_id, certificate_id,
    )  # fmt: skip
    return None if row is None else _certificate_of(row)


async def lock_certificate(
    conn: Connection, person_id: PersonId, certificate_id: CertificateId
) -> CertificateRow | None:
    """The same, held until the transaction ends: one change at a time."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_certificate
        SELECT person_id, certificate_id, issuer_code, kind_code, version, state, last_change, valid_from, valid_until,
               issued_at, attributes, status_list, status_index
          FROM wallet.certificate WHERE person_id = $1 AND certificate_id = $2 FOR UPDATE
        """,
        person_id, certificate_id,
    )  # fmt: skip
    return None if row is None else _certificate_of(row)


async def select_holder(conn: Connection, certificate_id: CertificateId) -> tuple[str, PersonId] | None:
    """The issuer of a certificate, and whose it is."""
    row = await conn.fetchrow(
        """
        -- wallet.select_holder
        SELECT issuer_code, person_id FROM wallet.certificate_holder WHERE certificate_id = $1
        """,
        certificate_id,
    )
    return None if row is None else (row["issuer_code"], row["person_id"])


async def change_state(
    conn: Connection, key: Key, last_change: int, from_state: State, to_state: State,
    *, actor: str, reason: str, now: datetime,
) -> bool:  # fmt: skip
    """Take one step of a certificate's life; false when it is not where we thought. The database judges the step."""
    moved = await conn.fetchval(
        """
        -- wallet.change_state
        WITH was AS (
            UPDATE wallet.certificate_change SET is_last = false
             WHERE person_id = $1 AND certificate_id = $2 AND seq = $3 AND to_state = $4 AND is_last
            RETURNING seq
        ), step AS (
            INSERT INTO wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last, from_seq,
                                                   from_state, had_successor, at, actor, reason)
            SELECT $1, $2, was.seq + 1, $5, true, was.seq, $4, false, $6, $7, $8 FROM was
            RETURNING seq
        )
        UPDATE wallet.certificate AS c SET state = $5, last_change = step.seq FROM step
         WHERE c.person_id = $1 AND c.certificate_id = $2 AND c.last_change = $3
        RETURNING true
        """,
        *key, last_change, from_state, to_state, now, actor, reason,
    )  # fmt: skip
    return bool(moved)


async def insert_ask(conn: Connection, ask: Ask) -> None:
    await conn.execute(
        """
        -- wallet.insert_ask
        INSERT INTO wallet.ask (ask_id, code_hash, venue_id, device_id, scenario_code, scenario_edition, kind_codes,
                                asked_at, expires_at, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting')
        """,
        ask.ask_id, ask.code_hash, ask.venue_id, ask.device_id, ask.scenario_code, ask.scenario_edition, ask.kind_codes,
        ask.asked_at, ask.expires_at,
    )  # fmt: skip


async def select_ask(conn: Connection, ask_id: AskId) -> Ask | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_ask
        SELECT ask_id, code_hash, venue_id, device_id, scenario_code, scenario_edition, kind_codes, asked_at,
               expires_at, state, answered_at, person_id, certificate_id, fields
          FROM wallet.ask WHERE ask_id = $1
        """,
        ask_id,
    )
    return None if row is None else _ask_of(row)


async def lock_ask(conn: Connection, ask_id: AskId) -> Ask | None:
    """The same, held until the transaction ends: one answer."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_ask
        SELECT ask_id, code_hash, venue_id, device_id, scenario_code, scenario_edition, kind_codes, asked_at,
               expires_at, state, answered_at, person_id, certificate_id, fields
          FROM wallet.ask WHERE ask_id = $1 FOR UPDATE
        """,
        ask_id,
    )
    return None if row is None else _ask_of(row)


async def answer_ask(conn: Connection, ask_id: AskId, use: Use) -> None:
    await conn.execute(
        """
        -- wallet.answer_ask
        UPDATE wallet.ask SET state = 'answered', answered_at = $2, person_id = $3, certificate_id = $4, fields = $5
         WHERE ask_id = $1 AND state = 'waiting'
        """,
        ask_id, use.used_at, use.person_id, use.certificate_id, use.fields,
    )  # fmt: skip


async def decline_ask(conn: Connection, ask_id: AskId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- wallet.decline_ask
        UPDATE wallet.ask SET state = 'declined', answered_at = $2 WHERE ask_id = $1 AND state = 'waiting'
        """,
        ask_id, now,
    )  # fmt: skip


def _use_of(row: Row) -> Use:
    return Use(
        person_id=row["person_id"],
        code_hash=row["code_hash"],
        used_at=row["used_at"],
        use_id=row["use_id"],
        device_id=row["device_id"],
        venue_id=row["venue_id"],
        scenario_code=row["scenario_code"],
        scenario_edition=row["scenario_edition"],
        certificate_id=row["certificate_id"],
        kind_code=row["kind_code"],
        route=Route(row["route"]),
        outcome=Outcome(row["outcome"]),
        fields=tuple(row["fields"]),
        mandate_id=row["mandate_id"],
        agent_person_id=row["agent_person_id"],
        flags=tuple([Flag(flag) for flag in row["flags"]]),
        recorded_at=row["recorded_at"],
        salt=row["salt"],
    )


def _certificate_of(row: Row) -> CertificateRow:
    return CertificateRow(*row)


def _ask_of(row: Row) -> Ask:
    return Ask(
        ask_id=row["ask_id"],
        code_hash=row["code_hash"],
        venue_id=row["venue_id"],
        device_id=row["device_id"],
        scenario_code=row["scenario_code"],
        scenario_edition=row["scenario_edition"],
        kind_codes=tuple(row["kind_codes"]),
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        state=AskState(row["state"]),
        answered_at=row["answered_at"],
        person_id=row["person_id"],
        certificate_id=row["certificate_id"],
        fields=tuple(row["fields"] or ()),
    )
