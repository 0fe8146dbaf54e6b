"""What the log of the use ledger commits to, and how a record is proved to be in it.

A leaf of the log is a commitment: HMAC-SHA-256 under 32 random bytes, the record's *salt*, over everything the record
says. With the salt a record can be shown to be the one that was logged, to the last character; once record and salt
are erased, the leaf tells nobody anything and the log stays provable.

The person's side of a record is committed to first, in a digest of its own, the *subject*. Who looked gets the salt,
the subject and the rest of the record, and can prove what it saw without learning whose record that is anywhere else:
a person's id stays with the person.

Layouts (numbers are big-endian; `uuid?` is a byte 1 and the 16 bytes, or 17 bytes of zero; `text` is two bytes of
length and UTF-8; `time` is microseconds since 1970, 8 bytes, signed):

    subject    = HMAC(salt, 02 · person uuid · certificate uuid · mandate uuid? · agent uuid?)
    commitment = HMAC(salt, 01 · subject · code hash (32) · used time · recorded time · use uuid · device uuid
                            · venue uuid · edition (2) · number of fields (2) · number of flags (2)
                            · scenario text · kind text · route text · outcome text · field texts · flag texts)
    tombstone  = HMAC(salt, 03 · commitment of what was erased (32) · erased time · reason text)
    checkpoint = HMAC(32 zero bytes, 04 · signed time · note in UTF-8)

The last is no secret: each checkpoint is itself a leaf, at the index that is its size, of the log that goes on from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from struct import error as StructError  # noqa: N812 -- as other exceptions are named
from typing import Any, Protocol
from uuid import UUID

from suishenban_verify.checkpoint import LogProof, NotANote, NoteKey, read_proof
from suishenban_verify.signatures import un_b64url

SALT_BYTES = 32
COMMITMENT_BYTES = 32
CODE_HASH_BYTES = 32
TEXT_BYTES_MAX = 0xFFFF
_RECORD, _SUBJECT, _TOMBSTONE, _CHECKPOINT = b"\x01", b"\x02", b"\x03", b"\x04"
_NO_SALT = bytes(SALT_BYTES)
_NOBODY = bytes(17)
_PRESENT = b"\x01"
_EVENT = Struct(">c32s32sqq16s16s16shHH")
_LENGTH = Struct(">H").pack
_TIME = Struct(">q").pack
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TEXTS_KEPT = 4_096
"""How many texts are kept as they are written: names of a catalogue, which come again and again."""
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST = b"\x36" * (_BLOCK_BYTES - SALT_BYTES)
_OUTER_REST = b"\x5c" * (_BLOCK_BYTES - SALT_BYTES)


class Event(Protocol):
    """What a record says without its person: who looked, when, at what, for what, and what left."""

    @property
    def code_hash(self) -> bytes: ...
    @property
    def used_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime | None: ...
    @property
    def use_id(self) -> UUID: ...
    @property
    def device_id(self) -> UUID: ...
    @property
    def venue_id(self) -> UUID: ...
    @property
    def scenario_code(self) -> str: ...
    @property
    def scenario_edition(self) -> int: ...
    @property
    def kind_code(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def fields(self) -> Sequence[str]: ...
    @property
    def flags(self) -> Sequence[str]: ...


class Record(Event, Protocol):
    """A whole record: an event and whose it is. `agent_person_id` showed it under the mandate, if somebody else did."""

    @property
    def person_id(self) -> UUID: ...
    @property
    def certificate_id(self) -> UUID: ...
    @property
    def mandate_id(self) -> UUID | None: ...
    @property
    def agent_person_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event as its reader was told of it. Times are aware; `recorded_at` is when the city learned of it."""

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
    flags: tuple[str, ...] = ()


def subject_of(
    salt: bytes, person_id: UUID, certificate_id: UUID, mandate_id: UUID | None, agent_person_id: UUID | None
) -> bytes:
    """The digest of whose record it is, 32 bytes."""
    assert len(salt) == SALT_BYTES
    mandate = _NOBODY if mandate_id is None else _PRESENT + mandate_id.bytes
    agent = _NOBODY if agent_person_id is None else _PRESENT + agent_person_id.bytes
    return _hmac(salt, b"".join((_SUBJECT, person_id.bytes, certificate_id.bytes, mandate, agent)))


