"""Every statement on offline codes and on what is uploaded of them."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import CertificateId, DeviceId, PersonId, UseId, VenueId
from wallet.model import State
from wallet.queries import Key

_SELECT_CHANGES = Many(
    """
    -- wallet.select_changes
    SELECT c.person_id, c.certificate_id, c.seq, c.to_state, c.at
      FROM (VALUES {rows}) AS wanted (person_id, certificate_id)
      JOIN wallet.certificate_change AS c ON c.person_id = wanted.person_id AND c.certificate_id = wanted.certificate_id
    """,
    columns=2,
    row="({}::uuid, {}::uuid)",
)
_INSERT_FINDINGS = Many(
    """
    -- wallet.insert_findings
    INSERT INTO wallet.finding (venue_id, finding_id, sort, device_id, use_id, scenario_code, scanned_at, found_at)
    VALUES {rows} ON CONFLICT DO NOTHING
    """,
    columns=8,
)


class OfflineRow(Struct, frozen=True):
    """What an offline code needs to know of a certificate; the attributes sealed, its place in the status lists."""

    certificate_id: CertificateId
    issuer_code: str
    kind_code: str
    state: str
    valid_from: date
    valid_until: date | None
    attributes: bytes
    status_list: int | None
    status_index: int | None


async def select_to_show(
    conn: Connection, person_id: PersonId, certificate_ids: Sequence[CertificateId]
) -> dict[CertificateId, OfflineRow]:
    """Those of a person's certificates that exist, by their id."""
    rows = await conn.fetch(
        """
        -- wallet.select_to_show
        SELECT certificate_id, issuer_code, kind_code, state, valid_from, valid_until, attributes, status_list,
               status_index
          FROM wallet.certificate WHERE person_id = $1 AND certificate_id = ANY ($2::uuid[])
        """,
        person_id, list(certificate_ids),
    )  # fmt: skip
    return {row["certificate_id"]: OfflineRow(*row) for row in rows}


class Change(Struct, frozen=True):
    """A step in a certificate's life."""

    seq: int
    to_state: State
    at: datetime


class Finding(Struct, frozen=True):
    """What was found out later about a scan made without network, for the venue whose scan it was."""

    venue_id: VenueId
    finding_id: UUID
    sort: str
    device_id: DeviceId
    use_id: UseId
    scenario_code: str
    scanned_at: datetime
    found_at: datetime


async def select_changes(conn: Connection, keys: Sequence[Key]) -> dict[Key, list[Change]]:
    """The steps of these certificates, oldest first."""
    found: dict[Key, list[Change]] = {}
    for person_id, certificate_id, seq, to_state, at in await _SELECT_CHANGES.fetch(conn, keys):
        found.setdefault((person_id, certificate_id), []).append(Change(seq, State(to_state), at))
    return {key: sorted(changes, key=lambda change: change.seq) for key, changes in found.items()}


async def insert_findings(conn: Connection, findings: Sequence[Finding]) -> None:
    """File findings; what was filed before stays as it is."""
    rows = [
        (f.venue_id, f.finding_id, f.sort, f.device_id, f.use_id, f.scenario_code, f.scanned_at, f.found_at)
        for f in findings
    ]
    await _INSERT_FINDINGS.fetch(conn, rows)


async def is_venue(conn: Connection, venue_id: VenueId) -> bool:
    return bool(
        await conn.fetchval(
            """
            -- wallet.is_venue
            SELECT TRUE FROM wallet.venue WHERE venue_id = $1
            """,
            venue_id,
        )
    )


async def select_findings(
    conn: Connection, venue_id: VenueId, *, after: UUID | None, before: datetime, limit: int
) -> list[Finding]:
    """A venue's findings after one of them and found before a moment, in the order in which they were found."""
    rows = await conn.fetch(
        """
        -- wallet.select_findings
        SELECT venue_id, finding_id, sort, device_id, use_id, scenario_code, scanned_at, found_at
          FROM wallet.finding WHERE venue_id = $1 AND ($2::uuid IS NULL OR finding_id > $2)
           AND found_at < $3
         ORDER BY finding_id LIMIT $4
        """,
        venue_id, after, before, limit,
    )  # fmt: skip
    return [Finding(*row) for row in rows]
