"""The wallet, wired."""

from collections.abc import Callable
from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.limits import Limits
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.snapshots import Refreshable, Snapshot
from notifications.outbox import Outbox
from wallet.catalogue import Catalogue, snapshot_of
from wallet.departments.issuing import Issuing
from wallet.departments.revoking import Revoking
from wallet.exporting import Exporting
from wallet.family.acting import Acting
from wallet.family.attesting import Attesting
from wallet.family.booking_for import BookingFor
from wallet.family.ending import Ending
from wallet.family.granting import Granting
from wallet.family.looking import Looking
from wallet.leaving import Leaving
from wallet.ledger.keys import LogKeys
from wallet.ledger.parts import LedgerLog, erasing_key_of, origin_of
from wallet.loading.collecting import Collecting, NoRegisters, Registers
from wallet.loading.filing import Filing
from wallet.loading.loads import Loading
from wallet.loading.registering import Registering
from wallet.loading.reissuing import Reissuing
from wallet.offline.binding import Bindings
from wallet.offline.minting import OfflineMinter
from wallet.offline.opening import Opener
from wallet.offline.preparing import Preparer
from wallet.offline.uploading import Uploader
from wallet.onboarding.parts import Onboarding
from wallet.onboarding.quota import give_back, take
from wallet.onboarding.registrar import Registrar
from wallet.online_code import ASK_PATH, CODE_PATH, Texts
from wallet.proofs.checking import Checker
from wallet.proofs.listing import Papers
from wallet.proofs.printing import Printer
from wallet.residents.answering import Answering
from wallet.residents.showing import Minter
from wallet.residents.uses.listing import Ledger
from wallet.seals import Seals
from wallet.status.allocating import Statuses
from wallet.status.building import Builder
from wallet.status.placing import Placing
from wallet.trust.parts import Trust
from wallet.trust.pulling import Fetches, fetch_nothing
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
        limits: Limits,
        signing_keys: SigningKeys,
        public_host: str,
        public_origin: str,
        code_lifetime_seconds: int,
        registers: Callable[[], Registers] = NoRegisters,
        registrar: Registrar | None = None,
        fetch: Fetches = fetch_nothing,
    ) -> None:
        self.db = db
        self.clock = clock
        self.keys = keys
        self.people = people
        self.outbox = outbox
        self.limits = limits
        self.signing_keys = signing_keys
        self.public_origin = public_origin
        self.seals = Seals(keys)
        self._catalogue: Snapshot[Catalogue] = snapshot_of(db)
        self.snapshots: list[Refreshable] = [self._catalogue]
        self.acting = Acting(db, people, self.seals)
        self.booking_for = BookingFor(self.acting)
        self._wire_lists()
        self._wire_issuing(registers)
        self._wire_family()
        self.trust = Trust(
            db, clock, signing_keys, self.seals, self.placing, self.catalogue, take, self.builder.uri_of, fetch,
            origin=public_origin,
        )  # fmt: skip
        self.snapshots += self.trust.snapshots
        self._wire_showing(redis, public_host, timedelta(seconds=code_lifetime_seconds))
        self.onboarding = Onboarding(db, clock, keys, limits, outbox, registrar, self.catalogue)

    def _wire_lists(self) -> None:
        """What is told to everybody: status lists, and the log of the ledger."""
        db, clock, keys, signing_keys = self.db, self.clock, self.keys, self.signing_keys
        self.statuses = Statuses(keys)
        self.builder = Builder(db, clock, lambda: signing_keys.signer("status"), origin=self.public_origin)
        self.placing = Placing(db, self.statuses)
        self.ledger_of_uses = Ledger(db, self.acting)
        log_keys = LogKeys(
            origin_of(keys),
            lambda: signing_keys.signer("ledger"),
            lambda: signing_keys.trusted("ledger"),
            erasing_key_of(keys),
        )
        self.ledger_log = LedgerLog(db, clock, log_keys)

    def _wire_issuing(self, registers: Callable[[], Registers]) -> None:
        db, clock, keys, people, seals = self.db, self.clock, self.keys, self.people, self.seals
        catalogue = self.catalogue
        issuing = self.issuing = Issuing(keys, people, self.outbox, self.statuses)
        revoking = self.revoking = Revoking(db, clock, seals, self.outbox, issuing, self.statuses, catalogue)
        self.loading = Loading(db, clock, keys, Filing(keys, people, issuing), catalogue)
        self.registering = Registering(db, clock, keys, people, seals, issuing, revoking, catalogue)
        self.reissuing = Reissuing(db, clock, people, seals, issuing, revoking, catalogue)
        self.collecting = Collecting(db, clock, people, seals, self.limits, self.registering, catalogue, registers)

    def _wire_family(self) -> None:
        db, clock, seals, people, acting = self.db, self.clock, self.seals, self.people, self.acting
        catalogue = self.catalogue
        self.mandates = Looking(db, clock, seals, people, acting)
        self.granting = Granting(db, clock, seals, people, self.outbox, acting, catalogue)
        self.ending = Ending(db, clock, self.outbox, acting)
        self.attesting = Attesting(db, clock, self.keys, seals, people, self.granting, self.ending, catalogue)
        self.exporting = Exporting(db, clock, seals, self.ledger_of_uses, self.mandates, catalogue)
        self.leaving = Leaving(clock, self.ending)

    def _wire_showing(self, redis: Redis, public_host: str, shown_for: timedelta) -> None:
        """Codes, online and offline, and what venues make of them."""
        db, clock, seals, acting, outbox = self.db, self.clock, self.seals, self.acting, self.outbox
        catalogue, origin, signing_keys = self.catalogue, self.public_origin, self.signing_keys
        codes, asks = Texts(public_host, CODE_PATH), Texts(public_host, ASK_PATH)
        bindings = Bindings(self.keys)
        opener = Opener(signing_keys, bindings, origin=origin)
        self.minter = Minter(db, redis, clock, seals, codes, acting, catalogue, shown_for=shown_for)
        self.verifier = Verifier(
            db, redis, clock, seals, codes, outbox, acting, catalogue, shown_for=shown_for, take_quota=take,
            give_quota_back=give_back, open_offline=opener.open, judge_foreign=self.trust.judge.judge,
        )  # fmt: skip
        self.asker = Asker(db, clock, seals, asks, catalogue)
        self.answering = Answering(db, clock, seals, asks, outbox, acting, catalogue, take_quota=take)
        self.offline_minter = OfflineMinter(
            db, clock, seals, acting, bindings, self.placing, catalogue, lambda: signing_keys.signer("offline"),
            self.builder.uri_of, origin=origin,
        )  # fmt: skip
        self.uploader = Uploader(db, clock, opener, outbox, acting, catalogue)
        self.preparer = Preparer(db, clock, catalogue, origin=origin)
        self.printer = Printer(
            db, clock, seals, self.people, self.limits, catalogue, public_host=public_host, public_origin=origin
        )
        self.papers = Papers(db, clock, catalogue)
        self.checker = Checker(db, clock, seals, self.people, self.limits, outbox, catalogue)

    def catalogue(self) -> Catalogue:
        """The catalogue at this moment."""
        return self._catalogue.current
