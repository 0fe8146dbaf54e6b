"""What each column of the wallet holds that could hold a person in clear."""

from typing import Final

from tests.decided_columns import (
    ACTOR,
    DIGEST,
    KEYS,
    ORGANISATION,
    OURS,
    SEALED,
    SIGNED,
    WORD,
    Columns,
)

DECIDED: Final[dict[str, dict[str, str]]] = {
    "ask": {"code_hash": DIGEST, "scenario_code": WORD, "kind_codes": WORD, "state": WORD, "fields": WORD},
    "certificate": {"issuer_code": WORD, "kind_code": WORD, "state": WORD, "attributes": SEALED},
    "certificate_change": {"to_state": WORD, "from_state": WORD, "actor": ACTOR, "reason": WORD},
    "certificate_holder": {"issuer_code": WORD},
    "device": {"name_zh": ORGANISATION, "name_en": ORGANISATION},
    "finding": {"sort": WORD, "scenario_code": WORD},
    "foreign_use": {"code_hash": DIGEST},
    "identifier": {"identifier_digest": DIGEST},
    "issuer": {"issuer_code": WORD, "name_zh": ORGANISATION, "name_en": ORGANISATION, "sort": WORD},
    "issuer_kind": {"issuer_code": WORD, "kind_code": WORD},
    "issuer_reference": {"reference_digest": DIGEST, "body_digest": DIGEST},
    "issuing_load": {"state": WORD},
    "issuing_refusal": {"reference": SEALED, "code": WORD, "detail": OURS, "field": WORD},
    "kind": {
        "kind_code": WORD, "name_zh": ORGANISATION, "name_en": ORGANISATION, "fields": ORGANISATION,
        "face_colour": OURS, "layout": WORD, "organ_zh": ORGANISATION, "organ_en": ORGANISATION, "face": WORD,
        "predicates": ORGANISATION,
    },
    "ledger_checkpoint": {"root": DIGEST, "note": OURS},
    "ledger_erasure": {"commitment": DIGEST, "tombstone": DIGEST, "salt": DIGEST, "reason": WORD},
    "ledger_head": {"frontier": DIGEST},
    "ledger_leaf": {"commitment": DIGEST},
    "ledger_pending": {"commitment": DIGEST},
    "ledger_position": {"commitment": DIGEST},
    "ledger_tile": {"hashes": DIGEST},
    "mandate": {
        "agent_name": SEALED, "basis": WORD, "kind_codes": WORD, "scenario_codes": WORD, "made_by": ACTOR,
        "revoked_by": ACTOR,
    },
    "mandate_reference": {"reference_digest": DIGEST, "body_digest": DIGEST},
    "proof": {"proof_hash": DIGEST},
    "proof_printed": {"proof_hash": DIGEST},
    "register_entry": {"entry_digest": DIGEST, "body_digest": DIGEST, "issuer_code": WORD},
    "scenario": {"scenario_code": WORD, "name_zh": ORGANISATION, "name_en": ORGANISATION},
    "scenario_edition": {"scenario_code": WORD, "purpose_zh": ORGANISATION, "purpose_en": ORGANISATION},
    "scenario_field": {"scenario_code": WORD, "kind_code": WORD, "fields": WORD},
    "status_list": {"seed": SEALED},
    "status_publication": {"key_id": WORD, "jwt": SIGNED, "cwt": SIGNED},
    "trust_publication": {"content": DIGEST, "key_id": WORD, "token": SIGNED},
    "trusted_city": {
        "region_code": WORD, "issuer": OURS, "name_zh": ORGANISATION, "name_en": ORGANISATION, "roots": KEYS,
        "learned_roots": KEYS, "kinds": ORGANISATION, "list_url": OURS, "trust_list": SIGNED, "failure": WORD,
    },
    "trusted_status": {"region_code": WORD, "uri": OURS, "token": SIGNED},
    "use": {
        "code_hash": DIGEST, "scenario_code": WORD, "kind_code": WORD, "route": WORD, "outcome": WORD,
        "fields": WORD, "flags": WORD, "salt": DIGEST,
    },
    "venue": {
        "sort": WORD, "credit_code": WORD, "name_zh": ORGANISATION, "name_en": ORGANISATION, "district": WORD,
        "address": ORGANISATION,
    },
    "venue_application": {
        "secret_digest": DIGEST, "body_digest": DIGEST, "organisation": ORGANISATION, "contact": SEALED,
        "wanted": ORGANISATION, "device": ORGANISATION, "state": WORD, "decided_by": ACTOR, "reason": ORGANISATION,
    },
    "venue_quota": {"scenario_code": WORD},
    "venue_scenario": {"scenario_code": WORD, "grants": ORGANISATION},
}  # fmt: skip

COLUMNS: Final = Columns("wallet", DECIDED)
