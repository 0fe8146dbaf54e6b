"""A shown code is good once: one yes, whoever asks, however many at once, whatever happens to Redis."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DeviceId, UseId
from kernel.principal import VenueDevice
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_wallet import HOSPITAL, SOMEBODY, STATION, a_code, a_wallet, device_at, issued, scanned
from wallet.errors import DeviceNotRegistered
from wallet.model import Outcome, Verdict, Words
from wallet.operators import cataloguing
from wallet.parts import Wallet
from wallet.seals import place_of


async def test_a_venue_gets_only_the_fields_of_its_scenario(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    verdict = await scanned(wallet, code)
    assert verdict.outcome is Outcome.VALID
    assert verdict.fields == {"name": SOMEBODY.name, "id_number": SOMEBODY.id_number}


async def test_another_device_hears_already_used(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    await scanned(wallet, code)
    second = await scanned(wallet, code, device_at(STATION, 2))
    assert (second.outcome, second.fields) == (Outcome.ALREADY_USED, {})


async def test_a_device_that_lost_the_answer_hears_it_again(wallet: Wallet, clock: StoppedClock) -> None:
    code, use_id = await a_code(wallet, await issued(wallet)), UseId(uuid4())
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=89))
    again = await scanned(wallet, code, use_id=use_id)
    assert first == again
    assert again.outcome is Outcome.VALID
    assert again.fields
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 1


async def test_a_code_scanned_in_its_last_second_is_heard_again_after_it_expired(
    wallet: Wallet, clock: StoppedClock
) -> None:
    code, use_id = await a_code(wallet, await issued(wallet)), UseId(uuid4())
    clock.advance(timedelta(seconds=89))
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=89))
    assert await scanned(wallet, code, use_id=use_id) == first
    assert (await scanned(wallet, code, device_at(STATION, 2), use_id)).outcome is Outcome.EXPIRED
    clock.advance(timedelta(seconds=2))
    assert (await scanned(wallet, code, use_id=use_id)).outcome is Outcome.EXPIRED


async def test_another_use_id_of_the_same_device_hears_already_used(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    await scanned(wallet, code)
    assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED


async def test_two_tries_of_one_scan_at_once_both_hear_yes_and_leave_one_record(wallet: Wallet) -> None:
    code, use_id = await a_code(wallet, await issued(wallet)), UseId(uuid4())
    verdicts = await asyncio.gather(*(scanned(wallet, code, use_id=use_id) for _ in range(10)))
    assert {verdict.outcome for verdict in verdicts} == {Outcome.VALID}
    assert all(verdict.fields == verdicts[0].fields for verdict in verdicts)
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 1
    told = "SELECT count(*) FROM notifications.message WHERE template = 'certificate_shown'"
    assert await wallet.db.fetchval(told) == 1


async def more_devices(wallet: Wallet, count: int) -> list[VenueDevice]:
    devices = [VenueDevice(DeviceId(uuid4()), STATION) for _ in range(count)]
    async with wallet.db.transaction() as conn:
        for device in devices:
            await cataloguing.put_device(conn, device.device_id, STATION, Words("闸机", "Gate"))
    await wallet.snapshots[0].refresh()
    return devices


async def test_two_hundred_devices_at_once_hear_one_yes(wallet: Wallet) -> None:
    code, devices = await a_code(wallet, await issued(wallet)), await more_devices(wallet, 200)
    verdicts = await asyncio.gather(*(scanned(wallet, code, device) for device in devices))
    assert Counter(verdict.outcome for verdict in verdicts) == {Outcome.VALID: 1, Outcome.ALREADY_USED: 199}
    assert sum(1 for verdict in verdicts if verdict.fields) == 1


async def test_two_hundred_devices_at_two_processes_hear_one_yes_though_redis_is_flushed_between(
    wallet: Wallet, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    code, devices = await a_code(wallet, await issued(wallet)), await more_devices(wallet, 200)
    other = await a_wallet(db, redis, clock, keys, with_catalogue=False)
    [place] = await redis.ask(b"KEYS", b"code:*")
    binding = await redis.get(place)
    assert binding is not None
    asking: list[asyncio.Task[Verdict]] = []
    for number, device in enumerate(devices):
        asking.append(asyncio.create_task(scanned((wallet, other)[number % 2], code, device)))
        if number % 20 == 19:
            await asyncio.sleep(0.002)
            await redis.ask(b"FLUSHALL")
            await redis.set(place, binding, lifetime_seconds=60)
    outcomes = Counter(verdict.outcome for verdict in await asyncio.gather(*asking))
    assert outcomes == {Outcome.VALID: 1, Outcome.ALREADY_USED: 199}
    await redis.set(place, binding, lifetime_seconds=60)
    assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED


async def test_many_people_are_let_in_side_by_side(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    codes = [await a_code(wallet, certificate) for _ in range(300)]
    verdicts = await asyncio.gather(*(scanned(wallet, code) for code in codes * 2))
    assert Counter(verdict.outcome for verdict in verdicts) == {Outcome.VALID: 300, Outcome.ALREADY_USED: 300}


async def test_an_old_code_says_expired_and_spends_nothing(wallet: Wallet, clock: StoppedClock) -> None:
    code = await a_code(wallet, await issued(wallet))
    clock.advance(timedelta(seconds=90))
    for _ in range(2):
        assert (await scanned(wallet, code)).outcome is Outcome.EXPIRED
        clock.advance(timedelta(hours=1))
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 0


async def test_a_code_is_accepted_half_a_minute_longer_than_it_is_shown(wallet: Wallet, clock: StoppedClock) -> None:
    certificate = await issued(wallet)
    shown = await wallet.minter.mint(certificate.person_id, certificate.certificate_id, "station.entry", None)
    assert shown.shown_until - clock.now() == timedelta(seconds=60)
    assert shown.accepted_until - clock.now() == timedelta(seconds=90)
    clock.advance(timedelta(seconds=89, microseconds=999_999))
    assert (await scanned(wallet, shown.text)).outcome is Outcome.VALID


async def test_a_venue_without_the_scenario_learns_nothing_and_spends_nothing(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    verdict = await scanned(wallet, code, device_at(HOSPITAL))
    assert (verdict.outcome, verdict.fields, verdict.kind_code) == (Outcome.WRONG_SCENARIO, {}, None)
    assert (await scanned(wallet, code)).outcome is Outcome.VALID


async def test_an_unknown_device_and_one_of_another_venue_get_no_verdict(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    for device in (VenueDevice(DeviceId(uuid4()), STATION), VenueDevice(device_at(HOSPITAL).device_id, STATION)):
        with pytest.raises(DeviceNotRegistered):
            await scanned(wallet, code, device)


async def test_the_token_itself_is_filed_nowhere(wallet: Wallet, redis: Redis) -> None:
    code = await a_code(wallet, await issued(wallet))
    token = code.rpartition("/")[2].encode()
    [place] = await redis.ask(b"KEYS", b"*")
    assert place_of(b"") == b"code:"
    assert len(place) == len(b"code:") + 32
    assert token not in place + (await redis.get(place) or b"")
