"""An operator lets a department's text be sent, or does not, and says what providers know it by."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from kernel import audit, snapshots
from kernel.db import Connection
from kernel.ids import StaffId
from notifications.template import ProviderIds
from notifications.texts import queries, writing
from notifications.texts.errors import OtpNeedsLeave, TextDecided, TextNotFound, TextUnsound
from notifications.texts.model import TextState, Version
from notifications.texts.reading import SNAPSHOT

PAGE_MAX = 100


class Waiting(Struct, frozen=True):
    """Versions in a state, and after which text the next page begins; None: there is no more."""

    versions: list[Version]
    next_after: UUID | None


async def page(conn: Connection, state: TextState, *, after: UUID | None, limit: int) -> Waiting:
    """For each text that has a version in a state, the newest such, those of the texts written first first."""
    assert 1 <= limit <= PAGE_MAX
    found = await queries.select_in_state(conn, state, after=after or writing.FROM_THE_START, limit=limit + 1)
    return Waiting(found[:limit], found[limit - 1].text_id if len(found) > limit else None)


async def look(conn: Connection, text_id: UUID, version: int) -> Version:
    """One version. Raises TextNotFound."""
    return await writing.existing(conn, text_id, version)


async def approve(
    conn: Connection, text_id: UUID, version: int, *, is_otp_meant: bool, actor: str, now: datetime
) -> Version:
    """Let a version be sent from now on, in place of the one in use. Approved before: the same once more.

    Raises TextNotFound, TextDecided, OtpNeedsLeave.
    """
    found = await _held(conn, text_id, version)
    if found.content.lane == "otp" and not is_otp_meant:
        raise OtpNeedsLeave
    if found.state is TextState.APPROVED:
        return found
    moved = replace(found, state=TextState.APPROVED, approved_at=now, decided_by=actor)
    return await writing.move(conn, found, moved, "notifications.approve_text", actor=actor, now=now)


async def reject(conn: Connection, text_id: UUID, version: int, reason: str, *, actor: str, now: datetime) -> Version:
    """Say no to a version, and why. Rejected before for the same reason: the same once more.

    Raises TextNotFound, TextDecided.
    """
    found = await _held(conn, text_id, version)
    if found.state is TextState.REJECTED and found.reason == reason:
        return found
    moved = replace(found, state=TextState.REJECTED, ended_at=now, decided_by=actor, reason=reason)
    return await writing.move(conn, found, moved, "notifications.reject_text", actor=actor, now=now)


async def withdraw(conn: Connection, text_id: UUID, version: int, reason: str, *, actor: str, now: datetime) -> Version:
    """Take a version out of use, and say why; the one approved before it is in use again.

    Raises TextNotFound, TextDecided.
    """
    found = await _held(conn, text_id, version)
    return await writing.end_by_withdrawing(conn, found, actor=actor, reason=reason, now=now)


async def name_to_providers(
    conn: Connection, text_id: UUID, version: int, ids: Mapping[str, ProviderIds], *, actor: str, now: datetime
) -> Version:
    """Say what each provider knows a version by that is submitted or approved, in place of what was said before.

    Raises TextNotFound, TextDecided, TextUnsound where a parameter is no placeholder of the text.
    """
    found = await _held(conn, text_id, version)
    if found.state not in (TextState.SUBMITTED, TextState.APPROVED):
        raise TextDecided
    gaps = found.content.placeholders
    wrong = [
        f"{provider}: {theirs} is no placeholder of the text"
        for provider, one in ids.items()
        for theirs, ours in one.parameters.items()
        if ours not in gaps
    ]
    if wrong:
        raise TextUnsound("; ".join(wrong), faults=wrong)
    if found.provider_ids != ids:
        await queries.put_provider_ids(conn, text_id, version, ids)
        act, subject = "notifications.name_text_to_providers", f"text:{text_id}"
        await audit.record(conn, actor=actor, act=act, subject=subject, now=now, detail={"version": version})
        await snapshots.announce(conn, SNAPSHOT)
    return await writing.existing(conn, text_id, version)


def actor_of(staff_id: StaffId) -> str:
    """An operator as the record of acts names them."""
    return f"operator:{staff_id}"


async def _held(conn: Connection, text_id: UUID, version: int) -> Version:
    if await queries.lock_text(conn, text_id) is None:
        raise TextNotFound
    return await writing.existing(conn, text_id, version)
