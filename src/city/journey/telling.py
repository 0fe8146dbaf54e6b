"""The journey told as it happens: acts, steps, what was sent and seen, and each promise the moment it is checked.

Tokens and keys are left out of what is told; people are invented and are shown as they are.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TextIO, TypeVar

import msgspec

TOLD_CHARACTERS_MAX: Final = 240
"""Of one request or answer; the journey checks all of it and shows the beginning."""
_UNTOLD: Final = frozenset(
    {
        "access_token",
        "refresh_token",
        "client_assertion",
        "private_jwk",
        "Authorization",
        "secret",
        "key",
        "sd_jwt",
        "salt",
        "admission",
    }
)


T = TypeVar("T")


class Broken(Exception):
    """A promise that was not kept: which, what was expected, what was seen."""

    def __init__(self, promise: str, expected: object, seen: object) -> None:
        super().__init__(promise)
        self.promise = promise
        self.expected = expected
        self.seen = seen


@contextmanager
def believed(promise: str, *doubts: type[Exception]) -> Iterator[None]:
    """Something is believed, unless the library that checks it has one of these doubts. Raises Broken."""
    try:
        yield
    except doubts as doubt:
        raise Broken(promise, "believed", f"{type(doubt).__name__}: {doubt}") from None


def only(promise: str, found: Sequence[T]) -> T:
    """The one that is there, when there is one. Raises Broken."""
    if len(found) != 1:
        raise Broken(promise, "one", f"{len(found)}: {told(found)}")
    return found[0]


class Exchange(msgspec.Struct, frozen=True):
    """One request and its answer, in words."""

    sent: str
    seen: str
    milliseconds: float


class Step(msgspec.Struct):
    """What was done in one step, and which promises were checked in it."""

    act: str
    words: str
    exchanges: list[Exchange] = []
    promises: list[str] = []
    milliseconds: float = 0.0


class Teller(Protocol):
    """Where the journey is told."""

    def act(self, number: int, title: str) -> None: ...
    def begins(self, step: Step) -> None: ...
    def ends(self, number: int, step: Step, broken: Broken | None) -> None: ...


class Story:
    """The course of one journey. Whoever talks to the city notes it here; whoever expects something checks it here."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._acts = 0
        self._act = ""
        self._current: Step | None = None
        self.steps = 0
        self.promises = 0

    def act(self, title: str) -> None:
        """The next act begins."""
        self._acts += 1
        self._act = title
        self._teller.act(self._acts, title)

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """One step; a promise broken in it is told, and ends the journey."""
        assert self._current is None, "steps do not nest"
        step = self._current = Step(self._act, words, [], [])
        self._teller.begins(step)
        began = time.monotonic()
        broken: Broken | None = None
        try:
            yield
        except Broken as found:
            broken = found
            raise
        finally:
            self._current = None
            self.steps += 1
            step.milliseconds = round((time.monotonic() - began) * 1000, 1)
            self._teller.ends(self.steps, step, broken)

    def note(self, exchange: Exchange) -> None:
        """Something was sent and answered."""
        if self._current is not None:
            self._current.exchanges.append(exchange)

    def equal(self, promise: str, *, expected: object, seen: object) -> None:
        """Check a promise by comparison. Raises Broken."""
        if expected != seen:
            raise Broken(promise, expected, seen)
        self._keep(promise)

    def holds(self, promise: str, claim: bool, *, expected: str, seen: object) -> None:
        """Check a promise that is more than a comparison. Raises Broken."""
        if not claim:
            raise Broken(promise, expected, seen)
        self._keep(promise)

    def _keep(self, promise: str) -> None:
        self.promises += 1
        if self._current is not None:
            self._current.promises.append(promise)


def told(content: Any) -> str:
    """A body in a line: without secrets, and no longer than a person reads."""
    return shortened(json.dumps(_without_secrets(content), ensure_ascii=False, default=str))


def shortened(text: str) -> str:
    """The beginning of a text, and how much more there is."""
    if len(text) <= TOLD_CHARACTERS_MAX:
        return text
    return f"{text[:TOLD_CHARACTERS_MAX]}… ({len(text) - TOLD_CHARACTERS_MAX} characters more)"


def _without_secrets(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: "…" if name in _UNTOLD else _without_secrets(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_secrets(value) for value in content]
    return content


class ForPeople:
    """Told on a terminal; `quiet` leaves all but acts and what broke."""

    def __init__(self, out: TextIO, *, quiet: bool) -> None:
        self._out = out
        self._quiet = quiet

    def act(self, number: int, title: str) -> None:
        self._say(f"\n{number}. {title}" if not self._quiet else f"{number}. {title}")

    def begins(self, step: Step) -> None:
        if not self._quiet:
            self._say(f"   {step.words}")

    def ends(self, number: int, step: Step, broken: Broken | None) -> None:
        del number
        if not self._quiet:
            for one in step.exchanges:
                self._say(f"     → {one.sent}\n     ← {one.seen}  ({one.milliseconds:.0f} ms)")
            for promise in step.promises:
                self._say(f"     ✓ {promise}")
        if broken is not None:
            self._say(f"     ✗ BROKEN: {broken.promise}\n       expected: {_said(broken.expected)}")
            self._say(f"       seen:     {_said(broken.seen)}")

    def _say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()


class ForPrograms:
    """Told as JSON, a line for each step."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def act(self, number: int, title: str) -> None:
        """Each step names its act."""

    def begins(self, step: Step) -> None:
        """Told when it ends."""

    def ends(self, number: int, step: Step, broken: Broken | None) -> None:
        line: dict[str, Any] = {"step": number, **msgspec.to_builtins(step), "broken": None}
        if broken is not None:
            expected, seen = _said(broken.expected), _said(broken.seen)
            line["broken"] = {"promise": broken.promise, "expected": expected, "seen": seen}
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._out.flush()


def _said(value: object) -> str:
    return shortened(value) if isinstance(value, str) else told(value)
