"""What a version looks like filled in, in each language it has and on each channel it goes out by. Pure."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from notifications.model import SEGMENTS_MAX, Channel, Language
from notifications.segmenting import Alphabet, alphabet_of, beyond_gsm, segments, units
from notifications.template import Placeholder
from notifications.texts.model import DepartmentText, Fitted, Version, text_of
from notifications.texts.placeholders import longest

FORCING_MAX = 50
_AS_IT_IS = Placeholder(lambda _: True)


class Cost(Struct, frozen=True):
    """What an SMS costs: carriers charge by the segment."""

    segments: int
    is_too_long: bool
    """More than ten: nobody sends it."""
    segments_most: int | None
    """With the longest values there can be; None where a link's length decides."""
    alphabet: Alphabet
    """`gsm`: 160 units fit one SMS, 153 each of several. `ucs2`: 70 and 67."""
    units: int
    """Its length: septets in `gsm`, units of 16 bits in `ucs2`."""
    forcing_ucs2: list[str]
    """The first 50 characters, each once, for which it does not fit `gsm`."""


class Shown(Struct, frozen=True):
    """The text as somebody who reads this language gets it by this channel; an empty gap stands as `((name))`."""

    channel: Channel
    language: Language
    subject: str | None
    text: str
    cost: Cost | None
    """Of an SMS."""


class Preview(Struct, frozen=True):
    """A version, filled in as far as the values given allow."""

    shown: list[Shown]
    missing: list[str]
    unknown: list[str]
    wrong: dict[str, str]
    """Placeholders whose values are not of their form, each with what is expected of it."""


def preview(version: Version, values: Mapping[str, str]) -> Preview:
    """Fill a version in. Nothing is refused: what is wrong is named, and its gap left open."""
    text = text_of(version)
    fitted = text.fit(values)
    filled, left_open = _filled(text, fitted)
    most = _longest(version)
    shown = []
    for language, _ in version.content.in_each_language():
        rendered = left_open.render(filled, language)
        for channel in text.channels:
            if channel == "sms":
                sms = text.signature + rendered.body
                longest_sms = None if most is None else text.signature + text.render(most, language).body
                shown.append(Shown(channel, language, None, sms, _cost(sms, longest_sms)))
            else:
                shown.append(Shown(channel, language, rendered.title, rendered.body, None))
    return Preview(shown, fitted.missing, fitted.unknown, fitted.wrong)


def _filled(text: DepartmentText, fitted: Fitted) -> tuple[dict[str, str], DepartmentText]:
    """Values for every gap, and the text that says those of open gaps as they are."""
    is_open = {*fitted.missing, *fitted.wrong}
    values = {name: f"(({name}))" if name in is_open else fitted.values[name] for name in text.placeholders}
    gaps = {name: _AS_IT_IS if name in is_open else kind for name, kind in text.placeholders.items()}
    return values, replace(text, placeholders=gaps)


def _longest(version: Version) -> dict[str, str] | None:
    found = {name: longest(kind) for name, kind in version.content.placeholders.items()}
    values = {name: value for name, value in found.items() if value is not None}
    return values if len(values) == len(found) else None


def _cost(sms: str, longest_sms: str | None) -> Cost:
    alphabet, parts = alphabet_of(sms), segments(sms)
    return Cost(
        parts,
        parts > SEGMENTS_MAX,
        None if longest_sms is None else max(parts, segments(longest_sms)),
        alphabet,
        units(sms, alphabet),
        beyond_gsm(sms)[:FORCING_MAX],
    )
