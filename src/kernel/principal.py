"""Who is asking: what an access token has proved, one shape per audience."""

from enum import StrEnum
from typing import Literal

import msgspec

from kernel.ids import AccountId, DepartmentId, DeviceId, OfficeId, PersonId, SessionId, StaffId, VenueId


class Audience(StrEnum):
    """For whom an operation is. The value is the first segment of its path and the `aud` of its tokens."""

    PUBLIC = "public"
    RESIDENT = "resident"
    MINI = "mini"
    VENUE = "venue"
    DEPARTMENT = "department"
    OPERATOR = "operator"


class Resident(msgspec.Struct, frozen=True):
    """A person signed in by phone; `person_id` is known once the real name was checked (实名)."""

    account_id: AccountId
    session_id: SessionId
    person_id: PersonId | None


class Citizen(msgspec.Struct, frozen=True):
    """A resident whose real name was checked."""

    account_id: AccountId
    session_id: SessionId
    person_id: PersonId


class VenueDevice(msgspec.Struct, frozen=True):
    """One scanner of a venue, proved by its own key."""

    device_id: DeviceId
    venue_id: VenueId


class DepartmentSystem(msgspec.Struct, frozen=True):
    """A department's own system, proved by its own key."""

    department_id: DepartmentId
    slug: str
    name: str
    """The department's registered Chinese name: how whatever it tells people is signed."""


class Staff(msgspec.Struct, frozen=True):
    """A clerk at a department's desk. A supervisor answers for the office: its counters, its rules, appeals."""

    staff_id: StaffId
    session_id: SessionId
    department_id: DepartmentId
    office_id: OfficeId | None
    is_supervisor: bool = False


class Keeper(msgspec.Struct, frozen=True):
    """Whoever may say what a department offers at its desks: the department's own system, or a supervisor.

    `slug` is the department's where its system told it; `office_id` is the one office that a supervisor answers for.
    """

    department_id: DepartmentId
    slug: str | None
    office_id: OfficeId | None
    actor: str
    """How acts are recorded: `department:…` or `staff:…`."""


class Operator(msgspec.Struct, frozen=True):
    """Somebody who keeps the city running."""

    staff_id: StaffId
    session_id: SessionId


Principal = Resident | VenueDevice | DepartmentSystem | Staff | Operator


class NotProved(msgspec.Struct, frozen=True):
    """A request that brought no token, or one that proves nothing; `why` tells which."""

    why: Literal["absent", "invalid", "expired", "revoked"]
