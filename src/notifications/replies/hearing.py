"""What people write is kept as it came, before anything is made of it."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import uuid7
from notifications.channels.provider import REFERENCE_MAX, ReceivedText, fit_to_file
from notifications.replies import queries
from notifications.replies.model import TEXT_CHARACTERS_MAX, TextId, Written, number_of
from notifications.replies.seals import ReplySeals

HEARD_TOGETHER_MAX: Final = 500


class Hearing:
    """Keeps texts: a `TakeTexts` for every provider."""

    def __init__(self, db: Database, clock: Clock, seals: ReplySeals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self.arrived = asyncio.Event()
        """Set when texts were kept by this process: a hint to handle them now."""

    async def hear(self, texts: Sequence[ReceivedText]) -> None:
        """Keep texts; they are durable when this returns. One that its provider says again is kept once."""
        rows = [(self._row(one), one.may_recur) for one in texts]
        for start in range(0, len(rows), HEARD_TOGETHER_MAX):
            async with self._db.transaction() as conn:
                some = await _told_apart(conn, rows[start : start + HEARD_TOGETHER_MAX])
                await queries.insert_received_texts(
                    conn, sorted(some, key=lambda row: (row.phone_digest, row.provider_ref))
                )
        self.arrived.set()

    def _row(self, text: ReceivedText) -> queries.NewText:
        now = self._clock.now()
        text_id = TextId(uuid7(now))
        written = Written(
            number_of(text.from_phone), fit_to_file(text.to_number), text.text[:TEXT_CHARACTERS_MAX]
        )  # fmt: skip
        digest = self._seals.digest(written.from_phone)
        sealed = self._seals.received(digest, text_id, written)
        reference = fit_to_file(text.provider_ref) or str(text_id)
        return queries.NewText(digest, text_id, text.provider, reference, sealed, now)


async def _told_apart(conn: Connection, rows: Sequence[tuple[queries.NewText, bool]]) -> list[queries.NewText]:
    """Rows to keep. Of those whose reference may recur, one that says what its number said last is the provider's
    repetition; any other gets a reference that holds what came before it, the same whoever hears it.
    """
    digests = sorted({row.phone_digest for row, may_recur in rows if may_recur})
    last = await queries.select_newest_references(conn, digests) if digests else {}
    kept = []
    for row, may_recur in rows:
        if not may_recur:
            kept.append(row)
            continue
        provider, before = last.get(row.phone_digest, ("", ""))
        if provider == row.provider and before.startswith(row.provider_ref):
            continue
        after = blake2b(f"{provider}/{before}".encode(), digest_size=8).hexdigest()
        fresh = replace(row, provider_ref=f"{row.provider_ref[: REFERENCE_MAX - len(after) - 1]}-{after}")
        last[row.phone_digest] = (fresh.provider, fresh.provider_ref)
        kept.append(fresh)
    return kept
