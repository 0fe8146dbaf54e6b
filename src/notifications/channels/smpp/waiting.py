"""What waits to be written: one line for all connections of an account, so that none of it depends on one of them.

Whoever waits here was certainly never sent: when it gives up, it is refused as busy, and nothing was doubled. A long
text may end when some of its parts were taken: nobody knows what arrives of it, but what the carrier calls those parts
is kept, so that their receipts find it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Final

from notifications.channels.provider import Accepted, Refused

WAITING_MAX: Final = 20_000
PAUSE_SECONDS: Final = 0.1
PAUSE_MAX_SECONDS: Final = 5.0
"""How long nothing is sent after the carrier said that it is too much: doubled each time it says so again."""
CAREFUL_SECONDS: Final = 1.0
"""So long after a pause no more leaves than the carrier shows that it takes again: one, and two for each it took."""
TRUSTED_FIRST, TRUSTED_FOR_EACH = 1, 2
BURST_SECONDS: Final = 0.1
"""How much of a second's throughput may leave at once."""
NEVER_SENT: Final = Refused("busy", "never sent: the carrier took no more in time")


class AnswerLate(Exception):
    """It was sent, and no answer came in time."""


class PartlySent(Exception):
    """Some parts of a text were taken and others were not: what arrives is not what was written."""


Answer = Accepted | Refused | Exception
Keep = Callable[["Submission", int | None, str], None]
"""Keeps what the carrier calls a part (0 is the first; None: all of it) of a text of which nobody knows the end."""


class Handover:
    """What somebody handed over together, and waits for together."""

    __slots__ = ("answers", "done", "keep", "left", "submissions")

    def __init__(self, count: int, done: "asyncio.Future[None]", keep: Keep) -> None:
        self.answers: list[Answer | None] = [None] * count
        self.left = count
        self.done = done
        self.keep = keep
        self.submissions: list[Submission] = []

    def end(self, place: int, answer: Answer) -> None:
        self.answers[place] = answer
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def give_up_unwritten(self) -> None:
        """Whoever still waits to be written is refused."""
        for submission in self.submissions:
            if not submission.is_written:
                submission.end(NEVER_SENT)

    def give_up(self) -> None:
        """Whoever still waits for an answer ends without."""
        for submission in self.submissions:
            if not submission.is_written:
                submission.end(NEVER_SENT)
            elif not submission.is_over:
                submission.fail(AnswerLate())

    def abandon(self) -> None:
        """Nobody waits any longer: what is not written will not be."""
        for submission in self.submissions:
            submission.abandon()


class Submission:
    """One text on its way: its parts, and what the carrier calls those it took."""

    __slots__ = ("_handover", "_refs", "_unanswered", "is_over", "is_written", "parts", "place", "reference", "turn")

    turn: int
    """Its place among the texts that were begun; set when the first of several parts was taken."""

    def __init__(self, handover: Handover, place: int, reference: str, parts: tuple[bytes, ...]) -> None:
        self._handover = handover
        self.place = place
        self.reference = reference
        self.parts = parts
        self.is_written = False
        self.is_over = False
        self._unanswered = len(parts)
        self._refs: list[str] = [""] * len(parts) if len(parts) > 1 else []

    def accept(self, part: int, ref: str) -> None:
        """The carrier took a part; when it took all, the text is accepted.

        A part it gave no name keeps its place, so that the receipts of the others are not all there is. One name for
        all of them is that of the whole text: its receipts cannot be told apart.
        """
        self._unanswered -= 1
        if len(self.parts) == 1:
            self.end(Accepted((ref,) if ref else ()))
            return
        self._refs[part] = ref
        if not self._unanswered:
            named = tuple(dict.fromkeys(self._refs))
            self.end(Accepted(named if any(named) else ()))

    def accept_late(self, part: int, ref: str) -> None:
        """The carrier took a part after the end: what it calls that, or all of it, is kept."""
        if not ref:
            return
        is_whole = False
        if self._refs:
            self._refs[part] = ref
            self._unanswered -= 1
            is_whole = not self._unanswered and len(set(self._refs)) == 1
        self._handover.keep(self, None if is_whole else part, ref)

    def end(self, answer: Answer) -> None:
        """What came of it, for whoever waits; only the first end counts."""
        if not self.is_over:
            self.is_over = True
            self._handover.end(self.place, answer)

    def fail(self, fault: Exception) -> None:
        """It ends, and not every part was answered: what arrives of it is known by receipts alone."""
        if not self.is_over:
            self.end(fault)
            self._keep_taken()

    def abandon(self) -> None:
        """The same, and nobody is told."""
        if not self.is_over:
            self.is_over = True
            self._keep_taken()

    def _keep_taken(self) -> None:
        for part, ref in enumerate(self._refs):
            if ref:
                self._handover.keep(self, part, ref)


