"""The order in which indexes of a status list are given out: each once, and not as they come."""

from wallet.status.permutation import ROUNDS, SEED_BYTES, SIZE, Permutation

SEED = bytes(range(SEED_BYTES))
FROZEN = [609815, 562931, 899845]
"""What this seed gives the first, the second and the last certificate of its list."""


def test_every_index_is_given_out_exactly_once() -> None:
    order = Permutation(SEED)
    assert len({order[nth] for nth in range(SIZE)}) == SIZE


def test_the_order_of_a_list_never_changes() -> None:
    order = Permutation(SEED)
    assert [order[nth] for nth in range(4)] == [Permutation(SEED)[nth] for nth in range(4)]
    assert [order[0], order[1], order[SIZE - 1]] == FROZEN


def test_two_lists_have_orders_of_their_own() -> None:
    first, second = Permutation(SEED), Permutation(bytes(SEED_BYTES))
    same = sum(first[nth] == second[nth] for nth in range(10_000))
    assert same <= 5  # by chance, one in a hundred lists


def test_neighbours_do_not_stand_together() -> None:
    order = Permutation(SEED)
    gaps = [abs(order[nth + 1] - order[nth]) for nth in range(100_000)]
    near = sum(gap < SIZE // 100 for gap in gaps)
    assert near < 2_500  # two in a hundred by chance: 2,000 ± 45
    assert ROUNDS >= 6
