"""Offices, services and desks as every process holds them in memory."""

import asyncio
from hashlib import sha256

import msgspec

from appointments.model import Catalogue
from appointments.offices import queries
from kernel.db import Database
from kernel.ids import OfficeId, ServiceId
from kernel.snapshots import Snapshot

NAME = "appointments.catalogue"


class Catalogues(Snapshot[Catalogue]):
    """The newest catalogue this process has read."""

    def __init__(self, db: Database) -> None:
        super().__init__(NAME, lambda: read(db))
        self._asking = asyncio.Lock()

    async def knowing(self, office_id: OfficeId, service_id: ServiceId) -> Catalogue:
        """A catalogue with this office and service, read again if they are newer than what is held."""
        if not self._knows(office_id, service_id):
            async with self._asking:  # many may ask at once for what is new: it is read once
                if not self._knows(office_id, service_id):
                    await self.refresh()
        return self.current

    async def knowing_office(self, office_id: OfficeId) -> Catalogue:
        """A catalogue with this office, read again if it is newer than what is held; without it if there is none."""
        if self._current is None or office_id not in self._current.offices:
            async with self._asking:
                if self._current is None or office_id not in self._current.offices:
                    await self.refresh()
        return self.current

    def _knows(self, office_id: OfficeId, service_id: ServiceId) -> bool:
        return self._current is not None and self._current.knows(office_id, service_id)


async def read(db: Database) -> Catalogue:
    async with db.connection() as conn:
        offices = await queries.select_offices(conn)
        services = await queries.select_services(conn)
        desks = tuple(await queries.select_desks(conn))
    content = msgspec.msgpack.encode((offices, services, desks))
    return Catalogue(
        offices={office.office_id: office for office in offices},
        services={service.service_id: service for service in services},
        desks=desks,
        etag=f'"{sha256(content).hexdigest()[:32]}"',
    )
