"""The order in which the indexes of a status list are given out: every index once, in an order nobody can foresee.

Neighbouring indexes would tell that two certificates were issued one after the other. So the n-th certificate of a
list gets the n-th image of a secret permutation of 20 bits: a balanced Feistel network (Luby and Rackoff, 1988) of six
rounds whose round functions are tables drawn from SHAKE-256 (FIPS 202) of the list's seed.
"""

import struct
from collections.abc import Sequence
from hashlib import shake_256

BITS = 20
SIZE = 1 << BITS
"""Entries of a status list."""
SEED_BYTES = 32
ROUNDS = 6
_HALF = BITS // 2
_MASK = (1 << _HALF) - 1
_WORDS = f"<{ROUNDS * (_MASK + 1)}H"


class Permutation:
    """One permutation of 0 … 2^20 − 1. Making it costs some tens of microseconds, asking it one."""

    __slots__ = ("_rounds",)

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == SEED_BYTES
        drawn = struct.unpack(_WORDS, shake_256(b"status list order\0" + seed).digest(struct.calcsize(_WORDS)))
        self._rounds: list[Sequence[int]] = [
            [word & _MASK for word in drawn[nth * (_MASK + 1) : (nth + 1) * (_MASK + 1)]] for nth in range(ROUNDS)
        ]

    def __getitem__(self, nth: int) -> int:
        """The index that the n-th certificate of the list gets, both counted from 0."""
        assert 0 <= nth < SIZE
        left, right = nth >> _HALF, nth & _MASK
        for table in self._rounds:
            left, right = right, left ^ table[right]
        return left << _HALF | right
