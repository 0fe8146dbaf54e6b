"""A department asks what became of a message, takes one back, and looks through what it sent."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, MessageId
from kernel.log import get_logger
from kernel.sealing import Keys, NotSealedHere
from notifications import queries as messages
from notifications.ending.endings import Ended, Endings
from notifications.errors import MessageNotFound
from notifications.model import DeliveryStage, MessageStage
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import bucket_in
from notifications.seals import Address, Seals
from notifications.services import queries
from notifications.services.errors import NotWithdrawable
from notifications.services.model import Request, Seen, State, state_of
from notifications.services.queries import Wanted
from notifications.services.turns import Turns
from notifications.statistics import tallying

READ_TOGETHER: Final = 500
EXAMINED_MAX: Final = 20_000
"""Messages looked at for one page, where only those in certain states are wanted and some were found."""
EXAMINED_IN_VAIN_MAX: Final = 100_000
"""The same while none was found: clients of GOV.UK Notify stop at an empty page."""
LAST: Final = UUID(int=2**128 - 1)

log = get_logger(__name__)


class Sent(msgspec.Struct, frozen=True):
    """A message of a service, and how far it is."""

    request: Request
    state: State
    sent_at: datetime | None
    ended_at: datetime | None
    reason: str | None


class Opened(msgspec.Struct, frozen=True):
    """Where a message went and with what values; neither once it was forgotten."""

    address: Address | None
    values: dict[str, str] | None

    def __repr__(self) -> str:
        return "Opened(…)"


class Page(msgspec.Struct, frozen=True):
    """Newest first; `next_before` is where to go on, None at the end."""

    sent: list[Sent]
    next_before: MessageId | None


class States:
    """Reads and withdraws what services asked for."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, endings: Endings) -> None:
        self._db = db
        self._clock = clock
        self._seals = Seals(keys)
        self._endings = endings
        self._turns = Turns()

    async def read(self, service_id: DepartmentId, message_id: MessageId) -> Sent:
        """One message. Raises MessageNotFound."""
        async with self._db.connection() as conn:
            request = await queries.select_request(conn, service_id, message_id)
        if request is None:
            raise MessageNotFound
        [sent] = await self._seen([request])
        return sent

    async def page(
        self,
        service_id: DepartmentId,
        wanted: Wanted,
        *,
        states: Collection[State] = (),
        before: UUID = LAST,
        limit: int,
    ) -> Page:
        """Messages of a service before the given one, newest first; with `states`, only those.

        For these at most `EXAMINED_MAX` messages are looked at: a page may be short, and yet not the last. It is empty
        and not the last only after `EXAMINED_IN_VAIN_MAX`. Raises TooManyLooking.
        """
        if states:
            async with self._turns.of(service_id):
                return await self._looked_through(service_id, wanted, states, before, limit)
        async with self._db.connection() as conn:
            requests = await queries.select_requests(conn, service_id, wanted, before=before, limit=limit + 1)
        sent = await self._seen(requests[:limit])
        return Page(sent, sent[-1].request.message_id if len(requests) > limit else None)

    async def _looked_through(
        self, service_id: DepartmentId, wanted: Wanted, states: Collection[State], before: UUID, limit: int
    ) -> Page:
        found: list[Sent] = []
        examined = 0
        while len(found) <= limit and examined < (EXAMINED_MAX if found else EXAMINED_IN_VAIN_MAX):
            async with self._db.connection() as conn:
                requests = await queries.select_requests(
                    conn, service_id, wanted, before=before, limit=READ_TOGETHER + 1
                )
            sent = await self._seen(requests[:READ_TOGETHER])
            found += [one for one in sent if one.state in states]
            examined += len(sent)
            if len(requests) <= READ_TOGETHER:
                return Page(found[:limit], found[limit - 1].request.message_id if len(found) > limit else None)
            before = sent[-1].request.message_id
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1].request.message_id)
        return Page(found, MessageId(before))

    async def opened(self, requests: Sequence[Request]) -> Callable[[MessageId], Opened]:
        """Where messages went and what they said. What was forgotten, or does not open, is nowhere and nothing."""
        async with self._db.connection() as conn:
            sealed = await queries.select_sealed(conn, [(bucket_in(r.message_id), r.message_id) for r in requests])

        def open_one(message_id: MessageId) -> Opened:
            row = sealed.get(message_id)
            if row is None or not row.sealed_values:  # forgotten since
                return Opened(None, None)
            try:
                address = None if row.address is None else self._seals.open_address(message_id, row.address)
                return Opened(address, self._seals.open_values(message_id, row.sealed_values))
            except (NotSealedHere, msgspec.DecodeError) as fault:
                log.warning("a message cannot be read", message_id=str(message_id), error=type(fault).__name__)
                return Opened(None, None)

        return open_one

    async def withdraw(self, service_id: DepartmentId, message_id: MessageId) -> Sent:
        """Take back a message that nobody is sending yet; taking it back again changes nothing.

        Raises MessageNotFound, NotWithdrawable. What is in the air at this moment is refused, and yet not tried again.
        """
        found = await self.read(service_id, message_id)
        if found.state is State.WITHDRAWN:
            return found
        is_underway = found.state is State.SENDING  # then it is to a number or an address: nothing is told of a person
        bucket, caller, now = bucket_in(message_id), f"{CALLER_PREFIX}{service_id}", self._clock.now()
        async with self._db.transaction() as conn:
            channel = found.request.channel
            stage: MessageStage | DeliveryStage | None = None
            is_direct = await queries.withdraw_owed(conn, bucket, message_id, caller)
            if is_direct is not None:
                stage = MessageStage.WITHDRAWN
                await tallying.tally_withdrawn(
                    conn, _taken(found.request, caller, is_direct=is_direct), taken_at=found.request.created_at
                )
                await _tally(conn, found.request)
            elif rehearsed := await queries.withdraw_rehearsal(conn, bucket, message_id, caller, now=now):
                stage = DeliveryStage.WITHDRAWN
                ending, is_direct = rehearsed
                await _tally(conn, found.request, ending if is_direct else None)
            elif is_underway:
                await messages.remember_withdrawn(conn, bucket, message_id, caller, now=now)
                if waiting := await queries.withdraw_waiting(conn, bucket, message_id, now=now):
                    channel, stage = waiting, DeliveryStage.WITHDRAWN
            if stage is not None:
                of_channel = None if stage is MessageStage.WITHDRAWN else channel
                await self._endings.tell(conn, [Ended(bucket, message_id, of_channel, stage, caller, None)], now)
        if stage is None and (await self.read(service_id, message_id)).state is not State.WITHDRAWN:
            raise NotWithdrawable
        return await self.read(service_id, message_id)

    async def _seen(self, requests: Sequence[Request]) -> list[Sent]:
        if not requests:
            return []
        places = [(bucket_in(one.message_id), one.message_id, one.channel) for one in requests]
        async with self._db.connection() as conn:
            seen = await queries.select_seen(conn, places)
        now = self._clock.now()
        return [_sent(one, seen.get(one.message_id), now) for one in requests]


def _taken(request: Request, caller: str, *, is_direct: bool) -> tallying.Taken:
    """What was counted when a message was taken."""
    return tallying.Taken(caller, request.template, request.version, request.channel, is_direct, 1)


async def _tally(conn: Connection, request: Request, counted: DeliveryStage | None = None) -> None:
    """Count a message of a batch as taken back. `counted`: as what it was counted when the batch made it."""
    if request.batch_id is not None:
        was = {} if counted is None else {counted: -1}
        await tallying.tally_batch(conn, request.batch_id, was | {DeliveryStage.WITHDRAWN: 1})


def _sent(request: Request, seen: Seen | None, now: datetime) -> Sent:
    if seen is None:  # forgotten since
        return Sent(request, State.HANDLED, None, None, None)
    state = state_of(seen, send_at=request.send_at, now=now)
    if state is State.HANDLED:
        return Sent(request, state, None, None, None)
    rehearsal = seen.rehearsal
    if rehearsal is None:
        return Sent(request, state, seen.sent_at, seen.ended_at, seen.reason)
    sent_at = None if rehearsal.ended_at is None or rehearsal.is_withdrawn else rehearsal.ended_at
    return Sent(request, state, sent_at, rehearsal.ended_at, None)