class Line:
    """First come, first served: urgent ones, what was begun, the others; and never faster than the carrier takes."""

    def __init__(self, per_second: int | None) -> None:
        self._turns = 0
        self._begun: list[tuple[int, int, Submission]] = []
        """A heap: later parts of texts, those begun first before the others, whichever connection began them."""
        self._urgent: deque[Submission] = deque()
        self._ordinary: deque[Submission] = deque()
        self._per_second = per_second
        self._burst = max(1.0, (per_second or 0) * BURST_SECONDS)
        self._allowance, self._allowed_at = self._burst, 0.0
        self._pause_seconds, self._paused_until = 0.0, 0.0
        self._is_careful, self._trusted = False, 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    @property
    def has_any(self) -> bool:
        return bool(self._ordinary or self._urgent or self._begun)

    @property
    def has_begun(self) -> bool:
        return bool(self._begun)

    @property
    def has_urgent(self) -> bool:
        return bool(self._urgent)

    def begin(self, submission: Submission) -> None:
        """The first of its parts was taken: let the others wait."""
        self._turns += 1
        submission.turn = self._turns
        for part in range(1, len(submission.parts)):
            self.go_on(submission, part)

    def go_on(self, submission: Submission, part: int) -> None:
        """Let a later part wait."""
        heappush(self._begun, (submission.turn, part, submission))

    def add(self, submissions: Sequence[Submission], *, is_urgent: bool) -> None:
        """Let them wait. Those for whom there is no room are refused."""
        room = max(0, WAITING_MAX - len(self))
        (self._urgent if is_urgent else self._ordinary).extend(submissions[:room])
        for submission in submissions[room:]:
            submission.end(NEVER_SENT)

    def forget_ended(self) -> None:
        """Drop those that gave up."""
        self._urgent = deque(one for one in self._urgent if not one.is_over)
        self._ordinary = deque(one for one in self._ordinary if not one.is_over)

    def take_begun(self, room: int, now: float) -> list[tuple[Submission, int]]:
        """Up to `room` later parts of those that were begun, as far as the carrier lets us."""
        most = min(room, self._allowed(now))
        taken: list[tuple[Submission, int]] = []
        while self._begun and len(taken) < most:
            _, part, submission = heappop(self._begun)
            if not submission.is_over:
                taken.append((submission, part))
        self._spend(len(taken))
        return taken

    def take(self, room: int, reserved: int, now: float) -> list[Submission]:
        """Up to `room` of those who wait, as far as the carrier lets us; the last `reserved` are for urgent ones."""
        allowed = self._allowed(now)
        taken: list[Submission] = []
        _move(self._urgent, taken, min(room, allowed))
        _move(self._ordinary, taken, min(room - reserved, allowed))
        self._spend(len(taken))
        return taken

    def _spend(self, parts: int) -> None:
        """So many parts were written."""
        if self._per_second is not None:
            self._allowance -= parts
        if self._is_careful:
            self._trusted -= parts

    def _allowed(self, now: float) -> int:
        """How many parts may be written now."""
        if now < self._paused_until:
            return 0
        most = WAITING_MAX
        if self._is_careful:
            if now < self._paused_until + CAREFUL_SECONDS:
                most = self._trusted
            else:
                self._is_careful, self._pause_seconds = False, 0.0
        if self._per_second is None:
            return most
        earned = (now - self._allowed_at) * self._per_second
        self._allowance, self._allowed_at = min(self._burst, self._allowance + earned), now
        return max(0, min(most, int(self._allowance)))

    def seconds_until_allowed(self, now: float) -> float:
        """How long until something may be written; 0 when it is not the carrier's pace that is in the way."""
        if now < self._paused_until:
            return self._paused_until - now
        if self._allowed(now):
            return 0.0
        if self._is_careful and self._trusted < 1:
            return self._paused_until + CAREFUL_SECONDS - now
        assert self._per_second is not None
        return (1 - self._allowance) / self._per_second

    def hold(self, now: float) -> None:
        """The carrier said that it is too much: nothing leaves for a moment, a longer one each time."""
        if now >= self._paused_until:  # what was written before the pause may be answered within it
            self._pause_seconds = min(max(PAUSE_SECONDS, self._pause_seconds * 2), PAUSE_MAX_SECONDS)
            self._paused_until = now + self._pause_seconds
            self._is_careful, self._trusted = True, TRUSTED_FIRST

    def ease(self, now: float) -> None:
        """The carrier took something again."""
        if self._is_careful and now >= self._paused_until:
            self._pause_seconds = 0.0
            self._trusted += TRUSTED_FOR_EACH


def _move(waiting: deque[Submission], taken: list[Submission], most: int) -> None:
    """Move those who still wait to `taken`, until it holds `most`."""
    while waiting and len(taken) < most:
        submission = waiting.popleft()
        if not submission.is_over:
            submission.is_written = True
            taken.append(submission)
