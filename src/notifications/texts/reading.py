"""Departments' texts in memory: every version that was approved once, since what was owed in it is still to be told."""

from collections.abc import Collection, Iterable
from uuid import UUID

import msgspec

from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from kernel.log import get_logger
from notifications.texts import queries
from notifications.texts.model import DepartmentText, text_of

SNAPSHOT = "notifications.texts"
READ_TOGETHER_MAX = 200
"""Texts read by one statement; each has at most 200 versions."""

Key = tuple[str, int]

log = get_logger(__name__)


class Texts:
    """Finds texts without asking anybody. Kept fresh with the other catalogues, swapped whole."""

    name = SNAPSHOT

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[Key, DepartmentText] = {}
        self._in_use: dict[UUID, DepartmentText] = {}
        self._put_away: set[UUID] = set()

    def find(self, template: str, version: int) -> DepartmentText | None:
        """A version that was approved once; None if it is not in memory."""
        return self._known.get((template, version))

    def in_use(self, text_id: UUID) -> DepartmentText | None:
        """The version that a new message is owed in: the newest that is approved, of a text that is not put away."""
        return self._in_use.get(text_id)

    def is_put_away(self, text_id: UUID) -> bool:
        """Whether nothing new is to be owed in any version of a text."""
        return text_id in self._put_away

    def of_department(self, department_id: DepartmentId) -> list[DepartmentText]:
        """The texts that a department may send, each in the version in use, those written first first."""
        return [text for text in self._in_use.values() if text.of.department_id == department_id]

    async def read_through(self, wanted: Collection[Key]) -> None:
        """Read what is not in memory, of another process's approving a moment ago; what there is not stays unknown."""
        text_ids = {text_id for key in wanted if key not in self._known and (text_id := _id_in(key[0])) is not None}
        if text_ids:
            async with self._db.connection() as conn:
                found = await _read(conn, text_ids)
            self._known = {**self._known, **found}

    async def refresh(self) -> None:
        """Read what changed since the last time."""
        known: dict[Key, DepartmentText] = {}
        changed = set()
        async with self._db.connection() as conn:
            revisions = await queries.select_revisions(conn)
            for one in revisions:
                key = str(one.text_id), one.version
                text = self._known.get(key)
                if text is not None and text.of.revision == one.revision:
                    known[key] = text
                else:
                    changed.add(one.text_id)
            known |= await _read(conn, changed)
        put_away = {one.text_id for one in revisions if one.is_archived}
        approved = [known[key] for key in sorted(known) if known[key].is_approved]
        self._in_use = {text.of.text_id: text for text in approved if text.of.text_id not in put_away}
        self._known, self._put_away = known, put_away


async def _read(conn: Connection, text_ids: Iterable[UUID]) -> dict[Key, DepartmentText]:
    """Versions of these texts. One that cannot be read is said so, and leaves the others alone."""
    found: dict[Key, DepartmentText] = {}
    in_order = sorted(text_ids)
    for start in range(0, len(in_order), READ_TOGETHER_MAX):
        for row in await queries.select_approved(conn, in_order[start : start + READ_TOGETHER_MAX]):
            try:
                text = text_of(queries.version_of(row))
            except (msgspec.MsgspecError, ValueError) as fault:
                log.warning("text cannot be read", text_id=str(row["text_id"]), error=type(fault).__name__)
            else:
                found[text.id, text.version] = text
    return found


def _id_in(template: str) -> UUID | None:
    try:
        return UUID(template)
    except ValueError:
        return None
