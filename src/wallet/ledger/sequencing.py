"""What waits for the log is appended to it, in batches, by one at a time, and the new head is signed.

A batch is one transaction: leaves, positions, tiles, head and checkpoint come together or not at all, so that a crash
between two steps leaves nothing half done and the next beat does the same again. The first leaf of a batch is the
checkpoint from which the log goes on, so that the checkpoints themselves are in the log.
"""

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS
from kernel.log import get_logger
from suishenban_verify import merkle
from suishenban_verify.checkpoint import Checkpoint, NotANote, read, sign
from suishenban_verify.ledger import leaf_of_checkpoint
from suishenban_verify.merkle import TileId, TileMissing
from wallet.ledger import queries
from wallet.ledger.keys import LogKeys
from wallet.ledger.model import BATCH_MAX, Entry, Head, LedgerDamaged, Signed

BATCHES_MAX = 100
"""Batches in one beat, so that a beat ends."""
log = get_logger(__name__)


class Sequencer:
    """Appends to the log. Any number of processes may have one; the row of the head lets one of them work."""

    def __init__(self, db: Database, clock: Clock, keys: LogKeys) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys
        self._next_bucket = 0

    async def append_waiting(self) -> int:
        """Append batch after batch until nothing waits, or others do it, or it was enough for one beat; how many."""
        total = 0
        for _ in range(BATCHES_MAX):
            appended = await self.append_pending()
            total += appended
            if not appended:
                break
        return total

    async def append_pending(self, *, batch_max: int = BATCH_MAX) -> int:
        """Append at most `batch_max` entries and sign the new head; how many entries wait no longer.

        0 when nothing waits, or when another sequencer is at work. A log without a checkpoint gets its first one, a
        checkpoint of a key that signs no more is signed anew. Raises LedgerDamaged, and appends nothing then.
        """
        async with self._db.transaction() as conn:
            head = await queries.lock_head(conn) or await self._begun(conn)
            if head is None:
                return 0
            tiles = await queries.select_tiles(conn, merkle.edge_of(head.size))
            last = self._last_signed(head, tiles, await queries.select_last_checkpoint(conn))
            entries = await self._waiting(conn, batch_max)
            if not entries:
                await self._sign_anew(conn, last)
                return 0
            known = await queries.select_positions(conn, [commitment for _, _, commitment in entries])
            fresh = list(dict.fromkeys(commitment for _, _, commitment in entries if commitment not in known))
            if fresh:
                await self._append(conn, head, tiles, [leaf_of_checkpoint(last.note, last.signed_at), *fresh])
            await queries.delete_pending(conn, entries)
            self._next_bucket = (entries[-1][0] + 1) % BUCKETS
        if len(fresh) < len(entries):
            log.warning("entries of the ledger waited for the log twice", entries=len(entries) - len(fresh))
        return len(entries)

    async def _begun(self, conn: Connection) -> Head | None:
        """The head of a log that begins now; None when it has begun. Raises LedgerDamaged."""
        head = Head(0, b"")
        if not await queries.insert_head(conn, head):
            return None
        if await queries.select_last_checkpoint(conn) or await queries.select_last_leaf(conn) is not None:
            raise LedgerDamaged("the log has no head")
        await queries.insert_checkpoint(conn, self._signed(head.size, merkle.EMPTY_ROOT))
        return head

    async def _waiting(self, conn: Connection, limit: int) -> list[Entry]:
        """What waits, beginning at another bucket each time so that none waits for ever."""
        start = self._next_bucket
        found = await queries.select_pending(conn, start, BUCKETS - 1, limit=limit)
        if len(found) < limit and start:
            found += await queries.select_pending(conn, 0, start - 1, limit=limit - len(found))
        return found

    def _last_signed(self, head: Head, tiles: dict[TileId, bytes], last: Signed | None) -> Signed:
        """The checkpoint the log goes on from: what is stored is what we signed. Raises LedgerDamaged."""
        if last is None or last.size != head.size:
            raise LedgerDamaged("the last checkpoint is not the head's")
        try:
            frontier = merkle.frontier_of(head.size, tiles)
            said = read(last.note, self._keys.every_key())
        except (TileMissing, NotANote) as problem:
            raise LedgerDamaged(str(problem)) from None
        if b"".join(frontier) != head.frontier:
            raise LedgerDamaged("the tiles at the edge are not those of the head")
        if said != Checkpoint(self._keys.origin, head.size, merkle.fold(frontier)) or said.root != last.root:
            raise LedgerDamaged("the head is not the one that was signed")
        return last

    async def _append(self, conn: Connection, head: Head, tiles: dict[TileId, bytes], leaves: list[bytes]) -> None:
        changed = merkle.append(head.size, tiles, [merkle.leaf_hash(leaf) for leaf in leaves])
        size = head.size + len(leaves)
        frontier = merkle.frontier_of(size, tiles | changed)
        await queries.insert_leaves(conn, head.size, leaves)
        await queries.put_tiles(conn, changed)
        await queries.update_head(conn, Head(size, b"".join(frontier)))
        await queries.insert_checkpoint(conn, self._signed(size, merkle.fold(frontier)))

    def _signed(self, size: int, root: bytes) -> Signed:
        note = sign(Checkpoint(self._keys.origin, size, root), self._keys.signer())
        return Signed(size, root, note, self._clock.now())

    async def _sign_anew(self, conn: Connection, last: Signed) -> None:
        """Let the key that signs now sign the latest checkpoint, if it was another that did."""
        try:
            read(last.note, [self._keys.signing_key()])
        except NotANote:
            await queries.update_checkpoint(conn, self._signed(last.size, last.root))
