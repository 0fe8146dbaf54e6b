"""What a resident is told when somebody looked at a certificate."""

from notifications import templates
from notifications.outbox import Owed
from wallet.model import Kind, Route, Use, Venue

FIELDS_TEXT_MAX = 300
KEY_BYTES = 16
"""Of the code's hash: enough to tell any two codes apart."""
_TEMPLATES = {Route.CODE: templates.CERTIFICATE_SHOWN, Route.ASK: templates.CERTIFICATE_CONSENTED}


def shown_notice(use: Use, kind: Kind, venue: Venue) -> Owed:
    """Who saw which fields, when: one notice for each use."""
    return Owed(
        caller="wallet",
        key=f"use:{use.code_hash[:KEY_BYTES].hex()}",
        to=use.person_id,
        template=_TEMPLATES[use.route],
        values={
            "kind": kind.name.zh,
            "venue": venue.name.zh,
            "when": use.used_at.isoformat(),
            "fields": "、".join([kind.label_zh(name) for name in use.fields])[:FIELDS_TEXT_MAX],
        },
        due_at=use.used_at,
    )
