"""A leaf of the log covers every word of its record, and can be opened without telling whose it is."""

import hmac
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import checkpoint, ledger, merkle
from suishenban_verify.checkpoint import Checkpoint, LogProof
from suishenban_verify.ledger import SeenEvent


@dataclass(frozen=True)
class Whole:
    person_id: UUID
    certificate_id: UUID
    mandate_id: UUID | None
    agent_person_id: UUID | None
    code_hash: bytes
    used_at: datetime
    recorded_at: datetime
    use_id: UUID
    device_id: UUID
    venue_id: UUID
    scenario_code: str
    scenario_edition: int
    kind_code: str
    route: str
    outcome: str
    fields: tuple[str, ...]
    flags: tuple[str, ...]


SALT = bytes(range(32))
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
RECORD = Whole(
    UUID(int=1), UUID(int=2), None, None, bytes(32), NOON, NOON + timedelta(seconds=1), UUID(int=3), UUID(int=4),
    UUID(int=5), "station.entry", 1, "11310000DEMA0001XX001", "code", "valid", ("name", "id_number"), (),
)  # fmt: skip
LEAF = ledger.commitment_of(SALT, RECORD)
CHANGES: dict[str, tuple[Any, ...]] = {
    "person_id": (UUID(int=9),),
    "certificate_id": (UUID(int=9),),
    "mandate_id": (UUID(int=0), UUID(int=9)),
    "agent_person_id": (UUID(int=0), UUID(int=9)),
    "code_hash": (bytes(31) + b"\x01",),
    "used_at": (NOON + timedelta(microseconds=1), NOON - timedelta(days=30_000)),
    "recorded_at": (NOON,),
    "use_id": (UUID(int=9),),
    "device_id": (UUID(int=9),),
    "venue_id": (UUID(int=9),),
    "scenario_code": ("station.entrj", "", "station.entry1"),
    "scenario_edition": (2, 0),
    "kind_code": ("11310000DEMA0001XX002",),
    "route": ("ask", "offline"),
    "outcome": ("revoked",),
    "fields": ((), ("name",), ("id_number", "name"), ("name", "id_number", ""), ("nameid_number",)),
    "flags": (("double_use",), ("",), ("late_revocation", "double_use")),
}


def test_every_word_of_a_record_is_in_its_leaf() -> None:
    assert CHANGES.keys() == {field.name for field in fields(Whole)}
    leaves = {LEAF}
    tried = 1
    for name, values in CHANGES.items():
        for value in values:
            leaves.add(ledger.commitment_of(SALT, replace(RECORD, **{name: value})))
            tried += 1
    leaves.add(ledger.commitment_of(bytes(32), RECORD))
    assert len(leaves) == tried + 1


def test_the_leaf_is_the_documented_one() -> None:
    told = b"\x02" + RECORD.person_id.bytes + RECORD.certificate_id.bytes + bytes(17) + bytes(17)
    subject = hmac.digest(SALT, told, "sha256")
    micros = [int(moment.timestamp()) * 10**6 for moment in (RECORD.used_at, RECORD.recorded_at)]
    event = b"\x01" + subject + RECORD.code_hash + b"".join(moment.to_bytes(8, "big") for moment in micros)
    event += RECORD.use_id.bytes + RECORD.device_id.bytes + RECORD.venue_id.bytes
    event += (1).to_bytes(2, "big") + (2).to_bytes(2, "big") + (1).to_bytes(2, "big")
    for text in ("station.entry", "11310000DEMA0001XX001", "code", "valid", "name", "id_number", "double_use"):
        event += len(text).to_bytes(2, "big") + text.encode()
    flagged = replace(RECORD, flags=("double_use",))
    assert ledger.commitment_of(SALT, flagged) == hmac.digest(SALT, event, "sha256")
    erased = b"\x03" + LEAF + micros[0].to_bytes(8, "big") + b"\x00\x06closed"
    assert ledger.tombstone_of(SALT, LEAF, NOON, "closed") == hmac.digest(SALT, erased, "sha256")


names = st.lists(st.text(max_size=6), max_size=4).map(tuple)


@given(names, names, names, names)
def test_no_two_records_share_a_leaf(some: Any, flags: Any, others: Any, other_flags: Any) -> None:
    first = ledger.commitment_of(SALT, replace(RECORD, fields=some, flags=flags))
    second = ledger.commitment_of(SALT, replace(RECORD, fields=others, flags=other_flags))
    assert (first == second) == ((some, flags) == (others, other_flags))


def logged(*leaves: bytes) -> tuple[LogProof, ...]:
    """Proofs of these leaves in a log of just them; that the checkpoint is signed was checked when it was read."""
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    tiles = merkle.append(0, {}, hashes)
    said = Checkpoint("suishenban.example/ledger", len(leaves), merkle.root_of(len(leaves), tiles))
    return tuple(
        checkpoint.LogProof(nth, tuple(merkle.hashes_of(merkle.inclusion_spans(nth, len(leaves)), tiles)), said)
        for nth in range(len(leaves))
    )


def test_a_venue_proves_what_it_saw_without_knowing_whose_it_is() -> None:
    seen = SeenEvent(**{field.name: getattr(RECORD, field.name) for field in fields(SeenEvent)})
    subject = ledger.subject_of(SALT, RECORD.person_id, RECORD.certificate_id, None, None)
    assert RECORD.person_id.bytes not in subject
    proof, other = logged(LEAF, bytes(32))
    assert ledger.proves_record(proof, SALT, RECORD)
    assert ledger.proves_event(proof, SALT, subject, seen)
    assert not ledger.proves_event(other, SALT, subject, seen)
    assert not ledger.proves_event(proof, SALT, subject, replace(seen, outcome="revoked"))
    assert not ledger.proves_event(proof, SALT, bytes(32), seen)
    assert not ledger.proves_record(proof, bytes(32), RECORD)


def test_a_record_without_its_time_or_with_a_wrong_salt_is_our_own_mistake() -> None:
    for salt, record in ((SALT[:-1], RECORD), (SALT, replace(RECORD, recorded_at=None))):
        with pytest.raises(AssertionError):
            ledger.commitment_of(salt, record)
