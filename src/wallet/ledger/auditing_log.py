"""The log against itself: leaves, positions, tiles and checkpoints all say the same."""

from collections.abc import Callable, Sequence

from kernel.db import Connection
from suishenban_verify import merkle
from suishenban_verify.checkpoint import Checkpoint, NotANote, NoteKey, read
from suishenban_verify.ledger import leaf_of_checkpoint
from suishenban_verify.merkle import TILE_HASHES_MAX, TileId
from wallet.ledger import queries
from wallet.ledger.findings import Findings, Marks
from wallet.ledger.model import Signed

LEAVES_TOGETHER_MAX = 16 * TILE_HASHES_MAX
"""Leaves that are looked at together: whole tiles."""
POSITIONS_TOGETHER_MAX = 8_192
TILE_IDS_TOGETHER_MAX = 8_192
_NO_HASH = bytes(merkle.HASH_BYTES)


class LogAudit:
    """Looks at the log up to a size. Checkpoints, which are leaves too, are marked."""

    def __init__(
        self,
        conn: Connection,
        origin: str,
        keys: Sequence[NoteKey],
        findings: Findings,
        marks: Marks,
        tell: Callable[[str, int, int], None],
    ) -> None:
        self._conn = conn
        self._origin = origin
        self._keys = keys
        self._findings = findings
        self._marks = marks
        self._tell = tell
        self._edge: dict[TileId, bytes] = {}
        self._differing: list[str] = []
        self._signed_before: Signed | None = None
        self.checkpoints = 0

    async def check(self, size: int, promised: Sequence[Checkpoint]) -> bytes:
        """Look at everything up to `size`, and at what kept checkpoints say of it; the root as it comes out."""
        for start in range(0, max(size, 1), LEAVES_TOGETHER_MAX):
            end = min(start + LEAVES_TOGETHER_MAX, size)
            leaves = dict(await queries.select_leaves(self._conn, start, end))
            await self._check_positions(leaves)
            tiles = await self._grow(start, end, leaves)
            checkpoints = await queries.select_checkpoints(self._conn, start, end)
            self._check_checkpoints(start, end, checkpoints, leaves, tiles)
            self._check_promises(start, end, promised, tiles)
            self._edge = {tile: tiles[tile] for tile in merkle.edge_of(end)}
            self._tell("leaves", end, size)
        if self._differing:
            first, more = self._differing[0], len(self._differing) - 1
            said = "the leaves there are now do not make the root it says"
            self._findings.add("root_differs", first, said + (f"; nor those of {more} more" if more else ""))
        await self._check_positions_back(size)
        await self._check_no_other_tiles(size)
        return merkle.root_of(size, self._edge)

    async def _check_positions(self, leaves: dict[int, bytes]) -> None:
        """Each leaf is found where it stands."""
        positions = await queries.select_positions(self._conn, leaves.values())
        for log_index, commitment in leaves.items():
            if positions.get(commitment) != log_index:
                self._findings.add("position_differs", f"leaf {log_index}", "looked up, it is missing or elsewhere")

    async def _grow(self, start: int, end: int, leaves: dict[int, bytes]) -> dict[TileId, bytes]:
        """Append the leaves to what came before, and compare the tiles that come out with those that are kept.

        For a leaf that is missing, the hash in its tile stands in, so that one finding does not become thousands.
        """
        firsts = range(start // TILE_HASHES_MAX, -(-end // TILE_HASHES_MAX))
        kept = await queries.select_tiles(self._conn, [TileId(0, nth) for nth in firsts])
        hashes = []
        for log_index in range(start, end):
            if log_index in leaves:
                hashes.append(merkle.leaf_hash(leaves[log_index]))
                continue
            self._findings.add("leaf_missing", f"leaf {log_index}", "there is no such leaf")
            nth, at = divmod(log_index, TILE_HASHES_MAX)
            row = kept.get(TileId(0, nth), b"")
            hashes.append(row[at * merkle.HASH_BYTES : (at + 1) * merkle.HASH_BYTES].ljust(merkle.HASH_BYTES, b"\0"))
        changed = merkle.append(start, self._edge, hashes)
        above = [tile for tile in changed if tile.level]
        kept |= await queries.select_tiles(self._conn, above) if above else {}
        for tile, row in changed.items():
            self._compare(tile, row, kept.get(tile, b""))
        return self._edge | changed

    def _compare(self, tile: TileId, made: bytes, kept: bytes) -> None:
        """A tile that goes on further than the audit does is as good as one that ends here."""
        if kept[: len(made)] == made:
            return
        width = merkle.HASH_BYTES
        wrong = [at // width for at in range(0, len(made), width) if kept[at : at + width] != made[at : at + width]]
        place = f"tile {tile.level}/{tile.tile}"
        if tile.level == 0 and kept:
            for nth in wrong:
                at = tile.tile * TILE_HASHES_MAX + nth
                self._findings.add("leaf_differs", f"leaf {at}", f"it is not the leaf that {place} was made from")
        else:
            self._findings.add("tile_differs", place, f"{len(wrong)} of its hashes are missing or others")

    def _check_checkpoints(
        self, start: int, end: int, found: list[Signed], leaves: dict[int, bytes], tiles: dict[TileId, bytes]
    ) -> None:
        """Each checkpoint is signed, says what the log was, and is the leaf from which the log went on."""
        for signed in found:
            place = f"checkpoint {signed.size}"
            if signed.size > start or start == 0:
                self._check_checkpoint(signed, place, tiles)
            if signed.size < end:
                leaf = leaves.get(signed.size)
                if leaf != leaf_of_checkpoint(signed.note, signed.signed_at):
                    self._findings.add("checkpoint_differs", place, "the log did not go on from it as it is now")
                else:
                    self._marks.mark(signed.size)

    def _check_checkpoint(self, signed: Signed, place: str, tiles: dict[TileId, bytes]) -> None:
        self.checkpoints += 1
        before, self._signed_before = self._signed_before, signed
        if before is not None and signed.signed_at < before.signed_at:
            self._findings.add("checkpoint_differs", place, "it was signed before the one before it")
        try:
            said = read(signed.note, self._keys)
        except NotANote as problem:
            self._findings.add("checkpoint_differs", place, f"not signed by a key of ours: {problem}")
            return
        if said != Checkpoint(self._origin, signed.size, signed.root):
            self._findings.add("checkpoint_differs", place, "what is signed is not what is kept beside it")
        if said.size == signed.size and merkle.root_of(said.size, tiles) != said.root:
            self._differing.append(place)

    def _check_promises(self, start: int, end: int, promised: Sequence[Checkpoint], tiles: dict[TileId, bytes]) -> None:
        for said in promised:
            is_here = start < said.size <= end or said.size == start == 0
            if is_here and merkle.root_of(said.size, tiles) != said.root:
                place = f"kept checkpoint of size {said.size}"
                self._findings.add("kept_differs", place, "the log is not the one that this was a checkpoint of")

    async def _check_positions_back(self, size: int) -> None:
        """No position says that a leaf is where another one stands, or none."""
        taken = Marks(size)
        after, count = b"", 0
        while True:
            found = await queries.select_positions_after(self._conn, after, limit=POSITIONS_TOGETHER_MAX)
            later = []
            for commitment, log_index in found:
                if not 0 <= log_index < size:
                    later.append((commitment, log_index))
                elif not taken.mark(log_index):
                    self._findings.add("position_differs", f"leaf {log_index}", "two commitments are said to be there")
            await self._check_later(later)
            count += len(found)
            self._tell("positions", min(count, size), size)
            if len(found) < POSITIONS_TOGETHER_MAX:
                return
            after = found[-1][0]

    async def _check_later(self, positions: list[tuple[bytes, int]]) -> None:
        """Positions of leaves that came after the audit began: they are there by now."""
        for commitment, log_index in positions:
            if await queries.select_leaves(self._conn, log_index, log_index + 1) != [(log_index, commitment)]:
                self._findings.add(
                    "position_differs", f"leaf {log_index}", "a commitment is said to be there, and is not"
                )

    async def _check_no_other_tiles(self, size: int) -> None:
        """There are no tiles that a log of this size does not have. One that grew since has them by now."""
        after = TileId(-1, 0)
        while True:
            found = await queries.select_tile_ids_after(self._conn, after, limit=TILE_IDS_TOGETHER_MAX)
            for tile in found:
                if not merkle.hashes_in(tile, size):
                    last = await queries.select_last_leaf(self._conn)
                    if not merkle.hashes_in(tile, 0 if last is None else last + 1):
                        self._findings.add("tile_differs", f"tile {tile.level}/{tile.tile}", "the log has no such tile")
            if len(found) < TILE_IDS_TOGETHER_MAX:
                return
            after = found[-1]
