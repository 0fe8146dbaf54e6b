"""One connection to an SMSC: bound, it writes what waits within its window, and says "received" after storing only.

Written and unanswered when the connection is lost is *unknown*; never written is still in the line, for another
connection. Everything of one loop tick leaves in one write.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from kernel.log import get_logger
from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import Malformed, pdu
from notifications.channels.smpp.statuses import SLOW_DOWN, Status, name_of, refusal_of
from notifications.channels.smpp.waiting import Line, PartlySent, Submission

BIND_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 5.0
"""Silence while answers are due after which the SMSC is asked whether it is there."""
ENQUIRY_SECONDS: Final = 10.0
"""How long it may take to say so; never longer than the silence that is allowed without anything due."""
PULSE_SECONDS: Final = 1.0
UNBIND_SECONDS: Final = 2.0
"""How long answers are waited for when one side takes its leave."""
LOOK_SECONDS: Final = 0.02
WORTH_WRITING_SHARE: Final = 4
"""What is not urgent is written once a quarter of the window is free, so that it leaves in few writes, ..."""
GATHER_SECONDS: Final = 0.002
"""... or after so long, however little is free: carriers may hold back some answers."""
RESERVED_SHARE: Final = 10
"""One place of the window in ten is kept for what is urgent."""
HEARD_TOGETHER_MAX: Final = 500
HEARD_MAX: Final = 5_000
"""Receipts and texts that wait to be stored; more are sent back for later."""
UNREAD_MAX: Final = 1024 * 1024
"""Octets of ours that an SMSC leaves unread: acknowledgements for the most part, since its window bounds the rest."""
GIVEN_UP_MAX: Final = 10_000
"""Answers that are still known when they come, though they hold no place of the window any longer."""

log = get_logger(__name__)


class ConnectionLost(Exception):
    """It was sent, and the connection ended before an answer came."""


class BindRefused(Exception):
    """The SMSC does not let us in; `status` is why."""

    def __init__(self, status: int) -> None:
        super().__init__(name_of(status))
        self.status = status


class Heard(NamedTuple):
    """A deliver_sm or data_sm that waits to be stored."""

    command: int
    sequence: int
    body: bytes


Store = Callable[[Sequence[Heard]], Awaitable[Sequence[Status]]]
"""Makes what was heard durable and says what to answer to each; whatever it raises sends all of it back for later."""
Late = Callable[[int], None]
"""The SMSC took a part of a submission that had given up waiting."""


class Session(asyncio.Protocol):
    """One connection. `lost` is done when it has ended, with the reason in words."""

    def __init__(self, line: Line, store: Store, late: Late, *, window: int, enquire_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._line = line
        self._store = store
        self._late = late
        self._window = window
        self._reserved = min(window - 1, -(-window // RESERVED_SHARE))
        self._worth_writing = self._reserved + max(1, window // WORTH_WRITING_SHARE)
        self._enquire_seconds = enquire_seconds
        self._silence_seconds = min(SILENCE_SECONDS, enquire_seconds)
        self._enquiry_seconds = min(ENQUIRY_SECONDS, enquire_seconds)
        self._transport: asyncio.WriteTransport | None = None
        self._bound: asyncio.Future[int] = self._loop.create_future()
        self._is_ready = False
        self._is_choked = False
        self._is_leaving = False
        self._sequence = 0
        self._outstanding: dict[int, tuple[Submission, int]] = {}
        self._given_up: dict[int, tuple[Submission, int]] = {}
        self._unsent: list[bytes] = []
        self._is_flush_planned = False
        self._again: asyncio.TimerHandle | None = None
        self._rest = b""
        self._heard: deque[Heard] = deque()
        self._telling: asyncio.Task[None] | None = None
        self._heard_at = self._loop.time()
        self._enquired_at: float | None = None
        self._pulse_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    async def bind(self, bind: codec.Bind) -> None:
        """Present ourselves; from then on the line is served. Raises BindRefused, TimeoutError, ConnectionLost."""
        self._send(pdu(codec.BIND_TRANSCEIVER, 0, self._next_sequence(), bind.encode()))
        async with asyncio.timeout(BIND_SECONDS):
            status = await self._bound
        if status != Status.ROK:
            raise BindRefused(status)
        self._is_ready = True
        self._pulse_timer = self._loop.call_later(PULSE_SECONDS, self._pulse)
        self.wake()

    async def unbind(self) -> None:
        """Take our leave: no more is written, answers are waited for within a bound, then the connection ends."""
        if self._transport is None or self.lost.done():
            return
        self._leave(pdu(codec.UNBIND, 0, self._next_sequence()))
        await asyncio.wait([self.lost], timeout=2 * UNBIND_SECONDS)
        self.abort("unbound")

    def wake(self) -> None:
        """Something waits in the line: take of it at the end of this loop tick."""
        if not self._is_flush_planned:
            self._is_flush_planned = True
            self._loop.call_soon(self._flush)

    def abort(self, reason: str) -> None:
        """End the connection; whoever waits for an answer hears of it now."""
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    def connection_lost(self, error: Exception | None) -> None:
        self._end("closed by the SMSC" if error is None else type(error).__name__)

    def _end(self, reason: str) -> None:
        if self.lost.done():
            return
        self._is_ready = False
        self.lost.set_result(reason)
        if not self._bound.done():
            self._bound.set_exception(ConnectionLost(reason))
            self._bound.exception()  # told to whoever binds; nobody may
        for timer in (self._pulse_timer, self._again):
            if timer is not None:
                timer.cancel()
        for submission, _ in self._outstanding.values():
            submission.fail(ConnectionLost(reason))
        self._outstanding.clear()
        self._given_up.clear()

    def pause_writing(self) -> None:
        self._is_choked = True

    def resume_writing(self) -> None:
        self._is_choked = False
        self.wake()

    def _next_sequence(self) -> int:
        self._sequence = codec.sequence_after(self._sequence)
        return self._sequence

    def _send(self, octets: bytes) -> None:
        self._unsent.append(octets)
        self.wake()

    def _flush(self) -> None:
        self._is_flush_planned = False
        if self._transport is None or self.lost.done():
            return
        if self._is_choked and self._transport.get_write_buffer_size() > UNREAD_MAX:
            self.abort("it does not read what we write")
            return
        if self._is_ready and not self._is_choked:
            self._fill()
        if self._unsent:
            unsent, self._unsent = self._unsent, []
            self._transport.write(b"".join(unsent))

    def _fill(self) -> None:
        """Take from the line what the window has room for."""
        if self._enquired_at is not None:  # it may be gone: what is not written now is not unknown then
            return
        now = self._loop.time()
        room = self._window - len(self._outstanding)
        if room <= self._reserved:
            room += self._forget_late()
        if self._line.has_begun:
            for submission in self._line.take(room, room, now):  # what is urgent alone
                self._submit(submission, 0)
                room -= 1
            for submission, part in self._line.take_begun(room - self._reserved, now):
                self._submit(submission, part)
                room -= 1
        if room > 0:
            for submission in self._line.take(room, self._reserved, now):
                self._submit(submission, 0)
        if self._line.has_any:
            self._look_again_after(self._line.seconds_until_allowed(now))

    def _submit(self, submission: Submission, part: int) -> None:
        sequence = self._next_sequence()
        self._outstanding[sequence] = (submission, part)
        body = submission.parts[part]
        self._unsent.append(codec.HEADER.pack(codec.HEADER_OCTETS + len(body), codec.SUBMIT_SM, 0, sequence))
        self._unsent.append(body)

    def _look_again_after(self, seconds: float) -> None:
        """Where the carrier's pace is in the way, no answer will wake us."""
        if seconds <= 0:
            return
        if self._again is not None:
            if self._again.when() <= self._loop.time() + seconds:
                return
            self._again.cancel()
        self._again = self._loop.call_later(seconds, self._look_again)

    def _wake_when_worth_it(self) -> None:
        """Something was answered, so there is room for more."""
        if self._line.has_urgent or self._window - len(self._outstanding) >= self._worth_writing:
            self.wake()
        elif self._line.has_any:
            self._look_again_after(GATHER_SECONDS)

    def _look_again(self) -> None:
        self._again = None
        self.wake()

    def _forget_late(self) -> int:
        """Take their places in the window from answers nobody waits for any longer; when they come, they are heard."""
        late = [sequence for sequence, (submission, _) in self._outstanding.items() if submission.is_over]
        for sequence in late:
            self._given_up[sequence] = self._outstanding.pop(sequence)
        if len(self._given_up) > GIVEN_UP_MAX:
            for sequence in list(islice(self._given_up, len(self._given_up) - GIVEN_UP_MAX)):
                del self._given_up[sequence]
        return len(late)

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        start, length = 0, len(buffer)
        try:
            while length - start >= codec.HEADER_OCTETS:
                octets, command, status, sequence = codec.header_at(buffer, start)
                end = start + octets
                if end > length:
                    break
                body = buffer[start + codec.HEADER_OCTETS : end]
                if command == codec.SUBMIT_SM_RESP:
                    self._on_answer(sequence, status, body)
                else:
                    self._on_pdu(command, sequence, status, body)
                start = end
        except Malformed as fault:  # where the next PDU begins cannot be known
            log.warning("an SMSC wrote what is no SMPP", reason=str(fault))
            if self._transport is not None:
                self._transport.write(pdu(codec.GENERIC_NACK, fault.status, 0))
                self._transport.close()
            self._end("malformed")
            return
        self._rest = buffer[start:] if start < length else b""
        if start:  # something whole: half a PDU that never ends is no sign of life
            self._heard_at, self._enquired_at = self._loop.time(), None
        if self._heard and self._telling is None and not self.lost.done():
            self._telling = self._loop.create_task(self._tell())
        self._wake_when_worth_it()

    def _on_answer(self, sequence: int, status: int, body: bytes) -> None:
        """submit_sm_resp (§4.4.2), or a generic_nack in its place."""
        found = self._outstanding.pop(sequence, None) or self._given_up.pop(sequence, None)
        if found is None:
            return
        submission, part = found
        if status == Status.ROK:
            self._on_accepted(submission, part, codec.read_message_id(body))
            return
        if status in SLOW_DOWN:
            self._line.hold(self._loop.time())
        elif status == Status.RINVBNDSTS and self._is_ready:  # it has forgotten us, and would refuse whatever comes
            self._leave(pdu(codec.UNBIND, 0, self._next_sequence()), "it does not know that we are bound")
        if part == 0:
            submission.end(refusal_of(status))
        elif status in SLOW_DOWN:
            self._line.go_on(submission, part)  # part of it is on its way: the rest is worth another try
        else:
            submission.fail(PartlySent(name_of(status)))

    def _on_accepted(self, submission: Submission, part: int, ref: str) -> None:
        self._line.ease(self._loop.time())
        if submission.is_over:
            self._late(part)
            submission.accept_late(part, ref)
            return
        submission.accept(part, ref)
        if part == 0 and len(submission.parts) > 1:
            self._line.begin(submission)  # only now: a text refused at its first part has left nothing behind

    def _on_pdu(self, command: int, sequence: int, status: int, body: bytes) -> None:
        if command in (codec.DELIVER_SM, codec.DATA_SM):
            self._on_heard(Heard(command, sequence, body))
        elif command == codec.ENQUIRE_LINK:
            self._send(pdu(codec.ENQUIRE_LINK_RESP, 0, sequence))
        elif command == codec.BIND_TRANSCEIVER_RESP:
            if not self._bound.done():
                self._bound.set_result(status)
        elif command == codec.UNBIND:
            self._leave(pdu(codec.UNBIND_RESP, 0, sequence), "unbound by the SMSC")
        elif command == codec.UNBIND_RESP:
            self.abort("unbound")
        elif command == codec.GENERIC_NACK:
            self._on_nack(sequence, status, body)
        elif not command & codec.RESPONSE and command not in codec.UNANSWERED:
            # §4.3: told that we do not know it, and the connection goes on
            self._send(pdu(codec.GENERIC_NACK, Status.RINVCMDID, sequence))

    def _on_nack(self, sequence: int, status: int, body: bytes) -> None:
        """§4.3.1: it could not make sense of what we wrote, of that PDU or, with no sequence number, of anything."""
        if not self._bound.done():
            self._bound.set_result(status or Status.RINVCMDID)
        elif sequence == 0:
            self.abort("generic_nack")
        else:
            self._on_answer(sequence, status or Status.RUNKNOWNERR, body)

    def _leave(self, last: bytes, closes_for: str = "") -> None:
        """Take no more; say the last word when every answer has come both ways, or soon, and close where said why."""
        if self._is_leaving:  # both sides at once: each hears the other's word
            self._send(last)
            return
        self._is_ready, self._is_leaving = False, True
        self._let_go(last, self._loop.time() + UNBIND_SECONDS, closes_for)

    def _let_go(self, last: bytes, give_up_at: float, closes_for: str) -> None:
        if self.lost.done() or self._transport is None:
            return
        if (self._outstanding or self._telling) and self._loop.time() < give_up_at:
            self._loop.call_later(LOOK_SECONDS, partial(self._let_go, last, give_up_at, closes_for))
            return
        self._flush()
        self._transport.write(last)
        if closes_for:
            self._transport.close()
            self._end(closes_for)

    def _on_heard(self, heard: Heard) -> None:
        if len(self._heard) >= HEARD_MAX:
            self._respond(heard, Status.RX_T_APPN)
        else:
            self._heard.append(heard)

    async def _tell(self) -> None:
        """Have what was heard stored, and only then say that it was received."""
        try:
            while self._heard:
                count = min(len(self._heard), HEARD_TOGETHER_MAX)
                heard = [self._heard.popleft() for _ in range(count)]
                statuses: Sequence[Status]
                try:
                    statuses = await self._store(heard)
                except Exception as fault:  # noqa: BLE001 -- the SMSC keeps them, and says them again
                    log.warning("receipts were not stored", count=count, error=type(fault).__name__)
                    statuses = [Status.RX_T_APPN] * count
                for one, status in zip(heard, statuses, strict=True):
                    self._respond(one, status)
        finally:
            self._telling = None

    def _respond(self, heard: Heard, status: Status) -> None:
        """deliver_sm_resp (§4.6.2) and data_sm_resp (§4.7.2): an empty message_id."""
        self._send(pdu(heard.command | codec.RESPONSE, status, heard.sequence, b"\0"))

    def _pulse(self) -> None:
        """enquire_link (§4.11) after a silence, sooner when answers are due; and the end, when none comes."""
        now = self._loop.time()
        silence = now - self._heard_at
        if self._enquired_at is not None and now - self._enquired_at >= self._enquiry_seconds:
            self.abort("enquire_link was not answered")
            return
        is_due = silence >= self._enquire_seconds or (bool(self._outstanding) and silence >= self._silence_seconds)
        if self._enquired_at is None and is_due:
            self._enquired_at = now
            self._send(pdu(codec.ENQUIRE_LINK, 0, self._next_sequence()))
        self._pulse_timer = self._loop.call_later(PULSE_SECONDS, self._pulse)
