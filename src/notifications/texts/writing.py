"""A department writes its texts: drafts, hands them in for approval, takes them back, puts them away."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from kernel import audit, idempotency, snapshots
from kernel.db import Connection
from kernel.ids import DepartmentId, uuid7
from notifications.texts import queries
from notifications.texts.errors import (
    TextArchived,
    TextDecided,
    TextNotFound,
    TextUnderReview,
    TextUnsound,
    TooManyTexts,
)
from notifications.texts.model import (
    AFTER,
    TEXTS_MAX,
    VERSIONS_MAX,
    Content,
    TextSort,
    TextState,
    Version,
    faults,
)
from notifications.texts.previewing import Preview, preview
from notifications.texts.queries import Listed, TextRow
from notifications.texts.reading import SNAPSHOT

PAGE_MAX = 100
FROM_THE_START = UUID(int=0)


class Written(msgspec.Struct, frozen=True):
    """Where a department finds what it wrote."""

    text_id: UUID
    version: int


class Kept(msgspec.Struct, frozen=True):
    """A text and every version of it, newest first."""

    text: TextRow
    versions: list[Version]


class Page(msgspec.Struct, frozen=True):
    """Some texts, and after which the next page begins; None: there is no more."""

    texts: list[Listed]
    next_after: UUID | None


async def write(
    conn: Connection,
    answers: idempotency.Answers,
    department_id: DepartmentId,
    key: str,
    sort: TextSort,
    content: Content,
    *,
    body: bytes,
    now: datetime,
) -> Written:
    """A new text with its first draft, once per department and key; a retry gets the first answer.

    Raises TextUnsound, TooManyTexts, IdempotencyKeyReused when the key came before with another `body`.
    """
    caller = f"department:{department_id}"

    async def work() -> Written:
        text_id = uuid7(now)
        await put_first(conn, department_id, text_id, sort, content, actor=caller, now=now)
        return Written(text_id, 1)

    return await idempotency.once(conn, answers, idempotency.Request(caller, key, body), Written, work, now=now)


async def put_first(
    conn: Connection,
    department_id: DepartmentId,
    text_id: UUID,
    sort: TextSort,
    content: Content,
    *,
    actor: str,
    now: datetime,
) -> bool:
    """File a text under an id, with its first draft; False if it was there. Raises TextUnsound, TooManyTexts."""
    if wrong := faults(sort, content):
        raise TextUnsound("; ".join(wrong), faults=wrong)
    if await queries.count_texts(conn, department_id) >= TEXTS_MAX:
        raise TooManyTexts
    if not await queries.insert_text(conn, text_id, department_id, sort, now=now):
        return False
    await queries.insert_version(conn, text_id, 1, content, now=now)
    await audit.record(conn, actor=actor, act="notifications.write_text", subject=f"text:{text_id}", now=now)
    return True


async def rewrite(
    conn: Connection, department_id: DepartmentId, text_id: UUID, content: Content, *, now: datetime
) -> Version:
    """The newest version with these words: the draft written over, or a new one after what was decided.

    The same words again change nothing, unless they were rejected or withdrawn. Raises TextNotFound, TextUnsound,
    TextArchived, TextUnderReview, TooManyTexts.
    """
    text = await _own(conn, department_id, text_id)
    if text.archived_at is not None:
        raise TextArchived
    if wrong := faults(text.sort, content):
        raise TextUnsound("; ".join(wrong), faults=wrong)
    newest = await queries.select_newest_version(conn, text_id)
    is_ended = newest.state in (TextState.REJECTED, TextState.WITHDRAWN)
    if newest.content == content and not is_ended:
        return newest
    if newest.state is TextState.SUBMITTED:
        raise TextUnderReview
    if newest.state is TextState.DRAFT:
        await queries.rewrite_draft(conn, text_id, newest.version, content, now=now)
    elif newest.version >= VERSIONS_MAX:
        raise TooManyTexts
    else:
        await queries.insert_version(conn, text_id, newest.version + 1, content, now=now)
    actor = f"department:{department_id}"
    await audit.record(conn, actor=actor, act="notifications.write_text", subject=f"text:{text_id}", now=now)
    return await queries.select_newest_version(conn, text_id)


async def submit(
    conn: Connection, department_id: DepartmentId, text_id: UUID, version: int, *, now: datetime
) -> Version:
    """Hand a draft to the operators; handed in before: the same once more.

    Raises TextNotFound, TextArchived, TextDecided.
    """
    text = await _own(conn, department_id, text_id)
    if text.archived_at is not None:
        raise TextArchived
    found = await existing(conn, text_id, version)
    if found.state is TextState.SUBMITTED:
        return found
    moved = replace(found, state=TextState.SUBMITTED, submitted_at=now)
    return await move(conn, found, moved, "notifications.submit_text", actor=f"department:{department_id}", now=now)


async def withdraw(
    conn: Connection, department_id: DepartmentId, text_id: UUID, version: int, *, now: datetime
) -> Version:
    """Take a version back, so that nothing more is owed in it; the one approved before it is in use again.

    What is owed already is told. Raises TextNotFound, TextDecided for one that was rejected.
    """
    await _own(conn, department_id, text_id)
    found = await existing(conn, text_id, version)
    return await end_by_withdrawing(conn, found, actor=f"department:{department_id}", reason=None, now=now)


async def end_by_withdrawing(
    conn: Connection, found: Version, *, actor: str, reason: str | None, now: datetime
) -> Version:
    """Withdraw a version whose text is held; withdrawn before: the same once more. Raises TextDecided."""
    if found.state is TextState.WITHDRAWN:
        return found
    moved = replace(found, state=TextState.WITHDRAWN, ended_at=now, decided_by=actor, reason=reason)
    return await move(conn, found, moved, "notifications.withdraw_text", actor=actor, now=now)


async def archive(
    conn: Connection, department_id: DepartmentId, text_id: UUID, *, is_archived: bool, now: datetime
) -> Kept:
    """Put a text away, so that nothing more is owed in it, or take it out again. Raises TextNotFound."""
    text = await _own(conn, department_id, text_id)
    if (text.archived_at is not None) != is_archived:
        await queries.archive_text(conn, text_id, now if is_archived else None)
        act = "notifications.archive_text" if is_archived else "notifications.restore_text"
        await audit.record(conn, actor=f"department:{department_id}", act=act, subject=f"text:{text_id}", now=now)
        await snapshots.announce(conn, SNAPSHOT)
    return await read(conn, department_id, text_id)


async def read(conn: Connection, department_id: DepartmentId, text_id: UUID) -> Kept:
    """A text of the department's. Raises TextNotFound."""
    text = await queries.select_text(conn, text_id)
    if text is None or text.department_id != department_id:
        raise TextNotFound
    return Kept(text, await queries.select_versions_of(conn, text_id))


