"""A department's text: its versions, how far each has come, and what makes one unsound. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from kernel.ids import DepartmentId
from kernel.plain_text import ONE_LINE, SEVERAL_LINES
from notifications.model import SEGMENTS_MAX, Channel, Lane, Language
from notifications.segmenting import segments
from notifications.template import SIGNATURE, ProviderIds, Rendered, Template, Wording
from notifications.texts.placeholders import Kind, OneOf, expected, faults_of, placeholder_of

TEXTS_MAX: Final = 1_000
"""Texts of one department, those put away included."""
VERSIONS_MAX: Final = 200
PLACEHOLDERS_MAX: Final = 20
NAME_MAX: Final = 60
SUBJECT_MAX: Final = 150
SIGNATURE_MAX: Final = 20
"""Carriers in the mainland register signatures of 2 to 20 characters (短信签名)."""
BODY_MAX: Final = 10_000
REASON_MAX: Final = 400
PROVIDERS_MAX: Final = 10

Gap = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\W_]([\w -]*[^\W_])?$(?!\n)")]
"""A placeholder's name: letters of any script and digits; spaces, `_` and `-` between them."""
LaneName = Literal["otp", "change", "result", "reminder", "bulk"]

_GAP: Final = re.compile(r"\(\(([^()]*)\)\)")
_PLAIN: Final = re.compile(r"[\s_-]+")


class TextSort(StrEnum):
    """What a text goes out as. A notice is filed in the inbox, and goes to the phone as the person chose."""

    SMS = "sms"
    EMAIL = "email"
    NOTICE = "notice"


CHANNELS: Final[dict[TextSort, tuple[Channel, ...]]] = {
    TextSort.SMS: ("sms",),
    TextSort.EMAIL: ("email",),
    TextSort.NOTICE: ("inbox", "sms"),
}
assert CHANNELS.keys() == set(TextSort)
BODIES_MAX: Final = {TextSort.SMS: 670, TextSort.NOTICE: 670, TextSort.EMAIL: BODY_MAX}
"""Characters of a body: ten SMS of Chinese are 670."""


class TextState(StrEnum):
    """How far a version has come. In use is the newest that is approved."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN: Final = frozenset({TextState.DRAFT, TextState.SUBMITTED})
"""A text has one version in these at most."""
AFTER: Final = {
    TextState.DRAFT: {TextState.SUBMITTED, TextState.WITHDRAWN},
    TextState.SUBMITTED: {TextState.APPROVED, TextState.REJECTED, TextState.WITHDRAWN},
    TextState.APPROVED: {TextState.WITHDRAWN},
    TextState.REJECTED: set[TextState](),
    TextState.WITHDRAWN: set[TextState](),
}
assert AFTER.keys() == set(TextState)


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """A text in one language. A gap is written `((name))`."""

    body: Annotated[str, Meta(min_length=1, max_length=BODY_MAX, pattern=SEVERAL_LINES)]
    subject: Annotated[str, Meta(min_length=1, max_length=SUBJECT_MAX, pattern=ONE_LINE)] | None = None
    """Of an e-mail, and the title of a notice."""


class Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a version says."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern=ONE_LINE)]
    """What the department calls it; recipients never see it."""
    lane: LaneName
    """What goes first, and how long it may be sent. `otp` only with an operator's leave."""
    zh: Words
    en: Words | None = None
    """Without it, those who read English are told in Chinese."""
    placeholders: Annotated[dict[Gap, Kind], Meta(max_length=PLACEHOLDERS_MAX)] = {}
    signature: Annotated[str, Meta(min_length=2, max_length=SIGNATURE_MAX, pattern=r"^[^\W_]+$(?!\n)")] | None = None
    """Who signs an SMS (签名), without brackets; without it, the city."""

    def in_each_language(self) -> Iterator[tuple[Language, Words]]:
        yield "zh", self.zh
        if self.en is not None:
            yield "en", self.en


class Version(Struct, frozen=True, kw_only=True):
    """One version of a text, and who did what to it when."""

    text_id: UUID
    department_id: DepartmentId
    sort: TextSort
    version: int
    revision: int
    """Raised whenever anything about the version changes."""
    content: Content
    provider_ids: dict[str, ProviderIds]
    state: TextState
    written_at: datetime
    submitted_at: datetime | None
    approved_at: datetime | None
    """Also of one that was withdrawn later: what was owed in it is still told."""
    ended_at: datetime | None
    decided_by: str | None
    reason: str | None


class Fitted(Struct, frozen=True):
    """Somebody's values against a text: named as the text names them, and what is wrong with them, by name."""

    values: dict[str, str]
    missing: list[str]
    unknown: list[str]
    wrong: dict[str, str]
    """Each with what is expected of it."""

    @property
    def is_good(self) -> bool:
        """Whether a message may be made of them; nobody need mind the unknown."""
        return not self.missing and not self.wrong

    def __repr__(self) -> str:
        return "Fitted(…)"


