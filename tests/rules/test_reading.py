"""Reads that wait together go as one, and nobody pays for another's key."""

import asyncio

import pytest

from kernel.reading import ReadTogether


class Shelf:
    """What is read from: notes each read, holds it while `gate` is closed, and stumbles over one key."""

    def __init__(self) -> None:
        self.books = {key: f"book {key}" for key in range(1000)}
        self.reads: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, keys: list[int]) -> dict[int, str]:
        self.reads.append(keys)
        await self.gate.wait()
        if -1 in keys:
            raise LookupError("no such shelf")
        return {key: self.books[key] for key in keys if key in self.books}


async def test_keys_asked_for_together_are_read_once_and_together():
    shelf = Shelf()
    reader = ReadTogether(shelf.read, size_max=100)
    found = await asyncio.gather(*(reader.get(key) for key in (1, 2, 2, 5000, 1)))
    assert found == ["book 1", "book 2", "book 2", None, "book 1"]
    assert shelf.reads == [[1, 2, 5000]]


async def test_no_read_is_larger_than_its_bound():
    shelf = Shelf()
    reader = ReadTogether(shelf.read, size_max=100)
    found = await asyncio.gather(*(reader.get(key) for key in range(950)))
    assert found == [f"book {key}" for key in range(950)]
    assert max(map(len, shelf.reads)) == 100
    assert len(shelf.reads) == 10


async def test_who_asks_while_a_read_is_out_is_not_answered_by_it():
    shelf = Shelf()
    reader = ReadTogether(shelf.read, size_max=100)
    shelf.gate.clear()
    first = asyncio.create_task(reader.get(1))
    await asyncio.sleep(0.001)
    second = asyncio.create_task(reader.get(1))
    await asyncio.sleep(0.001)
    assert shelf.reads == [[1]]
    shelf.gate.set()
    assert await asyncio.gather(first, second) == ["book 1", "book 1"]
    assert shelf.reads == [[1], [1]]


async def test_a_slow_read_does_not_hold_up_the_next_for_long():
    shelf = Shelf()
    reader = ReadTogether(shelf.read, size_max=100)
    shelf.gate.clear()
    slow = asyncio.create_task(reader.get(1))
    await asyncio.sleep(0.001)
    late = asyncio.create_task(reader.get(2))
    await asyncio.sleep(0.05)
    assert shelf.reads == [[1], [2]]
    shelf.gate.set()
    await asyncio.gather(slow, late)


async def test_one_bad_key_costs_the_others_nothing():
    reader = ReadTogether(Shelf().read, size_max=100)
    found = await asyncio.gather(*(reader.get(key) for key in (1, -1, 2)), return_exceptions=True)
    assert (found[0], found[2]) == ("book 1", "book 2")
    assert isinstance(found[1], LookupError)


async def test_who_goes_away_takes_nobody_along():
    shelf = Shelf()
    reader = ReadTogether(shelf.read, size_max=100)
    shelf.gate.clear()
    leaving, staying = asyncio.create_task(reader.get(1)), asyncio.create_task(reader.get(1))
    await asyncio.sleep(0.001)
    leaving.cancel()
    shelf.gate.set()
    assert await staying == "book 1"
    with pytest.raises(asyncio.CancelledError):
        await leaving
