"""Trust, wired."""

from collections.abc import Callable

from kernel.clock import Clock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.snapshots import Refreshable
from wallet.catalogue import Catalogue
from wallet.seals import Seals
from wallet.status.placing import Placing
from wallet.trust.cities import Cities
from wallet.trust.exporting import Exporter
from wallet.trust.judging import ForeignJudge
from wallet.trust.listing import TrustListing
from wallet.trust.pulling import Fetches, Puller
from wallet.venues.terms import TakesQuota


class Trust:
    """Everything of trust in one process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        signing_keys: SigningKeys,
        seals: Seals,
        placing: Placing,
        catalogue: Callable[[], Catalogue],
        take_quota: TakesQuota,
        list_uri: Callable[[int], str],
        fetch: Fetches,
        *,
        origin: str,
    ) -> None:
        self.listing = TrustListing(db, clock, signing_keys, origin=origin)
        self.cities = Cities(db, clock, origin=origin)
        self.puller = Puller(db, clock, self.cities, fetch)
        self.judge = ForeignJudge(db, clock, catalogue, lambda: self.cities.snapshot.current, take_quota)
        self.exporter = Exporter(db, clock, seals, placing, lambda: signing_keys.signer("vc"), list_uri, origin=origin)
        self.snapshots: list[Refreshable] = [self.listing.snapshot, self.cities.snapshot]
