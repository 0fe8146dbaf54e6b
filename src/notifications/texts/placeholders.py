"""The kinds of gap a department's text may have: what may stand in each, how it is said, and how long it may get. Pure.

No value may hold 【 or 】, by which it could pass for another sender's signature, and only a `url` a link: whoever
approves a text approves the hosts that it may send people to.
"""

import re
from datetime import date
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from kernel.clock import YEAR_MAX, YEAR_MIN, is_on_calendar
from kernel.plain_text import ONE_LINE, SEVERAL_LINES
from notifications.free_words import holds_link
from notifications.model import Language
from notifications.template import COUNT, DIGITS, MOMENT, NAME, Placeholder, is_printable, one_of

TEXT_MAX: Final = 400
DIGITS_MAX: Final = 32
HOSTS_MAX: Final = 10
WORDS_MAX: Final = 50
SAID_MAX: Final = 100
URL_MAX: Final = 500

Host = Annotated[str, Meta(max_length=200, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$(?!\n)")]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$(?!\n)")]
SaidWord = Annotated[str, Meta(min_length=1, max_length=SAID_MAX, pattern=ONE_LINE)]

_SEVERAL_LINES: Final = re.compile(SEVERAL_LINES)
_URL: Final = re.compile(r"https://[a-z0-9.-]+(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?")
"""RFC 3986, Appendix A, for which what stands before the first of `/?#` is the host and nothing else."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Text(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="text"):
    """Any printable text without a link, or none: then nothing stands there."""

    most: Annotated[int, Meta(ge=1, le=TEXT_MAX)]
    """How many characters at most."""


class Name(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="name"):
    """Of a person, a place, a thing: a line of at most 80 characters."""


class Digits(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="digits"):
    """A code or a number that is read digit by digit."""

    fewest: Annotated[int, Meta(ge=1, le=DIGITS_MAX)] = 4
    most: Annotated[int, Meta(ge=1, le=DIGITS_MAX)] = 8


class Count(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="count"):
    """How many: 0 to 9999."""


class Day(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="day"):
    """A day, given as ISO 8601 has it (`2026-03-05`) and said as people say it."""


class Moment(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="moment"):
    """A moment, given in RFC 3339 with its offset and said on the city's clock."""


class Url(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="url"):
    """A link to one of these hosts, by https."""

    hosts: Annotated[tuple[Host, ...], Meta(min_length=1, max_length=HOSTS_MAX)]


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """A word in both languages."""

    zh: SaidWord
    en: SaidWord


class OneOf(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="one_of"):
    """One of a few words, chosen by its code."""

    words: Annotated[dict[Code, Said], Meta(min_length=1, max_length=WORDS_MAX)]


Kind = Text | Name | Digits | Count | Day | Moment | Url | OneOf


def placeholder_of(kind: Kind) -> Placeholder:
    """What the pipeline asks of a gap of this kind."""
    match kind:
        case Text(most):
            return Placeholder(lambda value: not value or (len(value) <= most and _is_free(value)))
        case Name():
            return Placeholder(lambda value: NAME.accepts(value) and "\n" not in value and _is_free(value))
        case Digits(4, 8):
            return DIGITS
        case Digits(fewest, most):
            pattern = re.compile(f"[0-9]{{{fewest},{most}}}")
            return Placeholder(lambda value: pattern.fullmatch(value) is not None)
        case Count():
            return COUNT
        case Day():
            return Placeholder(_is_day, _say_day)
        case Moment():
            return MOMENT
        case Url(hosts):
            return Placeholder(lambda value: _leads_to(value, hosts))
        case OneOf(words):
            return one_of(**{code: (said.zh, said.en) for code, said in words.items()})


def expected(kind: Kind) -> str:
    """What may stand in a gap of this kind, in words."""
    match kind:
        case Text(most):
            return f"text of at most {most} characters without a link, 【 or 】"
        case Name():
            return "a line of 1 to 80 characters without a link, 【 or 】"
        case Digits(fewest, most):
            return f"{fewest} to {most} digits"
        case Count():
            return "a number from 0 to 9999"
        case Day():
            return f"a day such as 2026-03-05, of the years {YEAR_MIN} to {YEAR_MAX}"
        case Moment():
            return f"a moment such as 2026-03-05T09:30:00+08:00, of the years {YEAR_MIN} to {YEAR_MAX}"
        case Url(hosts):
            return f"an https address of at most {URL_MAX} characters at {', '.join(hosts)}"
        case OneOf(words):
            return f"one of {', '.join(words)}"


def longest(kind: Kind) -> str | None:
    """A value of this kind that makes a text as long as any can; None for a link, whose bound is far from its use."""
    match kind:
        case Text(most):
            return "字" * most
        case Name():
            return "字" * 80
        case Digits(_, most):
            return "9" * most
        case Count():
            return "9999"
        case Day():
            return "2026-12-30"
        case Moment():
            return "2026-12-30T23:59:00+08:00"
        case Url():
            return None
        case OneOf(words):
            return max(words, key=lambda code: len(words[code].zh) + len(words[code].en))


def faults_of(name: str, kind: Kind) -> list[str]:
    """What is wrong with a kind as it was declared."""
    if isinstance(kind, Digits) and kind.fewest > kind.most:
        return [f"(({name})): fewest is more than most"]
    if isinstance(kind, OneOf) and any(
        sign in said for one in kind.words.values() for said in (one.zh, one.en) for sign in "【】"
    ):
        return [f"(({name})): a word holds 【 or 】"]
    return []


def _is_free(value: str) -> bool:
    is_plain = is_printable(value) and _SEVERAL_LINES.search(value) is not None
    return is_plain and not ("【" in value or "】" in value or holds_link(value))


def _is_day(value: str) -> bool:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return False
    return day.isoformat() == value and is_on_calendar(day)


def _say_day(value: str, language: Language) -> str:
    day = date.fromisoformat(value)
    if language == "en":
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return f"{day.year}年{day.month}月{day.day}日"


def _leads_to(value: str, hosts: tuple[str, ...]) -> bool:
    """The host is read as a browser reads it: what could be read otherwise (a user, a port, a backslash) is refused."""
    if len(value) > URL_MAX or not _URL.fullmatch(value):
        return False
    try:
        return urlsplit(value).netloc in hosts
    except ValueError:
        return False
