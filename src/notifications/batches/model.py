"""The nouns of a batch, and which of its rows have come. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from kernel.ids import BUCKETS, DepartmentId
from notifications.model import Lane, Language
from notifications.services.model import KeyKind

ROWS_MAX = 5_000_000
"""Rows of one batch: every number of a batch lies below."""
SPANS_MAX = 1_000
"""Runs of rows without a gap: whoever sends row by row in any order is asked to send in runs."""
STRIPE_ROWS = 64
"""Rows that stand together in one bucket, so that what is written together lies together."""

LANES = (Lane.RESULT, Lane.BULK)
"""The lanes that a batch may go by: nobody's code waits behind a million notices."""


class BatchState(StrEnum):
    """`open` takes rows; `started` feeds them; `finished` and `cancelled` are ends."""

    OPEN = "open"
    STARTED = "started"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


PausedFor = Literal["text", "operator"]
"""Why a batch is paused that its sender did not pause: its text is not approved any more, or an operator paused it."""

ENDED = frozenset({BatchState.CANCELLED, BatchState.FINISHED})


class Act(StrEnum):
    """What may be done to a batch."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


STEPS: dict[tuple[BatchState, Act], BatchState] = {
    (BatchState.OPEN, Act.START): BatchState.STARTED,
    (BatchState.OPEN, Act.CANCEL): BatchState.CANCELLED,
    (BatchState.STARTED, Act.PAUSE): BatchState.PAUSED,
    (BatchState.STARTED, Act.CANCEL): BatchState.CANCELLED,
    (BatchState.PAUSED, Act.RESUME): BatchState.STARTED,
    (BatchState.PAUSED, Act.CANCEL): BatchState.CANCELLED,
}
"""Where each act leads; any other is refused."""
REPEATED: dict[Act, frozenset[BatchState]] = {
    Act.START: frozenset({BatchState.STARTED, BatchState.PAUSED, BatchState.FINISHED}),
    Act.PAUSE: frozenset({BatchState.PAUSED}),
    Act.RESUME: frozenset({BatchState.STARTED, BatchState.FINISHED}),
    Act.CANCEL: frozenset({BatchState.CANCELLED}),
}
"""Where an act has led already: said again, it changes nothing."""


class Plan(Struct, frozen=True):
    """What a department says of a batch when it opens it. `rows` is how many it means to send, if it knows."""

    name: str
    text_id: str
    version: int
    lane: Lane
    kind: KeyKind
    language: Language = "zh"
    rows: int | None = None
    send_at: datetime | None = None


class Span(Struct, frozen=True, order=True):
    """Rows from `first` to `last`, both of them too."""

    first: int
    last: int


class Batch(Struct, frozen=True, kw_only=True):
    """How far a batch has come. Rows that came were taken or refused; of those taken, so many were fed to the lanes.

    `spans` are of lines that came, by their numbers: blank ones too, which are no rows and not in `received`.
    `resumed_at` is when it was started or resumed last, and `fed_before` what had been fed then.
    """

    batch_id: UUID
    department_id: DepartmentId
    plan: Plan
    state: BatchState
    opened_at: datetime
    touched_at: datetime
    starts_at: datetime | None
    resumed_at: datetime | None
    ended_at: datetime | None
    paused_for: PausedFor | None
    spans: tuple[Span, ...]
    received: int
    refused: int
    fed: int
    fed_before: int
    withdrawn: int

    @property
    def lines(self) -> int:
        """Lines that came: rows, refused ones too, and blank ones."""
        return sum(span.last - span.first + 1 for span in self.spans)

    @property
    def taken(self) -> int:
        return self.received - self.refused

    def moved(self, state: BatchState, now: datetime, *, paused_for: PausedFor | None = None) -> "Batch":
        """The same batch in another state from now on. `paused_for`: why, where its sender did not pause it."""
        changed = replace(self, state=state, touched_at=now, paused_for=paused_for)
        if state is BatchState.STARTED:
            starts_at = self.starts_at or max(now, self.plan.send_at or now)
            return replace(changed, starts_at=starts_at, resumed_at=max(now, starts_at), fed_before=self.fed)
        return replace(changed, ended_at=now) if state in ENDED else changed

    @property
    def missing(self) -> list[Span]:
        """Rows to send: the gaps up to the last row that came or that was announced."""
        return missing(self.spans, up_to=self.plan.rows or 0)


class RefusedRow(Struct, frozen=True):
    """A row that was refused, and why, in words that repeat none of its values.

    `field` names one of ours or one of the text's; `reference` is the sender's own for the row.
    """

    number: int
    code: str
    detail: str
    field: str | None = None
    reference: str | None = None


def bucket_of_row(batch_id: UUID, number: int) -> int:
    """The bucket of a row and of its message: a pure function of the message's key, which names both."""
    return (batch_id.int + (number - 1) // STRIPE_ROWS) % BUCKETS


def with_rows(spans: Sequence[Span], numbers: Sequence[int]) -> tuple[Span, ...]:
    """`spans` with more rows, given in rising order."""
    merged = sorted([*spans, *runs(numbers)])
    joined: list[Span] = []
    for span in merged:
        if joined and span.first <= joined[-1].last + 1:
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return tuple(joined)


def runs(numbers: Sequence[int]) -> list[Span]:
    """Rising numbers as spans without a gap."""
    found: list[Span] = []
    first = previous = None
    for number in numbers:
        if first is None or previous is None:
            first = number
        elif number != previous + 1:
            found.append(Span(first, previous))
            first = number
        previous = number
    if first is not None and previous is not None:
        found.append(Span(first, previous))
    return found


def is_among(spans: Sequence[Span], number: int) -> bool:
    """Whether a row has come."""
    at = bisect_right(spans, number, key=lambda span: span.first) - 1
    return at >= 0 and number <= spans[at].last


def missing(spans: Sequence[Span], *, up_to: int) -> list[Span]:
    """The gaps before the last row of `spans`, or before row `up_to` if that is later."""
    found: list[Span] = []
    wanted = 1
    for span in spans:
        if span.first > wanted:
            found.append(Span(wanted, span.first - 1))
        wanted = span.last + 1
    if wanted <= up_to:
        found.append(Span(wanted, up_to))
    return found
