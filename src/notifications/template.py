"""What a text of the city is made of: typed gaps, its words in both languages, its lane and channels.

Values are strings, checked when the message is owed: what does not fit is a fault of ours, found by the caller's test.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from kernel.clock import in_shanghai
from notifications.model import SEGMENTS_MAX, Channel, Lane, Language, segments

SIGNATURE = "【随申办】"
"""Who sends: carriers in the mainland require it (短信签名)."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_WEEKDAYS_ZH = "一二三四五六日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Placeholder(msgspec.Struct, frozen=True):
    """One typed gap in a text: what may stand in it, and how it is said in each language."""

    accepts: Callable[[str], bool]
    say: Callable[[str, Language], str] = lambda value, _: value


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
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


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
    """A text in one language: the inbox shows both, an SMS is the body alone."""

    title: str
    body: str


class Rendered(msgspec.Struct, frozen=True):
    title: str
    body: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one text. `lane` says how soon it leaves, `channels` where it may go.

    `optional_sms` names the preference by which a person may have it in the inbox only; None where they may not.
    """

    id: str
    version: int
    lane: Lane
    channels: tuple[Channel, ...]
    placeholders: dict[str, Placeholder]
    zh: Wording
    en: Wording
    optional_sms: str | None = None

    def check(self, values: Mapping[str, str]) -> None:
        """Raises ValueError naming what is missing, unknown or of the wrong form; never the values themselves."""
        if values.keys() != self.placeholders.keys():
            raise ValueError(f"{self.id}: values {sorted(values)}, expected {sorted(self.placeholders)}")
        wrong = [name for name, kind in self.placeholders.items() if not kind.accepts(values[name])]
        if wrong:
            raise ValueError(f"{self.id}: not of their form: {', '.join(sorted(wrong))}")

    def render(self, values: Mapping[str, str], language: Language) -> Rendered:
        wording = self.en if language == "en" else self.zh

        def fill(pattern: str) -> str:
            return _PLACEHOLDER.sub(lambda gap: self.placeholders[gap[1]].say(values[gap[1]], language), pattern)

        return Rendered(fill(wording.title), fill(wording.body))

    def sms(self, values: Mapping[str, str], language: Language) -> str:
        """The text of the SMS, signed. What is longer than `SEGMENTS_MAX` segments ends with an ellipsis."""
        whole = SIGNATURE + self.render(values, language).body
        while segments(whole) > SEGMENTS_MAX:
            whole = whole[: len(whole) * 9 // 10] + "…"
        return whole
