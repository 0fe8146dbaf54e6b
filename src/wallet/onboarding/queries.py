"""Every statement about applications, the devices of one venue, and quotas."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import DeviceId, VenueId
from wallet.model import Terms, Words
from wallet.onboarding.model import Application, ApplicationState, NamedKey, Organisation, Wanted

QuotaKey = tuple[VenueId, str]
"""A venue and the scenario it looks under."""

_ORGANISATION = msgspec.json.Decoder(Organisation)
_WANTED = msgspec.json.Decoder(tuple[Wanted, ...])
_DEVICE = msgspec.json.Decoder(NamedKey)
_GRANTS = msgspec.json.Decoder(dict[str, tuple[str, ...]])

_TAKE_QUOTA = Many(
    """
    -- wallet.take_quota
    INSERT INTO wallet.venue_quota (day, venue_id, scenario_code, taken) VALUES {rows}
    ON CONFLICT (venue_id, scenario_code, day) DO UPDATE SET taken = venue_quota.taken + EXCLUDED.taken
    RETURNING venue_id, scenario_code, taken
    """,
    shared=1,
    columns=3,
    row="($1, {}, {}, {})",
    sizes=(1, 4, 16, 64),
)


async def count_filed(conn: Connection, *, most: int) -> int:
    """How many applications wait for an operator, counted up to `most`."""
    return int(
        await conn.fetchval(
            """
            -- wallet.count_filed
            SELECT count(*) FROM (
                SELECT application_id FROM wallet.venue_application WHERE state = 'filed' LIMIT $1) AS waiting
            """,
            most,
        )
    )


async def insert_application(conn: Connection, application: Application, body_digest: bytes) -> bool:
    """Whether no application of this id was there."""
    filed = await conn.fetchval(
        """
        -- wallet.insert_application
        INSERT INTO wallet.venue_application
               (application_id, secret_digest, body_digest, organisation, contact, wanted, device, state, filed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (application_id) DO NOTHING RETURNING true
        """,
        application.application_id, application.secret_digest, body_digest, _json(application.organisation),
        application.contact, _json(application.wanted), _json(application.device), application.state.value,
        application.filed_at,
    )  # fmt: skip
    return bool(filed)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def select_body_digest(conn: Connection, application_id: UUID) -> bytes | None:
    digest: bytes | None = await conn.fetchval(
        """
        -- wallet.select_body_digest
        SELECT body_digest FROM wallet.venue_application WHERE application_id = $1
        """,
        application_id,
    )
    return digest


async def select_application(conn: Connection, application_id: UUID) -> Application | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_application
        SELECT application_id, secret_digest, organisation::text AS organisation, contact, wanted::text AS wanted,
               device::text AS device, state, filed_at, decided_at, decided_by, reason, venue_id, device_id
          FROM wallet.venue_application WHERE application_id = $1
        """,
        application_id,
    )
    return None if row is None else _application_of(row)


async def lock_application(conn: Connection, application_id: UUID) -> Application | None:
    """An application, held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_application
        SELECT application_id, secret_digest, organisation::text AS organisation, contact, wanted::text AS wanted,
               device::text AS device, state, filed_at, decided_at, decided_by, reason, venue_id, device_id
          FROM wallet.venue_application WHERE application_id = $1 FOR UPDATE
        """,
        application_id,
    )
    return None if row is None else _application_of(row)


async def select_applications(
    conn: Connection, state: ApplicationState, *, after: tuple[datetime, UUID], limit: int
) -> list[Application]:
    """Applications in a state, those filed first first, from `after` on."""
    rows = await conn.fetch(
        """
        -- wallet.select_applications
        SELECT application_id, secret_digest, organisation::text AS organisation, contact, wanted::text AS wanted,
               device::text AS device, state, filed_at, decided_at, decided_by, reason, venue_id, device_id
          FROM wallet.venue_application
         WHERE state = $1 AND (filed_at, application_id) > ($2, $3)
         ORDER BY filed_at, application_id LIMIT $4
        """,
        state.value, *after, limit,
    )  # fmt: skip
    return [_application_of(row) for row in rows]


