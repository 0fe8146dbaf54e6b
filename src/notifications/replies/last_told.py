"""What a number was told last, of what may be answered: noted as it goes out, found when somebody writes back."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Protocol

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.channels.provider import Parcel, Sms
from notifications.notifying import CALLER_PREFIX
from notifications.replies import queries
from notifications.replies.model import ANSWERED_WITHIN
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

    def concerns(self, caller: str, template: str) -> bool:
        """Whether a message may be answered: a department's always, the city's own if somebody hears the answer."""
        return caller.startswith(CALLER_PREFIX) or template in self._answerable

    async def note(self, conn: Connection, bucket: int, flights: Sequence[Flies], *, now: datetime) -> None:
        """Note the SMS among the attempts of one bucket; one statement, in the transaction of their intents."""
        rows: dict[tuple[bytes, str], Told] = {}
        for one in flights:
            if isinstance(one.parcel, Sms) and self.concerns(one.caller, one.template):
                digest = self._seals.digest(one.parcel.phone)
                told = Told(digest, one.caller, bucket, one.message_id, one.template, now)
                before = rows.get((digest, one.caller))
                if before is None or before.message_id < told.message_id:
                    rows[digest, one.caller] = told
        if rows:
            await queries.put_last_told(conn, [rows[place] for place in sorted(rows)])

    async def to(self, conn: Connection, phone: str, *, now: datetime) -> list[Told]:
        """What a number (E.164) was told lately, newest first."""
        return await queries.select_last_told(conn, self._seals.every_digest(phone), since=now - ANSWERED_WITHIN)
