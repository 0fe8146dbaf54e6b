"""A carrier that speaks SMPP, behind the Protocol every carrier is behind."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from kernel.clock import Clock
from kernel.log import get_logger
from notifications.channels.provider import (
    SEND_SECONDS,
    Accepted,
    RawReceipt,
    ReceivedText,
    Refused,
    Sms,
    TakeReceipts,
    TakeTexts,
    user_reference,
)
from notifications.channels.smpp import codec, hearing
from notifications.channels.smpp.codec import Malformed, ShortMessage
from notifications.channels.smpp.composing import Composing, Unsendable
from notifications.channels.smpp.session import BindRefused, ConnectionLost, Heard, Session
from notifications.channels.smpp.settings import SmppSettings
from notifications.channels.smpp.statuses import Status
from notifications.channels.smpp.waiting import WAITING_MAX, Answer, Handover, Line, Submission
from notifications.model import Channel, Reading

CONNECT_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 1.5
"""How long a text waits for the first connection, or one lost a moment ago; afterwards it is refused at once."""
BACKOFF_SECONDS: Final = 0.1
BACKOFF_MAX_SECONDS: Final = 10.0
UNSTEADY_MAX_SECONDS: Final = 1.0
"""The longest pause before trying again: where we are not let in, and where we are but connections do not last."""
STEADY_SECONDS: Final = 2.0
"""A connection that lasted so long was no failure: the next is tried after the shortest pause."""
KEPT_MAX: Final = 10_000
"""Parts of texts of unknown end that wait to be filed; of more only receipts are found that repeat our reference."""
FILED_WITHIN_SECONDS: Final = 2.0
"""How long they are still being filed when we close."""
AT_ONCE_MAX: Final = 4_000
assert AT_ONCE_MAX <= WAITING_MAX


class Patience(msgspec.Struct, frozen=True):
    """How long somebody waits to be written, and then for the answer."""

    unwritten_seconds: float
    answer_seconds: float

    @property
    def seconds(self) -> float:
        return self.unwritten_seconds + self.answer_seconds


URGENT: Final = Patience(2.0, 2.5)
"""Together less than the five seconds after which a code's sending is given up."""
ORDINARY: Final = Patience(3.5, 4.0)
assert URGENT.unwritten_seconds > PATIENCE_SECONDS
assert URGENT.seconds < ORDINARY.seconds < SEND_SECONDS
NOT_CONNECTED: Final = Refused("busy", "never sent: not connected")
UNWRITABLE: Final = Refused("recipient", "never sent: it cannot be written as an SMS")

log = get_logger(__name__)


class NobodyListens(Exception):
    """Receipts came while nobody takes them; the SMSC keeps them until somebody does."""


