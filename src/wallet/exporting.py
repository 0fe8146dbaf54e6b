"""A person takes along everything the wallet holds about them."""

from collections.abc import Callable

import msgspec

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import PersonId
from wallet.catalogue import Catalogue
from wallet.family.looking import Looking
from wallet.family.views import MandateView
from wallet.model import today_in_city
from wallet.proofs import queries
from wallet.proofs.views import PrintedProofView
from wallet.residents.holding import list_certificates
from wallet.residents.uses.listing import EVERYTHING, Ledger
from wallet.residents.uses.views import UseView
from wallet.residents.views import CertificateView
from wallet.seals import Seals

USES_MAX = 1_000
"""The newest; the whole ledger has a way of its own to be taken along, however long it is."""
PROOFS_MAX = 1_000
"""The newest; at twenty a day, all of fifty days on which somebody did nothing else."""


class WalletExport(msgspec.Struct):
    """Everything the wallet holds about a person, unmasked.

    `uses` has the newest; with `has_older_uses`, GET /resident/uses/export has all of them. Each is proved to stand in
    the public log by its own proof. Of mandates the other side's name stays masked: it is theirs.
    """

    certificates: list[CertificateView]
    uses: list[UseView]
    has_older_uses: bool
    mandates_given: list[MandateView]
    mandates_held: list[MandateView]
    printed_proofs: list[PrintedProofView]


class Exporting:
    """Reads it all, a bounded number of each."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        ledger: Ledger,
        mandates: Looking,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._ledger = ledger
        self._mandates = mandates
        self._catalogue = catalogue

    async def everything_of(self, person_id: PersonId) -> WalletExport:
        """What this person holds, who looked at it, who may act for whom, and what was printed; newest first."""
        now = self._clock.now()
        certificates = await list_certificates(self._db, self._seals, person_id)
        uses = await self._ledger.list_uses(person_id, EVERYTHING, cursor=None, limit=USES_MAX)
        given, held = await self._mandates.given(person_id), await self._mandates.held(person_id)
        async with self._db.connection() as conn:
            printed = await queries.select_proofs_printed(conn, person_id, None, before=None, limit=PROOFS_MAX)
        catalogue, today = self._catalogue(), today_in_city(now)
        return WalletExport(
            certificates=[CertificateView.of(catalogue, one, today) for one in certificates],
            uses=[UseView.of(catalogue, one) for one in uses.uses],
            has_older_uses=uses.next_cursor is not None,
            mandates_given=[MandateView.of(catalogue, one, now) for one in given],
            mandates_held=[MandateView.of(catalogue, one, now) for one in held],
            printed_proofs=[PrintedProofView.of(one) for one in printed],
        )
