"""The Merkle tree of an append-only log: heads, inclusion proofs, consistency proofs (RFC 9162 §2.1).

A tree is never held whole. What is stored are *tiles*: rows of up to 256 hashes of complete subtrees, on level 0 of
single leaves, on level 1 of 256 leaves, on level 2 of 65,536 and so on. Only the last tile of a level grows. Whoever
makes a proof asks first which spans of leaves it is made of, then which tiles hold them, reads those, and folds: a
proof in a log of n leaves takes at most two tiles for every eight doublings of n.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_HASHES_MAX = 1 << TILE_HEIGHT
TILE_BYTES_MAX = TILE_HASHES_MAX * HASH_BYTES
SIZE_MAX = 2**63 - 1
"""More leaves than a bigint counts are never asked about."""
PROOF_HASHES_MAX = 64
"""Longer than any proof in a log of `SIZE_MAX` leaves."""
EMPTY_ROOT = sha256(b"").digest()
"""The head of a log without leaves (RFC 9162 §2.1.1)."""
_LEAF = b"\x00"
_NODE = b"\x01"


class Span(NamedTuple):
    """The leaves from `start` up to `end`, which it does not include."""

    start: int
    end: int


class TileId(NamedTuple):
    """Tile number `tile` of `level`: hashes of the subtrees of 256^level leaves from 256 · tile on."""

    level: int
    tile: int


class TileMissing(LookupError):
    """A tile that the log of this size must have is missing, or too short."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 §2.1.1)."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others (RFC 9162 §2.1.1)."""
    return sha256(_NODE + left + right).digest()


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What the proof that leaf `index` is in the log of `size` leaves is made of, in its order (RFC 9162 §2.1.3.1)."""
    assert 0 <= index < size <= SIZE_MAX
    start, end = 0, size
    spans = []
    while end - start > 1:
        middle = start + _left_width(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What the proof that the log of `new` leaves continues the one of `old` is made of (RFC 9162 §2.1.4.1).

    Nothing, when one of them is empty or both are the same.
    """
    assert 0 <= old <= new <= SIZE_MAX
    if old in (0, new):
        return []
    start, end = 0, new
    spans = []
    while end != old:
        middle = start + _left_width(end - start)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    if start > 0:
        spans.append(Span(start, end))
    return spans[::-1]


def edge_of(size: int) -> list[TileId]:
    """The tiles of a log of `size` leaves that are not full: those that appending and the tree head need."""
    found = []
    level, count = 0, size
    while count:
        if count % TILE_HASHES_MAX:
            found.append(TileId(level, count // TILE_HASHES_MAX))
        level, count = level + 1, count >> TILE_HEIGHT
    return found


def hashes_in(tile: TileId, size: int) -> int:
    """How many hashes a tile has in a log of `size` leaves; none where it has none."""
    complete = size >> (TILE_HEIGHT * tile.level)
    return max(0, min(TILE_HASHES_MAX, complete - tile.tile * TILE_HASHES_MAX))


def tiles_of(spans: Iterable[Span]) -> set[TileId]:
    """The tiles from which the hashes of these spans are made."""
    return {_tile_of(height, index)[0] for span in spans for height, index in _complete_subtrees(span)}


def hashes_of(spans: Iterable[Span], tiles: Mapping[TileId, bytes]) -> list[bytes]:
    """The hash of the tree over each span. Raises TileMissing."""
    return [_hash_of(span, tiles) for span in spans]


def root_of(size: int, tiles: Mapping[TileId, bytes]) -> bytes:
    """The tree head of the log of `size` leaves, from the tiles of its edge. Raises TileMissing."""
    return fold(frontier_of(size, tiles))


def frontier_of(size: int, tiles: Mapping[TileId, bytes]) -> list[bytes]:
    """The hashes of the complete subtrees that the log of `size` leaves is made of, the largest first. Raises
    TileMissing."""
    return [_subtree(height, index, tiles) for height, index in _complete_subtrees(Span(0, size))]


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over neighbouring subtrees, each larger than the next."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in hashes[-2::-1]:
        root = node_hash(left, root)
    return root


def append(size: int, edge: Mapping[TileId, bytes], leaf_hashes: Sequence[bytes]) -> dict[TileId, bytes]:
    """The tiles that change when leaves with these hashes are appended to a log of `size` leaves.

    `edge` has the tiles that `edge_of(size)` names. Raises TileMissing.
    """
    changed: dict[TileId, bytes] = {}
    count, level = size, 0
    added = b"".join(leaf_hashes)
    assert len(added) == len(leaf_hashes) * HASH_BYTES
    while added:
        tile, width = divmod(count, TILE_HASHES_MAX)
        row = edge.get(TileId(level, tile), b"") if width else b""
        if len(row) != width * HASH_BYTES:
            raise TileMissing(f"tile {tile} of level {level} does not have {width} hashes")
        row += added
        above = []
        for at in range(0, len(row), TILE_BYTES_MAX):
            piece = row[at : at + TILE_BYTES_MAX]
            changed[TileId(level, tile)] = piece
            tile += 1
            if len(piece) == TILE_BYTES_MAX:
                above.append(_root_of_complete(piece))
        added = b"".join(above)
        count, level = count >> TILE_HEIGHT, level + 1
    return changed


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` proves that the leaf with hash `leaf` is at `index` of the log that `root` heads
    (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size <= SIZE_MAX or not _are_hashes(leaf, root, *proof):
        return False
    place, last = index, size - 1
    found = leaf
    for hashed in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(hashed, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` proves that the log of `new` leaves continues the one of `old` (RFC 9162 §2.1.4.2).

    Every log continues the empty one, with an empty proof.
    """
    if not 0 <= old <= new <= SIZE_MAX or not _are_hashes(old_root, new_root, *proof):
        return False
    if old in (0, new):
        return not proof and old_root == (new_root if old == new else EMPTY_ROOT)
    path = list(proof)
    if old & (old - 1) == 0:  # a power of two: the old root is itself where the path begins
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for hashed in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(hashed, before), node_hash(hashed, after)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _left_width(width: int) -> int:
    """The largest power of two that is less than `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _complete_subtrees(span: Span) -> list[tuple[int, int]]:
    """The complete subtrees that make up a span, as (height, index among those of that height), the largest first."""
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        assert start % (1 << height) == 0, "spans of proofs begin where a subtree does"
        found.append((height, start >> height))
        start += 1 << height
    return found


def _tile_of(height: int, index: int) -> tuple[TileId, int, int]:
    """The tile that a complete subtree is in: from which of its hashes on, over how many."""
    level, rest = divmod(height, TILE_HEIGHT)
    tile, first = divmod(index << rest, TILE_HASHES_MAX)
    return TileId(level, tile), first, 1 << rest


def _hash_of(span: Span, tiles: Mapping[TileId, bytes]) -> bytes:
    return fold([_subtree(height, index, tiles) for height, index in _complete_subtrees(span)])


def _subtree(height: int, index: int, tiles: Mapping[TileId, bytes]) -> bytes:
    tile, first, count = _tile_of(height, index)
    piece = tiles.get(tile, b"")[first * HASH_BYTES : (first + count) * HASH_BYTES]
    if len(piece) != count * HASH_BYTES:
        raise TileMissing(f"tile {tile.tile} of level {tile.level} does not have {first + count} hashes")
    return _root_of_complete(piece)


def _root_of_complete(row: bytes) -> bytes:
    """The hash over 2^k hashes written one after the other."""
    while len(row) > HASH_BYTES:
        pairs = range(0, len(row), 2 * HASH_BYTES)
        row = b"".join([sha256(_NODE + row[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return row


def _are_hashes(*hashes: bytes) -> bool:
    return len(hashes) <= PROOF_HASHES_MAX + 2 and all(len(hashed) == HASH_BYTES for hashed in hashes)
