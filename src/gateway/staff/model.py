"""Who works for the city: at a desk, issuing for a department, operating it."""

from enum import StrEnum

import msgspec

from kernel.ids import DepartmentId, OfficeId, StaffId
from kernel.principal import Audience


class StaffRole(StrEnum):
    DESK = "desk"
    SUPERVISOR = "supervisor"
    """Answers for an office: does whatever its clerks do, and what is the office's to decide."""
    ISSUER = "issuer"
    OPERATOR = "operator"

    @property
    def audience(self) -> Audience:
        return Audience.OPERATOR if self is StaffRole.OPERATOR else Audience.DEPARTMENT


class StaffMember(msgspec.Struct, frozen=True):
    """Somebody who works for the city, as they lie in the database."""

    staff_id: StaffId
    role: StaffRole
    department_id: DepartmentId | None
    office_id: OfficeId | None
