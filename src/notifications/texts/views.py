"""The shapes of departments' texts on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from kernel.plain_text import ONE_LINE
from notifications.model import Channel
from notifications.template import ProviderIds, Template
from notifications.texts.deciding import Waiting
from notifications.texts.model import (
    PLACEHOLDERS_MAX,
    PROVIDERS_MAX,
    REASON_MAX,
    Content,
    Gap,
    LaneName,
    TextSort,
    TextState,
    Version,
)
from notifications.texts.placeholders import TEXT_MAX, URL_MAX
from notifications.texts.previewing import Preview, Shown
from notifications.texts.queries import Listed
from notifications.texts.writing import Kept, Page, Written

VALUE_MAX = max(TEXT_MAX, URL_MAX)

Reason = Annotated[str, Meta(min_length=1, max_length=REASON_MAX, pattern=ONE_LINE)]
ProviderName = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_-]*$(?!\n)")]
TheirId = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class NewTextBody(Struct, forbid_unknown_fields=True):
    """A text to be written; what it goes out as stays."""

    sort: TextSort
    content: Content


class ContentBody(Struct, forbid_unknown_fields=True):
    """What the newest version shall say."""

    content: Content


class ValuesBody(Struct, forbid_unknown_fields=True):
    """What to fill the gaps with, as far as you like."""

    values: Annotated[
        dict[Annotated[str, Meta(max_length=60)], Annotated[str, Meta(max_length=VALUE_MAX)]],
        Meta(max_length=PLACEHOLDERS_MAX),
    ] = {}


class ApprovalBody(Struct, forbid_unknown_fields=True):
    """`otp` says expressly that the version may go out on the lane of one-time codes."""

    otp: bool = False


class ReasonBody(Struct, forbid_unknown_fields=True):
    """Why not; the department reads it."""

    reason: Reason


class ProviderIdsBody(Struct, forbid_unknown_fields=True):
    """What one provider knows the version by, once it has approved it too."""

    zh: TheirId
    """Its id of the Chinese words."""
    en: TheirId | None = None
    """Its id of the English words; without it those who read English are told in Chinese by it."""
    signature: Annotated[str, Meta(max_length=20, pattern=r"^[^\W_]*$(?!\n)")] = ""
    """The signature (签名) registered there; without it that of the text."""
    parameters: Annotated[dict[TheirId, Gap], Meta(max_length=PLACEHOLDERS_MAX)] = {}
    """Its parameters in its order, each with our placeholder; without any they are called the same."""

    def whole(self) -> ProviderIds:
        return ProviderIds(self.zh, self.en, self.signature, self.parameters)


class ProvidersBody(Struct, forbid_unknown_fields=True):
    """By the providers' names."""

    providers: Annotated[dict[ProviderName, ProviderIdsBody], Meta(max_length=PROVIDERS_MAX)]


class WrittenView(Struct):
    text_id: UUID
    version: int

    @classmethod
    def of(cls, written: Written) -> "WrittenView":
        return cls(written.text_id, written.version)


class VersionView(Struct):
    """One version of a text: what it says, and how far it has come."""

    version: int
    state: TextState
    content: Content
    written_at: datetime
    submitted_at: datetime | None
    approved_at: datetime | None
    ended_at: datetime | None
    """When it was rejected or withdrawn."""
    reason: str | None
    """Why an operator rejected or withdrew it."""

    @classmethod
    def of(cls, one: Version) -> "VersionView":
        return cls(
            one.version,
            one.state,
            one.content,
            one.written_at,
            one.submitted_at,
            one.approved_at,
            one.ended_at,
            one.reason,
        )


class StageView(Struct):
    """How far a version has come."""

    version: int
    state: TextState
    written_at: datetime
    submitted_at: datetime | None
    approved_at: datetime | None
    ended_at: datetime | None
    reason: str | None


class TextView(Struct):
    """A text: its newest version, the one in use, and how far each has come, newest first."""

    text_id: UUID
    sort: TextSort
    created_at: datetime
    archived_at: datetime | None
    newest: VersionView
    in_use: VersionView | None
    """In which new messages are owed; none is while the text is put away."""
    versions: list[StageView]

    @classmethod
    def of(cls, kept: Kept) -> "TextView":
        text, versions = kept.text, kept.versions
        approved = next((one for one in versions if one.state is TextState.APPROVED), None)
        return cls(
            text.text_id,
            text.sort,
            text.created_at,
            text.archived_at,
            VersionView.of(versions[0]),
            None if approved is None or text.archived_at is not None else VersionView.of(approved),
            [
                StageView(
                    one.version,
                    one.state,
                    one.written_at,
                    one.submitted_at,
                    one.approved_at,
                    one.ended_at,
                    one.reason,
                )
                for one in versions
            ],
        )


class ListedView(Struct):
    """A text in a list: its newest version, and the number of the one in use."""

    text_id: UUID
    sort: TextSort
    created_at: datetime
    archived_at: datetime | None
    name: str
    version: int
    state: TextState
    in_use: int | None

    @classmethod
    def of(cls, one: Listed) -> "ListedView":
        in_use = one.in_use if one.archived_at is None else None
        return cls(one.text_id, one.sort, one.created_at, one.archived_at, one.name, one.version, one.state, in_use)


class TextsView(Struct):
    texts: list[ListedView]
    next_after: UUID | None
    """`after` of the next page; none when there is no more."""

    @classmethod
    def of(cls, page: Page) -> "TextsView":
        return cls([ListedView.of(one) for one in page.texts], page.next_after)


class PreviewView(Struct):
    """The version, filled in as far as the values allow, by each channel and in each language it has."""

    shown: list[Shown]
    missing: list[str]
    """Placeholders without a value."""
    unknown: list[str]
    """Values that the text has no gap for."""
    wrong: dict[str, str]
    """Placeholders whose values are not of their form, each with what is expected."""

    @classmethod
    def of(cls, one: Preview) -> "PreviewView":
        return cls(one.shown, one.missing, one.unknown, one.wrong)


class ReviewedView(Struct):
    """A department's version, as an operator sees it."""

    text_id: UUID
    department_id: UUID
    sort: TextSort
    version: VersionView
    decided_by: str | None
    providers: dict[str, ProviderIds]

    @classmethod
    def of(cls, one: Version) -> "ReviewedView":
        return cls(one.text_id, one.department_id, one.sort, VersionView.of(one), one.decided_by, one.provider_ids)


class WordsView(Struct):
    """A text of the city in one language; a gap is written `{name}`."""

    title: str
    body: str


class CityTextView(Struct):
    """A text of the city's own, which is part of its code and needs nobody's approval."""

    name: str
    version: int
    lane: LaneName
    channels: list[Channel]
    placeholders: list[str]
    zh: WordsView
    en: WordsView

    @classmethod
    def of(cls, one: Template) -> "CityTextView":
        lane: LaneName = one.lane.name.lower()  # type: ignore[assignment]
        return cls(
            one.id,
            one.version,
            lane,
            list(one.channels),
            list(one.placeholders),
            WordsView(one.zh.title, one.zh.body),
            WordsView(one.en.title, one.en.body),
        )


class ReviewView(Struct):
    """Departments' versions in a state and, on the first page, the city's own texts."""

    texts: list[ReviewedView]
    of_the_city: list[CityTextView]
    next_after: UUID | None

    @classmethod
    def of(cls, waiting: Waiting, of_the_city: list[CityTextView]) -> "ReviewView":
        return cls([ReviewedView.of(one) for one in waiting.versions], of_the_city, waiting.next_after)
