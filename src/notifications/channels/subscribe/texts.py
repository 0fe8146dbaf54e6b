"""Which texts may go as subscribe messages: the platform's template of each, and what stands in its gaps.

The platform takes no free words: a template it approved has gaps named after their kind (`thing1`, `time3`), each with
a bound of its own. A value that is too long for its gap is cut with an ellipsis, for the platform refuses it whole.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kernel.clock import in_shanghai
from notifications.channels.provider import ProviderText
from notifications.model import Language
from notifications.template import Template

TEXTS_MAX: Final = 100
FILE_BYTES_MAX: Final = 1 << 20
KIND_MAX: Final = {
    "thing": 20,
    "character_string": 32,
    "letter": 32,
    "number": 32,
    "symbol": 5,
    "phrase": 5,
    "name": 10,
    "phone_number": 17,
    "car_number": 8,
}
"""Signs that fit a gap of each kind. Source: developers.weixin.qq.com, subscribe-message, 订阅消息参数值内容限制."""
MOMENTS: Final = frozenset({"time", "date"})
_GAP: Final = re.compile(r"([a-z_]+)[0-9]{1,2}")

GapName = Annotated[str, Meta(pattern=r"^[a-z_]+[0-9]{1,2}$(?!\n)", max_length=40)]
OurName = Annotated[str, Meta(pattern=r"^[a-z_]+$(?!\n)", max_length=60)]


class TextsRefused(Exception):
    """The file of subscribe texts is not one; the words say where."""


class SubscribeText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template of the platform's. `texts`: which of our texts it says, and which of our gaps each of its own is.

    `is_long_term` (长期订阅, which public services may have): a grant is good until it is taken back, not once.
    """

    provider_template: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$(?!\n)", min_length=1, max_length=128)]
    title_zh: Annotated[str, Meta(min_length=1, max_length=60)]
    title_en: Annotated[str, Meta(min_length=1, max_length=120)]
    texts: dict[OurName, dict[GapName, OurName]]
    page: Annotated[str, Meta(max_length=200)] = ""
    """Where in the mini-program a tap on the message leads."""
    is_long_term: bool = False

    def title(self, language: Language) -> str:
        return self.title_en if language == "en" else self.title_zh


class SubscribeTexts:
    """Finds the platform's template of a text. Raises TextsRefused where two are said of one."""

    def __init__(self, texts: Sequence[SubscribeText] = ()) -> None:
        self._by_template = {one.provider_template: one for one in texts}
        self._by_text = {ours: one for one in texts for ours in one.texts}
        if len(self._by_template) != len(texts) or len(self._by_text) != sum(len(one.texts) for one in texts):
            raise TextsRefused("a template of the platform, or a text of ours, stands there twice")
        odd = sorted(gap for one in texts for gaps in one.texts.values() for gap in gaps if _kind(gap) is None)
        if odd:
            raise TextsRefused(f"no kind of gap of the platform: {', '.join(odd)}")

    @property
    def every(self) -> list[SubscribeText]:
        return list(self._by_template.values())

    def of(self, template_id: str) -> SubscribeText | None:
        """How a text of ours goes; None if it does not go this way."""
        return self._by_text.get(template_id)

    def named(self, provider_template: str) -> SubscribeText | None:
        return self._by_template.get(provider_template)

    def worded(self, template: Template, values: Mapping[str, str], language: Language) -> ProviderText | None:
        """A text with its values, as the platform takes it; None where it does not go this way."""
        text = self.of(template.id)
        if text is None:
            return None
        said = {}
        for gap, ours in text.texts[template.id].items():
            if ours not in template.placeholders:
                return None
            said[gap] = _fitted(gap, values[ours], template.placeholders[ours].say(values[ours], language))
        return ProviderText(text.provider_template, "", said)


def read(path: Path) -> SubscribeTexts:
    """The texts of a file, a JSON list. Raises TextsRefused."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise TextsRefused(f"{path.name}: {problem.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise TextsRefused(f"{path.name}: longer than {FILE_BYTES_MAX} bytes")
    try:
        texts = msgspec.json.decode(content, type=Annotated[list[SubscribeText], Meta(max_length=TEXTS_MAX)])
    except msgspec.MsgspecError as problem:
        raise TextsRefused(f"{path.name}: {problem}") from None
    return SubscribeTexts(texts)


def _kind(gap: str) -> str | None:
    found = _GAP.fullmatch(gap)
    return found[1] if found is not None and (found[1] in KIND_MAX or found[1] in MOMENTS) else None


def _fitted(gap: str, value: str, said: str) -> str:
    """What stands in a gap: a moment as the platform writes it, anything else on one line, cut to its bound."""
    kind = _kind(gap)
    assert kind is not None, "checked when the texts were read"
    if kind in MOMENTS:
        at = in_shanghai(datetime.fromisoformat(value))
        day = f"{at.year}年{at.month}月{at.day}日"
        return day if kind == "date" else f"{day} {at:%H:%M}"
    line, most = " ".join(said.split()), KIND_MAX[kind]
    return line if len(line) <= most else line[: most - 1] + "…"
