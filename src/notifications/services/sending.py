"""A department sends one message: checked at once, owed with those that wait beside it, answered when it is durable."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import IdempotencyKeyReused, Refusal
from kernel.grouping import Group
from kernel.ids import DepartmentId, MessageId, PersonId, bucket_of, uuid7
from kernel.people import People
from kernel.sealing import Keys
from notifications import queries as messages
from notifications.model import Channel, DeliveryStage, Lane, MessageStage
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import (
    GOOD_FOR,
    HINT_DUE,
    HINT_OTP,
    HINT_PAUSE,
    ToEmail,
    ToNobody,
    ToPhone,
    bucket_in,
    message_id_in,
)
from notifications.seals import Address, Seals
from notifications.services import queries
from notifications.services.errors import NotInTeam, SendTimeRefused, TextTooLong, ValuesRefused, WrongChannel
from notifications.services.keys.keeping import KeyBook
from notifications.services.keys.teams import Teams
from notifications.services.limiting import PerDay, PerMinute
from notifications.services.model import SCHEDULED_AHEAD_MAX, KeyKind
from notifications.services.recipients import simulated_ending
from notifications.statistics import tallying
from notifications.texts.model import DepartmentText, TextSort

GROUP_MAX: Final = 256
KEY_PREFIX: Final = "sent:"
"""Before a client's key, so that a message and a notice under the same key are two."""
LONG_FROM: Final = 400
"""Characters that make it worth counting segments: so few fit ten in any alphabet, whoever signs (10 x 67 less 22),
also where a day or a moment is said a little longer than it is written."""
CHANNEL_OF: Final[dict[TextSort, Channel]] = {
    TextSort.SMS: "sms",
    TextSort.EMAIL: "email",
    TextSort.NOTICE: "inbox",
}
_SORTS: Final[dict[type, frozenset[TextSort]]] = {
    ToPhone: frozenset({TextSort.SMS}),
    ToEmail: frozenset({TextSort.EMAIL}),
}
"""Which texts go to a number or an address. To a person goes any."""

To = ToPhone | ToEmail | PersonId | ToNobody


class Wish(msgspec.Struct, frozen=True):
    """One message that a service asks for.

    `key` is the client's own for this message, so that it may ask again; `asked` then the digest of what it asked.
    """

    service_id: DepartmentId
    kind: KeyKind
    to: To
    text: DepartmentText
    values: dict[str, str]
    reference: str | None = None
    send_at: datetime | None = None
    key: str | None = None
    asked: bytes | None = None

    def __repr__(self) -> str:
        return f"Wish({self.service_id})"


class Taken(msgspec.Struct, frozen=True):
    """A message that will be sent, or was asked for before under the same key."""

    message_id: MessageId
    created_at: datetime
    send_at: datetime
    is_new: bool = True


_Item = tuple[tuple[int, str, str], tuple[Any, ...], tuple[Any, ...], DeliveryStage | None]
"""A message on its way into the database: its place (bucket, caller, key), its row, its request, its simulated end."""
_place = itemgetter(0)


