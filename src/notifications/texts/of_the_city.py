"""The city's own texts with what providers know them by: texts are code, and those ids are settings. Pure."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from notifications import templates
from notifications.template import ProviderIds, Template

Key = tuple[str, int]


def with_provider_ids(ids: Mapping[Key, Mapping[str, ProviderIds]]) -> dict[Key, Template]:
    """Those of the city's texts that providers know, by name and version, each with its ids by provider.

    Raises ValueError naming a text that there is not, or a parameter that is no placeholder of its text.
    """
    if wrong := list(_wrong_with(ids)):
        raise ValueError("; ".join(wrong))
    found = {key: templates.find(*key) for key in ids}
    return {key: replace(text, provider_ids=dict(ids[key])) for key, text in found.items() if text is not None}


def _wrong_with(ids: Mapping[Key, Mapping[str, ProviderIds]]) -> Iterator[str]:
    for (name, version), by_provider in ids.items():
        text = templates.find(name, version)
        if text is None:
            yield f"{name} {version}: the city has no such text"
            continue
        for provider, known in by_provider.items():
            unknown = [ours for ours in known.parameters.values() if ours not in text.placeholders]
            if unknown:
                yield f"{name} {version} at {provider}: no placeholders of the text: {', '.join(unknown)}"
