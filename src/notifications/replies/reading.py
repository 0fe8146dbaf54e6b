"""Departments read what people wrote in answer to their messages."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from notifications.replies import queries
from notifications.replies.model import TOLD_KEPT_FOR, TextId
from notifications.replies.seals import ReplySeals

RECEIVED_PAGE_MAX: Final = 250
FORGOTTEN_STEP_MAX: Final = 1_000
FORGOTTEN_STEPS_MAX: Final = 200
_LAST: Final = UUID(int=2**128 - 1)

log = get_logger(__name__)


class Received(msgspec.Struct, frozen=True):
    """A text that somebody wrote in answer to a department."""

    id: TextId
    from_phone: str
    to_number: str
    text: str
    received_at: datetime

    def __repr__(self) -> str:
        return f"Received({self.id})"


class Reading:
    """Opens texts that were passed on."""

    def __init__(self, db: Database, clock: Clock, seals: ReplySeals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals

    async def received(
        self, service_id: DepartmentId, older_than: UUID | None = None, *, limit: int = RECEIVED_PAGE_MAX
    ) -> list[Received]:
        """Texts passed on to a department, newest first, those before `older_than`."""
        assert 1 <= limit <= RECEIVED_PAGE_MAX
        async with self._db.connection() as conn:
            rows = await queries.select_service_texts(conn, service_id, before=older_than or _LAST, limit=limit)
        found = []
        for row in rows:
            try:
                written = self._seals.open_of_service(service_id, row.text_id, row.sealed_text)
            except (NotSealedHere, msgspec.DecodeError) as fault:
                log.warning("a text cannot be read", text_id=str(row.text_id), error=type(fault).__name__)
            else:
                found.append(
                    Received(row.text_id, written.from_phone, written.to_number, written.text, row.received_at)
                )
        return found

    async def forget_expired(self) -> int:
        """Forget what was told when it can be answered no more; how many rows. Texts: `replies.forgetting`."""
        before, forgotten = self._clock.now() - TOLD_KEPT_FOR, 0
        for _ in range(FORGOTTEN_STEPS_MAX):
            async with self._db.transaction() as conn:
                count = await queries.delete_last_told(conn, before=before, limit=FORGOTTEN_STEP_MAX)
            forgotten += count
            if count < FORGOTTEN_STEP_MAX:
                break
        return forgotten
