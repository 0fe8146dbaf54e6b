"""Scans made without network: what a device tells of one, and what becomes of it."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from kernel.ids import UseId
from wallet.model import Flag

SCANS_MAX = 1_000
"""Of one upload; a device with more sends them in several."""
UPLOADED_WITHIN = timedelta(days=30)
"""How late a scan may be uploaded."""
CLOCK_AHEAD_MAX = timedelta(seconds=60)
"""How far a device's clock may be ahead of ours."""


class Uploaded(Struct, frozen=True):
    """One scan as the device tells it: the text, the id it chose for it, when it was, and what the device decided."""

    code: str
    use_id: UseId
    scanned_at: datetime
    verdict: str


class Result(StrEnum):
    """What became of a scan. `not_ours` also for codes of other cities, recognised here or not."""

    RECORDED = "recorded"
    NOT_OURS = "not_ours"
    NOTHING_SEEN = "nothing_seen"
    TOO_LATE = "too_late"
    CLOCK_WRONG = "clock_wrong"


class Answer(Struct, frozen=True):
    """What became of one scan; with `is_new` false it, or the look that it repeats, was recorded before with these."""

    use_id: UseId
    result: Result
    is_new: bool = False
    findings: tuple[Flag, ...] = ()
