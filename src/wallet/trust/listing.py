"""The trust list of this city: whose keys a venue may believe, ours and those of recognised cities, in one document.

The worker publishes it: when a key is announced, begins, ends or leaked, when what we know of another city changes, and
once a day, so that whoever goes where there is no network takes a list along that lasts for a month. It is stored, and
every process serves the stored one, so its number never goes back. As with status lists nothing is locked: who
publishes reads the number first, then keys and cities, and publishes right after that number or not at all.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from kernel.clock import Clock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.purposes import TRUST_LIST_LIVES_MAX, ListedKey
from kernel.snapshots import Snapshot, announce
from suishenban_verify import trust_list
from suishenban_verify.jws import compact_json
from suishenban_verify.signatures import PublicKey
from suishenban_verify.trust_list import (
    CREDENTIAL,
    KEYS_PER_ISSUER_MAX,
    LEDGER,
    OFFLINE,
    ROOTS_MAX,
    STATUS,
    TRUST,
    TrustedIssuer,
    TrustEntry,
    TrustList,
)
from wallet.model import Words
from wallet.trust import queries
from wallet.trust.model import CITIES_MAX, Beliefs, City
from wallet.trust.queries import TrustPublication

NAME = "wallet.trust_list"
OURS = Words("上海市", "Shanghai")
"""What this city is called in its trust list."""
LISTED = (OFFLINE, STATUS, CREDENTIAL, LEDGER)
"""The purposes of the keys that the list tells of; those that sign the list itself are its roots."""
SERVES_FOR = TRUST_LIST_LIVES_MAX - timedelta(hours=1)
"""Shorter than any key is announced before it signs, with room for one that was announced while a list was made."""
RENEWED_EVERY = timedelta(days=1)
PUBLISHED_EVERY = timedelta(seconds=5)
"""How often the worker looks whether anything changed."""
assert RENEWED_EVERY < SERVES_FOR


class TrustListing:
    """Publishes the trust list of the city at `origin`, and hands it out."""

    def __init__(self, db: Database, clock: Clock, signing_keys: SigningKeys, *, origin: str) -> None:
        self._db = db
        self._clock = clock
        self._signing_keys = signing_keys
        self._origin = origin
        self._beliefs = Beliefs()
        self.snapshot: Snapshot[tuple[TrustPublication, ...]] = Snapshot(NAME, self._read)

    async def published(self) -> TrustPublication:
        """The list as it is published; where none is that still holds, it is published first."""
        while not (found := self.snapshot.current) or found[0].expires_at <= self._clock.now():
            await self.publish_due()
            await self.snapshot.refresh()
        return found[0]

    def roots(self) -> list[PublicKey]:
        """The keys that may sign the list, now and next: what a device is given when it is set up."""
        return roots_of(self._signing_keys)

    async def publish_due(self) -> bool:
        """Publish the list if it says something new, is a day old, or another key signs; whether it was published."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            last = await queries.select_trust_publication(conn)
            cities = await queries.select_cities(conn, limit=CITIES_MAX)
        await self._signing_keys.snapshot.refresh()
        signer = self._signing_keys.signer(TRUST)
        after = 0 if last is None else last.sequence
        made = self._list(cities, now, max(after + 1, int(now.timestamp())))
        content = sha256(compact_json(trust_list.content(made))).digest()
        if last is not None and not _is_due(last, content, signer.key_id, now):
            return False
        publication = TrustPublication(
            made.sequence, content, signer.key_id, now, now + SERVES_FOR, trust_list.sign(made, signer)
        )
        async with self._db.transaction() as conn:
            is_published = await queries.put_trust_publication(conn, publication, after=after)
            if is_published:
                await announce(conn, NAME)
        return is_published

    def _list(self, cities: Sequence[City], now: datetime, sequence: int) -> TrustList:
        """Numbered at least by the hour, so that a database brought back from an older copy does not go back."""
        listed = [key for purpose in LISTED for key in self._signing_keys.trusted(purpose)]
        issuers = [TrustedIssuer(self._origin, OURS.zh, OURS.en, None, entries_of(listed))]
        issuers += [found for city in cities if (found := self._beliefs.of(city, int(now.timestamp()))) is not None]
        return TrustList(
            issuer=self._origin,
            issued_at=int(now.timestamp()),
            expires_at=int((now + SERVES_FOR).timestamp()),
            sequence=sequence,
            issuers={issuer.issuer: issuer for issuer in issuers},
            roots=tuple(self.roots()),
        )

    async def _read(self) -> tuple[TrustPublication, ...]:
        """The list that is published, if one was ever."""
        async with self._db.connection() as conn:
            found = await queries.select_trust_publication(conn)
        return () if found is None else (found,)


def roots_of(signing_keys: SigningKeys) -> list[PublicKey]:
    """The keys that may sign the trust list, now and next, oldest first."""
    return [key.public for key in signing_keys.trusted(TRUST) if key.revoked_at is None][-ROOTS_MAX:]


def entries_of(listed: Sequence[ListedKey]) -> tuple[TrustEntry, ...]:
    """Keys as the list tells of them. Where they do not all fit, those are left out that are of no use any more.

    A key that is left out verifies nothing: first go the revoked ones, then those that signed longest ago.
    """
    kept = sorted(listed, key=lambda key: (key.revoked_at is None, key.valid_until), reverse=True)[:KEYS_PER_ISSUER_MAX]
    kept.sort(key=lambda key: (LISTED.index(key.purpose), key.valid_from, key.public.key_id))
    return tuple(
        TrustEntry(key.public, frozenset({key.purpose}), key.valid_from, key.valid_until, key.revoked_at)
        for key in kept
    )


def _is_due(last: TrustPublication, content: bytes, key_id: str, now: datetime) -> bool:
    return last.content != content or last.key_id != key_id or now - last.issued_at >= RENEWED_EVERY
