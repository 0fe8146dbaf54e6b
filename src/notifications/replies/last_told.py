"""What a number was told last, of what may be answered or ended: noted as it goes out, found when they write."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Protocol

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.channels.provider import Parcel, Sms
from notifications.model import Lane
from notifications.notifying import CALLER_PREFIX
from notifications.replies import queries
from notifications.replies.model import ANSWERED_WITHIN, MAY_OPT_OUT
from notifications.replies.queries import Told
from notifications.replies.seals import ReplySeals


class Flies(Protocol):
    """An attempt about to be made (`carrying.plans.Flight`)."""

    @property
    def message_id(self) -> MessageId: ...
    @property
    def caller(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def parcel(self) -> Parcel: ...


class LastTold:
    """Keeps one row for each number and caller. `answerable`: texts of the city's that somebody here answers for."""

    def __init__(self, seals: ReplySeals, answerable: Container[str]) -> None:
        self._seals = seals
        self._answerable = answerable

    async def note(self, conn: Connection, bucket: int, flights: Sequence[Flies], lane: Lane, *, now: datetime) -> None:
        """Note the SMS among the attempts of one bucket and lane, in the transaction of their intents.

        A department's may always be answered, the city's own if somebody hears the answer. What can be ended by a T is
        noted whoever it is from.
        """
        optional_at = now if lane in MAY_OPT_OUT else None
        answerable: dict[tuple[bytes, str], Told] = {}
        others: dict[tuple[bytes, str], Told] = {}
        for one in flights:
            if not isinstance(one.parcel, Sms):
                continue
            if one.caller.startswith(CALLER_PREFIX) or one.template in self._answerable:
                rows = answerable
            elif optional_at is not None:
                rows = others
            else:
                continue
            digest = self._seals.digest(one.parcel.phone)
            told = Told(digest, one.caller, bucket, one.message_id, one.template, now, optional_at)
            before = rows.get((digest, one.caller))
            if before is None or before.message_id < told.message_id:
                rows[digest, one.caller] = told
        if answerable:
            await queries.put_last_told(conn, [answerable[place] for place in sorted(answerable)])
        if others:
            await queries.put_last_optional(conn, [others[place] for place in sorted(others)])

    async def to(self, conn: Connection, phone: str, *, now: datetime) -> list[Told]:
        """What a number (E.164) was told lately, newest first."""
        return await queries.select_last_told(conn, self._seals.every_digest(phone), since=now - ANSWERED_WITHIN)

    async def ended_by_t(self, conn: Connection, phone: str, *, now: datetime) -> str | None:
        """Who last told a number a reminder or something that went to many, if anybody did lately."""
        return await queries.select_last_optional(conn, self._seals.every_digest(phone), since=now - ANSWERED_WITHIN)
