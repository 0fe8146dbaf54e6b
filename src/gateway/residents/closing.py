"""A resident leaves: everything the entrance holds about the account is deleted."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.residents import queries
from gateway.sessions.keeping import Sessions
from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import PartAway
from kernel.grouping import PASSING
from kernel.ids import AccountId, PersonId

TRIES_MAX: Final = 8

Leave = Callable[[Connection, PersonId], Awaitable[None]]
"""Tells a part, in the same transaction, that a person leaves."""


async def close(
    db: Database, clock: Clock, sessions: Sessions, account_id: AccountId, leave: Sequence[Leave] = ()
) -> None:
    """Close an account and end its sessions; the phone and the person are free for another account.

    Certificates and the records of their use belong to the person and stay with the departments that keep them; the
    mandates that the person granted end, and what they have booked ahead is given back. Closing twice is closing once.
    Raises PartAway while others keep changing what is to end.
    """
    for _ in range(TRIES_MAX):
        try:
            return await _close(db, clock, sessions, account_id, leave)
        except PASSING:
            continue
    raise PartAway(retry_after_seconds=1)


async def _close(db: Database, clock: Clock, sessions: Sessions, account_id: AccountId, leave: Sequence[Leave]) -> None:
    now = clock.now()
    async with db.transaction() as conn:
        phone_digest = await queries.select_phone_digest(conn, account_id)
        if phone_digest is None:
            return
        await queries.delete_phone_account(conn, phone_digest, account_id)  # first: signing in locks it first, too
        account = await queries.lock_account(conn, account_id)
        if account is None:
            return
        for openid_digest in await queries.delete_account_chats(conn, account_id):
            await queries.delete_chat_account(conn, openid_digest, account_id)
        if account.person_id is not None:
            await queries.delete_person_account(conn, account.person_id, account_id)
            for part_leaves in leave:
                await part_leaves(conn, account.person_id)
        await queries.delete_account(conn, account_id)
        await sessions.end_all(conn, account_id, now=now)
        subject = f"account:{account_id}"
        await audit.record(conn, actor=subject, act="residents.close_account", subject=subject, now=now)