class DepartmentText(Template, frozen=True, kw_only=True):
    """A version that was approved once, as the pipeline uses it."""

    gap: ClassVar[re.Pattern[str]] = _GAP

    of: Version
    longest_words: int = 0
    """Characters that all words chosen by a code come to at most, whatever the codes' lengths."""

    @property
    def is_approved(self) -> bool:
        return self.of.state is TextState.APPROVED

    def spoken(self, language: Language) -> Language:
        return "zh" if self.of.content.en is None else language

    def render(self, values: Mapping[str, str], language: Language) -> Rendered:
        """Likewise, the subject on one line whatever stands in its gaps."""
        shown = super().render(values, language)
        return Rendered(" ".join(shown.title.split("\n")), shown.body)

    def fit(self, values: Mapping[str, str]) -> Fitted:
        """Values as people outside name them: case, spaces, `_` and `-` in names do not count.

        `Fitted.values` holds what was given for a gap, what is wrong too.
        """
        ours = {plain_name(name): name for name in self.placeholders}
        given = {ours[plain]: value for name, value in values.items() if (plain := plain_name(name)) in ours}
        wrong = [name for name, value in given.items() if not self.placeholders[name].accepts(value)]
        return Fitted(
            given,
            [name for name in self.placeholders if name not in given],
            [name for name in values if plain_name(name) not in ours],
            {name: expected(self.of.content.placeholders[name]) for name in wrong},
        )

    def is_too_long(self, values: Mapping[str, str]) -> bool:
        """Whether an SMS of good values would be more than `SEGMENTS_MAX` segments, and so lose its end."""
        if "sms" not in self.channels:
            return False
        return any(
            segments(self.signature + self.render(values, language).body) > SEGMENTS_MAX
            for language, _ in self.of.content.in_each_language()
        )


def text_of(version: Version) -> DepartmentText:
    """What the pipeline sends for a version."""
    content = version.content
    zh = Wording(content.zh.subject or content.name, content.zh.body)
    en = zh if content.en is None else Wording(content.en.subject or content.name, content.en.body)
    return DepartmentText(
        id=str(version.text_id),
        version=version.version,
        lane=Lane[content.lane.upper()],
        channels=CHANNELS[version.sort],
        placeholders={name: placeholder_of(kind) for name, kind in content.placeholders.items()},
        zh=zh,
        en=en,
        optional_sms="notices" if version.sort is TextSort.NOTICE else None,
        signature=signature_of(content),
        provider_ids=version.provider_ids,
        of=version,
        longest_words=sum(_longest_word(kind) for kind in content.placeholders.values()),
    )


def _longest_word(kind: Kind) -> int:
    said = kind.words.values() if isinstance(kind, OneOf) else ()
    return max((max(len(word.zh), len(word.en)) for word in said), default=0)


def signature_of(content: Content) -> str:
    """How an SMS of this text begins."""
    return SIGNATURE if content.signature is None else f"【{content.signature}】"


def gaps_in(words: Words) -> list[str]:
    """The names of the gaps in a text, each once, in the order they come."""
    return list(dict.fromkeys(_GAP.findall(f"{words.subject or ''}\n{words.body}")))


def plain_name(name: str) -> str:
    """A placeholder's name as people outside may spell it: without case, spaces, `_` and `-`."""
    return _PLAIN.sub("", name).casefold()


def faults(sort: TextSort, content: Content) -> list[str]:
    """Why a version cannot be what it says; empty when it is sound."""
    found = [fault for name, kind in content.placeholders.items() for fault in faults_of(name, kind)]
    by_plain: dict[str, str] = {}
    for name in content.placeholders:
        if (other := by_plain.setdefault(plain_name(name), name)) != name:
            found.append(f"(({name})) and (({other})) are spelt the same but for case, spaces, _ and -")
    for language, words in content.in_each_language():
        found += [f"{language}: {fault}" for fault in _faults_of(sort, words, content)]
    used = set(gaps_in(content.zh))
    found += [f"zh: (({name})) is listed and not used" for name in content.placeholders if name not in used]
    if sort is TextSort.EMAIL and content.signature is not None:
        found.append("an e-mail has no SMS signature")
    return found


def _faults_of(sort: TextSort, words: Words, content: Content) -> Iterator[str]:
    if sort is TextSort.SMS and words.subject is not None:
        yield "an SMS has no subject"
    if sort is not TextSort.SMS and words.subject is None:
        yield "a subject is needed"
    if len(words.body) > BODIES_MAX[sort]:
        yield f"the body is longer than {BODIES_MAX[sort]} characters"
    whole = f"{words.subject or ''}\n{words.body}"
    for name in gaps_in(words):
        if name not in content.placeholders:
            yield f"(({name})) is not listed among the placeholders"
    rest = _GAP.sub("", whole)
    if "((" in rest or "))" in rest:
        yield "there are (( or )) that are no gap's"
    if sort is not TextSort.EMAIL and ("【" in whole or "】" in whole):
        yield "【 and 】 are for the signature alone"
    fixed = signature_of(content) + _GAP.sub("", words.body)
    if sort is not TextSort.EMAIL and segments(fixed) > SEGMENTS_MAX:
        yield f"its words alone are more than {SEGMENTS_MAX} SMS"