class SmppProvider:
    """Sends through a few connections, which come back by themselves; they are opened when first needed.

    What `send` brings goes before what `send_many` brought.
    """

    channel: Channel = "sms"
    receipts_come = True

    def __init__(self, settings: SmppSettings, clock: Clock, *, jitter: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._clock = clock
        self._jitter = jitter
        self._composing = Composing(settings)
        self._bind = codec.Bind(
            system_id=settings.system_id, password=settings.password.reveal(), system_type=settings.system_type
        )
        self._bind.encode()  # what the protocol has no room for is found at start
        self._line = Line(settings.throughput_per_second)
        self._sessions: set[Session] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._connected = asyncio.Event()
        self._patience_until: float | None = None
        self._take: TakeReceipts | None = None
        self._hear: TakeTexts | None = None
        self._file: TakeReceipts | None = None
        """Whoever takes receipts, or took them last."""
        self._kept: list[RawReceipt] = []
        self._filing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def is_connected(self) -> bool:
        """Whether at least one connection is bound at this moment."""
        return self._connected.is_set()

    @property
    def at_once_max(self) -> int:
        """How many texts it is worth handing over at once: what the carrier takes of us before patience ends."""
        settings = self._settings
        if settings.throughput_per_second is None:
            return AT_ONCE_MAX
        in_time = int(settings.throughput_per_second * ORDINARY.unwritten_seconds / 2)
        return max(1, min(AT_ONCE_MAX, in_time))

    async def check(self) -> str:
        """Present ourselves on a connection of its own, and go again. Raises BindRefused, ConnectionLost, OSError."""
        try:
            session = await self._connect()
        except BindRefused as refused:
            if refused.status == Status.RALYBND:  # as many are bound as were agreed: a worker of ours
                return "knows us, and has all our connections"
            raise
        await session.unbind()
        return "lets us in"

    def announce(self) -> None:
        log.info("SMS are carried over SMPP", provider=self.name, connections=self._settings.connections)

    async def send(self, sms: Sms, /) -> Accepted | Refused:
        """Hand one SMS over, before those that wait. AnswerLate, ConnectionLost, PartlySent: unknown."""
        (answer,) = await self._hand_over([sms], URGENT, is_urgent=True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def send_many(self, parcels: Sequence[Sms], /) -> list[Accepted | Refused | Exception]:
        """Hand many over; an answer for each, in order, in time. An exception means *unknown* for that one."""
        return await self._hand_over(parcels, ORDINARY, is_urgent=False)

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        """Pass receipts and texts on until cancelled; afterwards the SMSC keeps them for whoever listens next."""
        self._start()
        self._take, self._hear, self._file = take, hear, take
        self._file_kept()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._take = self._hear = None

    async def close(self) -> None:
        """Take our leave of the SMSC: nothing more is sent, and answers are waited for within two seconds."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*(session.unbind() for session in list(self._sessions)), return_exceptions=True)
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        if self._filing is not None:
            await asyncio.wait([self._filing], timeout=FILED_WITHIN_SECONDS)
        if self._filing is not None:
            self._filing.cancel()
            await asyncio.gather(self._filing, return_exceptions=True)

    async def _hand_over(self, parcels: Sequence[Sms], patience: Patience, *, is_urgent: bool) -> list[Answer]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._start()
        if not self._connected.is_set() and not await self._is_back_in_time():
            return [NOT_CONNECTED] * len(parcels)
        handover = self._composed(parcels)
        self._line.add(handover.submissions, is_urgent=is_urgent)
        for session in self._sessions:
            session.wake()
        timers = [
            loop.call_at(began + patience.unwritten_seconds, self._give_up_unwritten, handover),
            loop.call_at(began + patience.seconds, handover.give_up),
        ]
        try:
            if handover.left:
                await handover.done
        except asyncio.CancelledError:
            handover.abandon()
            self._line.forget_ended()
            raise
        finally:
            for timer in timers:
                timer.cancel()
        return [self._in_form(answer) for answer in handover.answers if answer is not None]

    def _composed(self, parcels: Sequence[Sms]) -> Handover:
        handover = Handover(len(parcels), asyncio.get_running_loop().create_future(), self._keep_part)
        for place, sms in enumerate(parcels):
            try:
                parts = self._composing.bodies(sms)
            except Unsendable as no:
                handover.end(place, no.refused)
            except ValueError:
                handover.end(place, UNWRITABLE)
            else:
                handover.submissions.append(Submission(handover, place, sms.reference, parts))
        return handover

    def _give_up_unwritten(self, handover: Handover) -> None:
        handover.give_up_unwritten()
        self._line.forget_ended()

    def _in_form(self, answer: Answer) -> Answer:
        """An answer whose references are those that receipts will have."""
        form = self._settings.message_ids
        if form == "same" or not isinstance(answer, Accepted):
            return answer
        return Accepted(tuple(hearing.answered_ref(ref, form) for ref in answer.provider_refs))

    async def _is_back_in_time(self) -> bool:
        """Whether there is a connection again within the moment that one takes; at once, when it was long ago."""
        loop = asyncio.get_running_loop()
        if self._patience_until is None:
            self._patience_until = loop.time() + PATIENCE_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._patience_until):
                await self._connected.wait()
        return self._connected.is_set()

    def _start(self) -> None:
        if not self._keepers:
            loop = asyncio.get_running_loop()
            self._patience_until = loop.time() + PATIENCE_SECONDS
            self._keepers = [loop.create_task(self._keep()) for _ in range(self._settings.connections)]

    async def _keep(self) -> None:
        """Keep one connection, for ever."""
        loop = asyncio.get_running_loop()
        pause, failing = BACKOFF_SECONDS, ""
        while True:
            began = loop.time()
            try:
                session = await self._connect()
            except (OSError, TimeoutError, BindRefused, ConnectionLost) as fault:
                reason = str(fault) if isinstance(fault, BindRefused) else type(fault).__name__
                if reason != failing:
                    log.warning("a carrier does not let us in", provider=self.name, reason=reason)
                failing, most = reason, BACKOFF_MAX_SECONDS
            else:
                log.info("connected to a carrier", provider=self.name)
                failing, most = "", UNSTEADY_MAX_SECONDS
                await self._serve(session)
                if loop.time() - began >= STEADY_SECONDS:
                    pause = BACKOFF_SECONDS
            await asyncio.sleep(pause * (1 + self._jitter()) / 2)
            pause = min(pause * 2, most)

    async def _serve(self, session: Session) -> None:
        """Let a connection carry what waits, for as long as it lasts."""
        self._sessions.add(session)
        self._connected.set()
        try:
            await asyncio.wait([session.lost])
            log.warning("the connection to a carrier ended", provider=self.name, reason=session.lost.result())
        finally:
            self._sessions.discard(session)
            for other in self._sessions:  # to go on with the texts it has begun
                other.wake()
            if not self._sessions:
                self._connected.clear()
                self._patience_until = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def _connect(self) -> Session:
        settings = self._settings
        context = ssl.create_default_context() if settings.tls else None

        def open_session() -> Session:
            return Session(
                self._line,
                self._store,
                self._on_late,
                window=settings.window,
                enquire_seconds=settings.enquire_seconds,
            )

        async with asyncio.timeout(CONNECT_SECONDS):
            loop = asyncio.get_running_loop()
            _, session = await loop.create_connection(open_session, settings.host, settings.port, ssl=context)
        try:
            await session.bind(self._bind)
        except BaseException:
            session.abort("not bound")
            raise
        return session

    async def _store(self, heard: Sequence[Heard]) -> list[Status]:
        """Make what was heard durable; what each is answered. Raises whatever keeps receipts from being stored."""
        if self._take is None or self._hear is None:
            raise NobodyListens
        statuses = [Status.ROK] * len(heard)
        receipts: list[RawReceipt] = []
        texts: list[ReceivedText] = []
        places: list[int] = []
        now = self._clock.now()
        for place, one in enumerate(heard):
            try:
                is_data = one.command == codec.DATA_SM
                message = (ShortMessage.decode_data_sm if is_data else ShortMessage.decode)(one.body)
            except Malformed as fault:
                statuses[place] = fault.status
                continue
            if hearing.is_receipt(message):
                receipts.append(hearing.receipt_of(message, one.body, self._settings))
            else:
                texts.append(hearing.text_heard(message, one.body, self._settings, now))
                places.append(place)
        if receipts:
            await self._take(receipts)
        if texts and not await _is_done(self._hear(texts)):
            for place in places:
                statuses[place] = Status.RX_T_APPN
        return statuses

    def _on_late(self, part: int) -> None:
        """Nobody waits for this answer any longer."""
        log.warning("a carrier answered too late", provider=self.name, part=part)

    def _keep_part(self, submission: Submission, part: int | None, ref: str) -> None:
        """What the carrier calls a part of a text of unknown end is told like a receipt: others then find the text."""
        if len(self._kept) >= KEPT_MAX:
            return
        self._kept.append(
            RawReceipt(
                hearing.answered_ref(ref, self._settings.message_ids),
                Reading.UNDERWAY,
                b"the answer to a submission",
                reference=submission.reference,
                user_reference=None if part is None else user_reference(submission.reference, part),
            )
        )
        self._file_kept()

    def _file_kept(self) -> None:
        if self._kept and self._file is not None and self._filing is None:
            self._filing = asyncio.get_running_loop().create_task(self._keep_filing())

    async def _keep_filing(self) -> None:
        """File what is kept, however often that fails: the carrier says it only once."""
        pause = BACKOFF_SECONDS
        try:
            while self._kept and self._file is not None:
                kept = self._kept[:]
                if await _is_done(self._file(kept)):
                    del self._kept[: len(kept)]
                    pause = BACKOFF_SECONDS
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, BACKOFF_MAX_SECONDS)
        finally:
            self._filing = None


async def _is_done(storing: Awaitable[None]) -> bool:
    try:
        await storing
    except Exception as fault:  # noqa: BLE001 -- the SMSC says it again, or it is filed again
        log.warning("what a carrier said was not stored", error=type(fault).__name__)
        return False
    return True
