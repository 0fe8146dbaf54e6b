"""What a dishonest or unlucky caller could once bring about, and cannot any more: each was red before it was green."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.people import Identity, People
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import a_licence, another, put, put_terms, the_kind
from tests.builders_scans import STATION_ENTRY, Phone, a_live_code, a_scan, showing_of
from tests.builders_wallet import (
    ID_CARD,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    a_code,
    a_wallet,
    an_id_card,
    device_at,
    issued,
    scanned,
)
from wallet import queries
from wallet.departments.revoking import Reason
from wallet.family.attesting import Guardianship
from wallet.family.granting import Wish
from wallet.model import Flag, Outcome, Route, Terms
from wallet.offline.binding import Bindings
from wallet.offline.errors import OfflineCodeTooLong
from wallet.offline.opening import Opener
from wallet.parts import Wallet
from wallet.recording_uses import record_uses
from wallet.residents.showing import Chosen
from wallet.seals import hash_beside
from wallet.venues.scans import Opened

ACTOR = "department:police"


async def test_an_upload_does_not_make_the_city_say_yes_to_what_has_ended(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    code = await a_live_code(wallet, card)
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.PENALTY, actor=ACTOR)
    clock.advance(timedelta(seconds=10))
    scan = a_scan(code, clock.now())
    clock.advance(timedelta(seconds=1))
    [uploaded] = await wallet.uploader.upload(device_at(STATION), [scan])
    assert uploaded.findings == (Flag.LATE_REVOCATION,)
    heard = await scanned(wallet, code, device_at(STATION), scan.use_id)
    assert (heard.outcome, heard.fields) == (Outcome.ALREADY_USED, {})


async def test_an_upload_takes_no_look_past_a_quota(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(quota_per_day=1))
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    scan = a_scan(await a_live_code(wallet, card), clock.now())
    clock.advance(timedelta(seconds=1))
    await wallet.uploader.upload(device_at(STATION), [scan])
    heard = await scanned(wallet, scan.code, device_at(STATION), scan.use_id)
    assert heard.outcome is not Outcome.VALID


async def test_a_lost_answer_about_an_offline_code_is_still_heard_again(wallet: Wallet, clock: StoppedClock) -> None:
    code, use_id = await a_live_code(wallet, await issued(wallet)), UseId(uuid4())
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=80))
    assert first.outcome is Outcome.VALID
    assert await scanned(wallet, code, use_id=use_id) == first


async def test_one_scan_is_one_record_whatever_else_its_device_says_of_it_later(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    scan = a_scan(await a_live_code(wallet, await issued(wallet)), clock.now())
    [first] = await wallet.uploader.upload(device_at(STATION), [scan])
    for verdict in ("revoked", "suspended", "valid"):
        [again] = await wallet.uploader.upload(
            device_at(STATION), [a_scan(scan.code, scan.scanned_at, verdict=verdict, use_id=scan.use_id)]
        )
        assert (again.result, again.is_new, again.findings) == (first.result, False, first.findings)
    assert await db.fetchval("SELECT count(*) FROM wallet.use") == 1


async def test_a_device_that_says_it_scanned_a_code_a_thousand_times_is_told_of_once(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    told_before = await db.fetchval("SELECT count(*) FROM notifications.message")
    code = await a_live_code(wallet, card)
    for _ in range(2):
        await wallet.uploader.upload(device_at(STATION), [a_scan(code, clock.now()) for _ in range(50)])
    await wallet.uploader.upload(device_at(STATION, 2), [a_scan(code, clock.now()) for _ in range(50)])
    told = await db.fetchval("SELECT count(*) FROM notifications.message") - told_before
    assert told == 3  # the look that spent the code, and that each device said it was used twice


async def test_an_upload_and_an_online_scan_of_the_same_code_never_wait_for_each_other_in_a_circle(
    wallet: Wallet, clock: StoppedClock, keys: Keys
) -> None:
    card, licence = await issued(wallet), await issued(wallet, a_licence())
    opener = Opener(wallet.signing_keys, Bindings(keys), origin=wallet.public_origin)
    while True:  # a code of which the second look sorts before the first
        text = (await wallet.offline_minter.live(showing_of(card, licence))).text
        opened = opener.open(text, clock.now())
        assert isinstance(opened, Opened)
        if hash_beside(opened.code_hash, 1) < opened.code_hash:
            break
    await wallet.uploader.upload(device_at(STATION), [a_scan(text, clock.now(), verdict="revoked")])
    async with wallet.db.connection() as conn:
        row = await conn.fetchrow("SELECT code_hash FROM wallet.use WHERE kind_code = $1", ID_CARD)
        [use] = (await queries.select_uses(conn, [(card.person_id, row["code_hash"])])).values()
    first = replace(use, code_hash=opened.code_hash, route=Route.OFFLINE, salt=None)
    second = replace(first, code_hash=hash_beside(opened.code_hash, 1))
    async with wallet.db.transaction() as conn:  # as an online scan records them, one after the other
        await record_uses(conn, [first])
        upload = asyncio.create_task(wallet.uploader.upload(device_at(STATION, 2), [a_scan(text, clock.now())]))
        await asyncio.sleep(0.3)
        await record_uses(conn, [second])
    [answer] = await upload
    assert answer.findings == (Flag.DOUBLE_USE,)


async def test_a_scan_sent_to_two_processes_at_once_takes_one_look_of_the_quota(
    wallet: Wallet, db: Database, database_url: str, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(quota_per_day=1_000))
    other_db = await Database.open(database_url, connections_max=6)
    other = await a_wallet(other_db, redis, clock, keys, with_catalogue=False)
    card = await issued(wallet)
    for _ in range(20):
        text, use_id = await a_code(wallet, card), UseId(uuid4())
        await asyncio.gather(*(scanned(one, text, use_id=use_id) for one in (wallet, other)))
    await other_db.close()
    assert await db.fetchval("SELECT taken FROM wallet.venue_quota") == 20


async def test_what_is_too_much_for_an_offline_code_is_refused_in_words(wallet: Wallet) -> None:
    request = an_id_card("R-long")
    card = await issued(wallet, replace(request, values={**request.values, "name": "长" * 86}))
    with pytest.raises(OfflineCodeTooLong):
        await a_live_code(wallet, card)
    with pytest.raises(OfflineCodeTooLong):
        await Phone().fetch(wallet, showing_of(card))


async def test_a_code_fetched_ahead_under_a_mandate_ends_no_later_than_the_mandate(
    wallet: Wallet, clock: StoppedClock
) -> None:
    card, agents = await issued(wallet), await another(wallet)
    ends_at, mandate_id = clock.now() + timedelta(minutes=2), uuid4()
    wish = Wish(agent=SOMEBODY_ELSE, kind_codes=None, scenario_codes=None, starts_at=None, expires_at=ends_at)
    await wallet.granting.grant(card.person_id, mandate_id, wish)
    chosen = (Chosen(card.certificate_id, None),)
    showing = await wallet.offline_minter.showing(agents.person_id, STATION_ENTRY, chosen, mandate_id)
    [fetched] = await wallet.offline_minter.pre_issue(showing, Phone().jwks(), timedelta(hours=72))
    assert fetched.expires_at == ends_at
    assert (await wallet.offline_minter.live(showing)).expires_at == ends_at


async def test_a_guardianship_and_a_load_of_the_same_people_never_wait_for_each_other_in_a_circle(
    wallet: Wallet, clock: StoppedClock, keys: Keys
) -> None:
    await put(wallet, the_kind(ID_CARD, proves_guardianship=True))
    digester = keys.digester("kernel.id_number")
    people = People(keys.sealer("kernel.person"), digester)
    until = clock.now().date() + timedelta(days=300)
    grown = (Identity(id_number("310101", date(1991, 1, day), Sex.MALE, 0), "某戊") for day in range(1, 32))
    ward = next(  # one who comes after the guardian by number, and before by digest
        one
        for one in grown
        if one.id_number > SOMEBODY.id_number and digester.digest(one.id_number) < digester.digest(SOMEBODY.id_number)
    )
    async with wallet.db.transaction() as conn:  # as a load mints people, by their digests
        await people.mint(conn, ward, now=clock.now())
        told = Guardianship(SOMEBODY, ward, until)
        registered = asyncio.create_task(wallet.attesting.register(POLICE_ID, "JH-1", told))
        await asyncio.sleep(0.3)
        await people.mint(conn, SOMEBODY, now=clock.now())
    assert (await registered).mandate.revoked_at is None
