"""The whole log is audited: against itself, against the ledger it is of, and against checkpoints that others kept.

Read in batches, with two bits of memory a leaf, while the city goes on: what is looked at is the log as it was when the
audit began, and what was recorded since is left to the next audit.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from suishenban_verify import merkle
from suishenban_verify.checkpoint import Checkpoint, NotANote, read
from suishenban_verify.merkle import TileMissing
from wallet.ledger import queries
from wallet.ledger.auditing_log import LogAudit
from wallet.ledger.auditing_records import RecordsAudit
from wallet.ledger.findings import Finding, Findings, Marks
from wallet.ledger.keys import LogKeys
from wallet.ledger.model import Head, Signed

WAITS_MAX = timedelta(minutes=10)
"""How long a record may wait for the log: the window in which one could still vanish without a trace."""
CLOCKS_APART_MAX = timedelta(minutes=5)


class Report(Struct, frozen=True):
    """What was looked at, and what was found. `beyond` counts findings that are not named."""

    origin: str
    size: int
    root: bytes
    records: int
    erased: int
    waiting: int
    checkpoints: int
    kept: int
    findings: list[Finding]
    beyond: int

    @property
    def is_clean(self) -> bool:
        return not self.findings


class Auditor:
    """Audits the log. `tell` hears how far it is: what is looked at, how many were, of how many (0: not known)."""

    def __init__(
        self, db: Database, clock: Clock, keys: LogKeys, tell: Callable[[str, int, int], None] = lambda *_: None
    ) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys
        self._tell = tell

    async def audit(self, kept: Sequence[str] = ()) -> Report:
        """Look at everything; `kept` are notes of checkpoints that somebody kept. Raises DatabaseAway."""
        began_at = self._clock.now()
        findings = Findings()
        async with self._db.transaction() as conn:
            head, last, beyond = await _as_it_stands(conn)
            tiles = await queries.select_tiles(conn, merkle.edge_of(head.size))
        self._check_head(findings, head, last, beyond, tiles, began_at)
        promised = self._promised(findings, kept, head.size)
        marks = Marks(head.size)
        async with self._db.connection() as conn:
            of_log = LogAudit(conn, self._keys.origin, self._keys.every_key(), findings, marks, self._tell)
            root = await of_log.check(head.size, promised)
            of_records = RecordsAudit(
                conn, findings, marks, self._tell, salt_of_erasure=self._keys.salt_of_erasure, began_at=began_at,
                waits_max=WAITS_MAX,
            )  # fmt: skip
            await of_records.check()
        return Report(
            origin=self._keys.origin,
            size=head.size,
            root=root,
            records=of_records.records,
            erased=of_records.erased,
            waiting=of_records.waiting,
            checkpoints=of_log.checkpoints,
            kept=len(kept),
            findings=findings.named,
            beyond=findings.beyond,
        )

    def _check_head(
        self,
        findings: Findings,
        head: Head,
        last: Signed | None,
        beyond: int,
        tiles: dict[merkle.TileId, bytes],
        now: datetime,
    ) -> None:
        """The head fits the edge, nothing lies beyond it, and the key that vouches for it is good."""
        if beyond > head.size:
            findings.add("beyond_the_head", f"leaf {beyond - 1}", f"the head says that the log has {head.size} leaves")
        for tile in merkle.edge_of(head.size):
            if len(tiles.get(tile, b"")) != merkle.hashes_in(tile, head.size) * merkle.HASH_BYTES:
                findings.add("tile_differs", f"tile {tile.level}/{tile.tile}", "not as many hashes as the head says")
        try:
            fits = b"".join(merkle.frontier_of(head.size, tiles)) == head.frontier
        except TileMissing:
            fits = False
        if not fits:
            findings.add("head_differs", "head", "its frontier is not that of the tiles at the edge")
        if last is not None:
            self._check_last(findings, head, last, now)
        elif head.size or beyond:
            findings.add("checkpoint_missing", f"checkpoint {head.size}", "the log has no checkpoint")

    def _check_last(self, findings: Findings, head: Head, last: Signed, now: datetime) -> None:
        """The last checkpoint is the head's, and a key that is trusted now signed it."""
        if last.size != head.size:
            findings.add("head_differs", "head", f"it says {head.size} leaves, the last checkpoint {last.size}")
        place = f"checkpoint {last.size}"
        if last.signed_at > now + CLOCKS_APART_MAX:
            findings.add("checkpoint_differs", place, "it was signed in the future")
        try:
            read(last.note, self._keys.trusted_keys())
        except NotANote:
            findings.add("checkpoint_differs", place, "no key that is trusted now signed the last one")

    def _promised(self, findings: Findings, kept: Sequence[str], size: int) -> list[Checkpoint]:
        """What kept checkpoints say the log was, those that can still be looked at."""
        promised = []
        for nth, note in enumerate(kept, 1):
            try:
                said = read(note, self._keys.every_key())
            except NotANote as problem:
                findings.add("kept_unsigned", f"kept checkpoint {nth}", f"not one that this log signed: {problem}")
                continue
            if said.size > size:
                findings.add("log_cut", f"kept checkpoint {nth}", f"the log had {said.size} leaves and has {size} now")
            else:
                promised.append(said)
        return promised


async def _as_it_stands(conn: Connection) -> tuple[Head, Signed | None, int]:
    """The head, while nobody appends; the last checkpoint, and how many leaves there seem to be."""
    head = await queries.lock_head_in_turn(conn)
    last = await queries.select_last_checkpoint(conn)
    last_leaf = await queries.select_last_leaf(conn)
    return head or Head(0, b""), last, 0 if last_leaf is None else last_leaf + 1
