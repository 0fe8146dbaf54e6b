"""What a venue's device takes along where there is no network, and what it hears when it is back."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import VenueId
from kernel.principal import VenueDevice
from wallet.catalogue import Catalogue
from wallet.errors import DeviceNotRegistered, VenueNotFound
from wallet.model import Device
from wallet.offline import queries
from wallet.offline.queries import Finding
from wallet.venues.terms import granted_scenario

FINDINGS_MAX = 500
SETTLED_AFTER = timedelta(seconds=20)
"""Findings are told in order; younger ones may still be overtaken by one whose transaction takes longer."""


class Pack(Struct, frozen=True):
    """What a device may look at: scenario code → kind code → fields; whose codes, and where the lists are."""

    city: str
    venue_zh: str
    venue_en: str
    scenarios: Mapping[str, Mapping[str, tuple[str, ...]]]
    trust_list_uri: str
    status_lists_uri: str


class Preparer:
    """Answers devices."""

    def __init__(self, db: Database, clock: Clock, catalogue: Callable[[], Catalogue], *, origin: str) -> None:
        self._db = db
        self._clock = clock
        self._catalogue = catalogue
        self._origin = origin

    def pack(self, caller: VenueDevice) -> Pack:
        """Raises DeviceNotRegistered."""
        device, now, catalogue = self._device(caller), self._clock.now(), self._catalogue()
        granted = {
            code: scenario.grants
            for code in sorted(device.venue.scenario_codes)
            if (scenario := granted_scenario(catalogue.scenarios.get(code), device.venue, now)) is not None
        }
        name = device.venue.name
        trust, status = f"{self._origin}/.well-known/trust-list", f"{self._origin}/status-lists"
        return Pack(self._origin, name.zh, name.en, granted, trust, status)

    async def findings(self, caller: VenueDevice, *, after: UUID | None, limit: int) -> list[Finding]:
        """What was found out about the venue's scans after `after`, oldest first. Raises DeviceNotRegistered."""
        return await self._findings(self._device(caller).venue.venue_id, after, limit)

    async def findings_of(self, venue_id: VenueId, *, after: UUID | None, limit: int) -> list[Finding]:
        """The same for an operator, of any venue. Raises VenueNotFound."""
        async with self._db.connection() as conn:
            if not await queries.is_venue(conn, venue_id):
                raise VenueNotFound
        return await self._findings(venue_id, after, limit)

    async def _findings(self, venue_id: VenueId, after: UUID | None, limit: int) -> list[Finding]:
        settled = self._clock.now() - SETTLED_AFTER
        async with self._db.connection() as conn:
            return await queries.select_findings(conn, venue_id, after=after, before=settled, limit=limit)

    def _device(self, caller: VenueDevice) -> Device:
        device = self._catalogue().devices.get(caller.device_id)
        if device is None or device.venue.venue_id != caller.venue_id:
            raise DeviceNotRegistered
        return device
