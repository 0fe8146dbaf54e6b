"""What people wrote is understood, one number's texts in turn: an opt-out or -in, a "yes", words for a department.

Whoever is asked to do what was confirmed is asked outside any transaction, and perhaps twice; the end of the text, and
all else that follows from it, commit together.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database, DatabaseAway
from kernel.ids import DepartmentId
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from notifications.callbacks.model import EventType
from notifications.callbacks.noting import Happened, Noting, service_of
from notifications.outbox import Outbox, Owed, ToPhone
from notifications.replies import queries, texts
from notifications.replies.handlers import Confirmed, ReplyHandlers
from notifications.replies.last_told import LastTold
from notifications.replies.model import (
    EVERY_SENDER,
    HANDLED_WITHIN,
    Meaning,
    OptSource,
    Outcome,
    TextId,
    Written,
    language_of,
    meaning_of,
    put_aside_for,
)
from notifications.replies.opt_outs import OptOuts
from notifications.replies.queries import Told
from notifications.replies.seals import ReplySeals
from notifications.template import Template

NUMBERS_MAX: Final = 200
"""Numbers looked up at once."""
ROUNDS_MAX: Final = 10
"""How often a beat looks for more; what failed is put aside, so that it does not come again."""
TEXTS_OF_ONE_MAX: Final = 20
"""Texts of one number that one beat handles, so that who writes without end keeps nobody else waiting."""
CALLER: Final = "replies"

log = get_logger(__name__)


class TextReceived(msgspec.Struct, frozen=True):
    """`data` of an event about a text: who wrote it, to which number, the words, and the message that it may answer."""

    text_id: TextId
    from_phone: str
    to_number: str
    text: str
    received_at: datetime
    message_id: UUID

    def __repr__(self) -> str:
        return f"TextReceived({self.text_id})"


class Read(msgspec.Struct, frozen=True):
    """A text that was opened, and what its number was told lately, newest first."""

    digest: bytes
    text_id: TextId
    written: Written
    received_at: datetime
    meaning: Meaning
    told: Sequence[Told]

    def __repr__(self) -> str:
        return f"Read({self.text_id})"


class Ending(msgspec.Struct, frozen=True):
    """What became of a text, and the department it was passed on to."""

    outcome: Outcome
    service_id: DepartmentId | None = None


class Handling:
    """A beat of the worker."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: ReplySeals,
        outbox: Outbox,
        opt_outs: OptOuts,
        last_told: LastTold,
        handlers: ReplyHandlers,
        noting: Noting,
        arrived: asyncio.Event,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._outbox = outbox
        self._opt_outs = opt_outs
        self._last_told = last_told
        self._handlers = handlers
        self._noting = noting
        self._arrived = arrived

    async def handle_arrived(self) -> int:
        """Handle what waits; how many texts. One that fails is put aside, and holds up its own number alone."""
        self._arrived.clear()
        handled = 0
        failures: list[Exception] = []
        for _ in range(ROUNDS_MAX):
            async with self._db.connection() as conn:
                numbers = await queries.select_waiting_numbers(conn, now=self._clock.now(), limit=NUMBERS_MAX)
            for digest in numbers:
                handled += await self._handle_some(digest, failures)
            if len(numbers) < NUMBERS_MAX:
                break
        else:
            self._arrived.set()  # there may be more
        if failures:
            raise failures[0]
        return handled

    async def _handle_some(self, digest: bytes, failures: list[Exception]) -> int:
        """Handle what waits of a number; how many texts. What fails is told to `failures`."""
        handled = 0
        try:
            for _ in range(TEXTS_OF_ONE_MAX):
                if not await self._handle_next(digest):
                    break
                handled += 1
        except DatabaseAway:
            raise
        except Exception as failure:  # noqa: BLE001 -- raised by the beat, when the others were handled
            failures.append(failure)
        return handled

    async def _handle_next(self, digest: bytes) -> bool:
        """Handle the first text of a number that waits; False if none does."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            waiting = await queries.select_next_text(conn, digest)
            if waiting is None:
                return False
            try:
                written = self._seals.open_received(digest, waiting.text_id, waiting.sealed_text)
            except (NotSealedHere, msgspec.DecodeError) as fault:
                log.warning("a text cannot be read", text_id=str(waiting.text_id), error=type(fault).__name__)
                written = None
            told = [] if written is None else await self._last_told.to(conn, written.from_phone, now=now)
        if written is None:
            await self._end(digest, waiting.text_id, Meaning.OTHER, Ending(Outcome.FAILED), now)
            return True
        read = Read(digest, waiting.text_id, written, waiting.received_at, meaning_of(written.text), told)
        try:
            await self._handle(read, now)
        except Exception:
            if now - read.received_at < HANDLED_WITHIN:
                await self._put_aside(read, waiting.failures, now)
                raise
            log.exception("a text was not handled", text_id=str(read.text_id))
            await self._end(digest, read.text_id, read.meaning, Ending(Outcome.FAILED), now)
        return True

    async def _put_aside(self, read: Read, failures: int, now: datetime) -> None:
        async with self._db.transaction() as conn:
            await queries.put_text_aside(conn, read.digest, read.text_id, until=now + put_aside_for(failures))

    async def _end(self, digest: bytes, text_id: TextId, meaning: Meaning, ending: Ending, now: datetime) -> None:
        async with self._db.transaction() as conn:
            if await queries.claim_text(conn, digest, text_id):
                await queries.mark_handled(conn, digest, text_id, meaning, ending.outcome, ending.service_id, now=now)

    async def _handle(self, read: Read, now: datetime) -> None:
        confirmed = await self._confirm(read, now) if read.meaning is Meaning.CONFIRM else None
        async with self._db.transaction() as conn:
            if not await queries.claim_text(conn, read.digest, read.text_id):
                return  # another worker was faster
            ending = await self._follow(conn, read, confirmed, now)
            await queries.mark_handled(
                conn, read.digest, read.text_id, read.meaning, ending.outcome, ending.service_id, now=now
            )

    async def _confirm(self, read: Read, now: datetime) -> bool | None:
        """Have done what the newest text that takes a "yes" asked for; None if there is none."""
        asked = next((one for one in read.told if one.template in self._handlers), None)
        if asked is None:
            return None
        async with self._db.connection() as conn:
            promise = await queries.select_promise(conn, asked.message_bucket, asked.message_id)
        if promise is None or promise.person_id is None:
            return None
        confirmed = Confirmed(asked.template, promise.caller, promise.key, promise.person_id, now)
        return await self._handlers[asked.template](confirmed)

    async def _follow(self, conn: Connection, read: Read, confirmed: bool | None, now: datetime) -> Ending:
        """What follows from a text."""
        digests = self._seals.every_digest(read.written.from_phone)
        match read.meaning:
            case Meaning.OPT_OUT | Meaning.OPT_OUT_OF_ALL:
                sender = await self._sender_meant(conn, read, now)
                await self._opt_outs.opt_out(conn, digests, sender, OptSource.TEXT, now=now)
                await self._answer(conn, read, texts.OPTED_OUT, now)
                return Ending(Outcome.OPTED_OUT)
            case Meaning.OPT_IN:
                await self._opt_outs.opt_in(conn, digests, None, OptSource.TEXT, now=now)
                await self._answer(conn, read, texts.OPTED_IN, now)
                return Ending(Outcome.OPTED_IN)
            case Meaning.CONFIRM if confirmed is not None:
                if not confirmed:
                    await self._answer(conn, read, texts.NOT_POSSIBLE, now)
                return Ending(Outcome.CONFIRMED if confirmed else Outcome.NOT_POSSIBLE)
        return await self._pass_on(conn, read, now)

    async def _sender_meant(self, conn: Connection, read: Read, now: datetime) -> str:
        """Of whom somebody wants no more: whose reminder, or message to many, came last; or else whoever wrote last."""
        if read.meaning is not Meaning.OPT_OUT:
            return EVERY_SENDER
        ended = await self._last_told.ended_by_t(conn, read.written.from_phone, now=now)
        if ended is None and read.told:
            ended = read.told[0].caller
        return ended or EVERY_SENDER

    async def _pass_on(self, conn: Connection, read: Read, now: datetime) -> Ending:
        """Keep a text for the department whose message it answers, if one told the number anything lately.

        Where the department named a person and not a number, it is not to learn the number, nor that there is one.
        """
        found = next(((one, to) for one in read.told if (to := service_of(one.caller)) is not None), None)
        if found is None:
            return Ending(Outcome.KEPT)
        told, service_id = found
        promise = await queries.select_promise(conn, told.message_bucket, told.message_id)
        if promise is None or not promise.is_addressed:
            return Ending(Outcome.KEPT)
        sealed = self._seals.of_service(service_id, read.text_id, read.written)
        await queries.insert_service_text(conn, service_id, read.text_id, sealed, received_at=read.received_at)
        if self._noting.hears(service_id, EventType.RECEIVED):
            written = read.written
            data = TextReceived(
                read.text_id, written.from_phone, written.to_number, written.text, read.received_at, told.message_id
            )
            await self._noting.note(conn, [Happened(service_id, EventType.RECEIVED, read.text_id, data)], now=now)
        return Ending(Outcome.PASSED_ON, service_id)

    async def _answer(self, conn: Connection, read: Read, template: Template, now: datetime) -> None:
        """Answer by one SMS, one a day at most to each number: the promise's name has the day in it."""
        day = in_shanghai(now).date().isoformat()
        owed = Owed(
            caller=CALLER,
            key=f"{read.digest.hex()}/{day}",
            to=ToPhone(read.written.from_phone, language_of(read.written.text)),
            template=template,
            values={},
            due_at=now,
        )
        await self._outbox.owe_many(conn, [owed], now=now)
