"""What people want no more of, by number or address and by sender: asked before sending, changed by text or app."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kernel.db import Connection
from kernel.ids import uuid7
from notifications.model import Lane
from notifications.replies.model import EVERY_SENDER, MAY_OPT_OUT, OptSource
from notifications.replies.opting import queries

Asked = tuple[bytes, str, Lane]
"""The digest of a number or an address, who wants to tell it something, and in which lane."""
DIGESTS_MAX: Final = 5_000
"""Numbers asked about at once; several for each while digest keys are rotated."""


class OptOuts:
    """Reads and writes opt-outs: `routing.rules.OptOuts`."""

    async def which(self, conn: Connection, asked: Sequence[Asked]) -> set[Asked]:
        """Those that want no more of it, in one statement. Lanes that nobody can opt out of are never among them."""
        askable = [one for one in asked if one[2] in MAY_OPT_OUT]
        digests = sorted({digest for digest, _, _ in askable})
        assert len(digests) <= DIGESTS_MAX
        if not digests:
            return set()
        out = {(row.place_digest, row.caller) for row in await queries.select_opt_outs(conn, digests)}
        return {one for one in askable if (one[0], one[1]) in out or (one[0], EVERY_SENDER) in out} if out else set()

    async def of(self, conn: Connection, digests: Sequence[bytes]) -> list[queries.OptOutRow]:
        """Whom a number wants no more of, longest first. `digests` are all that it may be filed under."""
        rows = {row.caller: row for row in reversed(await queries.select_opt_outs(conn, digests))}
        return sorted(rows.values(), key=lambda row: (row.since, row.caller))

    async def opt_out(
        self, conn: Connection, digests: Sequence[bytes], caller: str, source: OptSource, *, now: datetime
    ) -> bool:
        """Want no more of a sender, or of EVERY_SENDER; whether that is new. `digests`: newest first."""
        if any(row.caller == caller for row in await queries.select_opt_outs(conn, digests)):
            return False
        digest = digests[0]
        if not await queries.insert_opt_out(conn, digest, caller, now=now):
            return False
        await queries.insert_opt_out_change(conn, digest, uuid7(now), caller, is_out=True, source=source, now=now)
        return True

    async def opt_in(
        self, conn: Connection, digests: Sequence[bytes], caller: str | None, source: OptSource, *, now: datetime
    ) -> list[str]:
        """Want a sender's again, or (None) everybody's; of whom nothing was wanted before. `digests`: newest first."""
        callers = sorted(set(await queries.delete_opt_outs(conn, digests, caller)))
        for one in callers:
            await queries.insert_opt_out_change(conn, digests[0], uuid7(now), one, is_out=False, source=source, now=now)
        return callers
