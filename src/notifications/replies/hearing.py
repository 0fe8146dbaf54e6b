"""What people write is kept as it came, before anything is made of it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import uuid7
from notifications.channels.provider import ReceivedText, fit_to_file
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
        rows = [self._row(one) for one in texts]
        for start in range(0, len(rows), HEARD_TOGETHER_MAX):
            some = sorted(
                rows[start : start + HEARD_TOGETHER_MAX], key=lambda row: (row.phone_digest, row.provider_ref)
            )
            async with self._db.transaction() as conn:
                await queries.insert_received_texts(conn, some)
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
