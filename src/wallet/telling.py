"""What people are told when somebody looked at their certificates."""

from collections.abc import Sequence

from msgspec import Struct

from kernel.ids import PersonId
from notifications import templates
from notifications.outbox import Owed
from notifications.template import Template
from wallet.catalogue import Catalogue
from wallet.model import Kind, Route, Use

KINDS_TEXT_MAX = 80
FIELDS_TEXT_MAX = 300
KEY_BYTES = 16
"""Of the code's hash: enough to tell any two codes apart."""
_TEMPLATES = {Route.ASK: templates.CERTIFICATE_CONSENTED}
_MORE = "…"


class Between(Struct, frozen=True):
    """The masked names of an agent and of whose certificates they show: each hears of the other."""

    agent: str
    holder: str


def notices_of(look: Sequence[Use], catalogue: Catalogue, between: Between | None = None) -> list[Owed]:
    """What is owed for one look, at one certificate or at several together: who saw which fields, when.

    One notice to the person, however many certificates were shown; and where an agent showed them (`between`), the
    person hears who it was, and the agent gets a notice of their own.
    """
    first = look[0]
    kinds = [catalogue.kinds[use.kind_code] for use in look]
    values = {
        "kind": _short("、".join([kind.name.zh for kind in kinds]), KINDS_TEXT_MAX),
        "venue": catalogue.venue_name(first.venue_id).zh,
        "when": first.used_at.isoformat(),
        "fields": _short(_fields(look, kinds), FIELDS_TEXT_MAX),
    }
    if between is None:
        return [_owed(first, "use", first.person_id, _TEMPLATES.get(first.route, templates.CERTIFICATE_SHOWN), values)]
    assert first.agent_person_id is not None
    for_you, as_agent = templates.CERTIFICATE_SHOWN_FOR_YOU, templates.CERTIFICATE_SHOWN_AS_AGENT
    return [
        _owed(first, "use", first.person_id, for_you, {**values, "other": between.agent}),
        _owed(first, "acted", first.agent_person_id, as_agent, {**values, "other": between.holder}),
    ]


def _owed(use: Use, what: str, to: PersonId, template: Template, values: dict[str, str]) -> Owed:
    key = f"{what}:{use.code_hash[:KEY_BYTES].hex()}"
    return Owed(caller="wallet", key=key, to=to, template=template, values=values, due_at=use.used_at)


def _fields(look: Sequence[Use], kinds: Sequence[Kind]) -> str:
    """What left, by its label; where several certificates were shown, each under its kind."""
    said = ["、".join([kind.label_zh(name) for name in use.fields]) for use, kind in zip(look, kinds, strict=True)]
    if len(said) == 1:
        return said[0]
    return "；".join([f"{kind.name.zh}：{fields}" for kind, fields in zip(kinds, said, strict=True) if fields])


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(_MORE)] + _MORE
