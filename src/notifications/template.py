"""What a text of the city is made of: typed gaps, its words in both languages, its lane and channels.

Values are strings, checked when the message is owed: what does not fit is a fault of ours, found by the caller's test.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import ClassVar, Literal

import msgspec

from kernel.clock import in_shanghai, is_on_calendar
from notifications.channels.provider import ProviderText
from notifications.model import SEGMENTS_MAX, Channel, Lane, Language
from notifications.segmenting import segments

SIGNATURE = "【随申办】"
"""Who sends: carriers in the mainland require it (短信签名)."""
PATTERNS_MAX = 4_096
"""Texts kept in pieces: more than a city has in use; others are cut anew."""
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_WEEKDAYS_ZH = "一二三四五六日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Line(msgspec.Struct, frozen=True):
    """One thing that a message tells of, as an inbox may show it by itself: a paper to hand in and `why` it is asked
    for, a thing to bring, somewhere to go on (`url`)."""

    sort: Literal["hand_in", "bring", "link"]
    text: str
    why: str | None = None
    url: str | None = None

    def __repr__(self) -> str:
        return "Line(…)"


class Placeholder(msgspec.Struct, frozen=True):
    """One typed gap in a text: what may stand in it, and how it is said in each language.

    `lines` are the single things of a gap that holds several; None for one that holds a word.
    """

    accepts: Callable[[str], bool]
    say: Callable[[str, Language], str] = lambda value, _: value
    lines: Callable[[str, Language], list[Line]] | None = None


def text(most: int, *, empty: tuple[str, str] | None = None) -> Placeholder:
    """Printable text of 1 to `most` characters; with `empty`, nothing is allowed too, and said so (zh, en)."""

    def say(value: str, language: Language) -> str:
        return value if value or empty is None else empty[language == "en"]

    return Placeholder(
        lambda value: (empty is not None or bool(value)) and len(value) <= most and is_printable(value), say
    )


def is_printable(value: str) -> bool:
    """Whether a value holds no control character but the line feed, and no half of a surrogate pair."""
    return _UNPRINTABLE.search(value) is None


def one_of(**words: tuple[str, str]) -> Placeholder:
    """One of a few words, each with its (zh, en)."""
    return Placeholder(lambda value: value in words, lambda value, language: words[value][language == "en"])


def _is_moment(value: str) -> bool:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return False
    return at.tzinfo is not None and is_on_calendar(at)


def _say_moment(value: str, language: Language) -> str:
    at = in_shanghai(datetime.fromisoformat(value))
    if language == "en":
        return f"{_WEEKDAYS_EN[at.weekday()]} {at.day} {_MONTHS_EN[at.month - 1]}, {at:%H:%M}"
    return f"{at.month}月{at.day}日（周{_WEEKDAYS_ZH[at.weekday()]}）{at:%H:%M}"


MOMENT = Placeholder(_is_moment, _say_moment)
"""A moment in RFC 3339 with its offset (`datetime.isoformat()`), said on the city's clock."""
DIGITS = Placeholder(lambda value: re.fullmatch(r"[0-9]{4,8}", value) is not None)
COUNT = Placeholder(lambda value: re.fullmatch(r"[0-9]{1,4}", value) is not None)
NAME = text(80)
DAY = Placeholder(lambda value: re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None)
"""A day with its year, ISO 8601."""
BASIS = one_of(granted=("授权", "a mandate"), guardian=("监护关系登记", "a registered guardianship"))
STATE = one_of(
    issued=("有效", "valid"),
    restored=("恢复有效", "valid again"),
    suspended=("暂停使用", "suspended"),
    revoked=("已吊销", "revoked"),
    superseded=("已换发新证", "replaced by a newer one"),
    expired=("已过期", "expired"),
)


class Wording(msgspec.Struct, frozen=True):
    """A text in one language: the inbox shows both, an SMS is the body alone, or `sms` where it says it otherwise."""

    title: str
    body: str
    sms: str | None = None


class Rendered(msgspec.Struct, frozen=True):
    title: str
    body: str


class ProviderIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one provider knows a text by, once it has approved it: its id of the words in each language, and who signs.

    `parameters` names, in the provider's order, which of our gaps each of its own is; empty: they are called the same.
    Without `en` the words it sends are Chinese. Without `signature` the text's own is given.
    """

    zh: str
    en: str | None = None
    signature: str = ""
    parameters: dict[str, str] = {}


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one text. `lane` says how soon it leaves, `channels` where it may go.

    `optional_sms` names the preference by which a person may have it in the inbox only; None where they may not.
    `provider_ids` are those of providers that keep the texts they send, by the provider's name.
    """

    gap: ClassVar[re.Pattern[str]] = re.compile(r"\{([a-z_]+)\}")
    """How a gap is written; its one group is the placeholder's name."""

    id: str
    version: int
    lane: Lane
    channels: tuple[Channel, ...]
    placeholders: dict[str, Placeholder]
    zh: Wording
    en: Wording
    optional_sms: str | None = None
    signature: str = SIGNATURE
    provider_ids: dict[str, ProviderIds] = {}

    def check(self, values: Mapping[str, str]) -> None:
        """Raises ValueError naming what is missing, unknown or of the wrong form; never the values themselves."""
        if values.keys() != self.placeholders.keys():
            raise ValueError(f"{self.id}: values {sorted(values)}, expected {sorted(self.placeholders)}")
        wrong = [name for name, kind in self.placeholders.items() if not kind.accepts(values[name])]
        if wrong:
            raise ValueError(f"{self.id}: not of their form: {', '.join(sorted(wrong))}")

    def spoken(self, language: Language) -> Language:
        """The language this text is told in to somebody who reads that one."""
        return language

    def render(self, values: Mapping[str, str], language: Language) -> Rendered:
        language = self.spoken(language)
        wording = self.en if language == "en" else self.zh
        return Rendered(self._filled(wording.title, values, language), self._filled(wording.body, values, language))

    def sms(self, values: Mapping[str, str], language: Language) -> str:
        """The text of the SMS, signed. What is longer than `SEGMENTS_MAX` segments ends with an ellipsis."""
        whole = self.whole_sms(values, language)
        while segments(whole) > SEGMENTS_MAX:
            whole = whole[: len(whole) * 9 // 10] + "…"
        return whole

    def whole_sms(self, values: Mapping[str, str], language: Language) -> str:
        """The same however long: for whoever has to know that nothing of it is lost."""
        language = self.spoken(language)
        wording = self.en if language == "en" else self.zh
        return self.signature + self._filled(wording.body if wording.sms is None else wording.sms, values, language)

    def lines(self, values: Mapping[str, str], language: Language) -> list[Line]:
        """The single things it tells of, in the order of its gaps."""
        language = self.spoken(language)
        kinds = self.placeholders.items()
        return [line for name, kind in kinds if kind.lines is not None for line in kind.lines(values[name], language)]

    def for_provider(self, provider: str, values: Mapping[str, str], language: Language) -> ProviderText | None:
        """The text as a provider keeps it, each value as it is said; None where it keeps none of it."""
        ids = self.provider_ids.get(provider)
        if ids is None:
            return None
        language = self.spoken(language)
        known: tuple[str, Language] = (ids.en, "en") if language == "en" and ids.en is not None else (ids.zh, "zh")
        name, said_in = known
        gaps = ids.parameters or {gap: gap for gap in self.placeholders}
        said = {theirs: self.placeholders[ours].say(values[ours], said_in) for theirs, ours in gaps.items()}
        return ProviderText(name, ids.signature or self.signature.strip("【】"), said)

    def _filled(self, pattern: str, values: Mapping[str, str], language: Language) -> str:
        pieces = _pieces(pattern, self.gap)
        if len(pieces) == 1:
            return pattern
        said = list(pieces)
        said[1::2] = [self.placeholders[name].say(values[name], language) for name in pieces[1::2]]
        return "".join(said)


@lru_cache(maxsize=PATTERNS_MAX)
def _pieces(pattern: str, gap: re.Pattern[str]) -> tuple[str, ...]:
    """Words and names of gaps in turn, words first and last."""
    return tuple(gap.split(pattern))
