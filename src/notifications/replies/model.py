"""What a text from somebody means, and how long it may answer what was told. Pure."""

import re
import unicodedata
from datetime import timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

import msgspec

from notifications.model import Lane, Language

TextId = NewType("TextId", UUID)

ANSWERED_WITHIN: Final = timedelta(hours=72)
"""How long a text may be an answer to what a number was told last."""
TOLD_KEPT_FOR: Final = timedelta(days=4)
"""Less than anybody's messages are kept."""
assert ANSWERED_WITHIN < TOLD_KEPT_FOR
HANDLED_WITHIN: Final = timedelta(hours=1)
"""A text whose handling fails for so long is kept as it is, and looked at no more."""
FAILED_PAUSE: Final = timedelta(seconds=2)
FAILED_PAUSE_MAX: Final = timedelta(minutes=5)
"""How long a text is put aside when its handling failed, doubled each time, and at most."""
assert FAILED_PAUSE < FAILED_PAUSE_MAX < HANDLED_WITHIN
TEXT_CHARACTERS_MAX: Final = 4_000
"""More than the longest text that carriers put together; what comes beyond is cut."""

EVERY_SENDER: Final = "*"
"""Stands for all callers in an opt-out."""
MAY_OPT_OUT: Final = frozenset({Lane.REMINDER, Lane.BULK})
"""Lanes that an opt-out stops. Codes, changes of what is a person's own, and results go on."""


class Meaning(StrEnum):
    """What a text means, by its words alone."""

    OPT_OUT = "opt_out"
    OPT_OUT_OF_ALL = "opt_out_of_all"
    OPT_IN = "opt_in"
    CONFIRM = "confirm"
    OTHER = "other"


class Outcome(StrEnum):
    """What became of a text: who wrote it was taken at their word, asked for what cannot be, or told a department."""

    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    CONFIRMED = "confirmed"
    NOT_POSSIBLE = "not_possible"
    PASSED_ON = "passed_on"
    KEPT = "kept"
    FAILED = "failed"


class OptSource(StrEnum):
    """How somebody said that they want no more, or want it again."""

    TEXT = "text"
    APP = "app"
    LINK = "link"
    OPERATOR = "operator"


class Written(msgspec.Struct, frozen=True):
    """A text as it came: who wrote it (E.164), to which number of ours, and the words."""

    from_phone: str
    to_number: str
    text: str

    def __repr__(self) -> str:
        return "Written(…)"


_MEANS: Final = {
    Meaning.OPT_OUT: ("t", "td", "退订", "回t", "回复t", "取消订阅", "stop", "unsubscribe"),
    Meaning.OPT_OUT_OF_ALL: ("全部退订", "退订全部", "tdall", "stopall"),
    Meaning.OPT_IN: ("恢复", "恢复订阅", "重新订阅", "start", "unstop"),
    Meaning.CONFIRM: ("y", "yes", "是", "确认", "回y", "回复y"),
}
"""Whole texts, as `_plain` writes them. STOP, START and their kin: CTIA Messaging Principles (2019) §5.1.3; T and TD
are what carriers of the mainland have people reply."""
MEANING_OF: Final = {words: meaning for meaning, texts in _MEANS.items() for words in texts}
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_ENGLISH: Final = frozenset({"stop", "unsubscribe", "stopall", "start", "unstop", "yes"})


def _plain(text: str) -> str:
    """Without the width of letters (NFKC), their case, spaces and signs: `Ｔ` and ` t. ` are the same."""
    return _NOT_WORDS.sub("", unicodedata.normalize("NFKC", text).casefold())


def put_aside_for(failures: int) -> timedelta:
    """How long a text waits whose handling had failed so often, and failed again."""
    doubled: int = 2 ** min(failures, 10)
    return min(FAILED_PAUSE * doubled, FAILED_PAUSE_MAX)


def meaning_of(text: str) -> Meaning:
    """What the whole of a text means; anything beside the words makes it one for somebody to read."""
    if len(text) > TEXT_CHARACTERS_MAX:
        return Meaning.OTHER
    return MEANING_OF.get(_plain(text), Meaning.OTHER)


def language_of(text: str) -> Language:
    """In which language somebody wrote one of those words, and is answered."""
    return "en" if _plain(text) in _ENGLISH else "zh"


_MAINLAND: Final = re.compile(r"(?:(?:\+|00)?86)?(1[3-9][0-9]{9})")
_INTERNATIONAL: Final = re.compile(r"(?:\+|00)([1-9][0-9]{5,14})")


def number_of(said: str) -> str:
    """A number as carriers say it, in E.164 where it is one: mainland numbers often come bare, without +86.

    Eleven digits behind `+` or `00` are no such number: `+1 310 555 1234` is one of North America.
    """
    plain = re.sub(r"[\s()-]", "", said)
    if (mainland := _MAINLAND.fullmatch(plain)) is not None:
        return f"+86{mainland[1]}"
    if (international := _INTERNATIONAL.fullmatch(plain)) is not None:
        return f"+{international[1]}"
    return said
