"""How each part of the city is at this moment, asked side by side and within a bound."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from kernel.telemetry import stopwatch

ASK_TIMEOUT_SECONDS = 2.0

Ask = Callable[[], Awaitable[str]]
"""Answers with a few words on how the part is; raises when it is away."""


class PartState(msgspec.Struct, frozen=True):
    """One part. `milliseconds` is how long it took to answer."""

    name: str
    state: Literal["up", "away"]
    words: str
    milliseconds: float
    is_needed: bool
    """Whether the city cannot answer its people without it."""


class CityState(msgspec.Struct, frozen=True):
    """Every part, and whether the city is ready to be used."""

    ready: bool
    parts: list[PartState]


async def look(needed: Mapping[str, Ask], useful: Mapping[str, Ask]) -> CityState:
    """Ask every part. The city is ready when all that is needed is up."""
    asked = [(name, ask, True) for name, ask in needed.items()] + [(name, ask, False) for name, ask in useful.items()]
    parts = await asyncio.gather(*(_ask(name, ask, is_needed=is_needed) for name, ask, is_needed in asked))
    return CityState(all(part.state == "up" for part in parts if part.is_needed), list(parts))


async def _ask(name: str, ask: Ask, *, is_needed: bool) -> PartState:
    started = stopwatch()
    try:
        async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
            words = await ask()
    except Exception as away:  # noqa: BLE001 -- whatever is wrong with a part, the page says so and stands
        words, state = type(away).__name__, "away"
    else:
        state = "up"
    took = round((stopwatch() - started) * 1000, 1)
    return PartState(name, "up" if state == "up" else "away", words, took, is_needed)