class Accepting:
    """Accepts messages. Whatever is wrong with one is said before anything is written."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        people: People,
        book: KeyBook,
        teams: Teams,
        per_minute: PerMinute,
        per_day: PerDay,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = Seals(keys)
        self._asked = keys.digester("notifications.asked")
        self._people = people
        self._book = book
        self._teams = teams
        self._per_minute = per_minute
        self._per_day = per_day
        self._group: Group[_Item, Taken | None] = Group(
            db, self._commit, size_max=GROUP_MAX, sort_key=_place, retry_safe=True
        )
        self._hinted_at = datetime.min.replace(tzinfo=UTC)

    def digest(self, body: Any) -> bytes:
        """What is compared when a key comes again; keyed, since bodies hold people's numbers."""
        return self._asked.digest(msgspec.json.encode(body).decode())

    async def person(self, id_number: str) -> PersonId | ToNobody:
        """The person of an ID number, or nobody we know: their message is taken all the same."""
        async with self._db.connection() as conn:
            return await self._people.find(conn, id_number) or ToNobody()

    def check(self, wish: Wish) -> None:
        """Whether it can be said at all: for whoever has something to do with its words before it is taken.

        Raises WrongChannel, ValuesRefused, TextTooLong, SendTimeRefused.
        """
        _check(wish, self._clock.now())

    async def accept(self, wish: Wish, *, recipient: str = "", is_checked: bool = False) -> Taken:
        """Take a message; it is durable when this returns, and will be sent whatever happens to this process.

        `recipient` is the number or address as read; `is_checked`: by `check`, a moment ago. Raises WrongChannel,
        ValuesRefused, TextTooLong, SendTimeRefused, NotInTeam, TooManyThisMinute, TooManyToday, IdempotencyKeyReused.
        """
        now = self._clock.now()
        ending = simulated_ending(wish.kind, recipient)
        allowed = self._book.snapshot.current.allowance(wish.service_id)
        try:
            if not is_checked:
                _check(wish, now)
            if wish.kind == "team" and ending is None and not await self._teams.has(wish.service_id, recipient):
                raise NotInTeam
            if not self._per_minute.take(wish.service_id, wish.kind):
                await self._per_minute.fetch(wish.service_id, wish.kind, allowed.per_minute)
            if ending is None:
                self._per_day.take(wish.service_id, allowed.per_day, now)
        except Refusal:
            if wish.key is not None and (answered := await self._answered(wish, wish.key)) is not None:
                return answered
            raise
        try:
            taken = await self._group.submit(self._item(wish, ending, now))
        except BaseException:
            self._uncounted(wish, ending)
            raise
        if taken is None or not taken.is_new:
            self._uncounted(wish, ending)
        if taken is None:
            raise IdempotencyKeyReused
        return taken

    async def _answered(self, wish: Wish, key: str) -> Taken | None:
        """What was answered under the same key before: a retry is told it, also when it would be refused by now."""
        caller, key = f"{CALLER_PREFIX}{wish.service_id}", KEY_PREFIX + key
        async with self._db.connection() as conn:
            message_id = await queries.select_accepted(conn, bucket_of(caller, key), caller, key)
            first = None
            if message_id is not None:
                first = await queries.select_first_asked(conn, wish.service_id, message_id)
        if message_id is None or first is None:
            return None
        if first.asked != wish.asked:
            raise IdempotencyKeyReused
        return Taken(message_id, first.created_at, first.send_at, is_new=False)

    def _uncounted(self, wish: Wish, ending: DeliveryStage | None) -> None:
        if ending is None:
            self._per_day.give_back(wish.service_id)

    def _item(self, wish: Wish, ending: DeliveryStage | None, now: datetime) -> _Item:
        """The rows of a message, its values and address sealed to it."""
        caller = f"{CALLER_PREFIX}{wish.service_id}"
        if wish.key is None:  # its own id is its key: nobody asks for it again, and the id holds its bucket
            message_id = MessageId(uuid7(now))
            bucket, key = bucket_in(message_id), str(message_id)
        else:
            key = KEY_PREFIX + wish.key
            bucket = bucket_of(caller, key)
            message_id = message_id_in(bucket, now)
        text, to = wish.text, wish.to
        lane, send_at = text.lane, wish.send_at or now
        address = person_id = None
        if isinstance(to, ToPhone):
            address = self._seals.address(message_id, Address(phone=to.phone, language=to.language))
        elif isinstance(to, ToEmail):
            address = self._seals.address(message_id, Address(email=to.address, language=to.language))
        elif isinstance(to, UUID):
            person_id = to
        values = self._seals.values(message_id, wish.values)
        stage = MessageStage.OWED if ending is None else MessageStage.ROUTED
        row = (
            bucket, message_id, caller, key, person_id, address, text.id, text.version, lane, values, now, send_at,
            send_at + GOOD_FOR[lane], stage,
        )  # fmt: skip
        request = (
            wish.service_id, message_id, CHANNEL_OF[text.of.sort], text.id, text.version, wish.reference, wish.kind,
            now, send_at, wish.asked,
        )  # fmt: skip
        return (bucket, caller, key), row, request, ending

    async def _commit(self, conn: Connection, items: list[_Item]) -> list[Taken | None]:
        """Write what is new of a group; None for a key that was used for something else."""
        rows = [row for _, row, _, _ in items]
        new = await queries.accept_messages(conn, rows)
        if len(new) == len(items):
            fresh = items
        else:
            fresh = [item for item in items if item[1][1] in new]
        if fresh:
            await queries.accept_requests(conn, [request for _, _, request, _ in fresh])
            rehearsed = [_rehearsal(item) for item in fresh if item[3] is not None]
            if rehearsed:
                await queries.accept_rehearsals(conn, rehearsed)
            if len(rehearsed) < len(fresh):
                await tallying.tally_taken(conn, _tallied(fresh), now=fresh[0][1][10])
            await self._hint(conn, fresh)
        if fresh is items:
            return [Taken(request[1], request[7], request[8]) for _, _, request, _ in items]
        return [
            Taken(item[2][1], item[2][7], item[2][8]) if item[1][1] in new else await self._before(conn, item)
            for item in items
        ]

    async def _before(self, conn: Connection, item: _Item) -> Taken | None:
        """What came of the same key before: of this very message, tried once more, or of an earlier one."""
        (bucket, caller, key), _, request, _ = item
        message_id = await queries.select_accepted(conn, bucket, caller, key)
        assert message_id is not None
        first = await queries.select_first_asked(conn, request[0], message_id)
        if message_id == request[1]:
            return Taken(message_id, request[7], request[8])
        if first is None or first.asked != request[9]:
            return None
        return Taken(message_id, first.created_at, first.send_at, is_new=False)

    async def _hint(self, conn: Connection, items: list[_Item]) -> None:
        """Wake the workers: at once for a code somebody waits for, seldom for the rest. A poll finds all of it."""
        now = self._clock.now()
        urgent = {row[0] for _, row, _, _ in items if row[8] is Lane.OTP and row[11] <= now}
        if urgent:
            await messages.hint(conn, f"{HINT_OTP} {' '.join(map(str, sorted(urgent)))}")
        if abs(now - self._hinted_at) >= HINT_PAUSE:
            self._hinted_at = now
            await messages.hint(conn, HINT_DUE)