def _application_of(row: Row) -> Application:
    return Application(
        application_id=row["application_id"],
        secret_digest=row["secret_digest"],
        organisation=_ORGANISATION.decode(row["organisation"]),
        contact=row["contact"],
        wanted=_WANTED.decode(row["wanted"]),
        device=_DEVICE.decode(row["device"]),
        state=ApplicationState(row["state"]),
        filed_at=row["filed_at"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        venue_id=row["venue_id"],
        device_id=row["device_id"],
    )


async def decide_application(conn: Connection, decided: Application) -> None:
    """Write down how an application that was filed ended."""
    await conn.execute(
        """
        -- wallet.decide_application
        UPDATE wallet.venue_application
           SET state = $2, decided_at = $3, decided_by = $4, reason = $5, venue_id = $6, device_id = $7, contact = $8
         WHERE application_id = $1 AND state = 'filed'
        """,
        decided.application_id, decided.state.value, decided.decided_at, decided.decided_by, decided.reason,
        decided.venue_id, decided.device_id, decided.contact,
    )  # fmt: skip


async def delete_decided_applications(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- wallet.delete_decided_applications
        DELETE FROM wallet.venue_application WHERE state <> 'filed' AND decided_at < $1
        """,
        before,
    )


async def delete_stale_applications(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- wallet.delete_stale_applications
        DELETE FROM wallet.venue_application WHERE state = 'filed' AND filed_at < $1
        """,
        before,
    )


# --- the devices of a venue -----------------------------------------------------------------------------------------


async def lock_venue(conn: Connection, venue_id: VenueId) -> bool:
    """Whether there is such a venue; held until the transaction ends, so that its devices are counted one by one."""
    found = await conn.fetchval(
        """
        -- wallet.lock_venue
        SELECT true FROM wallet.venue WHERE venue_id = $1 FOR UPDATE
        """,
        venue_id,
    )
    return bool(found)


async def select_devices_of_venue(conn: Connection, venue_id: VenueId) -> list[tuple[DeviceId, Words]]:
    """Devices of a venue that are not withdrawn, those that came first first."""
    rows = await conn.fetch(
        """
        -- wallet.select_devices_of_venue
        SELECT device_id, name_zh, name_en FROM wallet.device
         WHERE venue_id = $1 AND withdrawn_at IS NULL ORDER BY device_id
        """,
        venue_id,
    )
    return [(device_id, Words(zh, en)) for device_id, zh, en in rows]


async def select_terms_of_venue(conn: Connection, venue_id: VenueId) -> dict[str, Terms]:
    """Every scenario that a venue is granted, and under which terms."""
    rows = await conn.fetch(
        """
        -- wallet.select_terms_of_venue
        SELECT scenario_code, grants::text AS grants, days, opens_minute, closes_minute, quota_per_day, granted_until
          FROM wallet.venue_scenario WHERE venue_id = $1 ORDER BY scenario_code
        """,
        venue_id,
    )
    return {
        code: Terms(None if grants is None else _GRANTS.decode(grants), days, opens, closes, quota, until)
        for code, grants, days, opens, closes, quota, until in rows
    }


# --- quotas -----------------------------------------------------------------------------------------------------------


async def take_quota(conn: Connection, looks: Sequence[tuple[VenueId, str, int]], day: date) -> dict[QuotaKey, int]:
    """Count these looks, however many there were; how many the day has then. `looks` are sorted by their keys."""
    rows = await _TAKE_QUOTA.fetch(conn, looks, day)
    return {(venue_id, scenario_code): taken for venue_id, scenario_code, taken in rows}


async def give_back_quota(conn: Connection, key: QuotaKey, day: date, looks: int) -> None:
    await conn.execute(
        """
        -- wallet.give_back_quota
        UPDATE wallet.venue_quota SET taken = taken - $4 WHERE venue_id = $1 AND scenario_code = $2 AND day = $3
        """,
        *key, day, looks,
    )  # fmt: skip


async def delete_quotas(conn: Connection, *, before: date) -> None:
    await conn.execute(
        """
        -- wallet.delete_quotas
        DELETE FROM wallet.venue_quota WHERE day < $1
        """,
        before,
    )
