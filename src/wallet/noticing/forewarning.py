"""Holders are warned 30 and 7 days before a certificate ends, in the morning, once each.

Each pair of a last day and a distance is a round, walked through once in the order of the certificates' keys; how far
it came is kept with what is owed, so that a round that is broken off goes on where it was. Not warned of is what is
suspended, revoked or superseded: what a department has renewed is superseded by its next version.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from kernel.clock import SHANGHAI, Clock, in_shanghai
from kernel.db import Database
from notifications import templates
from notifications.outbox import Outbox, Owed
from wallet.catalogue import Catalogue
from wallet.noticing import queries
from wallet.noticing.queries import Ending, Round

WARNED_DAYS_BEFORE: Final = (30, 7)
WARNED_FROM_HOUR: Final = 9
"""Of the morning, Shanghai time: whoever reads it can call an office."""
LATE_DAYS_MAX: Final = 3
"""Rounds of so many earlier days are finished where no worker ran; later than that the distance said would be wrong."""
WARNED_TOGETHER_MAX: Final = 500
CHUNKS_MAX: Final = 200
"""Of one round in one beat, so that a beat ends."""
GOOD_FOR: Final = timedelta(days=3)
WARNED_EVERY: Final = timedelta(minutes=1)
_FIRST: Final = UUID(int=0)
assert min(WARNED_DAYS_BEFORE) > LATE_DAYS_MAX, "nobody is warned of what is over"


class Forewarning:
    """Warns holders of certificates that are about to end."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        catalogue: Callable[[], Catalogue],
        *,
        together: int = WARNED_TOGETHER_MAX,
    ) -> None:
        assert together <= WARNED_TOGETHER_MAX
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._catalogue = catalogue
        self._together = together

    async def warn_due(self) -> int:
        """Owe every warning whose morning has come; how many."""
        now = in_shanghai(self._clock.now())
        today, owed = now.date(), 0
        for days in WARNED_DAYS_BEFORE:
            for late in range(LATE_DAYS_MAX + 1):
                if late or now.hour >= WARNED_FROM_HOUR:
                    owed += await self._walk(today - timedelta(days=late), days)
        async with self._db.transaction() as conn:
            await queries.delete_rounds(conn, before=today)
        return owed

    async def _walk(self, day: date, days: int) -> int:
        """Walk on through the round whose day that is, chunk by chunk; how many warnings were owed."""
        owed = 0
        for _ in range(CHUNKS_MAX):
            found = await self._walk_on(day, days)
            owed += found
            if found < self._together:
                break
        return owed

    async def _walk_on(self, day: date, days: int) -> int:
        valid_until = day + timedelta(days=days)
        issued_before = datetime.combine(day, time(), SHANGHAI)
        async with self._db.transaction() as conn:
            await queries.insert_round(conn, valid_until, days, _FIRST)
            reached = await queries.lock_round(conn, valid_until, days)
            if reached is None or reached.is_done:
                return 0
            found = await queries.select_ending(
                conn, valid_until, reached, issued_before=issued_before, limit=self._together
            )
            now = self._clock.now()
            await self._outbox.owe_many(conn, [self._owed(one, valid_until, days, now) for one in found], now=now)
            if found:
                reached = Round(found[-1].person_id, found[-1].certificate_id, is_done=False)
            reached = replace(reached, is_done=len(found) < self._together)
            await queries.update_round(conn, valid_until, days, reached)
        return len(found)

    def _owed(self, one: Ending, valid_until: date, days: int, now: datetime) -> Owed:
        left = (valid_until - in_shanghai(now).date()).days
        return Owed(
            caller="wallet",
            key=f"ending:{one.certificate_id}:{days}",
            to=one.person_id,
            template=templates.CERTIFICATE_ENDING,
            values={
                "kind": self._catalogue().kind_name(one.kind_code).zh,
                "until": valid_until.isoformat(),
                "days": str(left),
            },
            due_at=now,
            expires_at=now + GOOD_FOR,
        )
