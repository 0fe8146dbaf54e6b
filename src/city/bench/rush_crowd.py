"""A crowd, as a process of its own: `python -m city.bench.rush_crowd PLAN HEARD`."""

import asyncio
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import uvloop

from city.bench import rush_plan
from city.bench.measuring import cpu_seconds
from city.bench.rush_people import Crowd, Phone
from city.bench.rush_plan import ISSUED_WITHIN_SECONDS, Sort
from city.bench.rush_wire import Line
from city.settling import settle

READY_SECONDS: Final = 2.0
SPREAD: Final = 0.8
"""The share of the first second over which first requests leave: the last leave in time on a busy machine too."""


async def rush(crowd: Crowd) -> None:
    """Everybody does as planned, until all are done or the plan's time is over."""
    plan = crowd.plan
    async with asyncio.TaskGroup() as opening:
        for line in crowd.lines:
            opening.create_task(line.open())
    queue = iter(range(len(plan.people)))
    async with asyncio.TaskGroup() as looking:
        for line in crowd.lines:
            looking.create_task(_look(crowd, queue, line))
    used_before = cpu_seconds(plan.web_pid) if plan.web_pid else 0.0
    crowd.heard.began_at = time.time()
    tasks = [asyncio.create_task(work) for work in _works(crowd)]
    if plan.sort is not Sort.QUEUE:
        await _release(crowd)
    _, left = await asyncio.wait(tasks, timeout=max(0.0, plan.ends_at - time.time()))
    crowd.heard.ended_at = time.time()
    crowd.heard.cpu_seconds = cpu_seconds(plan.web_pid) - used_before if plan.web_pid else 0.0
    for task in left:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    crowd.heard.statuses, crowd.heard.codes = dict(crowd.statuses), dict(crowd.codes)
    for line in crowd.lines:
        line.close()


def _works(crowd: Crowd) -> Iterator[Coroutine[Any, Any, None]]:
    numbers = range(len(crowd.plan.people))
    match crowd.plan.sort:
        case Sort.QUEUE:
            queue = iter(numbers)
            return (_one_after_another(crowd, queue, line) for line in crowd.lines)
        case Sort.OPEN:
            return (Phone(crowd, number).rush_openly() for number in numbers)
        case Sort.GATED:
            return (_through_gate(crowd, number) for number in numbers)


async def _release(crowd: Crowd) -> None:
    """From the release moment on, let the requests that were kept for it leave, one line after the other."""
    for place, line in enumerate(crowd.lines):
        moment = crowd.plan.opens_at + ISSUED_WITHIN_SECONDS * SPREAD * place / len(crowd.lines)
        await asyncio.sleep(max(0.0, moment - time.time()))
        line.release()


async def _look(crowd: Crowd, queue: Iterator[int], line: Line) -> None:
    """Some time before, and no longer once the release is near: nobody comes late for having looked."""
    for number in queue:
        if crowd.plan.sort is not Sort.QUEUE and time.time() > crowd.plan.opens_at - READY_SECONDS:
            return
        await Phone(crowd, number, line).look()


async def _one_after_another(crowd: Crowd, queue: Iterator[int], line: Line) -> None:
    for number in queue:
        await Phone(crowd, number, line).book_in_turn()


async def _through_gate(crowd: Crowd, number: int) -> None:
    early = number < crowd.plan.early
    if early:
        await asyncio.sleep(max(0.0, crowd.draw.random() * (crowd.plan.opens_at - 1 - time.time())))
    await Phone(crowd, number).rush_through_gate(early=early)


def main(words: list[str]) -> int:
    plan_file, heard_file = Path(words[0]), Path(words[1])
    crowd = Crowd(rush_plan.read_plan(plan_file))
    settle()
    uvloop.run(rush(crowd))
    rush_plan.write(heard_file, crowd.heard)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