def commitment_of_event(salt: bytes, subject: bytes, event: Event) -> bytes:
    """The leaf of an event about `subject`, 32 bytes. Its times are aware, its texts at most 65,535 bytes each."""
    assert len(salt) == SALT_BYTES
    assert len(subject) == len(event.code_hash) == CODE_HASH_BYTES
    assert event.recorded_at is not None
    fields, flags = event.fields, event.flags
    head = _EVENT.pack(
        _RECORD,
        subject,
        event.code_hash,
        (event.used_at - _EPOCH) // _MICROSECOND,
        (event.recorded_at - _EPOCH) // _MICROSECOND,
        event.use_id.bytes,
        event.device_id.bytes,
        event.venue_id.bytes,
        event.scenario_edition,
        len(fields),
        len(flags),
    )
    texts = (event.scenario_code, event.kind_code, event.route, event.outcome, *fields, *flags)
    return _hmac(salt, head + b"".join(map(_text, texts)))


def commitment_of(salt: bytes, record: Record) -> bytes:
    """The leaf of a record, 32 bytes."""
    subject = subject_of(salt, record.person_id, record.certificate_id, record.mandate_id, record.agent_person_id)
    return commitment_of_event(salt, subject, record)


def tombstone_of(salt: bytes, erased: bytes, erased_at: datetime, reason: str) -> bytes:
    """The leaf that says that the record behind the leaf `erased` was erased, when and why; 32 bytes."""
    assert len(salt) == SALT_BYTES
    assert len(erased) == COMMITMENT_BYTES
    return _hmac(salt, _TOMBSTONE + erased + _TIME((erased_at - _EPOCH) // _MICROSECOND) + _text(reason))


def leaf_of_checkpoint(note: str, signed_at: datetime) -> bytes:
    """The leaf that says which checkpoint the log went on from, and when that was signed; 32 bytes."""
    return _hmac(_NO_SALT, _CHECKPOINT + _TIME((signed_at - _EPOCH) // _MICROSECOND) + note.encode())


def proves_record(proof: LogProof, salt: bytes, record: Record) -> bool:
    """Whether `proof` proves that exactly this record was logged."""
    return proof.holds(commitment_of(salt, record))


def proves_event(proof: LogProof, salt: bytes, subject: bytes, event: Event) -> bool:
    """Whether `proof` proves that exactly this event about `subject` was logged."""
    return proof.holds(commitment_of_event(salt, subject, event))


def proved_event(document: Mapping[str, object], keys: Sequence[NoteKey]) -> SeenEvent:
    """The event that an answer of the city (its JSON, decoded) proves to be in the log that one of `keys` signs.

    Raises NotANote, also for a second spelling of the same.
    """
    match document:
        case {"event": dict(told), "salt": str(salt), "subject": str(subject), "proof": str(text), **rest} if not rest:
            proof = read_proof(text, keys)
            try:
                event = _event_of(told)
                holds = proves_event(proof, un_b64url(salt), un_b64url(subject), event)
            except (ValueError, KeyError, TypeError, AttributeError, StructError, AssertionError):
                raise NotANote("what is said to be proved is not an event in its one spelling") from None
            if holds:
                return event
            raise NotANote("the proof is of another event")
    raise NotANote("not an answer of the city with a proof")


def _event_of(told: Mapping[str, Any]) -> SeenEvent:
    """The event in an answer. Raises ValueError, KeyError, TypeError, AttributeError."""
    ids = {name: UUID(told[name]) for name in ("use_id", "device_id", "venue_id")}
    times = {name: datetime.fromisoformat(told[name]) for name in ("used_at", "recorded_at")}
    spelled = {name: str(value) for name, value in ids.items()}
    spelled |= {name: moment.isoformat().replace("+00:00", "Z") for name, moment in times.items()}
    if {name: told[name] for name in spelled} != spelled:
        raise ValueError("not the one spelling")
    members: dict[str, Any] = {**told, **ids, **times, "code_hash": un_b64url(told["code_hash"])}
    for name in ("fields", "flags"):
        if not isinstance(told[name], list):
            raise TypeError("not a list")
        members[name] = tuple(told[name])
    if type(told["scenario_edition"]) is not int:
        raise TypeError("not a number")
    return SeenEvent(**members)


def _hmac(salt: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104 §2) under a key of `SALT_BYTES`. One is made for every scan: OpenSSL's takes twice as
    long as these two hashes."""
    inner = sha256(salt.translate(_INNER) + _INNER_REST + message).digest()
    return sha256(salt.translate(_OUTER) + _OUTER_REST + inner).digest()


@lru_cache(maxsize=TEXTS_KEPT)
def _text(text: str) -> bytes:
    encoded = text.encode()
    return _LENGTH(len(encoded)) + encoded
