"""Web, worker, PostgreSQL and Redis are killed one at a time under a stream of writes; then what keeps them is.

The whole city runs as `./run` brings it up. Whatever it acknowledged is read back over HTTP: all of it is there, once.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from city import leftovers
from city.journey.calling import open_http
from city.journey.stage import NEARBY_MAX, Stage
from gateway.demo.cast import PlayedPerson
from tests.busy_people import PEOPLE, Crowd, OwedSms, open_stage, scan
from tests.running_city import RunningCity, running_city

HEALS_WITHIN_SECONDS = 10.0
BUSY_BEFORE_SECONDS = 1.5
BUSY_AFTER_SECONDS = 0.5
TOLD_WITHIN_SECONDS = 15.0
ORPHANS_END_WITHIN_SECONDS = 5.0
IN_HAND_SECONDS = 2.0
"""What was owed so close to the moment a worker is killed may be in its hand. It is not sent again, since nobody knows
whether it left: it ends alerted (`test_killed_worker`)."""
LOOKED_EVERY_SECONDS = 0.05
PARTS = ("web", "worker", "postgres", "redis")


@pytest.fixture(scope="module")
async def city() -> AsyncIterator[RunningCity]:
    async with running_city({"SUISHENBAN_REQUESTS_PER_MINUTE": "1000000"}) as running:
        yield running


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_http() as session:
        yield session


def apart_from_crowds(stage: Stage) -> PlayedPerson:
    """Whose journey no crowd's people play beside: what those book is counted, and they have booked a day's worth."""
    place = len(PARTS) * PEOPLE
    assert place + NEARBY_MAX < len(stage.cast.residents) - PEOPLE
    return stage.cast.residents[place]


async def until(holds: Callable[[], Awaitable[bool]], seconds: float, what: str) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() - began < seconds, what
        await asyncio.sleep(LOOKED_EVERY_SECONDS)
    return time.monotonic() - began


@pytest.mark.parametrize("name", PARTS)
async def test_a_part_is_killed_and_nothing_acknowledged_is_lost(
    city: RunningCity, http: aiohttp.ClientSession, name: str
) -> None:
    stage = await open_stage(http, city.url)
    turn = PARTS.index(name) * PEOPLE
    traveller = apart_from_crowds(stage)
    crowd = await Crowd.gather(stage, stage.cast.residents[turn : turn + PEOPLE])
    async with crowd.busy():
        await asyncio.sleep(BUSY_BEFORE_SECONDS)
        assert crowd.has_all_done_since(0.0)
        killed = city.pids()[name]
        city.kill(name)
        killed_at = time.monotonic()

        async def heals() -> bool:
            is_ready = await asyncio.to_thread(city.is_ready)
            return is_ready and crowd.has_all_done_since(killed_at) and await crowd.is_told_since(killed_at)

        healed = await until(heals, HEALS_WITHIN_SECONDS, f"the city does not heal when {name} is killed")
        sys.stdout.write(f"{name}: everything works again {healed:.1f} s after kill -9\n")
        assert city.pids()[name] != killed
        async with asyncio.TaskGroup() as together:
            together.create_task(city.play_journey(phone=traveller.phone))
            await asyncio.sleep(BUSY_AFTER_SECONDS)
            await crowd.rest()
            await check_certificates(crowd)
            await check_bookings(crowd)
            await check_codes(crowd, forgets_codes=name == "redis")
            await check_notices(crowd)
            await check_sms(crowd, killed_worker_at=killed_at if name == "worker" else None)


async def check_certificates(crowd: Crowd) -> None:
    found = {}
    for reference in crowd.certificates:
        sought = {"reference": reference, "kind_code": crowd.kind["kind_code"]}
        found[reference] = (await crowd.department.post("/department/certificates/find", sought)).content[
            "certificate_id"
        ]
    assert found == crowd.certificates
    held = (await crowd.holder.app.get("/resident/certificates")).content["certificates"]
    counted = Counter(one["certificate_id"] for one in held)
    assert all(counted[certificate_id] == 1 for certificate_id in crowd.certificates.values())
    assert len(set(crowd.certificates.values())) == len(crowd.certificates)


async def check_bookings(crowd: Crowd) -> None:
    listed = (await crowd.booker.app.get("/resident/bookings?limit=100")).content["bookings"]
    assert sorted((one["booking_id"], one["stage"]) for one in listed) == sorted(crowd.bookings.items())


async def check_codes(crowd: Crowd, *, forgets_codes: bool) -> None:
    """No code was good twice, and every yes is in the ledger once. Redis may forget codes; it makes none good again."""
    yeses = {code: heard.count("valid") for code, heard in crowd.verdicts.items()}
    assert max(yeses.values()) == 1
    assert forgets_codes or min(yeses.values()) == 1
    path = f"/resident/uses?certificate_id={crowd.shown}&limit=100"
    uses = [one for one in (await crowd.shower.app.get(path)).content["uses"] if one["outcome"] == "valid"]
    assert sum(yeses.values()) <= len(uses) <= len(yeses)
    assert forgets_codes or len(uses) == len(yeses)
    later = await asyncio.gather(*(scan(crowd.gates[0], code) for code in crowd.verdicts))
    assert "valid" not in later
    assert forgets_codes or set(later) == {"already_used"}


async def check_notices(crowd: Crowd) -> None:
    """Every notice is a message of its own, and in the inbox once."""
    assert len(set(crowd.notices.values())) == len(crowd.notices)

    async def all_filed() -> bool:
        return await filed(crowd) >= Counter(crowd.notices.keys())

    await until(all_filed, TOLD_WITHIN_SECONDS, "notices do not reach the inbox")
    assert await filed(crowd) == Counter(crowd.notices.keys())


async def filed(crowd: Crowd) -> Counter[str]:
    """How often each notice is in the reader's inbox."""
    found: Counter[str] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = (await crowd.reader.app.get(f"/resident/inbox?limit=50{cursor}")).content
        found.update(words for item in page["items"] for words in crowd.notices if words in item["body"])
        cursor = None if page["next_cursor"] is None else f"&cursor={page['next_cursor']}"
    return found


