"""The worker builds the lists that changed, signs them, and puts them where everybody fetches them.

A list is built again when an entry changed, well before it expires, and when another key signs: after a rotation, and
after the key that signed it leaked. It is never built while somebody issues: what was committed is collected, so that a
thousand changes make one list.

Any number of workers may build, and nothing is locked while they do. Each notes which edition is published, then reads
what changed, then what stands in the list; its list is published as the very next edition or not at all. So a list that
replaces another was read after that one was published, and nobody ever publishes the older of two. A change is crossed
off with the list that shows it; one that commits between the two reads is shown, and costs at most one list too many.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.db import Database, DatabaseAway
from suishenban_verify.signatures import Signer
from suishenban_verify.status_list import StatusList, publish_cwt, publish_jwt
from wallet.status import queries
from wallet.status.permutation import SIZE
from wallet.status.queries import Publication

BITS = 2
"""A status is valid, invalid or suspended."""
SERVES_FOR = timedelta(hours=24)
"""How long an offline verifier may rely on a list."""
RENEWED_BEFORE = timedelta(hours=12)
FETCHED_EVERY = timedelta(seconds=30)
"""How long not to ask again (`ttl`)."""
BUILT_EVERY = timedelta(seconds=10)
LISTS_MAX = 50
"""Lists built in one beat; what is left is built in the next."""
CHANGES_MAX = 100_000
"""Changes crossed off with one list; it shows those too that are crossed off with the next."""
PUBLISHED_MAX = 10_000
"""Lists of a city: of a million certificates each, more than there are people."""
CACHED_FOR = timedelta(seconds=10)
"""How long whoever stands between us and a reader may hand out a list again without asking."""
assert timedelta(seconds=60) >= BUILT_EVERY + FETCHED_EVERY + CACHED_FOR, "a revocation is fetched a minute later"
assert RENEWED_BEFORE < SERVES_FOR


class Builder:
    """Builds and hands out the published lists of the city at `origin`."""

    def __init__(self, db: Database, clock: Clock, signer: Callable[[], Signer], *, origin: str) -> None:
        self._db = db
        self._clock = clock
        self._signer = signer
        self._origin = origin

    def uri_of(self, list_id: int) -> str:
        """Under which address a list is found for ever."""
        return f"{self._origin}/status-lists/{list_id}"

    @property
    def aggregation_uri(self) -> str:
        return f"{self._origin}/status-lists"

    async def build_due(self) -> int:
        """Build up to `LISTS_MAX` lists that need it; how many were published. One that fails holds up no other."""
        signer, now = self._signer(), self._clock.now()
        async with self._db.connection() as conn:
            due = await queries.select_lists_to_build(
                conn, signer.public.key_id, expiring_before=now + RENEWED_BEFORE, limit=LISTS_MAX
            )
        published, failures = 0, []
        for list_id in due:
            try:
                published += await self.build(list_id)
            except DatabaseAway:
                raise
            except Exception as failure:  # noqa: BLE001 -- raised below, when the others were built
                failures.append(failure)
        if failures:
            raise failures[0]
        return published

    async def build(self, list_id: int) -> bool:
        """Build one list and publish it; false when somebody else published one meanwhile."""
        signer, now = self._signer(), self._clock.now()
        async with self._db.connection() as conn:
            edition = await queries.select_edition(conn, list_id) + 1
            changes = await queries.select_changes_of_list(conn, list_id, limit=CHANGES_MAX)
            entries = await queries.select_not_valid(conn, list_id)
        made = await asyncio.to_thread(self._made, list_id, edition, entries, signer, now)
        async with self._db.transaction() as conn:
            if not await queries.put_publication(conn, made):
                return False
            await queries.delete_changes(conn, list_id, changes)
        return True

    def _made(
        self, list_id: int, edition: int, entries: Sequence[tuple[int, int]], signer: Signer, now: datetime
    ) -> Publication:
        """The list in both forms, compressed once. Takes up to 0.3 s where a tenth is not valid, so: in a thread."""
        statuses = StatusList(BITS, SIZE)
        for idx, value in entries:
            statuses.set(idx, value)
        compressed, uri, aggregation_uri = statuses.compressed(), self.uri_of(list_id), self.aggregation_uri
        issued_at, expires_at = int(now.timestamp()), int((now + SERVES_FOR).timestamp())
        ttl = int(FETCHED_EVERY.total_seconds())
        jwt = publish_jwt(
            statuses, uri=uri, issued_at=issued_at, expires_at=expires_at, ttl_seconds=ttl, signer=signer,
            aggregation_uri=aggregation_uri, compressed=compressed,
        )  # fmt: skip
        cwt = publish_cwt(
            statuses, uri=uri, issued_at=issued_at, expires_at=expires_at, ttl_seconds=ttl, signer=signer,
            aggregation_uri=aggregation_uri, compressed=compressed,
        )  # fmt: skip
        return Publication(list_id, edition, now, now + SERVES_FOR, signer.public.key_id, jwt, cwt)

    async def head(self, list_id: int) -> tuple[int, datetime] | None:
        """Which edition of a list is published, and when it was built."""
        async with self._db.connection() as conn:
            return await queries.select_publication_head(conn, list_id)

    async def published(self, list_id: int) -> Publication | None:
        """A list as it is published now."""
        async with self._db.connection() as conn:
            return await queries.select_publication(conn, list_id)

    async def uris(self) -> list[str]:
        """Where all published lists are found."""
        async with self._db.connection() as conn:
            return [self.uri_of(list_id) for list_id in await queries.select_published(conn, limit=PUBLISHED_MAX)]
