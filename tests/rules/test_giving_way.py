"""Within a worker codes go first: other lanes hold still at their next stop, but never for good."""

import asyncio

import pytest

from notifications.carrying.giving_way import HELD_SECONDS, GivingWay
from notifications.model import Lane

OTHERS = [lane for lane in Lane if lane is not Lane.OTP]


async def is_held(way: GivingWay, lane: Lane) -> bool:
    """Whether somebody of a lane stands still where others only take turns."""
    stopping = asyncio.ensure_future(way.stop(lane))
    for _ in range(5):
        await asyncio.sleep(0)
    held = not stopping.done()
    await stopping
    return held


@pytest.mark.parametrize("lane", OTHERS)
async def test_while_a_code_is_on_its_way_the_others_hold_still(lane: Lane) -> None:
    way = GivingWay()
    assert not await is_held(way, lane)
    with way.passing(Lane.OTP), way.passing(Lane.OTP):
        assert await is_held(way, lane)
        assert not await is_held(way, Lane.OTP)
    assert not await is_held(way, lane)


async def test_they_go_on_when_the_last_code_has_passed() -> None:
    way = GivingWay()
    with way.passing(Lane.OTP):
        with way.passing(Lane.OTP):
            pass
        waiting = asyncio.ensure_future(way.stop(Lane.BULK))
        await asyncio.sleep(0)
        assert not waiting.done()
    began = asyncio.get_running_loop().time()
    await waiting
    assert asyncio.get_running_loop().time() - began < HELD_SECONDS


async def test_codes_that_never_cease_hold_nobody_for_longer_than_a_moment() -> None:
    way, loop = GivingWay(), asyncio.get_running_loop()
    with way.passing(Lane.OTP):
        began = loop.time()
        for _ in range(5):
            await way.stop(Lane.BULK)
        assert loop.time() - began < 5 * HELD_SECONDS + 0.5


async def test_other_lanes_hold_up_nobody_and_a_code_that_fails_gives_the_way_back() -> None:
    way = GivingWay()
    with way.passing(Lane.CHANGE):
        assert not await is_held(way, Lane.BULK)
    with pytest.raises(ValueError, match="broken"), way.passing(Lane.OTP):
        raise ValueError("broken")
    assert not await is_held(way, Lane.BULK)
