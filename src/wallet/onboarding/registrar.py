"""What joining needs of the entrance, where machines prove themselves; the wallet does not know who keeps keys."""

from datetime import datetime
from typing import Protocol

from kernel.db import Connection
from kernel.ids import DeviceId, VenueId
from wallet.onboarding.model import PublicJwk


class Registrar(Protocol):
    """Files and ends the keys of venues' devices, inside the caller's transaction."""

    async def put(
        self, conn: Connection, client_id: str, device_id: DeviceId, venue_id: VenueId, public_key: PublicJwk
    ) -> None:
        """From now on the device proves itself under `client_id` with the private half of this key."""
        ...

    async def end(self, conn: Connection, device_id: DeviceId, *, now: datetime) -> None:
        """The device gets no token any more, and those it has end."""
        ...


class NoRegistrar:
    """Stands where no devices join, as in a process that only reads: to be asked is a mistake of ours."""

    async def put(
        self, conn: Connection, client_id: str, device_id: DeviceId, venue_id: VenueId, public_key: PublicJwk
    ) -> None:
        raise AssertionError("this wallet was given no registrar")

    async def end(self, conn: Connection, device_id: DeviceId, *, now: datetime) -> None:
        raise AssertionError("this wallet was given no registrar")
