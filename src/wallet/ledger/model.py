"""The nouns of the ledger's log: its head, its signed checkpoints, what waits for it, what was erased."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel.ids import BUCKETS, CertificateId, PersonId, UseId
from suishenban_verify.ledger import COMMITMENT_BYTES

BATCH_MAX = 4_096
"""Entries that one transaction appends: some 150 ms."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62
_CHANCE_BITS = 74

Entry = tuple[int, UUID, bytes]
"""What waits for the log: bucket, id, and the commitment that will be a leaf."""


class LedgerDamaged(Exception):  # not a refusal: nothing is appended to a log that is not the one that was signed
    """What is stored of the log does not fit what was signed last; `./run verify-ledger` says what."""


class Head(Struct, frozen=True):
    """How long the log is, and its frontier: the hashes of the complete subtrees it is made of."""

    size: int
    frontier: bytes


class Signed(Struct, frozen=True):
    """A checkpoint as it was signed."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


class Erasure(Struct, frozen=True):
    """A record that was erased: the leaf it had, the leaf that says so, and what that second leaf commits to."""

    commitment: bytes
    tombstone: bytes
    salt: bytes
    reason: str
    erased_at: datetime


class RecordRow(Struct, frozen=True):
    """A row of `wallet.use`, as it is stored. The log's commitment is made over just these columns."""

    person_id: PersonId
    code_hash: bytes
    used_at: datetime
    use_id: UseId
    device_id: UUID
    venue_id: UUID
    scenario_code: str
    scenario_edition: int
    certificate_id: CertificateId
    kind_code: str
    route: str
    outcome: str
    fields: Sequence[str]
    mandate_id: UUID | None
    agent_person_id: UUID | None
    flags: Sequence[str]
    recorded_at: datetime | None
    salt: bytes | None


def entry_of(commitment: bytes, at: datetime) -> Entry:
    """Where a commitment that was made `at` waits: a pure function, so that it can be found, and found altered.

    The id is a UUID of version 7 (RFC 9562 §5.7) whose random bits are the commitment's.
    """
    assert len(commitment) == COMMITMENT_BYTES
    milliseconds = (at - _EPOCH) // _MILLISECOND
    chance = int.from_bytes(commitment[:16], "big") >> (128 - _CHANCE_BITS)
    number = milliseconds << 80 | _VERSION | (chance >> 62) << 64 | _VARIANT | chance & 0x3FFF_FFFF_FFFF_FFFF
    return commitment[-1] % BUCKETS, UUID(int=number), commitment


def was_made_before(entry_id: UUID, moment: datetime) -> bool:
    """Whether the commitment of an entry was made before a moment, to the millisecond."""
    return entry_id.int >> 80 < (moment - _EPOCH) // _MILLISECOND
