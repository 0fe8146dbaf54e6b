"""The keys of devices that venues bring along: filed when a venue joins, ended when a device is withdrawn."""

from datetime import datetime

import msgspec

from gateway.clients import proving, queries
from gateway.clients.model import PublicKey
from gateway.sessions.keeping import end_tokens
from kernel.clock import Clock
from kernel.db import Connection
from kernel.ids import DeviceId, VenueId, uuid7
from wallet.onboarding.model import PublicJwk


class DeviceClients:
    """The entrance's side of `wallet.onboarding.registrar.Registrar`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def put(
        self, conn: Connection, client_id: str, device_id: DeviceId, venue_id: VenueId, public_key: PublicJwk
    ) -> None:
        """Raises PublicKeyRefused."""
        key = msgspec.convert(public_key, PublicKey, from_attributes=True)
        await proving.put_device(conn, self._clock, client_id, device_id, venue_id, [key])

    async def end(self, conn: Connection, device_id: DeviceId, *, now: datetime) -> None:
        for client_id in await queries.select_clients_of_device(conn, device_id):
            ended = await queries.disable_client(conn, client_id, fresh_grant_id=uuid7(now), now=now)
            if ended is not None:
                await end_tokens(conn, ended, now=now)
