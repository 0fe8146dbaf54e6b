"""What a department says about a case, by kind, and what has changed between two lists of missing papers. Pure."""

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from kernel.clock import YEAR_MAX, YEAR_MIN, in_shanghai, is_on_calendar
from notifications.free_words import LINE, holds_link
from notifications.model import Language

ITEMS_MAX: Final = 20
BRING_MAX: Final = 10
LINKS_MAX: Final = 3
WORDS_MAX: Final = 120
STAGES_MAX: Final = 99
REVISION_MAX: Final = 1_000_000
NOTICES_MAX: Final = 50
"""Of one kind about one case: an office that changes its mind more often has to talk to the person."""
URL_MAX: Final = 500

Line = Annotated[str, Meta(min_length=1, max_length=WORDS_MAX, pattern=LINE)]
Url = Annotated[str, Meta(max_length=URL_MAX, pattern=r"^https://[a-z0-9.-]+(/[A-Za-z0-9._~/?#=&%-]*)?$(?!\n)")]


class CaseKind(StrEnum):
    """What is told about a case."""

    SUPPLEMENT = "supplement"
    APPROVAL = "approval"
    PROGRESS = "progress"
    INSPECTION_OVERDUE = "inspection_overdue"
    VIOLATION = "violation"


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """A department's words. Without `en`, those who read English read the Chinese."""

    zh: Line
    en: Line | None = None

    def said(self, language: Language) -> str:
        return self.en if language == "en" and self.en is not None else self.zh

    def __repr__(self) -> str:
        return "Words(…)"


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    """Somewhere to go on from the inbox; an SMS never has one."""

    label: Words
    url: Url


class Needed(Struct, frozen=True, forbid_unknown_fields=True):
    """One paper that is missing, and why it is asked for."""

    what: Words
    why: Words


class Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one notice says; `links` are shown in the inbox."""

    links: Annotated[tuple[Link, ...], Meta(max_length=LINKS_MAX)] = ()

    def words(self) -> Iterator[Words]:
        """Everything in it that the department wrote."""
        for link in self.links:
            yield link.label

    def faults(self, now: datetime) -> list[str]:
        """What is wrong with its days and counts."""
        del now
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


def off_calendar(name: str, day_or_moment: date) -> list[str]:
    """What is wrong with a day, or a moment as the city's clock shows it, that is beyond any calendar in use."""
    is_on = is_on_calendar(day_or_moment)
    if is_on and isinstance(day_or_moment, datetime):
        is_on = is_on_calendar(in_shanghai(day_or_moment))
    return [] if is_on else [f"`{name}` is not of the years {YEAR_MIN} to {YEAR_MAX}"]


class Supplement(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole list of what is missing (一次性告知补正材料): where it is to be handed in, and the last day for it."""

    matter: Words
    items: Annotated[tuple[Needed, ...], Meta(min_length=1, max_length=ITEMS_MAX)]
    place: Words
    until: date

    def words(self) -> Iterator[Words]:
        yield from (self.matter, self.place)
        for item in self.items:
            yield from (item.what, item.why)
        yield from super().words()

    def faults(self, now: datetime) -> list[str]:
        found = off_calendar("until", self.until)
        if self.until < in_shanghai(now).date():
            found.append("`until` is over")
        if len({item.what.zh for item in self.items}) < len(self.items):
            found.append("one paper is listed twice")
        return found


class Approval(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """It is done (办结): when and where to collect what was asked for, and what to bring."""

    matter: Words
    when: Annotated[datetime, Meta(tz=True)]
    place: Words
    bring: Annotated[tuple[Words, ...], Meta(max_length=BRING_MAX)] = ()

    def words(self) -> Iterator[Words]:
        yield from (self.matter, self.place, *self.bring)
        yield from super().words()

    def faults(self, now: datetime) -> list[str]:
        return off_calendar("when", self.when) + (["`when` is over"] if self.when <= now else [])


class Progress(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far it is: stage `stage` of `stages`, what that is, and what comes next."""

    matter: Words
    stage: Annotated[int, Meta(ge=1, le=STAGES_MAX)]
    stages: Annotated[int, Meta(ge=1, le=STAGES_MAX)]
    now: Words
    next: Words

    def words(self) -> Iterator[Words]:
        yield from (self.matter, self.now, self.next)
        yield from super().words()

    def faults(self, now: datetime) -> list[str]:
        del now
        return ["`stage` is beyond `stages`"] if self.stage > self.stages else []


class InspectionOverdue(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An inspection that is overdue (检验逾期): of what, since when, and what follows."""

    what: Words
    since: date
    follows: Words

    def words(self) -> Iterator[Words]:
        yield from (self.what, self.follows)
        yield from super().words()

    def faults(self, now: datetime) -> list[str]:
        has_come = self.since <= in_shanghai(now).date()
        return off_calendar("since", self.since) + ([] if has_come else ["`since` has not come"])


class Violation(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A violation on record (违法记录): where, when, what, and how to object."""

    place: Words
    when: Annotated[datetime, Meta(tz=True)]
    what: Words
    objection: Words

    def words(self) -> Iterator[Words]:
        yield from (self.place, self.what, self.objection)
        yield from super().words()

    def faults(self, now: datetime) -> list[str]:
        return off_calendar("when", self.when) + (["`when` has not come"] if self.when > now else [])


CONTENTS: Final[dict[CaseKind, type[Content]]] = {
    CaseKind.SUPPLEMENT: Supplement,
    CaseKind.APPROVAL: Approval,
    CaseKind.PROGRESS: Progress,
    CaseKind.INSPECTION_OVERDUE: InspectionOverdue,
    CaseKind.VIOLATION: Violation,
}
assert CONTENTS.keys() == set(CaseKind)


class Changes(Struct, frozen=True):
    """What is another now: papers that came in, papers that fell away, and whether the day and the place moved.

    `reworded` are papers asked for before, for another reason.
    """

    added: tuple[Words, ...] = ()
    dropped: tuple[Words, ...] = ()
    reworded: tuple[Words, ...] = ()
    until: date | None = None
    place: Words | None = None


def changes_between(before: Supplement | None, after: Supplement) -> Changes:
    """What a person who was told `before` has to know beside the whole new list; without it, nothing is known."""
    if before is None:
        return Changes()
    was = {item.what.zh: item for item in before.items}
    now = {item.what.zh: item for item in after.items}
    return Changes(
        tuple(item.what for name, item in now.items() if name not in was),
        tuple(item.what for name, item in was.items() if name not in now),
        tuple(item.what for name, item in now.items() if name in was and was[name].why != item.why),
        None if after.until == before.until else after.until,
        None if after.place == before.place else after.place,
    )


def faults_of(content: Content, now: datetime) -> list[str]:
    """Why a notice cannot be told; empty when it is sound."""
    found = content.faults(now)
    if any(holds_link(text) for one in content.words() for text in (one.zh, one.en or "")):
        found.append("links belong in `links`")
    return found
