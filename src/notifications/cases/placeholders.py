"""The typed gaps of texts about cases: lists and words of a department, kept as JSON, said in either language. Pure."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from notifications.cases.model import BRING_MAX, ITEMS_MAX, LINKS_MAX, Changes, Link, Needed, Words
from notifications.model import Language
from notifications.template import Line, Placeholder

JSON_MAX: Final = 40_000


def packed(value: Any) -> str:
    """A value as a message keeps it."""
    return msgspec.json.encode(value).decode()


def _typed(
    kind: Any, say: Callable[[Any, Language], str], lines: Callable[[Any, Language], list[Line]] | None = None
) -> Placeholder:
    """A gap that takes the JSON of a type; `say` and `lines` are given what it holds."""
    decode = msgspec.json.Decoder(kind).decode

    def accepts(value: str) -> bool:
        if len(value) > JSON_MAX:
            return False
        try:
            decode(value)
        except (msgspec.DecodeError, UnicodeError):
            return False
        return True

    return Placeholder(
        accepts,
        lambda value, language: say(decode(value), language),
        None if lines is None else lambda value, language: lines(decode(value), language),
    )


def _numbered(texts: list[str], language: Language) -> str:
    joint = "; " if language == "en" else "；"
    return joint.join(f"{nth}.{text}" for nth, text in enumerate(texts, start=1))


def _listed(words: tuple[Words, ...], language: Language) -> str:
    return (", " if language == "en" else "、").join(one.said(language) for one in words)


def _say_needed(items: tuple[Needed, ...], language: Language) -> str:
    form = "{} ({})" if language == "en" else "{}（{}）"
    return _numbered([form.format(item.what.said(language), item.why.said(language)) for item in items], language)


def _lines_needed(items: tuple[Needed, ...], language: Language) -> list[Line]:
    return [Line("hand_in", item.what.said(language), item.why.said(language)) for item in items]


def _say_papers(papers: tuple[Words, ...], language: Language) -> str:
    return _numbered([one.said(language) for one in papers], language)


def _say_bring(things: tuple[Words, ...], language: Language) -> str:
    return _listed(things, language) or ("nothing" if language == "en" else "无")


def _lines_bring(things: tuple[Words, ...], language: Language) -> list[Line]:
    return [Line("bring", one.said(language)) for one in things]


def _say_links(links: tuple[Link, ...], language: Language) -> str:
    return _listed(tuple(one.label for one in links), language)


def _lines_links(links: tuple[Link, ...], language: Language) -> list[Line]:
    return [Line("link", one.label.said(language), url=one.url) for one in links]


def _say_changes(changes: Changes, language: Language) -> str:
    is_english = language == "en"
    said = []
    for words, zh, en in (
        (changes.added, "新增：", "new: "),
        (changes.dropped, "不再需要：", "no longer needed: "),
        (changes.reworded, "要求有变：", "asked for another reason: "),
    ):
        if words:
            said.append((en if is_english else zh) + _listed(words, language))
    if changes.until is not None:
        said.append(f"by {changes.until}" if is_english else f"期限改为{changes.until}")
    if changes.place is not None:
        said.append(f"at another place: {changes.place.said(language)}" if is_english else "地点有变")
    return ("; " if is_english else "；").join(said) or ("see the list" if is_english else "见清单")


WORDS: Final = _typed(Words, lambda words, language: words.said(language))
NEEDED: Final = _typed(
    Annotated[tuple[Needed, ...], Meta(min_length=1, max_length=ITEMS_MAX)], _say_needed, _lines_needed
)
"""Papers with the reason for each."""
PAPERS: Final = _typed(Annotated[tuple[Words, ...], Meta(min_length=1, max_length=ITEMS_MAX)], _say_papers)
"""The same papers without reasons, for an SMS."""
BRING: Final = _typed(Annotated[tuple[Words, ...], Meta(max_length=BRING_MAX)], _say_bring, _lines_bring)
LINKS: Final = _typed(Annotated[tuple[Link, ...], Meta(max_length=LINKS_MAX)], _say_links, _lines_links)
"""Never among the words of a text: links are shown beside it."""
CHANGES: Final = _typed(Changes, _say_changes)
