"""What a venue scanned without network enters the ledger once, and what its device could not know is found out."""

import asyncio
import random
from datetime import date, timedelta

import pytest

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.people import Identity
from kernel.sealing import Keys
from tests.builders_family import put, the_venue
from tests.builders_scans import STATION_ENTRY, Phone, a_live_code, a_scan, codes_like, showing_of
from tests.builders_wallet import HOSPITAL, POLICE_ID, STATION, an_id_card, device_at, issued, scanned
from wallet.departments.revoking import Reason
from wallet.model import Flag, Outcome
from wallet.offline.errors import HolderKeyRefused
from wallet.offline.model import SCANS_MAX, Answer, Result, Uploaded
from wallet.parts import Wallet

ACTOR = "department:police"


async def uses_of(db: Database) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    rows = await db.fetch("SELECT route, fields, flags FROM wallet.use ORDER BY used_at, recorded_at")
    return [(row["route"], tuple(row["fields"]), tuple(row["flags"])) for row in rows]


async def test_a_scan_without_network_is_in_the_ledger_after_its_upload(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    code = await a_live_code(wallet, card)
    at = clock.now() + timedelta(minutes=2)
    clock.advance(timedelta(hours=5))
    scan = a_scan(code, at)
    [answer] = await wallet.uploader.upload(device_at(STATION), [scan])
    assert answer == Answer(scan.use_id, Result.RECORDED, True, ())
    allowed = wallet.catalogue().scenarios["station.entry"].grants[card.standing.kind_code]
    assert await uses_of(db) == [("offline", allowed, ())]


async def test_the_same_upload_again_records_nothing_and_says_the_same(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    scans = [a_scan(await a_live_code(wallet, card), clock.now()) for _ in range(5)]
    first = await wallet.uploader.upload(device_at(STATION), scans)
    again = await wallet.uploader.upload(device_at(STATION), scans)
    assert [answer.is_new for answer in first] == [True] * 5
    assert [answer.is_new for answer in again] == [False] * 5
    assert [(a.use_id, a.result, a.findings) for a in first] == [(a.use_id, a.result, a.findings) for a in again]
    assert len(await uses_of(db)) == 5


async def test_both_scans_of_a_code_used_twice_are_recorded_and_both_venues_hear(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    await put(wallet, the_venue(HOSPITAL, scenario_codes=frozenset({STATION_ENTRY})))
    code = await a_live_code(wallet, card)
    at_station, at_hospital = a_scan(code, clock.now()), a_scan(code, clock.now() + timedelta(minutes=1))
    [first] = await wallet.uploader.upload(device_at(STATION), [at_station])
    [second] = await wallet.uploader.upload(device_at(HOSPITAL), [at_hospital])
    assert (first.findings, second.findings) == ((), (Flag.DOUBLE_USE,))
    assert [flags for _, _, flags in await uses_of(db)] == [(), ("double_use",)]
    clock.advance(timedelta(minutes=5))
    for venue, scan in ((STATION, at_station), (HOSPITAL, at_hospital)):
        [found] = await wallet.preparer.findings(device_at(venue), after=None, limit=10)
        assert (found.sort, found.use_id) == ("double_use", scan.use_id)
        assert await wallet.preparer.findings(device_at(venue), after=found.finding_id, limit=10) == []


async def test_a_code_redeemed_online_and_scanned_offline_is_a_double_use(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    code = await a_live_code(wallet, card)
    verdict = await scanned(wallet, code)
    assert verdict.outcome is Outcome.VALID
    assert verdict.fields["name"] == card.attributes.values["name"]
    assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED
    [answer] = await wallet.uploader.upload(device_at(STATION, 2), [a_scan(code, clock.now())])
    assert answer.findings == (Flag.DOUBLE_USE,)


async def test_what_had_ended_before_the_scan_is_found_and_what_ended_after_it_is_not(
    wallet: Wallet, clock: StoppedClock
) -> None:
    revoked, suspended, fine = [await issued(wallet, an_id_card(f"R-{nth}")) for nth in range(3)]
    codes = [await a_live_code(wallet, card) for card in (revoked, suspended, fine)]
    clock.advance(timedelta(seconds=10))
    for card, step in ((revoked, wallet.revoking.revoke), (suspended, wallet.revoking.suspend)):
        await step(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    clock.advance(timedelta(seconds=10))
    scans = [a_scan(code, clock.now()) for code in codes]
    clock.advance(timedelta(seconds=10))
    await wallet.revoking.revoke(POLICE_ID, fine.certificate_id, Reason.LOST, actor=ACTOR)
    answers = await wallet.uploader.upload(device_at(STATION), scans)
    assert [answer.findings for answer in answers] == [(Flag.LATE_REVOCATION,), (Flag.LATE_SUSPENSION,), ()]


async def test_a_device_that_said_no_recorded_a_look_and_no_fields(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    codes = [await a_live_code(wallet, card) for _ in range(3)]
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    verdicts = ("revoked", "expired", "cannot_tell")
    scans = [a_scan(code, clock.now(), verdict=word) for code, word in zip(codes, verdicts, strict=True)]
    answers = await wallet.uploader.upload(device_at(STATION), scans)
    assert [answer.result for answer in answers] == [Result.RECORDED, Result.NOTHING_SEEN, Result.NOTHING_SEEN]
    assert await uses_of(db) == [("offline", (), ())]


async def test_what_is_not_ours_or_of_another_time_is_not_recorded(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    code, now = await a_live_code(wallet, card), clock.now()
    changed = code[:-1] + ("A" if code[-1] != "A" else "B")
    scans = [
        a_scan(changed, now),
        a_scan("EC1:", now),
        a_scan("hello", now),
        a_scan(code, now + timedelta(minutes=6)),
        a_scan(code, now + timedelta(hours=2)),
        a_scan(code, now - timedelta(days=31)),
    ]
    clock.advance(timedelta(minutes=30))
    answers = await wallet.uploader.upload(device_at(STATION), scans)
    assert [answer.result for answer in answers] == [
        Result.NOT_OURS, Result.NOT_OURS, Result.NOT_OURS, Result.CLOCK_WRONG, Result.CLOCK_WRONG, Result.TOO_LATE,
    ]  # fmt: skip
    assert await uses_of(db) == []


async def test_a_pre_issued_code_is_good_in_the_hands_of_its_phone_alone(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    phone, thief = Phone(2), Phone(2)
    await phone.fetch(wallet, showing_of(card), timedelta(hours=72))
    thief.codes = phone.codes
    clock.advance(timedelta(hours=71))
    stolen = a_scan(thief.show(0, clock.now()), clock.now())
    shown = a_scan(phone.show(0, clock.now()), clock.now())
    stale = a_scan(phone.show(1, clock.now() - timedelta(minutes=3)), clock.now())
    answers = await wallet.uploader.upload(device_at(STATION), [stolen, shown, stale])
    assert [answer.result for answer in answers] == [Result.NOT_OURS, Result.RECORDED, Result.CLOCK_WRONG]


async def test_a_phones_keys_must_be_keys_and_different(wallet: Wallet) -> None:
    card = await issued(wallet)
    phone = Phone(1)
    [jwk] = phone.jwks()
    for wrong in ([jwk, jwk], [jwk | {"x": jwk["y"]}], [{"kty": "EC", "crv": "P-256", "x": jwk["x"]}]):
        with pytest.raises(HolderKeyRefused):
            await wallet.offline_minter.pre_issue(showing_of(card), wrong, timedelta(hours=1))


async def test_ten_thousand_scans_sent_twice_are_recorded_once_and_flag_exactly_what_was_planted(
    wallet: Wallet, db: Database, clock: StoppedClock, keys: Keys
) -> None:
    chance = random.Random(20)
    cards = [await issued(wallet, an_id_card(f"R-{nth}", _holder(nth))) for nth in range(40)]
    codes = [codes_like(wallet, keys, await a_live_code(wallet, card), 235) for card in cards]
    late_from = clock.now() + timedelta(seconds=100)
    revoked = set(chance.sample(range(40), 6))
    scans: list[tuple[Uploaded, set[Flag]]] = []
    for nth in range(9_400):
        card, which = nth % 40, nth // 40
        is_late = card in revoked and chance.random() < 0.3
        at = late_from + timedelta(seconds=30) if is_late else clock.now() + timedelta(seconds=chance.randrange(99))
        scans.append((a_scan(codes[card][which], at), {Flag.LATE_REVOCATION} if is_late else set()))
    for scan, flags in chance.sample(scans, 600):
        again = Uploaded(scan.code, a_scan("", scan.scanned_at).use_id, scan.scanned_at, "valid")
        scans.append((again, flags | {Flag.DOUBLE_USE}))
    clock.advance(timedelta(seconds=100))
    for nth in sorted(revoked):
        await wallet.revoking.revoke(POLICE_ID, cards[nth].certificate_id, Reason.LOST, actor=ACTOR)
    clock.advance(timedelta(hours=3))
    batches = [scans[start : start + SCANS_MAX] for start in range(0, len(scans), SCANS_MAX)]
    for is_new in (True, False):
        for batch in batches:
            answers = await wallet.uploader.upload(device_at(STATION), [scan for scan, _ in batch])
            assert [answer.result for answer in answers] == [Result.RECORDED] * len(batch)
            assert {answer.is_new for answer in answers} == {is_new}
            assert [set(answer.findings) for answer in answers] == [flags for _, flags in batch]
    assert len(scans) == 10_000
    assert len(await uses_of(db)) == 10_000
    planted = sum(len(flags) for _, flags in scans) + 600  # both scans of a double use are told of
    [row] = await db.fetch("SELECT count(*) FROM wallet.finding")
    assert row["count"] == planted


async def test_two_devices_uploading_the_same_codes_at_once_agree(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    codes = [await a_live_code(wallet, card) for _ in range(60)]

    async def upload(number: int) -> list[Answer]:
        return await wallet.uploader.upload(device_at(STATION, number), [a_scan(code, clock.now()) for code in codes])

    answers = await asyncio.gather(*(upload(number) for number in (1, 2, 3)))
    for of_one_code in zip(*answers, strict=True):
        assert sorted(len(answer.findings) for answer in of_one_code) == [0, 1, 1]
    assert len(await uses_of(db)) == 180


def _holder(nth: int) -> Identity:
    """Somebody of their own: invented, with a valid check digit."""
    return Identity(id_number("310101", date(1950, 1, 1) + timedelta(days=nth), Sex.FEMALE, 0), f"某{nth}")