def _tallied(items: Sequence[_Item]) -> list[tallying.Taken]:
    """How many a carrier or an inbox is given, by sender, text and channel: for the day's count."""
    counts = Counter(
        (row[2], request[3], request[4], request[2], row[5] is not None)
        for _, row, request, ending in items
        if ending is None
    )
    return [tallying.Taken(*what, count) for what, count in counts.items()]


def _rehearsal(item: _Item) -> tuple[Any, ...]:
    (bucket, caller, _), row, request, ending = item
    return bucket, row[1], caller, request[2], ending, row[11]


def _check(wish: Wish, now: datetime) -> None:
    """Raises why this cannot be sent, whoever asks and however often."""
    text = wish.text
    fitting = _SORTS.get(type(wish.to))
    if fitting is not None and text.of.sort not in fitting:
        raise WrongChannel
    if wish.send_at is not None and not now - timedelta(minutes=1) <= wish.send_at <= now + SCHEDULED_AHEAD_MAX:
        raise SendTimeRefused
    try:
        text.check(wish.values)
    except ValueError:
        fitted = text.fit(wish.values)
        raise ValuesRefused(missing=fitted.missing, unknown=fitted.unknown, wrong=fitted.wrong) from None
    longest = max(len(text.zh.body), len(text.en.body)) + text.longest_words + sum(map(len, wish.values.values()))
    if longest > LONG_FROM and text.is_too_long(wish.values):
        raise TextTooLong
