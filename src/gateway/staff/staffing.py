"""Who works for the city is filed by operators, and found by phone when they sign in."""

from uuid import UUID

import msgspec

from gateway.residents.accounts import Accounts
from gateway.residents.model import Phone
from gateway.staff import queries
from gateway.staff.model import StaffMember, StaffRole
from kernel.db import Connection
from kernel.ids import SessionId, StaffId
from kernel.principal import Audience, Operator, Staff
from kernel.sealing import Keys


class StaffIdentity(msgspec.Struct, frozen=True):
    name: str
    phone: str


async def put_staff(conn: Connection, keys: Keys, member: StaffMember, *, name: str, phone: Phone) -> None:
    """File somebody, or file them anew: with another phone, office or role. Nobody else has their phone."""
    await queries.put_staff(
        conn,
        member,
        phone_digest=Accounts(keys).digest(phone),
        identity=keys.sealer("gateway.staff").seal_struct(StaffIdentity(name, phone.e164), member.staff_id.bytes),
    )


async def read_identity(conn: Connection, keys: Keys, staff_id: StaffId) -> StaffIdentity:
    """The name and phone of somebody who works here."""
    sealed = await queries.select_staff_identity(conn, staff_id)
    assert sealed is not None  # a principal's id
    envelope = keys.sealer("gateway.staff").unseal(sealed, staff_id.bytes)
    return msgspec.msgpack.decode(envelope, type=StaffIdentity)


def proved(member: StaffMember, session_id: SessionId) -> Staff | Operator:
    """Whom a session of a member of staff proves."""
    if member.role is StaffRole.OPERATOR:
        return Operator(member.staff_id, session_id)
    assert member.department_id is not None  # the database refuses anything else
    is_supervisor = member.role is StaffRole.SUPERVISOR
    return Staff(member.staff_id, session_id, member.department_id, member.office_id, is_supervisor)


async def find_principal(conn: Connection, subject_id: UUID, session_id: SessionId) -> Staff | Operator | None:
    """Whom a session proves now, or None for somebody who works here no longer."""
    member = await queries.select_staff(conn, StaffId(subject_id))
    return None if member is None else proved(member, session_id)


async def find_by_phone(conn: Connection, accounts: Accounts, phone: Phone, audience: Audience) -> StaffMember | None:
    """Who works here under a phone, if it is for this audience."""
    member = await queries.select_staff_of_phone(conn, accounts.every_digest(phone))
    return member if member is not None and member.role.audience is audience else None
