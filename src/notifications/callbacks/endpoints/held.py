"""Every endpoint of the city, held in memory, so that what ends for a department without any costs nothing."""

from collections.abc import Iterable, Mapping

import msgspec

from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from kernel.snapshots import Snapshot
from notifications.callbacks.endpoints import queries
from notifications.callbacks.model import DisabledFor, Endpoint, EndpointId, EventType
from notifications.callbacks.seals import CallbackSeals

NAME = "notifications.callbacks"

log = get_logger(__name__)


class Endpoints:
    """Endpoints by id, and those of a department that are to hear of a thing."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.by_id: Mapping[EndpointId, Endpoint] = {one.endpoint_id: one for one in endpoints}
        self.enabled = [one for one in self.by_id.values() if one.disabled_at is None]
        self._wanting: dict[tuple[DepartmentId, EventType], list[Endpoint]] = {}
        for one in self.enabled:
            for kind in one.events:
                self._wanting.setdefault((one.service_id, kind), []).append(one)
        self.services = frozenset(one.service_id for one in self.enabled)

    def wanting(self, service_id: DepartmentId, kind: EventType) -> list[Endpoint]:
        return self._wanting.get((service_id, kind), [])


class HeldEndpoints:
    """The endpoints as this process knows them; a change is known within a second."""

    def __init__(self, db: Database, seals: CallbackSeals) -> None:
        self._db = db
        self._seals = seals
        self.snapshot: Snapshot[Endpoints] = Snapshot(NAME, self._read)

    @property
    def current(self) -> Endpoints:
        return self.snapshot.current

    async def _read(self) -> Endpoints:
        async with self._db.connection() as conn:
            rows = await queries.select_endpoints(conn)
        return Endpoints(one for row in rows if (one := self._opened(row)) is not None)

    def _opened(self, row: queries.EndpointRow) -> Endpoint | None:
        """One that does not open is left out, and said so: it must not hide the others."""
        try:
            return opened(self._seals, row)
        except (NotSealedHere, msgspec.DecodeError) as fault:
            log.warning("a callback cannot be read", callback_id=str(row.endpoint_id), error=type(fault).__name__)
            return None


def opened(seals: CallbackSeals, row: queries.EndpointRow) -> Endpoint:
    """Raises NotSealedHere."""
    return Endpoint(
        endpoint_id=row.endpoint_id,
        service_id=row.service_id,
        events=frozenset(EventType(kind) for kind in row.events),
        target=seals.open_target(row.endpoint_id, row.sealed_target),
        made_at=row.made_at,
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        disabled_for=None if row.disabled_for is None else DisabledFor(row.disabled_for),
    )
