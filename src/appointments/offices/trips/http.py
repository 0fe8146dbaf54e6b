"""Where a trip's vehicle is, over HTTP."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from appointments.errors import NoLivePosition, PositionAway, SlotNotFound
from appointments.offices.replanning.deciding import read_slot
from appointments.offices.trips.positions import vehicle_of
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest
from kernel.ids import SlotId
from kernel.principal import Audience, Resident
from kernel.problems import refuses


class PositionView(msgspec.Struct):
    """Where the vehicle was at `as_of`, in degrees (WGS 84). `is_stand_in`: the demo invents it."""

    latitude: float
    longitude: float
    as_of: datetime
    is_stand_in: bool


def _position(audience: Audience) -> HTTPRouteHandler:
    @get(
        "/trips/{slot_id:uuid}/position",
        operation_id="readTripPosition",
        summary="Where my bus is",
        responses=refuses(MalformedRequest, SlotNotFound, NoLivePosition, PositionAway),
    )
    async def read_trip_position(
        slot_id: FromPath[UUID], resident: NamedDependency[Resident], appointments: NamedDependency[Appointments]
    ) -> PositionView:
        """Where the vehicle of a trip is, as the department that runs it says now; asked within a few seconds."""
        slot = await read_slot(appointments.db, SlotId(slot_id))
        catalogue = await appointments.catalogues.knowing(slot.office_id, slot.service_id)
        department, vehicle = vehicle_of(slot, catalogue)
        found = await appointments.departments.position(department, vehicle, resident, audience)
        return PositionView(found.latitude, found.longitude, in_shanghai(found.as_of), found.is_stand_in)

    return read_trip_position


HANDLERS: Handlers = {
    Audience.RESIDENT: (_position(Audience.RESIDENT),),
    Audience.MINI: (_position(Audience.MINI),),
}