async def check_sms(crowd: Crowd, *, killed_worker_at: float | None) -> None:
    """Every SMS arrives once. What was in a killed worker's hand may not have arrived, but not twice either."""
    owed = Counter((one.phone.number, one.words) for one in crowd.owed)
    least = Counter((one.phone.number, one.words) for one in crowd.owed if not was_in_hand(one, killed_worker_at))

    async def shown() -> Counter[tuple[str, str]]:
        counted: Counter[tuple[str, str]] = Counter()
        for phone in {one.phone.number: one.phone for one in crowd.owed}.values():
            texts = [sms.text for sms in await phone.messages()]
            for number, words in owed:
                counted[number, words] += sum(words in text for text in texts) if number == phone.number else 0
        return counted

    async def all_arrived() -> bool:
        return await shown() >= least

    await until(all_arrived, TOLD_WITHIN_SECONDS, "SMS do not arrive that were owed")
    await asyncio.sleep(BUSY_AFTER_SECONDS)
    assert least <= await shown() <= owed


def was_in_hand(one: OwedSms, killed_worker_at: float | None) -> bool:
    return killed_worker_at is not None and abs(one.at - killed_worker_at) <= IN_HAND_SECONDS


async def test_what_keeps_the_city_is_killed_and_the_next_start_finds_everything(
    city: RunningCity, http: aiohttp.ClientSession
) -> None:
    stage = await open_stage(http, city.url)
    crowd = await Crowd.gather(stage, stage.cast.residents[-PEOPLE:])
    async with crowd.busy():
        await asyncio.sleep(BUSY_BEFORE_SECONDS)
        assert crowd.has_all_done_since(0.0)
        orphans = await city.kill_supervisor()
        killed_at = time.monotonic()
        assert {*PARTS, "standins", "departments"} == set(orphans)

        async def all_ended() -> bool:
            return all(leftovers.birth_of(pid) is None for pid in orphans.values())

        if leftovers.ON_LINUX:  # elsewhere the next start ends them
            ended = await until(all_ended, ORPHANS_END_WITHIN_SECONDS, "processes are left over")
            sys.stdout.write(f"every process ended {ended:.1f} s after its supervisor\n")
        await city.start()
        sys.stdout.write(f"the city is open again {time.monotonic() - killed_at:.1f} s after kill -9\n")
        assert await all_ended()
        await crowd.rest()
    await check_certificates(crowd)
    await check_bookings(crowd)
    await check_codes(crowd, forgets_codes=True)
    await check_notices(crowd)
    await check_sms(crowd, killed_worker_at=killed_at)
    await city.play_journey(phone=apart_from_crowds(stage).phone)
