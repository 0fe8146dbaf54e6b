"""Joining, wired."""

from collections.abc import Callable

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DeviceId
from kernel.limits import Limits
from kernel.sealing import Keys
from notifications.outbox import Outbox
from wallet.catalogue import Catalogue
from wallet.onboarding.applying import Applying
from wallet.onboarding.deciding import Deciding
from wallet.onboarding.enrolling import Enrolling
from wallet.onboarding.forgetting import forget_old
from wallet.onboarding.registrar import NoRegistrar, Registrar
from wallet.operators import cataloguing


class Onboarding:
    """Everything of joining in one process. Without a `registrar` nobody can be let in."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        outbox: Outbox,
        registrar: Registrar | None,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        registrar = self._registrar = registrar or NoRegistrar()
        self.applying = Applying(db, clock, keys, limits, catalogue)
        self.deciding = Deciding(db, clock, keys, outbox, registrar)
        self.enrolling = Enrolling(db, clock, keys, registrar, catalogue)

    async def end_device(self, conn: Connection, device_id: DeviceId) -> None:
        """Withdraw a device and end its tokens, in the caller's transaction. Raises DeviceNotFound."""
        now = self._clock.now()
        await cataloguing.withdraw_device(conn, device_id, now=now)
        await self._registrar.end(conn, device_id, now=now)

    async def forget_old(self) -> None:
        """Delete what is kept no longer; run by the worker now and then."""
        await forget_old(self._db, self._clock)
