"""What each column of notifications holds that could hold a person in clear."""

from typing import Final

from tests.decided_columns import (
    ACTOR,
    DIGEST,
    NUMBERS,
    ORGANISATION,
    OURS,
    PROMISE,
    SAID,
    SEALED,
    SENDER,
    SHORT_DIGEST,
    THEIRS,
    WORD,
    Columns,
)

DECIDED: Final[dict[str, dict[str, str]]] = {
    "api_key": {"name": THEIRS, "kind": WORD, "secret": SEALED},
    "attempt": {"channel": WORD, "provider": WORD, "outcome": WORD, "provider_ref": WORD, "reason": SAID},
    "batch": {"name": THEIRS, "kind": WORD, "language": WORD, "state": WORD, "paused_for": WORD, "spans": NUMBERS},
    "batch_refusal": {"code": WORD, "detail": OURS, "field": THEIRS, "reference": THEIRS},
    "batch_row": {"address": SEALED, "sealed_values": SEALED, "reference": THEIRS, "ending": WORD},
    "callback_endpoint": {"events": WORD, "sealed_target": SEALED, "disabled_for": WORD},
    "callback_event": {"type": WORD, "sealed_body": SEALED, "stage": WORD, "reason": SAID},
    "carried": {"provider": WORD, "provider_ref": WORD, "channel": WORD},
    "case_notice": {"kind": WORD, "content_digest": DIGEST, "case_digest": DIGEST, "sealed_content": SEALED},
    "consent": {"sort": WORD, "channel": WORD, "told_by": WORD},
    "contact": {
        "phone": SEALED, "language": WORD, "email": SEALED, "results_by": WORD, "reminders_by": WORD,
        "notices_by": WORD, "shown_by": WORD,
    },
    "delivery": {"channel": WORD, "stage": WORD, "reason": SAID, "fallback": WORD, "counted": WORD},
    "demo_sms": {"phone_digest": DIGEST, "reference": WORD, "shown": SEALED},
    "department_text": {"sort": WORD},
    "department_text_version": {
        "content": ORGANISATION, "provider_ids": ORGANISATION, "state": WORD, "decided_by": ACTOR,
        "reason": ORGANISATION,
    },
    "email_challenge": {"email": SEALED, "code_digest": DIGEST},
    "inbox_item": {"template": WORD, "sealed_values": SEALED},
    "keeping": {"caller": SENDER},
    "last_told": {"phone_digest": DIGEST, "caller": SENDER, "template": WORD},
    "message": {
        "caller": SENDER, "key": PROMISE, "address": SEALED, "template": WORD, "sealed_values": SEALED, "stage": WORD,
    },
    "opt_out": {"place_digest": DIGEST, "caller": SENDER},
    "opt_out_change": {"place_digest": DIGEST, "caller": SENDER, "source": WORD},
    "receipt": {
        "provider": WORD, "provider_ref": WORD, "reading": WORD, "raw": SEALED, "number_digest": DIGEST,
    },
    "received_text": {
        "phone_digest": DIGEST, "provider": WORD, "provider_ref": WORD, "sealed_text": SEALED, "stage": WORD,
        "meaning": WORD, "outcome": WORD,
    },
    "rehearsal": {"caller": SENDER, "channel": WORD, "ending": WORD},
    "request": {"channel": WORD, "template": WORD, "reference": THEIRS, "kind": WORD, "asked": DIGEST},
    "said": {"digest": SHORT_DIGEST},
    "sent_count": {"caller": SENDER, "template": WORD, "channel": WORD},
    "service_text": {"sealed_text": SEALED},
    "subscribe_grant": {"provider_template": WORD, "openid": SEALED},
    "taken_tally": {"caller": SENDER, "template": WORD, "channel": WORD},
    "team_member": {"recipient_digest": DIGEST, "recipient": SEALED},
    "told_case": {"case_digest": DIGEST, "holder_digest": DIGEST},
}  # fmt: skip

COLUMNS: Final = Columns("notifications", DECIDED)
