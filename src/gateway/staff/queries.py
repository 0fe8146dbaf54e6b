"""Every statement about those who work for the city."""

from collections.abc import Sequence
from datetime import datetime

from gateway.staff.model import StaffMember, StaffRole
from kernel.db import Connection, Row
from kernel.ids import DepartmentId, OfficeId, StaffId


async def select_staff_of_phone(conn: Connection, phone_digests: Sequence[bytes]) -> StaffMember | None:
    row = await conn.fetchrow(
        """
        -- gateway.select_staff_of_phone
        SELECT staff_id, role, department_id, office_id FROM gateway.staff
         WHERE phone_digest = ANY ($1::bytea[]) AND disabled_at IS NULL
        """,
        list(phone_digests),
    )
    return None if row is None else _staff(row)


async def select_staff(conn: Connection, staff_id: StaffId) -> StaffMember | None:
    row = await conn.fetchrow(
        """
        -- gateway.select_staff
        SELECT staff_id, role, department_id, office_id FROM gateway.staff WHERE staff_id = $1 AND disabled_at IS NULL
        """,
        staff_id,
    )
    return None if row is None else _staff(row)


def _staff(row: Row) -> StaffMember:
    department_id, office_id = row["department_id"], row["office_id"]
    return StaffMember(
        StaffId(row["staff_id"]),
        StaffRole(row["role"]),
        None if department_id is None else DepartmentId(department_id),
        None if office_id is None else OfficeId(office_id),
    )


async def put_staff(conn: Connection, member: StaffMember, *, phone_digest: bytes, identity: bytes) -> None:
    await conn.execute(
        """
        -- gateway.put_staff
        INSERT INTO gateway.staff (staff_id, phone_digest, identity, role, department_id, office_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (staff_id) DO UPDATE
           SET phone_digest = EXCLUDED.phone_digest, identity = EXCLUDED.identity, role = EXCLUDED.role,
               department_id = EXCLUDED.department_id, office_id = EXCLUDED.office_id, disabled_at = NULL
        """,
        member.staff_id,
        phone_digest,
        identity,
        member.role.value,
        member.department_id,
        member.office_id,
    )


async def disable_staff(conn: Connection, staff_id: StaffId, *, now: datetime) -> bool:
    disabled = await conn.fetchval(
        """
        -- gateway.disable_staff
        UPDATE gateway.staff SET disabled_at = $2 WHERE staff_id = $1 AND disabled_at IS NULL RETURNING TRUE
        """,
        staff_id,
        now,
    )
    return bool(disabled)


async def select_staff_identity(conn: Connection, staff_id: StaffId) -> bytes | None:
    sealed: bytes | None = await conn.fetchval(
        """
        -- gateway.select_staff_identity
        SELECT identity FROM gateway.staff WHERE staff_id = $1
        """,
        staff_id,
    )
    return sealed
