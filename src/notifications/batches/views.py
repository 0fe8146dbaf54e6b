"""Batches as they come and go over the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.plain_text import ONE_LINE
from notifications.batches.model import ROWS_MAX, PausedFor, Plan, RefusedRow, Span
from notifications.batches.progress import Progress
from notifications.model import Lane, Language
from notifications.services.model import KeyKind

SPANS_SHOWN_MAX = 1_000

LaneWord = Literal["result", "bulk"]
_LANE: dict[LaneWord, Lane] = {"result": Lane.RESULT, "bulk": Lane.BULK}
_WORD: dict[Lane, LaneWord] = {lane: word for word, lane in _LANE.items()}


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to whoever the rows name.

    `version` is a version of the text that is approved; without it, the one in use when the batch is opened. `lane`
    says what goes first. `kind`: `live` reaches anybody, `team` those on your team list, `test` nobody. `rows` is how
    many you mean to send, so that rows missing at the end are noticed too. With `send_at` a started batch waits until
    then.
    """

    name: Annotated[str, Meta(min_length=1, max_length=120, pattern=ONE_LINE)]
    text_id: UUID
    version: Annotated[int, Meta(ge=1, le=32_767)] | None = None
    lane: LaneWord = "bulk"
    kind: KeyKind = "live"
    language: Language = "zh"
    rows: Annotated[int, Meta(ge=1, le=ROWS_MAX)] | None = None
    send_at: Annotated[datetime, Meta(tz=True)] | None = None

    def plan(self, in_use: int) -> Plan:
        """The same, with `in_use` for a version not named."""
        return Plan(
            name=self.name,
            text_id=str(self.text_id),
            version=self.version or in_use,
            lane=_LANE[self.lane],
            kind=self.kind,
            language=self.language,
            rows=self.rows,
            send_at=self.send_at,
        )


class StartRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whether to start although rows are missing. They will not be sent, and cannot be added later."""

    without_missing: bool = False


class SpanView(msgspec.Struct):
    """Rows from `first` to `last`, both of them too."""

    first: int
    last: int

    @classmethod
    def of(cls, span: Span) -> "SpanView":
        return cls(span.first, span.last)


class RefusedForView(msgspec.Struct):
    """So many rows were refused for this."""

    code: str
    rows: int


class BatchView(msgspec.Struct):
    """How far a batch is.

    `paused_for`: null where you paused it; `text`, its text is not approved any more; `operator`, an operator did, who
    alone can resume it. Rows `received` were taken or `refused`; of those taken, `fed` became messages, of which `sent`
    left: to a carrier or an inbox. `withdrawn` were taken back, with the batch or one by one, or held back by our own
    rules, as where somebody opted out. `missing` counts rows not received yet, `next_row` is where to go on.
    `delivered`, `failed` and `unknown` count recipients that you named by number or address: of a person named by ID
    number nobody is told whether the city knows them, or how they were told. They are counted every few seconds.
    `ends_at`: by then the last will have been sent, at the pace so far.
    """

    batch_id: UUID
    name: str
    text_id: UUID
    version: int
    lane: LaneWord
    kind: KeyKind
    state: Literal["open", "started", "paused", "cancelled", "finished"]
    paused_for: PausedFor | None
    opened_at: datetime
    send_at: datetime | None
    starts_at: datetime | None
    ended_at: datetime | None
    rows: int | None
    received: int
    refused: int
    refused_for: list[RefusedForView]
    missing: int
    next_row: int
    fed: int
    waiting: int
    sent: int
    withdrawn: int
    delivered: int
    failed: int
    unknown: int
    ends_at: datetime | None

    @classmethod
    def of(cls, progress: Progress) -> "BatchView":
        batch, plan, tally = progress.batch, progress.batch.plan, progress.tally
        gaps = batch.missing
        return cls(
            batch_id=batch.batch_id,
            name=plan.name,
            text_id=UUID(plan.text_id),
            version=plan.version,
            lane=_WORD[plan.lane],
            kind=plan.kind,
            state=batch.state.value,
            paused_for=batch.paused_for,
            opened_at=batch.opened_at,
            send_at=plan.send_at,
            starts_at=batch.starts_at,
            ended_at=batch.ended_at,
            rows=plan.rows,
            received=batch.received,
            refused=batch.refused,
            refused_for=[RefusedForView(code, rows) for code, rows in progress.refused_for],
            missing=sum(gap.last - gap.first + 1 for gap in gaps),
            next_row=gaps[0].first if gaps else batch.lines + 1,
            fed=batch.fed,
            waiting=progress.waiting,
            sent=progress.sent,
            withdrawn=progress.withdrawn,
            delivered=tally.delivered,
            failed=tally.failed,
            unknown=tally.unknown,
            ends_at=progress.ends_at,
        )


class BatchesView(msgspec.Struct):
    """Batches, those opened last first; `next_cursor` asks for more."""

    batches: list[BatchView]
    next_cursor: str | None


class OperatorBatchView(msgspec.Struct):
    """A batch, and whose it is. `batch` is what its department sees."""

    department_id: UUID
    batch: BatchView

    @classmethod
    def of(cls, progress: Progress) -> "OperatorBatchView":
        return cls(progress.batch.department_id, BatchView.of(progress))


class OperatorBatchesView(msgspec.Struct):
    """Batches of all departments, those opened last first; `next_cursor` asks for more."""

    batches: list[OperatorBatchView]
    next_cursor: str | None


class MissingView(msgspec.Struct):
    """Runs of rows to send, in order."""

    missing: list[SpanView]


class RefusedRowView(msgspec.Struct):
    """A row that was refused: send it again, mended, under the same number. `code` is that of the refusal."""

    row: int
    reference: str | None
    code: str
    detail: str
    field: str | None

    @classmethod
    def of(cls, refused: RefusedRow) -> "RefusedRowView":
        return cls(refused.number, refused.reference, refused.code, refused.detail, refused.field)


class RefusedRowsView(msgspec.Struct):
    """Refused rows in order; `next_cursor` asks for more."""

    refused: list[RefusedRowView]
    next_cursor: str | None
