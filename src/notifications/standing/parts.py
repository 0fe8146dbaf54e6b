"""How sending does, wired."""

from kernel.clock import Clock
from kernel.db import Database
from kernel.redis import Redis
from notifications.routing.carriers import Carriers
from notifications.standing import reading, telling
from notifications.standing.model import Lanes, WorkerTold
from notifications.standing.telling import Telling


class SendingStanding:
    """Opened once per process; only a worker, which is called `worker`, tells how its providers do."""

    def __init__(
        self, db: Database, redis: Redis, clock: Clock, carriers: Carriers, *, worker: str, are_stand_ins: bool
    ) -> None:
        self._db = db
        self._redis = redis
        self.clock = clock
        self.telling = Telling(redis, clock, carriers, worker=worker, are_stand_ins=are_stand_ins)

    async def lanes(self) -> Lanes:
        """What is due in each lane, and how late. Raises DatabaseAway."""
        async with self._db.connection() as conn:
            return await reading.lanes(conn, now=self.clock.now())

    async def workers(self) -> list[WorkerTold] | None:
        """How providers do, as each worker says; None when Redis cannot be asked."""
        return await telling.heard(self._redis)
