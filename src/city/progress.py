"""What is going on, one line a step, with how long it took. Silent about steps shorter than a second until they end."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SHOWN_AFTER_SECONDS = 1.0
REDRAWN_AFTER_SECONDS = 0.2
REPEATED_AFTER_SECONDS = 10.0  # where lines cannot be redrawn: a file, a pipe, a CI log
WIDTH_MAX = 100


def put(out: TextIO, text: str) -> None:
    """Write `text` at once. Where nobody reads any more, go silent: what goes on does not stop for want of a reader."""
    try:
        out.write(text)
        out.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


class Step:
    """One step under way. Whoever waits calls `tick` often; it costs nothing until a line is due."""

    def __init__(self, words: str, out: TextIO, *, redraws: bool) -> None:
        self.words = words
        self.outcome = ""
        self._out = out
        self._redraws = redraws
        self._began = time.monotonic()
        self._due = self._began + SHOWN_AFTER_SECONDS

    @property
    def seconds(self) -> float:
        """How long the step has been going."""
        return time.monotonic() - self._began

    def tick(self, detail: str = "") -> None:
        """Show that the step is still going, and how far it is, when it is time to."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + (REDRAWN_AFTER_SECONDS if self._redraws else REPEATED_AFTER_SECONDS)
        self._write(f"{self.words} … {self.seconds:.0f} s{', ' + detail if detail else ''}", ends=not self._redraws)

    def end(self, *, reached: bool) -> None:
        """Write the line that stays."""
        if reached:
            self._write(f"{self.words}{': ' + self.outcome if self.outcome else ''} ({self.seconds:.1f} s)", ends=True)
        elif self._redraws:
            self._write(f"{self.words}: stopped after {self.seconds:.1f} s", ends=True)

    def _write(self, text: str, *, ends: bool) -> None:
        line = f"  {text}"[:WIDTH_MAX]
        put(self._out, (f"\r\x1b[K{line}" if self._redraws else line) + ("\n" if ends else ""))


class Progress:
    """Writes the steps of one command to a terminal or a file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._redraws = out.isatty()

    @contextmanager
    def step(self, words: str) -> Iterator[Step]:
        """A step named by `words`; set its `outcome` to say more than that it is done."""
        step = Step(words, self._out, redraws=self._redraws)
        reached = False
        try:
            yield step
            reached = True
        finally:
            step.end(reached=reached)

    def say_now(self, text: str) -> None:
        """A line about something that happened by itself, with the time of day."""
        self.say(f"  {time.strftime('%H:%M:%S')} {text}")

    def say(self, text: str) -> None:
        """A line that is no step."""
        put(self._out, f"{text}\n")
