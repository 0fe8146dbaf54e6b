"""A resident reads their inbox, newest first, in their own language."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId, PersonId
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from notifications.errors import CursorUnknown, MessageNotFound
from notifications.model import Language
from notifications.paging import cursor_of, place_of
from notifications.residents import queries
from notifications.seals import Seals
from notifications.template import Line, Rendered
from notifications.wordings import Wordings

PAGE_MAX = 50
UNREAD_COUNTED_MAX = 100
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_ID = MessageId(UUID(int=2**128 - 1))
_UNREADABLE = Rendered("消息无法显示 / This message cannot be shown", "")

log = get_logger(__name__)


class InboxItem(msgspec.Struct, frozen=True):
    """One message, in the reader's language."""

    id: MessageId
    kind: str
    """Which text it is, e.g. `booking_confirmed`: permanent, so that an app may show its own picture."""
    title: str
    body: str
    arrived_at: datetime
    read_at: datetime | None
    lines: list[Line] = []
    """What it tells of one by one: papers to hand in, things to bring, links."""


class InboxPage(msgspec.Struct, frozen=True):
    items: list[InboxItem]
    unread: int
    """How many were not read yet, counted up to 100."""
    next_cursor: str | None


class Inbox:
    """Opens what is filed in people's inboxes."""

    def __init__(self, seals: Seals, wordings: Wordings | None = None) -> None:
        self._seals = seals
        self._wordings = wordings or Wordings()

    async def page(
        self, conn: Connection, person_id: PersonId, language: Language, cursor: str | None, *, limit: int = PAGE_MAX
    ) -> InboxPage:
        """A page of an inbox. Raises CursorUnknown."""
        assert 1 <= limit <= PAGE_MAX
        before, before_id = (_LAST, _LAST_ID) if cursor is None else _place(cursor)
        rows = await queries.select_items(conn, person_id, before=before, before_id=before_id, limit=limit + 1)
        await self._wordings.read_through({(row.template, row.version) for row in rows})
        shown = [self._item(person_id, row, language) for row in rows[:limit]]
        more = cursor_of(rows[limit - 1].arrived_at, rows[limit - 1].message_id) if len(rows) > limit else None
        return InboxPage(shown, await queries.count_unread(conn, person_id, most=UNREAD_COUNTED_MAX), more)

    async def mark_read(
        self, conn: Connection, person_id: PersonId, message_id: MessageId, *, now: datetime
    ) -> datetime:
        """When it was first read. Raises MessageNotFound."""
        read_at = await queries.mark_read(conn, person_id, message_id, now=now)
        if read_at is None:
            raise MessageNotFound
        return read_at

    def _item(self, person_id: PersonId, row: queries.ItemRow, language: Language) -> InboxItem:
        shown, lines = self._rendered(person_id, row, language)
        return InboxItem(row.message_id, row.template, shown.title, shown.body, row.arrived_at, row.read_at, lines)

    def _rendered(self, person_id: PersonId, row: queries.ItemRow, language: Language) -> tuple[Rendered, list[Line]]:
        template = self._wordings.find(row.template, row.version)
        try:
            if template is not None:
                values = self._seals.open_item(person_id, row.message_id, row.sealed_values)
                return template.render(values, language), template.lines(values, language)
        except (NotSealedHere, msgspec.DecodeError, LookupError, ValueError) as fault:
            log.warning("inbox item cannot be read", message_id=str(row.message_id), error=type(fault).__name__)
        return _UNREADABLE, []


def _place(cursor: str) -> tuple[datetime, MessageId]:
    """Where a cursor points. Raises CursorUnknown for anything but what we made."""
    try:
        at, [message_id] = place_of(cursor)
    except ValueError:
        raise CursorUnknown from None
    return at, MessageId(message_id)
