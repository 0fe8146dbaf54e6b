"""A venue keeps its own devices: one that it has brings the next, each with a key of its own.

A venue cannot withdraw its last device: nothing of it could prove itself any more. An operator can.
"""

from collections.abc import Callable

import msgspec

from kernel import audit, idempotency
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DeviceId, uuid7
from kernel.principal import VenueDevice
from kernel.sealing import Keys
from wallet.catalogue import Catalogue
from wallet.errors import DeviceNotFound, DeviceNotRegistered, LastDevice, TooManyDevices
from wallet.model import Words
from wallet.onboarding import queries
from wallet.onboarding.model import DEVICES_MAX, NamedKey, check_key, client_id_of
from wallet.onboarding.registrar import Registrar
from wallet.operators import cataloguing


class Enrolled(msgspec.Struct, frozen=True):
    """A device that was registered, and as whom it proves itself."""

    device_id: DeviceId
    client_id: str


class Enrolling:
    """Registers, lists and withdraws the devices of a venue, for another device of it."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, registrar: Registrar, catalogue: Callable[[], Catalogue]
    ) -> None:
        self._db = db
        self._clock = clock
        self._registrar = registrar
        self._catalogue = catalogue
        self._answers = idempotency.Answers(keys, "wallet.device_answer")

    async def register(self, by: VenueDevice, device: NamedKey, *, key: str) -> Enrolled:
        """Register one more device of the venue, once for each idempotency `key`; every process knows it within 5 s.

        Raises DeviceNotRegistered, DeviceKeyRefused, TooManyDevices, IdempotencyKeyReused.
        """
        self._admit(by)
        check_key(device.public_key)
        now = self._clock.now()
        request = idempotency.Request(f"venue_device:{by.device_id}", key, msgspec.json.encode(device))
        async with self._db.transaction() as conn:

            async def work() -> Enrolled:
                known = await self._locked(conn, by)
                if len(known) >= DEVICES_MAX:
                    raise TooManyDevices
                device_id = DeviceId(uuid7(now))
                client_id = client_id_of(device_id)
                await cataloguing.put_device(conn, device_id, by.venue_id, device.name)
                await self._registrar.put(conn, client_id, device_id, by.venue_id, device.public_key)
                await self._record(conn, "wallet.enrol_device", by, device_id)
                return Enrolled(device_id, client_id)

            return await idempotency.once(conn, self._answers, request, Enrolled, work, now=now)

    async def list_devices(self, by: VenueDevice) -> list[tuple[DeviceId, Words]]:
        """The venue's devices that are not withdrawn. Raises DeviceNotRegistered."""
        self._admit(by)
        async with self._db.connection() as conn:
            return await queries.select_devices_of_venue(conn, by.venue_id)

    async def withdraw(self, by: VenueDevice, device_id: DeviceId) -> None:
        """From now on the device gets no token and may ask nothing, itself included.

        Raises DeviceNotRegistered, DeviceNotFound for a device that is not the venue's or was withdrawn, LastDevice.
        """
        self._admit(by)
        now = self._clock.now()
        async with self._db.transaction() as conn:
            known = await self._locked(conn, by)
            if device_id not in known:
                raise DeviceNotFound
            if len(known) == 1:
                raise LastDevice
            await cataloguing.withdraw_device(conn, device_id, now=now)
            await self._registrar.end(conn, device_id, now=now)
            await self._record(conn, "wallet.withdraw_device", by, device_id)

    def _admit(self, by: VenueDevice) -> None:
        device = self._catalogue().devices.get(by.device_id)
        if device is None or device.venue.venue_id != by.venue_id:
            raise DeviceNotRegistered

    async def _locked(self, conn: Connection, by: VenueDevice) -> set[DeviceId]:
        """The venue's devices, while nobody else adds or withdraws one. Raises DeviceNotRegistered."""
        await queries.lock_venue(conn, by.venue_id)
        known = {device_id for device_id, _ in await queries.select_devices_of_venue(conn, by.venue_id)}
        if by.device_id not in known:  # withdrawn since the catalogue was read
            raise DeviceNotRegistered
        return known

    async def _record(self, conn: Connection, act: str, by: VenueDevice, device_id: DeviceId) -> None:
        subject = f"device:{device_id}"
        await audit.record(conn, actor=f"device:{by.device_id}", act=act, subject=subject, now=self._clock.now())
