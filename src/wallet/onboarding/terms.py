"""Terms as people write them: days by name, hours by the clock."""

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wallet.forms import FieldName, KindCode
from wallet.model import EVERY_DAY, NO_TERMS, Terms

KINDS_MAX = 1_000
FIELDS_MAX = 60
QUOTA_MAX = 10_000_000
"""Looks a day: more than the whole city makes."""
_MINUTES_AN_HOUR = 60
_MINUTES_A_DAY = 24 * _MINUTES_AN_HOUR

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Opens = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", examples=["08:30"])]
Closes = Annotated[str, Meta(pattern=r"^(24:00|([01][0-9]|2[0-3]):[0-5][0-9])$(?!\n)", examples=["17:30", "24:00"])]
"""Midnight at the end of the day is 24:00; 00:00 says the same."""
Grants = Annotated[
    dict[KindCode, Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)]],
    Meta(min_length=1, max_length=KINDS_MAX),
]


class TermsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Under which terms a venue has a scenario; what is left out is not narrowed.

    `grants` are the kinds and fields it sees, none but those of the scenario. From `opens` to `closes`, on the city's
    clock, on `days`; past midnight when it closes before it opens. `quota_per_day` is looks;
    `granted_until` is the last day.
    """

    grants: Grants | None = None
    days: Annotated[list[Weekday], Meta(min_length=1, max_length=len(WEEKDAYS))] | None = None
    opens: Opens | None = None
    closes: Closes | None = None
    quota_per_day: Annotated[int, Meta(ge=1, le=QUOTA_MAX)] | None = None
    granted_until: date | None = None

    def whole(self) -> Terms:
        grants = self.grants
        return Terms(
            None if grants is None else {kind: tuple(dict.fromkeys(names)) for kind, names in grants.items()},
            EVERY_DAY if self.days is None else sum(1 << WEEKDAYS.index(day) for day in set(self.days)),
            None if self.opens is None else _minutes(self.opens),
            None if self.closes is None else _minutes(self.closes) or _MINUTES_A_DAY,
            self.quota_per_day,
            self.granted_until,
        )


class TermsView(msgspec.Struct):
    """The terms of a scenario; null: not narrowed."""

    grants: dict[str, list[str]] | None
    days: list[Weekday]
    opens: str | None
    closes: str | None
    quota_per_day: int | None
    granted_until: date | None

    @classmethod
    def of(cls, terms: Terms = NO_TERMS) -> "TermsView":
        grants = terms.grants
        return cls(
            None if grants is None else {kind_code: list(names) for kind_code, names in sorted(grants.items())},
            [day for place, day in enumerate(WEEKDAYS) if terms.days >> place & 1],
            None if terms.opens_minute is None else _clock(terms.opens_minute),
            None if terms.closes_minute is None else _clock(terms.closes_minute),
            terms.quota_per_day,
            terms.granted_until,
        )


assert sum(1 << place for place in range(len(WEEKDAYS))) == EVERY_DAY


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * _MINUTES_AN_HOUR + int(minutes)


def _clock(minute: int) -> str:
    assert 0 <= minute <= _MINUTES_A_DAY
    return f"{minute // _MINUTES_AN_HOUR:02d}:{minute % _MINUTES_AN_HOUR:02d}"
