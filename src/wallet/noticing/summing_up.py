"""Whoever chose so is told outside the app that a certificate of theirs was shown: once for each venue and minute.

The inbox has every look from the moment it is recorded. This is read from the ledger afterwards, minute by minute, and
whoever verifies waits for none of it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import PersonId
from notifications import templates
from notifications.contacts import Contacts
from notifications.outbox import Outbox, Owed
from wallet.catalogue import Catalogue
from wallet.noticing import queries
from wallet.noticing.queries import Reached, Shows
from wallet.proofs.model import HOLDER_OF_THE_PAPER
from wallet.telling import KINDS_TEXT_MAX

SPAN: Final = timedelta(minutes=1)
"""Looks of one venue within it are told together."""
SPAN_OF_A_DEMO: Final = timedelta(seconds=2)
"""So that nobody waits who watches."""
SUMMED_EVERY: Final = timedelta(seconds=3)
LOOKED_BACK_MAX: Final = timedelta(hours=24)
"""What was shown longer ago, while no worker ran, is read in the inbox."""
READ_TOGETHER_MAX: Final = timedelta(hours=1)
TOLD_TOGETHER_MAX: Final = 2_000
CHUNKS_MAX: Final = 200
_SHOWN_ROUND: Final = 1
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_FIRST: Final = UUID(int=0)
_COUNTED_MAX: Final = 9_999


class SummingUp:
    """Tells people what venues were shown."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        contacts: Contacts,
        catalogue: Callable[[], Catalogue],
        *,
        span: timedelta = SPAN,
        together: int = TOLD_TOGETHER_MAX,
    ) -> None:
        assert together <= TOLD_TOGETHER_MAX
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._contacts = contacts
        self._catalogue = catalogue
        self._span = span
        self._together = together
        self._settled_after = span / 4
        """Transactions that record a look have committed by then: their groups wait for a blink."""

    async def tell_due(self) -> int:
        """Tell of every span that is over; how many notices were owed.

        Whoever begins this in a city begins with what is shown from now on.
        """
        owed = 0
        for _ in range(CHUNKS_MAX):
            found = await self._tell_on()
            if found is None:
                break
            owed += found
        return owed

    async def _tell_on(self) -> int | None:
        """Tell the next few; None when there is nothing left to read, or somebody else reads it."""
        now = self._clock.now()
        end = self._begin_of(now - self._settled_after)
        async with self._db.transaction() as conn:
            await queries.insert_reached(conn, Reached(end, _FIRST, _FIRST))
            reached = await queries.lock_reached(conn, _SHOWN_ROUND)
            if reached is None:
                return None
            earliest = self._begin_of(now - LOOKED_BACK_MAX)
            if reached.began < earliest:
                reached = Reached(earliest, _FIRST, _FIRST)
            if reached.began >= end:
                return None
            until = min(end, reached.began + READ_TOGETHER_MAX)
            shows = await queries.select_shows(
                conn, reached, until, span=self._span, epoch=_EPOCH, nobody=HOLDER_OF_THE_PAPER, limit=self._together
            )
            owed = await self._owe(conn, shows, now)
            reached = Reached(until, _FIRST, _FIRST)
            if len(shows) == self._together:
                last = shows[-1]
                reached = Reached(last.began, last.person_id, last.venue_id)
            await queries.update_reached(conn, _SHOWN_ROUND, reached)
        return owed

    async def _owe(self, conn: Connection, shows: Sequence[Shows], now: datetime) -> int:
        """Owe a notice of each to those who want them."""
        people: set[PersonId] = {one.person_id for one in shows}
        wanting = await self._contacts.wanting_shown(conn, sorted(people)) if people else set()
        owed = [self._owed(one, now) for one in shows if one.person_id in wanting]
        await self._outbox.owe_many(conn, owed, now=now)
        return len(owed)

    def _owed(self, one: Shows, now: datetime) -> Owed:
        catalogue = self._catalogue()
        kinds = "、".join(sorted(catalogue.kind_name(code).zh for code in one.kind_codes))
        return Owed(
            caller="wallet",
            key=f"shown:{one.person_id}:{one.venue_id}:{one.began.isoformat()}",
            to=one.person_id,
            template=templates.CERTIFICATE_USES,
            values={
                "venue": catalogue.venue_name(one.venue_id).zh,
                "kind": kinds[:KINDS_TEXT_MAX],
                "when": one.first_at.isoformat(),
                "count": str(min(one.looks, _COUNTED_MAX)),
            },
            due_at=now,
        )

    def _begin_of(self, moment: datetime) -> datetime:
        """The beginning of the span a moment is in."""
        return moment - (moment - _EPOCH) % self._span
