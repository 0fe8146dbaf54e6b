"""What is asked before anything goes out: the hour, who wants no more of it, and whether it was just said.

How often a number may be told something is asked last, when it is handed over (`limiting`).
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final, Protocol

import msgspec

from kernel.clock import in_shanghai
from kernel.db import Connection, Database
from kernel.ids import MessageId
from notifications.ending.reasons import Reason
from notifications.model import Channel, Lane
from notifications.outbox import bucket_in
from notifications.routing import queries
from notifications.seals import Seals

QUIET_LANES: Final = frozenset({Lane.RESULT, Lane.REMINDER, Lane.BULK})
"""What waits for the morning. Codes and changes of what is a person's own do not."""
QUIET_FROM, QUIET_UNTIL = time(22), time(8)
"""On the city's clock."""
MAY_OPT_OUT: Final = frozenset({Lane.REMINDER, Lane.BULK})
"""Lanes of which a person may want no more; whoever replies to one is not left without results or changes."""
ONCE_LANES: Final = frozenset({Lane.RESULT, Lane.BULK})
"""Lanes on which a department says the same to the same number once within `SAID_WITHIN`."""
SAID_WITHIN: Final = timedelta(minutes=10)
FORGOTTEN_TOGETHER_MAX: Final = 10_000
DEPARTMENTS: Final = "department:"
"""How callers are called that are departments."""

Asked = tuple[bytes, str, Lane]
"""The digest of a number or an address, who wants to tell it something, and in which lane."""
About = tuple[MessageId, Channel]


class OptOuts(Protocol):
    async def which(self, conn: Connection, asked: Sequence[Asked]) -> set[Asked]:
        """Those that want no more of it; one statement for all."""
        ...


class Question(msgspec.Struct, frozen=True, gc=False):
    """An SMS or an e-mail that would go out. `is_first`: no attempt at it was planned before."""

    message_id: MessageId
    channel: Channel
    caller: str
    lane: Lane
    to: str
    """A number (E.164), or an e-mail address."""
    text: str
    """The words of an SMS; of an e-mail they are not asked about."""
    is_first: bool

    def __repr__(self) -> str:
        return f"Question({self.message_id})"


class Rules:
    """Says of a parcel whether it may go out now. Without `has_quiet_hours` it is never too late in the day."""

    def __init__(self, seals: Seals, *, has_quiet_hours: bool, opt_outs: OptOuts | None = None) -> None:
        self._seals = seals
        self.has_quiet_hours = has_quiet_hours
        self.opt_outs = opt_outs
        """Set once, when the parts are wired."""

    def quiet_until(self, lane: Lane, now: datetime) -> datetime | None:
        """When the quiet hours end that a message of a lane would disturb; None if it would not."""
        if not self.has_quiet_hours or lane not in QUIET_LANES:
            return None
        here = in_shanghai(now)
        morning = datetime.combine(here.date(), QUIET_UNTIL, here.tzinfo)
        if here < morning:
            return morning
        return morning + timedelta(days=1) if here.time() >= QUIET_FROM else None

    def concern(self, channel: Channel, lane: Lane, caller: str) -> bool:
        """Whether there is anything to ask about an SMS or an e-mail of this caller."""
        if channel == "sms" and lane in ONCE_LANES and caller.startswith(DEPARTMENTS):
            return True
        return self.opt_outs is not None and lane in MAY_OPT_OUT

    async def stopped(self, conn: Connection, questions: Sequence[Question], now: datetime) -> dict[About, str]:
        """Those that must not go out at all, and why; other SMS of departments count as said from now on."""
        found = await self._opted_out(conn, questions)
        left = [one for one in questions if _is_said_once(one) and (one.message_id, one.channel) not in found]
        return found | await self._said_before(conn, left, now)

    async def _opted_out(self, conn: Connection, questions: Sequence[Question]) -> dict[About, str]:
        if self.opt_outs is None:
            return {}
        asked: dict[Asked, list[About]] = {}
        for one in questions:
            if one.lane in MAY_OPT_OUT:
                for digest in self._digests(one):
                    asked.setdefault((digest, one.caller, one.lane), []).append((one.message_id, one.channel))
        if not asked:
            return {}
        out = await self.opt_outs.which(conn, list(asked))
        return {about: Reason.OPTED_OUT for answer in out for about in asked[answer]}

    def _digests(self, one: Question) -> list[bytes]:
        seals = self._seals
        return seals.every_email_digest(one.to) if one.channel == "email" else seals.every_phone_digest(one.to)

    async def _said_before(self, conn: Connection, questions: Sequence[Question], now: datetime) -> dict[About, str]:
        if not questions:
            return {}
        by_digest: dict[bytes, list[About]] = {}
        for one in questions:
            digest = self._seals.said_digest(one.caller, one.to, one.text)
            by_digest.setdefault(digest, []).append((one.message_id, one.channel))
        said = sorted((digest, abouts[0][0]) for digest, abouts in by_digest.items())
        fresh = await queries.say_once(conn, said, now=now, unless_since=now - SAID_WITHIN)
        if len(fresh) < len(said):
            fresh |= await self._said_in_vain(conn, [one for one in said if one[0] not in fresh], now)
        again = [abouts[digest in fresh :] for digest, abouts in by_digest.items()]
        return {about: Reason.SAID_BEFORE for abouts in again for about in abouts}

    async def _said_in_vain(self, conn: Connection, said: Sequence[queries.Said], now: datetime) -> set[bytes]:
        """Those that were said a moment ago in a message that surely reached nobody: they are said now instead."""
        before = dict(await queries.select_said(conn, [digest for digest, _ in said]))
        places = sorted({(bucket_in(message_id), message_id) for message_id in before.values()})
        unheard = await queries.select_unheard(conn, places) if places else set()
        instead = [(digest, now_in, before[digest]) for digest, now_in in said if before.get(digest) in unheard]
        return await queries.say_instead(conn, instead, now=now) if instead else set()


def _is_said_once(one: Question) -> bool:
    return one.is_first and one.channel == "sms" and one.lane in ONCE_LANES and one.caller.startswith(DEPARTMENTS)


async def forget_said(db: Database, now: datetime) -> None:
    """Forget what was said long enough ago to be said again; a beat plays it."""
    while True:
        async with db.transaction() as conn:
            if await queries.forget_said(conn, before=now - SAID_WITHIN, limit=FORGOTTEN_TOGETHER_MAX) == 0:
                return
