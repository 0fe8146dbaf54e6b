"""What each column of the wallet holds that could hold a person in clear: decided one by one, and looked at.

A column of text, bytes or JSON that is not named here is a column nobody has thought about yet.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import asyncpg

from kernel.sealing import FORMAT, OVERHEAD_BYTES, MasterKey

HASH_BYTES: Final = 32
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ACTOR: Final = re.compile(
    r"(person|department|operator|device|staff|system|city):[A-Za-z0-9_.:-]{1,80}|system|city|load"
)
_SIGNED: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
DASH_OF_NOTES: Final = "\u2014"
"""Before each signature of a checkpoint."""

SEALED: Final = "sealed"
DIGEST: Final = "digests and salts"
WORD: Final = "a code, or a word out of few"
ACTOR: Final = "who acted, by id"
OURS: Final = "our own words"
ORGANISATION: Final = "what is public of an organisation or of the catalogue"
SIGNED: Final = "signed for everybody to read"
KEYS: Final = "public keys"

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


async def undecided(conn: asyncpg.Connection) -> set[str]:
    """Columns that could hold a person and that nobody has decided on, and decisions about columns that are gone."""
    rows = await conn.fetch(
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'wallet' AND data_type IN"
        " ('text', 'bytea', 'jsonb', 'json', 'ARRAY', 'character varying', 'character', 'xml')"
    )
    decided = {f"{table}.{column}" for table, columns in DECIDED.items() for column in columns}
    return decided ^ {row["name"] for row in rows}


async def unlike_decided(conn: asyncpg.Connection, key: MasterKey) -> set[str]:
    """Columns of which some value is not what was decided. `key` seals. Says no value."""
    looks_as = _looks(FORMAT + bytes.fromhex(key.key_id))
    found = set()
    for table, columns in DECIDED.items():
        for column, decision in columns.items():
            fits = looks_as.get(decision, lambda _: True)
            values = await conn.fetch(f'SELECT DISTINCT "{column}" AS value FROM wallet."{table}"')
            if not all(fits(one) for row in values for one in _each(row["value"])):
                found.add(f"{table}.{column} is not: {decision}")
    return found


async def unseen(conn: asyncpg.Connection) -> set[str]:
    """Tables with a sealed column in which nobody is yet: there is nothing in them to find."""
    tables = [table for table, columns in DECIDED.items() if SEALED in columns.values()]
    return {table for table in tables if not await conn.fetchval(f"SELECT count(*) FROM wallet.{table}")}


def _looks(head: bytes) -> dict[str, Callable[[Any], bool]]:
    return {
        SEALED: lambda value: value.startswith(head) and len(value) >= OVERHEAD_BYTES,
        DIGEST: lambda value: len(value) % HASH_BYTES == 0,
        WORD: lambda value: _WORD.fullmatch(value) is not None,
        ACTOR: lambda value: _ACTOR.fullmatch(value) is not None,
        OURS: lambda value: value.replace(DASH_OF_NOTES, "").isascii(),
        SIGNED: lambda value: isinstance(value, bytes) or _SIGNED.fullmatch(value) is not None,
    }


def _each(value: Any) -> Iterator[Any]:
    """The values in a column's value: none, itself, or those of an array."""
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