async def read_version(conn: Connection, department_id: DepartmentId, text_id: UUID, version: int) -> Version:
    """One version of a text of the department's. Raises TextNotFound."""
    found = await queries.select_version(conn, text_id, version) if 1 <= version <= VERSIONS_MAX else None
    if found is None or found.department_id != department_id:
        raise TextNotFound
    return found


async def page(
    conn: Connection, department_id: DepartmentId, *, is_archived: bool, after: UUID | None, limit: int
) -> Page:
    """A department's texts, those written first first."""
    assert 1 <= limit <= PAGE_MAX
    found = await queries.select_texts(
        conn, department_id, is_archived=is_archived, after=after or FROM_THE_START, limit=limit + 1
    )
    return Page(found[:limit], found[limit - 1].text_id if len(found) > limit else None)


async def look(
    conn: Connection, department_id: DepartmentId, text_id: UUID, version: int, values: Mapping[str, str]
) -> Preview:
    """What a version looks like with these values. Raises TextNotFound."""
    return preview(await read_version(conn, department_id, text_id, version), values)


async def existing(conn: Connection, text_id: UUID, version: int) -> Version:
    """A version of a text that is held. Raises TextNotFound."""
    found = await queries.select_version(conn, text_id, version) if 1 <= version <= VERSIONS_MAX else None
    if found is None:
        raise TextNotFound
    return found


async def move(conn: Connection, found: Version, moved: Version, act: str, *, actor: str, now: datetime) -> Version:
    """Write down how far a version has come, on record and heard by every process. Raises TextDecided."""
    if moved.state not in AFTER[found.state] or not await queries.move_version(conn, moved, before=found.state):
        raise TextDecided
    subject = f"text:{found.text_id}"
    await audit.record(conn, actor=actor, act=act, subject=subject, now=now, detail={"version": found.version})
    await snapshots.announce(conn, SNAPSHOT)
    return replace(moved, revision=moved.revision + 1)


async def _own(conn: Connection, department_id: DepartmentId, text_id: UUID) -> TextRow:
    """A text of the department's, held."""
    text = await queries.lock_text(conn, text_id)
    if text is None or text.department_id != department_id:
        raise TextNotFound
    return text
