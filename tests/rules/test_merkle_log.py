"""The log's tree, its proofs and its tiles, against the definition in RFC 9162 §2.1 and its reference's vectors."""

import os
from functools import cache
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suishenban_verify import merkle
from suishenban_verify.merkle import Span, TileId, TileMissing

LEAVES = [
    bytes.fromhex(data)
    for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
"""The leaves and roots with which the reference implementation of certificate transparency tests itself."""
EXHAUSTIVE_MAX = 64
BEYOND_MAX = 70_000
HASHES = [merkle.leaf_hash(nth.to_bytes(4, "big")) for nth in range(BEYOND_MAX)]


@cache
def head(start: int, end: int) -> bytes:
    """MTH(D[start:end]) as RFC 9162 §2.1.1 defines it."""
    if start == end:
        return sha256(b"").digest()
    if end - start == 1:
        return HASHES[start]
    middle = start + split(end - start)
    return sha256(b"\x01" + head(start, middle) + head(middle, end)).digest()


def split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    power = 1
    while power * 2 < width:
        power *= 2
    return power


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end]) as RFC 9162 §2.1.3.1 defines it."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path(index, start, middle), head(middle, end)]
    return [*path(index, middle, end), head(start, middle)]


def subproof(old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b) as RFC 9162 §2.1.4.1 defines it; `old` counts from the log's beginning."""
    if old == end:
        return [] if whole else [head(start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*subproof(old, start, middle, whole=whole), head(middle, end)]
    return [*subproof(old, middle, end, whole=False), head(start, middle)]


def grown(size: int, *, step: int = 1_000) -> dict[TileId, bytes]:
    """The tiles of a log that grew to `size` in steps."""
    tiles: dict[TileId, bytes] = {}
    for start in range(0, size, step):
        edge = {tile: tiles[tile] for tile in merkle.edge_of(start)}
        tiles |= merkle.append(start, edge, HASHES[start : min(start + step, size)])
    return tiles


WHOLE = grown(BEYOND_MAX)


def included(index: int, size: int) -> list[bytes]:
    return merkle.hashes_of(merkle.inclusion_spans(index, size), WHOLE)


def continued(old: int, new: int) -> list[bytes]:
    return merkle.hashes_of(merkle.consistency_spans(old, new), WHOLE)


def test_the_reference_roots_come_out() -> None:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    for size, root in enumerate(ROOTS):
        assert merkle.root_of(size, merkle.append(0, {}, hashes[:size])) == root
    tiles: dict[TileId, bytes] = {}
    for size, hashed in enumerate(hashes):
        tiles |= merkle.append(size, tiles, [hashed])
        assert merkle.root_of(size + 1, tiles) == ROOTS[size + 1]


def test_a_reference_inclusion_proof_holds() -> None:
    proof = [
        bytes.fromhex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
        bytes.fromhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        bytes.fromhex("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ]
    assert merkle.is_included(merkle.leaf_hash(LEAVES[5]), 5, 8, proof, ROOTS[8])


def test_a_reference_consistency_proof_holds() -> None:
    proof = [
        bytes.fromhex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
        bytes.fromhex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
    ]
    assert merkle.is_consistent(2, ROOTS[2], 5, ROOTS[5], proof)
    assert not merkle.is_consistent(2, ROOTS[3], 5, ROOTS[5], proof)


def test_every_small_tree_has_the_head_and_the_proofs_of_the_definition() -> None:
    for size in range(1, EXHAUSTIVE_MAX + 1):
        root = head(0, size)
        assert merkle.root_of(size, WHOLE) == root
        for index in range(size):
            proof = included(index, size)
            assert proof == path(index, 0, size)
            assert merkle.is_included(HASHES[index], index, size, proof, root)
        for old in range(1, size + 1):
            proof = continued(old, size)
            assert proof == subproof(old, 0, size, whole=True)
            assert merkle.is_consistent(old, head(0, old), size, root, proof)
        assert merkle.is_consistent(0, merkle.EMPTY_ROOT, size, root, [])


def test_no_proof_of_a_small_tree_proves_anything_else() -> None:
    for size in range(1, 20):
        root = head(0, size)
        for index in range(size):
            proof = included(index, size)
            for place in range(-1, size + 2):
                assert merkle.is_included(HASHES[index], place, size, proof, root) == (place == index)
                said = max(place, 0)
                assert merkle.is_included(HASHES[said], index, size, proof, root) == (said == index)
        for old in range(1, size):
            proof = continued(old, size)
            for said in range(-1, size + 2):
                held = merkle.is_consistent(said, head(0, old), size, root, proof)
                assert held == (said == old), (said, old, size)
                held = merkle.is_consistent(old, head(0, max(said, 0)), size, root, proof)
                assert held == (said == old), (said, old, size)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 21, 64])
def test_every_byte_of_a_proof_counts(size: int) -> None:
    root = head(0, size)
    for index in (0, size // 2, size - 1):
        proof = included(index, size)
        for changed in every_change(proof):
            assert not merkle.is_included(HASHES[index], index, size, changed, root)
    old = max(1, size * 2 // 3)
    proof = continued(old, size)
    for changed in every_change(proof):
        assert not merkle.is_consistent(old, head(0, old), size, root, changed)


def every_change(proof: list[bytes]) -> list[list[bytes]]:
    """The proof with each single byte changed, each hash left out, doubled or cut, and two neighbours regrouped."""
    found = [[*proof, bytes(32)], [bytes(32), *proof]]
    for nth, hashed in enumerate(proof):
        for at in range(len(hashed)):
            changed = bytearray(hashed)
            changed[at] ^= 1 << at % 8
            found.append([*proof[:nth], bytes(changed), *proof[nth + 1 :]])
        found.append(proof[:nth] + proof[nth + 1 :])
        found.append([*proof[: nth + 1], *proof[nth:]])
        found.append([*proof[:nth], hashed[:-1], *proof[nth + 1 :]])
    for nth, (left, right) in enumerate(pairwise(proof)):
        found.append([*proof[:nth], left + right[:1], right[1:], *proof[nth + 2 :]])
        if left != right:
            found.append([*proof[:nth], right, left, *proof[nth + 2 :]])
    return found


def test_hashes_cannot_be_cut_elsewhere() -> None:
    root, left, right = head(0, 2), HASHES[0], HASHES[1]
    assert merkle.is_included(left, 0, 2, [right], root)
    assert not merkle.is_included(left[:-1], 0, 2, [left[-1:] + right], root)
    assert not merkle.is_included(left + right[:1], 0, 2, [right[1:]], root)
    assert merkle.is_consistent(1, left, 2, root, [right])
    assert not merkle.is_consistent(1, left[:-1], 2, root, [left[-1:] + right])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_large_trees_prove_what_is_so_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, BEYOND_MAX))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root = head(0, size)
    proof = included(index, size)
    assert proof == path(index, 0, size)
    assert merkle.is_included(HASHES[index], index, size, proof, root)
    elsewhere = data.draw(st.integers(0, BEYOND_MAX - 1))
    assert merkle.is_included(HASHES[elsewhere], index, size, proof, root) == (elsewhere == index)
    assert merkle.is_included(HASHES[index], elsewhere, size, proof, root) == (elsewhere == index)
    steps = continued(old, size)
    assert merkle.is_consistent(old, head(0, old), size, root, steps)
    assert merkle.is_consistent(elsewhere, head(0, old), size, root, steps) == (elsewhere == old)


@given(st.lists(st.integers(0, 700), max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_log_comes_out_the_same_however_it_grew(steps: list[int]) -> None:
    tiles: dict[TileId, bytes] = {}
    size = 0
    for step in steps:
        edge = {tile: tiles[tile] for tile in merkle.edge_of(size)}
        tiles |= merkle.append(size, edge, HASHES[size : size + step])
        size += step
        assert merkle.root_of(size, tiles) == head(0, size)
        assert merkle.fold(merkle.frontier_of(size, tiles)) == head(0, size)
    assert {tile: len(row) for tile, row in tiles.items()} == {
        tile: 32 * merkle.hashes_in(tile, size) for tile in tiles
    }
    assert all(merkle.hashes_in(tile, size) for tile in tiles)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537, BEYOND_MAX])
def test_the_edge_of_a_log_is_enough_to_go_on(size: int) -> None:
    edge = {tile: row for tile, row in grown(size).items() if tile in merkle.edge_of(size)}
    assert merkle.root_of(size, edge) == head(0, size)
    more = os.urandom(32)
    changed = merkle.append(size, edge, [more])
    frontier = merkle.frontier_of(size + 1, edge | changed)
    assert merkle.fold(frontier) == merkle.root_of(size + 1, edge | changed)
    assert frontier[-1] == more or size % 2 == 1


def test_proofs_read_few_tiles() -> None:
    for size in (10**6, 10**9, 10**15, merkle.SIZE_MAX):
        levels = -(-size.bit_length() // merkle.TILE_HEIGHT)
        for index in (0, 1, size // 3, size // 2, size - 2, size - 1):
            assert len(merkle.tiles_of(merkle.inclusion_spans(index, size))) <= 2 * levels
            assert len(merkle.inclusion_spans(index, size)) <= merkle.PROOF_HASHES_MAX
            spans = merkle.consistency_spans(index + 1, size)
            assert len(merkle.tiles_of(spans)) <= 2 * levels
            assert len(spans) <= merkle.PROOF_HASHES_MAX


def test_a_tile_that_is_missing_or_short_is_never_guessed() -> None:
    edge = {tile: WHOLE[tile] for tile in merkle.edge_of(BEYOND_MAX)}
    for tile, row in edge.items():
        for bad in (b"", row[:-32], row + row[:32]):
            with pytest.raises(TileMissing):
                merkle.append(BEYOND_MAX, edge | {tile: bad}, HASHES)
        with pytest.raises(TileMissing):
            merkle.root_of(BEYOND_MAX, edge | {tile: row[:-32]})
    with pytest.raises(TileMissing):
        merkle.hashes_of([Span(0, 4)], {})
