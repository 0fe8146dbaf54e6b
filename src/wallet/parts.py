"""The wallet, wired."""

from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.snapshots import Refreshable, Snapshot
from notifications.outbox import Outbox
from wallet.catalogue import Catalogue, snapshot_of
from wallet.departments.issuing import Issuing
from wallet.departments.revoking import Revoking
from wallet.online_code import ASK_PATH, CODE_PATH, Texts
from wallet.residents.answering import Answering
from wallet.residents.showing import Minter
from wallet.seals import Seals
from wallet.venues.asking import Asker
from wallet.venues.verifying import Verifier


class Wallet:
    """Everything of the wallet in one process. `snapshots` must be read once before anything is asked of it."""

    def __init__(
        self,
        *,
        db: Database,
        redis: Redis,
        clock: Clock,
        keys: Keys,
        people: People,
        outbox: Outbox,
        public_host: str,
        code_lifetime_seconds: int,
    ) -> None:
        self.db = db
        self.clock = clock
        self.seals = Seals(keys)
        self._catalogue: Snapshot[Catalogue] = snapshot_of(db)
        self.snapshots: list[Refreshable] = [self._catalogue]
        shown_for = timedelta(seconds=code_lifetime_seconds)
        codes, asks = Texts(public_host, CODE_PATH), Texts(public_host, ASK_PATH)
        seals, catalogue = self.seals, self.catalogue
        self.minter = Minter(db, redis, clock, seals, codes, catalogue, shown_for=shown_for)
        self.verifier = Verifier(db, redis, clock, seals, codes, outbox, catalogue, shown_for=shown_for)
        self.asker = Asker(db, clock, seals, asks, catalogue)
        self.answering = Answering(db, clock, seals, asks, outbox, catalogue)
        self.issuing = Issuing(keys, people, outbox)
        self.revoking = Revoking(db, clock, seals, outbox, self.issuing, catalogue)

    def catalogue(self) -> Catalogue:
        """The catalogue at this moment."""
        return self._catalogue.current
