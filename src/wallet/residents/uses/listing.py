"""A resident sees who saw which of their fields, when and for what, and what they showed for others."""

from msgspec import Struct

from kernel.db import Connection, Database
from kernel.ids import PersonId
from wallet import queries
from wallet.family import queries as mandates
from wallet.family.acting import Acting
from wallet.mandates import Mandate
from wallet.model import Use
from wallet.paging import cursor_after, read_cursor
from wallet.queries import Wanted

HOLDERS_MAX = 1_000
"""More than anybody ever holds mandates for."""
EVERYTHING = Wanted()


class Listed(Struct, frozen=True):
    """A use, and where somebody acted for somebody: under which mandate, and the masked name of the other side."""

    use: Use
    mandate: Mandate | None = None
    other: str | None = None


class Page(Struct, frozen=True):
    """Some uses, newest first, and where the next page begins; None: there is no more."""

    uses: list[Listed]
    next_cursor: str | None


class Ledger:
    """Reads uses for those whose certificates were used, and for those who showed them."""

    def __init__(self, db: Database, acting: Acting) -> None:
        self._db = db
        self._acting = acting

    async def list_uses(self, person_id: PersonId, wanted: Wanted, *, cursor: str | None, limit: int) -> Page:
        """One page of the looks at a person's certificates. Raises CursorRefused."""
        before = None if cursor is None else read_cursor(cursor)
        async with self._db.connection() as conn:
            found = await queries.select_uses_of_person(conn, person_id, wanted, before=before, limit=limit + 1)
            listed = await self._with_mandates(conn, found[:limit], is_agent=False)
        return _page(listed, has_more=len(found) > limit)

    async def list_acted(self, agent: PersonId, wanted: Wanted, *, cursor: str | None, limit: int) -> Page:
        """One page of what a person showed for others under mandates. Raises CursorRefused."""
        before = None if cursor is None else read_cursor(cursor)
        async with self._db.connection() as conn:
            holders = sorted({key[0] for key in await mandates.select_mandates_held(conn, agent, limit=HOLDERS_MAX)})
            found = await queries.select_uses_by_agent(conn, agent, holders, wanted, before=before, limit=limit + 1)
            listed = await self._with_mandates(conn, found[:limit], is_agent=True)
        return _page(listed, has_more=len(found) > limit)

    async def listed(self, use: Use, *, is_agent: bool) -> Listed:
        """One use as its holder sees it, or as the agent who made it."""
        if use.mandate_id is None:
            return Listed(use)
        async with self._db.connection() as conn:
            [listed] = await self._with_mandates(conn, [use], is_agent=is_agent)
        return listed

    async def _with_mandates(self, conn: Connection, uses: list[Use], *, is_agent: bool) -> list[Listed]:
        keys = {(use.person_id, use.mandate_id) for use in uses if use.mandate_id is not None}
        if not keys:
            return [Listed(use) for use in uses]
        filed = await mandates.select_mandates(conn, sorted(keys))
        if is_agent:
            holders = {person_id for person_id, _ in keys}
            names = {person_id: await self._acting.holder_name(conn, person_id) for person_id in sorted(holders)}
            others = {key: names[key[0]] for key in filed}
        else:
            others = {key: self._acting.masked_agent_name(one) for key, one in filed.items()}
        return [
            Listed(use, filed[use.person_id, use.mandate_id].mandate, others[use.person_id, use.mandate_id])
            if use.mandate_id is not None and (use.person_id, use.mandate_id) in filed
            else Listed(use)
            for use in uses
        ]


def _page(listed: list[Listed], *, has_more: bool) -> Page:
    last = listed[-1].use if has_more else None
    return Page(listed, None if last is None else cursor_after((last.used_at, last.code_hash)))
