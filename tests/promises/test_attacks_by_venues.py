"""What a dishonest venue could once bring about with scans, its own or those it made up, and cannot any more."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.sealing import Keys
from tests.builders_family import a_licence, count_told, put, put_terms, the_venue
from tests.builders_scans import STATION_ENTRY, Phone, a_live_code, a_scan, showing_of
from tests.builders_wallet import (
    HOSPITAL,
    ID_CARD,
    MUSEUM,
    POLICE_ID,
    STATION,
    a_code,
    an_id_card,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet import queries
from wallet.departments.revoking import Reason
from wallet.model import Flag, Outcome, Terms, today_in_city
from wallet.offline.binding import Bindings
from wallet.offline.opening import Opener
from wallet.offline.recognising import LOOKS_ASIDE_MAX, Look
from wallet.parts import Wallet
from wallet.recording_uses import record_uses
from wallet.venues.scans import Opened

ACTOR = "department:police"
SHOWN = "certificate_shown"
DAY = timedelta(days=1)


async def uses_of(db: Database) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    rows = await db.fetch("SELECT outcome, fields, flags FROM wallet.use ORDER BY recorded_at, used_at")
    return [(row["outcome"], tuple(row["fields"]), tuple(row["flags"])) for row in rows]


async def count_of_uses(db: Database) -> int:
    count: int = await db.fetchval("SELECT count(*) FROM wallet.use")
    return count


async def test_a_venue_without_the_scenario_spends_no_code_and_the_resident_the_venue_and_operators_hear(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    code, told = await a_live_code(wallet, card), await count_told(wallet, SHOWN)
    scan = a_scan(code, clock.now())
    clock.advance(timedelta(seconds=1))
    [answer] = await wallet.uploader.upload(device_at(MUSEUM), [scan])
    assert (await scanned(wallet, code)).outcome is Outcome.VALID
    assert answer.findings == (Flag.WRONG_SCENARIO,)
    fields = wallet.catalogue().scenarios[STATION_ENTRY].grants[ID_CARD]
    assert (await uses_of(db)) == [("valid", fields, ("wrong_scenario",)), ("valid", fields, ())]
    assert await count_told(wallet, SHOWN) == told + 2
    [again] = await wallet.uploader.upload(device_at(MUSEUM), [scan])
    assert (again.is_new, again.findings) == (False, answer.findings)
    clock.advance(timedelta(minutes=1))
    wire = Wire(wallet)
    heard = (await wire.venue(device_at(MUSEUM)).get("/findings")).json()["findings"]
    seen = (await wire.operator().get(f"/venues/{MUSEUM}/findings")).json()["findings"]
    assert [(one["sort"], one["use_id"]) for one in heard] == [("wrong_scenario", str(scan.use_id))]
    assert seen == heard
    assert (await wire.venue(device_at(STATION)).get("/findings")).json() == {"findings": []}
    assert (await wire.operator().get(f"/venues/{uuid4()}/findings")).json()["code"] == "wallet.venue_not_found"


async def test_an_honest_scan_after_one_of_a_venue_without_the_scenario_is_no_double_use(
    wallet: Wallet, clock: StoppedClock
) -> None:
    code = await a_live_code(wallet, await issued(wallet))
    await wallet.uploader.upload(device_at(MUSEUM), [a_scan(code, clock.now())])
    [honest] = await wallet.uploader.upload(device_at(STATION), [a_scan(code, clock.now() + timedelta(seconds=1))])
    assert honest.findings == ()
    [again] = await wallet.uploader.upload(device_at(MUSEUM, 2), [a_scan(code, clock.now())])
    assert again.findings == (Flag.WRONG_SCENARIO,)


async def test_a_grant_counts_by_the_day_of_the_scan_and_not_of_the_upload(wallet: Wallet, clock: StoppedClock) -> None:
    card, today = await issued(wallet), today_in_city(clock.now())
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(granted_until=today))
    in_time = a_scan(await a_live_code(wallet, card), clock.now())
    clock.advance(DAY)
    late = a_scan(await a_live_code(wallet, card), clock.now())
    answers = await wallet.uploader.upload(device_at(STATION), [in_time, late])
    assert [answer.findings for answer in answers] == [(), (Flag.WRONG_SCENARIO,)]


async def test_a_kind_that_a_venue_was_not_granted_is_not_looked_at_beside_one_that_it_was(
    wallet: Wallet, clock: StoppedClock
) -> None:
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(grants={ID_CARD: ("name",)}))
    both = showing_of(await issued(wallet), await issued(wallet, a_licence()))
    code = (await wallet.offline_minter.live(both)).text
    [answer] = await wallet.uploader.upload(device_at(STATION), [a_scan(code, clock.now())])
    assert answer.findings == (Flag.WRONG_SCENARIO,)


@pytest.mark.parametrize("verdict", ["valid", "revoked"])
async def test_of_a_thousand_looks_that_a_device_makes_up_of_one_code_a_handful_is_recorded(
    wallet: Wallet, db: Database, clock: StoppedClock, verdict: str
) -> None:
    code = await a_live_code(wallet, await issued(wallet))
    told = await count_told(wallet, SHOWN)
    scans = [a_scan(code, clock.now() + timedelta(microseconds=nth), verdict=verdict) for nth in range(1_000)]
    first = await wallet.uploader.upload(device_at(STATION), scans)
    spent = 1 if verdict == "valid" else 0
    assert await count_of_uses(db) == LOOKS_ASIDE_MAX + spent
    assert sum(answer.is_new for answer in first) == LOOKS_ASIDE_MAX + spent
    again = await wallet.uploader.upload(device_at(STATION), scans)
    assert [(a.use_id, a.result, a.findings) for a in first] == [(a.use_id, a.result, a.findings) for a in again]
    assert not any(answer.is_new for answer in again)
    assert Counter(answer.findings for answer in again)[()] == spent
    assert await count_told(wallet, SHOWN) == told + spent + 1
    assert await count_of_uses(db) == LOOKS_ASIDE_MAX + spent


async def test_a_look_told_of_under_many_names_is_one_double_use(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    code, at = await a_live_code(wallet, await issued(wallet)), clock.now()
    for _ in range(2):
        await wallet.uploader.upload(device_at(STATION), [a_scan(code, at) for _ in range(50)])
    await wallet.uploader.upload(device_at(STATION, 2), [a_scan(code, at) for _ in range(50)])
    assert [flags for _, _, flags in await uses_of(db)] == [(), ("double_use",), ("double_use",)]
    assert await db.fetchval("SELECT count(*) FROM wallet.finding") == 4  # each time, both looks concerned


async def test_a_device_cannot_hide_a_second_use_behind_looks_at_which_it_said_no(
    wallet: Wallet, clock: StoppedClock
) -> None:
    code = await a_live_code(wallet, await issued(wallet))
    await wallet.uploader.upload(device_at(STATION), [a_scan(code, clock.now())])
    noes = [a_scan(code, clock.now() + timedelta(seconds=nth), verdict="suspended") for nth in range(20)]
    second = a_scan(code, clock.now())
    *_, answer = await wallet.uploader.upload(device_at(STATION, 2), [*noes, second])
    assert (answer.is_new, answer.findings) == (True, (Flag.DOUBLE_USE,))


async def test_two_uploads_of_one_device_about_one_code_never_wait_for_each_other_in_a_circle(
    wallet: Wallet, db: Database, clock: StoppedClock, keys: Keys
) -> None:
    card = await issued(wallet)
    await wallet.uploader.upload(device_at(STATION), [a_scan(await a_live_code(wallet, card), clock.now())])
    async with wallet.db.connection() as conn:
        row = await conn.fetchrow("SELECT code_hash FROM wallet.use")
        [use] = (await queries.select_uses(conn, [(card.person_id, row["code_hash"])])).values()
    code = await a_live_code(wallet, card)
    opened = Opener(wallet.signing_keys, Bindings(keys), origin=wallet.public_origin).open(code, clock.now())
    assert isinstance(opened, Opened)
    no, yes = a_scan(code, clock.now(), verdict="revoked"), a_scan(code, clock.now())
    look = Look(0, no, opened, device_at(STATION).device_id, Outcome.REVOKED, is_granted=True)
    async with wallet.db.transaction() as conn:  # an upload of both, the yes first, slowly
        await record_uses(conn, [replace(use, code_hash=look.spent_as, use_id=yes.use_id, salt=None)])
        upload = asyncio.create_task(wallet.uploader.upload(device_at(STATION), [no, yes]))
        await asyncio.sleep(0.3)
        await record_uses(conn, [replace(use, code_hash=look.aside(0, said_yes=False), use_id=no.use_id, salt=None)])
    assert [answer.is_new for answer in await upload] == [False, False]


async def test_uploads_of_one_device_about_the_same_codes_in_any_order_agree(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    codes = [await a_live_code(wallet, card) for _ in range(40)]

    async def upload(turn: int) -> None:
        said = ("valid", "revoked", "suspended", "valid")
        scans = [
            a_scan(code, clock.now() + timedelta(seconds=turn), verdict=said[(turn + nth) % 4])
            for code in codes
            for nth in range(4)
        ]
        await wallet.uploader.upload(device_at(STATION), scans[::-1] if turn % 2 else scans)

    await asyncio.gather(*(upload(turn) for turn in range(4)))
    count = await db.fetchval("SELECT count(*) FROM wallet.use WHERE flags = '{}'")
    assert count == len(codes)


@pytest.mark.parametrize("verdict", ["revoked", "suspended", "certificate_expired", "not_yet_valid"])
async def test_a_device_that_says_no_to_a_good_certificate_does_not_hide_its_look(
    wallet: Wallet, db: Database, clock: StoppedClock, verdict: str
) -> None:
    card = await issued(wallet)
    code, told = await a_live_code(wallet, card), await count_told(wallet, SHOWN)
    scan = a_scan(code, clock.now(), verdict=verdict)
    [answer] = await wallet.uploader.upload(device_at(STATION), [scan])
    fields = wallet.catalogue().scenarios[STATION_ENTRY].grants[ID_CARD]
    assert await uses_of(db) == [("valid", fields, ("verdict_differs",))]
    assert answer.findings == (Flag.VERDICT_DIFFERS,)
    assert await count_told(wallet, SHOWN) == told + 1
    [mine] = (await Wire(wallet).resident(card.person_id).get("/uses")).json()["uses"]
    assert (mine["flags"], [field["name"] for field in mine["fields"]]) == (["verdict_differs"], list(fields))
    clock.advance(timedelta(minutes=1))
    [found] = await wallet.preparer.findings(device_at(STATION), after=None, limit=10)
    assert (found.sort, found.use_id) == ("verdict_differs", scan.use_id)
    [honest] = await wallet.uploader.upload(device_at(STATION, 2), [a_scan(code, clock.now())])
    assert honest.findings == ()  # a no spends nothing


async def test_an_honest_no_is_not_held_against_a_device(wallet: Wallet, clock: StoppedClock) -> None:
    revoked, suspended, restored = [await issued(wallet, an_id_card(f"R-{nth}")) for nth in range(3)]
    phone = Phone(3)
    for nth, card in enumerate((revoked, suspended, restored)):
        one = Phone(1)
        await one.fetch(wallet, showing_of(card), timedelta(hours=72))
        phone.keys[nth], phone.codes = one.keys[0], [*phone.codes, *one.codes]
    clock.advance(timedelta(minutes=5))
    await wallet.revoking.revoke(POLICE_ID, revoked.certificate_id, Reason.LOST, actor=ACTOR)
    for card in (suspended, restored):
        await wallet.revoking.suspend(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    clock.advance(timedelta(minutes=5))
    await wallet.revoking.restore(POLICE_ID, restored.certificate_id, Reason.CLEARED, actor=ACTOR)

    async def findings(said: tuple[str, str, str]) -> list[tuple[Flag, ...]]:
        scans = [a_scan(phone.show(nth, clock.now()), clock.now(), verdict=verdict) for nth, verdict in enumerate(said)]
        return [answer.findings for answer in await wallet.uploader.upload(device_at(STATION), scans)]

    clock.advance(timedelta(hours=23))  # a list from before it was restored serves for a day
    assert await findings(("revoked", "suspended", "suspended")) == [(), (), ()]
    clock.advance(timedelta(hours=2))
    assert await findings(("revoked", "suspended", "suspended")) == [(), (), (Flag.VERDICT_DIFFERS,)]


async def test_a_certificate_that_ended_with_the_day_is_no_good_one(wallet: Wallet, clock: StoppedClock) -> None:
    today = today_in_city(clock.now())
    card = await issued(wallet, replace(an_id_card("R-day"), valid_until=today))
    phone = Phone(1)
    await phone.fetch(wallet, showing_of(card), timedelta(hours=72))
    clock.advance(DAY)
    scan = a_scan(phone.show(0, clock.now()), clock.now(), verdict="certificate_expired")
    [answer] = await wallet.uploader.upload(device_at(STATION), [scan])
    assert answer.findings == ()


async def test_a_venue_does_not_hear_of_anothers_quota(wallet: Wallet, db: Database) -> None:
    card = await issued(wallet)
    await put(wallet, the_venue(HOSPITAL, scenario_codes=frozenset({STATION_ENTRY, "hospital.registration"})))
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(quota_per_day=1))
    await put_terms(wallet, HOSPITAL, STATION_ENTRY, Terms(quota_per_day=100))
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    for _ in range(5):  # two venues scan one code at once: they are answered in one transaction
        code = await a_code(wallet, card)
        station, again, hospital = await asyncio.gather(
            scanned(wallet, code, device_at(STATION)),
            scanned(wallet, code, device_at(STATION, 2)),
            scanned(wallet, code, device_at(HOSPITAL)),
        )
        assert (station.outcome, again.outcome) == (Outcome.OVER_QUOTA, Outcome.OVER_QUOTA)
        assert hospital.outcome is Outcome.VALID
    taken = await db.fetch("SELECT venue_id, taken FROM wallet.venue_quota")
    assert {row["venue_id"]: row["taken"] for row in taken} == {STATION: 1, HOSPITAL: 5}


async def test_a_scan_that_is_barred_hears_why_and_not_of_anothers_quota(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    await put(wallet, the_venue(HOSPITAL, scenario_codes=frozenset({STATION_ENTRY, "hospital.registration"})))
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(quota_per_day=1))
    closed = clock.now().weekday()
    await put_terms(wallet, HOSPITAL, STATION_ENTRY, Terms(days=0b111_1111 & ~(1 << closed)))
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    code = await a_code(wallet, card)
    station, hospital = await asyncio.gather(
        scanned(wallet, code, device_at(STATION)), scanned(wallet, code, device_at(HOSPITAL))
    )
    assert (station.outcome, hospital.outcome) == (Outcome.OVER_QUOTA, Outcome.OUTSIDE_HOURS)


async def test_a_lost_answer_is_heard_again_beside_a_venue_that_is_over_its_quota(wallet: Wallet) -> None:
    card, use_id = await issued(wallet), UseId(uuid4())
    await put(wallet, the_venue(HOSPITAL, scenario_codes=frozenset({STATION_ENTRY, "hospital.registration"})))
    await put_terms(wallet, STATION, STATION_ENTRY, Terms(quota_per_day=1))
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    code = await a_code(wallet, card)
    first = await scanned(wallet, code, device_at(HOSPITAL), use_id)
    station, hospital = await asyncio.gather(
        scanned(wallet, code, device_at(STATION)), scanned(wallet, code, device_at(HOSPITAL), use_id)
    )
    assert (station.outcome, hospital) == (Outcome.ALREADY_USED, first)
