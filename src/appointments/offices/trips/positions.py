"""What appointments ask of whoever speaks with the departments: who they are, and where their vehicles are."""

from datetime import datetime
from typing import Protocol

import msgspec

from appointments.errors import NoLivePosition
from appointments.model import Catalogue, ServiceSort, Slot
from kernel.ids import DepartmentId
from kernel.principal import Audience, Resident


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a vehicle was at `as_of`, in degrees (WGS 84). A stand-in says that it is one."""

    latitude: float
    longitude: float
    as_of: datetime
    is_stand_in: bool = False


class Departments(Protocol):
    """Kept by the entrance."""

    async def slug_of(self, department_id: DepartmentId) -> str | None:
        """The slug by which services name a department; None for one that is not known."""
        ...

    async def position(self, department: str, vehicle: str, resident: Resident, audience: Audience) -> Position:
        """Where a vehicle is, asked of the department's own server for this resident, within a bounded time.

        Raises NoLivePosition where the department has no server or does not know the vehicle, PositionAway.
        """
        ...


class NoDepartments:
    """Where nobody speaks with departments."""

    async def slug_of(self, department_id: DepartmentId) -> str | None:
        del department_id
        return None

    async def position(self, department: str, vehicle: str, resident: Resident, audience: Audience) -> Position:
        del department, vehicle, resident, audience
        raise NoLivePosition


def vehicle_of(slot: Slot, catalogue: Catalogue) -> tuple[str, str]:
    """The department that runs a trip, and the vehicle it goes with. Raises NoLivePosition for what is no trip."""
    service = catalogue.services[slot.service_id]
    vehicle = (slot.detail or {}).get("vehicle")
    if service.sort is not ServiceSort.TRIP or not isinstance(vehicle, str):
        raise NoLivePosition
    return service.department, vehicle
