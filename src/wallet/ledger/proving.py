"""A record is proved to be in the log, and the log to have only grown."""

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec import Struct

from kernel.db import Connection, Database
from kernel.ids import PersonId, UseId, VenueId
from suishenban_verify import merkle
from suishenban_verify.checkpoint import proof_text
from suishenban_verify.ledger import commitment_of, subject_of
from suishenban_verify.merkle import Span, TileMissing
from wallet.ledger import queries
from wallet.ledger.errors import NoCheckpointYet, NotInLogYet, SizesRefused, UseNotFound
from wallet.ledger.model import LedgerDamaged, RecordRow, Signed

NEAR = timedelta(minutes=5)
"""How far a venue's word of when it scanned may be from when we saw it."""
TOGETHER_MAX = 20
"""Certificates that one scan shows, with room: each is a record of its own."""
IN_LOG_SOON_SECONDS = 10


class Proved(Struct, frozen=True):
    """A record with all it takes to prove it: its salt, the digest of whose it is, and a C2SP tlog-proof."""

    record: RecordRow
    salt: bytes
    subject: bytes
    proof: str


class Consistency(Struct, frozen=True):
    """The hashes that prove that the log of `new` leaves continues the one of `old`."""

    old: int
    new: int
    hashes: list[bytes]


class Prover:
    """Makes proofs from what is stored; each reads a dozen rows or so however long the log is."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def latest(self) -> Signed:
        """The latest checkpoint. Raises NoCheckpointYet."""
        async with self._db.connection() as conn:
            return await _latest(conn)

    async def checkpoint(self, size: int) -> Signed:
        """The checkpoint of this size. Raises NoCheckpointYet."""
        if not 0 <= size <= merkle.SIZE_MAX:
            raise NoCheckpointYet
        async with self._db.connection() as conn:
            found = await queries.select_checkpoint(conn, size)
        if found is None:
            raise NoCheckpointYet
        return found

    async def prove_for_person(self, person_id: PersonId, code_hash: bytes) -> Proved:
        """A record of a person's ledger, proved. Raises UseNotFound, NotInLogYet."""
        async with self._db.connection() as conn:
            record = await queries.select_record(conn, person_id, code_hash)
            if record is None:
                raise UseNotFound
            return await _proved(conn, record)

    async def prove_for_venue(self, venue_id: VenueId, use_id: UseId, near: datetime) -> list[Proved]:
        """What one of the venue's devices saw under this id within five minutes of `near`, proved.

        One for each certificate that was shown. Raises UseNotFound, NotInLogYet.
        """
        since, until = near - NEAR, near + NEAR
        async with self._db.connection() as conn:
            records = await queries.select_records_of_venue(
                conn, venue_id, use_id, since=since, until=until, limit=TOGETHER_MAX
            )
            if not records:
                raise UseNotFound
            return [await _proved(conn, record) for record in records]

    async def prove_consistency(self, old: int, new: int) -> Consistency:
        """That the log of `new` leaves continues the one of `old`. Raises SizesRefused, NoCheckpointYet."""
        async with self._db.connection() as conn:
            if not 0 <= old <= new <= (await _latest(conn)).size:
                raise SizesRefused
            return Consistency(old, new, await _hashes(conn, merkle.consistency_spans(old, new)))


async def _latest(conn: Connection) -> Signed:
    found = await queries.select_last_checkpoint(conn)
    if found is None:
        raise NoCheckpointYet
    return found


async def _proved(conn: Connection, record: RecordRow) -> Proved:
    salt = record.salt
    if salt is None or record.recorded_at is None:  # from before there was a log, not adopted yet
        raise NotInLogYet(retry_after_seconds=IN_LOG_SOON_SECONDS)
    commitment = commitment_of(salt, record)
    log_index = (await queries.select_positions(conn, [commitment])).get(commitment)
    if log_index is None:
        raise NotInLogYet(retry_after_seconds=IN_LOG_SOON_SECONDS)
    signed = await _latest(conn)
    if log_index >= signed.size:
        raise LedgerDamaged("a position is beyond the end of the log")
    hashes = await _hashes(conn, merkle.inclusion_spans(log_index, signed.size))
    subject = subject_of(salt, record.person_id, record.certificate_id, record.mandate_id, record.agent_person_id)
    return Proved(record, salt, subject, proof_text(log_index, hashes, signed.note))


async def _hashes(conn: Connection, spans: Collection[Span]) -> list[bytes]:
    tiles = await queries.select_tiles(conn, merkle.tiles_of(spans))
    try:
        return merkle.hashes_of(spans, tiles)
    except TileMissing as problem:
        raise LedgerDamaged(str(problem)) from None
