"""The city tells an office's desk who is there: by a code, whose look they find in their ledger, a phone or a card."""

from datetime import timedelta
from uuid import uuid4

import pytest

from appointments.errors import CodeNotGood, CodesNotRead, IdentityNotUnderstood, PhoneNotUnderstood
from appointments.model import Office
from gateway import recognising
from gateway.recognising import Recognising
from gateway.residents.accounts import Accounts
from gateway.residents.model import Phone
from gateway.residents.queries import attach_person
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import OfficeId
from kernel.people import Identity, People
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.contacts import Contacts
from tests.builders_wallet import HOSPITAL, ID_CARD, SOMEBODY, SOMEBODY_ELSE, a_code, a_wallet, device_at, issued
from wallet.model import Outcome
from wallet.parts import Wallet
from wallet.residents.uses.listing import Wanted

OFFICE, ELSEWHERE = OfficeId(uuid4()), OfficeId(uuid4())
PHONE = Phone("+8613800000001")


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    office = Office(
        office_id=OFFICE, slug="xuhui", name_zh="徐汇区政务服务中心", name_en="Xuhui Service Centre", district="310104",
        address="样板路20号", phone="021-00008002",
    )  # fmt: skip
    opened = await a_wallet(db, redis, clock, keys)
    async with db.transaction() as conn:
        await recognising.open_reader(conn, office, credit_code="12310104DEMB0001XX", kind_codes=[ID_CARD])
    for snapshot in opened.snapshots:
        await snapshot.refresh()
    return opened


@pytest.fixture
def people(keys: Keys) -> People:
    return People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))


@pytest.fixture
def desk(db: Database, clock: StoppedClock, keys: Keys, people: People, wallet: Wallet) -> Recognising:
    return Recognising(db, clock, keys, people, Contacts(keys), wallet)


async def test_a_code_tells_the_office_who_it_is_and_the_person_that_it_looked(wallet: Wallet, desk: Recognising):
    card = await issued(wallet)
    code, use_id = await a_code(wallet, card, recognising.CHECK_IN_SCENARIO), uuid4()
    assert await desk.by_code(OFFICE, code, use_id) == card.person_id
    assert await desk.by_code(OFFICE, code, use_id) == card.person_id  # the answer was lost
    with pytest.raises(CodeNotGood) as refused:
        await desk.by_code(OFFICE, code, uuid4())
    assert refused.value.members == {"verdict": Outcome.ALREADY_USED}
    [looked] = (await wallet.ledger_of_uses.list_uses(card.person_id, Wanted(), cursor=None, limit=10)).uses
    use = looked.use
    assert (use.scenario_code, use.fields, use.outcome) == (recognising.CHECK_IN_SCENARIO, (), Outcome.VALID)
    assert wallet.catalogue().venues[use.venue_id].name.zh == "徐汇区政务服务中心"
    told = await wallet.db.fetchval("SELECT count(*) FROM notifications.message WHERE template = 'certificate_shown'")
    assert told == 1


async def test_a_code_for_something_else_checks_nobody_in_and_stays_good(wallet: Wallet, desk: Recognising):
    code = await a_code(wallet, await issued(wallet), "hospital.registration")
    with pytest.raises(CodeNotGood) as refused:
        await desk.by_code(OFFICE, code, uuid4())
    assert refused.value.members == {"verdict": Outcome.WRONG_SCENARIO}
    assert (await wallet.verifier.verify(device_at(HOSPITAL), code, uuid4())).outcome is Outcome.VALID


async def test_a_code_that_is_too_old_or_no_code_tells_nothing(wallet: Wallet, desk: Recognising, clock: StoppedClock):
    code = await a_code(wallet, await issued(wallet), recognising.CHECK_IN_SCENARIO)
    clock.advance(timedelta(seconds=91))
    for text in (code, "HTTPS://EXAMPLE/Q/NOTHING", ""):
        with pytest.raises(CodeNotGood):
            await desk.by_code(OFFICE, text, uuid4())


async def test_an_office_that_reads_no_codes_says_so(wallet: Wallet, desk: Recognising):
    code = await a_code(wallet, await issued(wallet), recognising.CHECK_IN_SCENARIO)
    with pytest.raises(CodesNotRead):
        await desk.by_code(ELSEWHERE, code, uuid4())


async def test_a_phone_is_somebodys_only_once_their_name_was_checked(
    db: Database, keys: Keys, clock: StoppedClock, people: People, desk: Recognising
):
    assert await desk.by_phone(PHONE.e164) is None
    async with db.transaction() as conn:
        account, _ = await Accounts(keys).open(conn, PHONE, "zh", now=clock.now())
    assert await desk.by_phone(PHONE.e164) is None
    async with db.transaction() as conn:
        person_id = await people.mint(conn, SOMEBODY, now=clock.now())
        await attach_person(conn, account.account_id, person_id, serial="S-1", now=clock.now())
    assert await desk.by_phone("138 0000 0001") == person_id
    with pytest.raises(PhoneNotUnderstood):
        await desk.by_phone("0001")


async def test_who_is_booked_for_is_one_person_however_often_and_keeps_the_name_they_have(
    db: Database, clock: StoppedClock, people: People, desk: Recognising
):
    async with db.transaction() as conn:
        known = await people.mint(conn, SOMEBODY, now=clock.now())
    assert await desk.by_id_number(f" {SOMEBODY.id_number} ", "别的名字") == known
    async with db.connection() as conn:
        assert await people.name(conn, known) == SOMEBODY.name
    fresh = await desk.by_id_number(SOMEBODY_ELSE.id_number, SOMEBODY_ELSE.name)
    assert await desk.by_id_number(SOMEBODY_ELSE.id_number, SOMEBODY_ELSE.name) == fresh != known
    async with db.connection() as conn:
        assert await people.identity(conn, fresh) == Identity(SOMEBODY_ELSE.id_number, SOMEBODY_ELSE.name)
    for id_number, name in ((SOMEBODY.id_number[:-1], "某甲"), (SOMEBODY.id_number, " ")):
        with pytest.raises(IdentityNotUnderstood):
            await desk.by_id_number(id_number, name)


async def test_who_has_a_contact_of_their_own_is_told_there(
    db: Database, keys: Keys, clock: StoppedClock, people: People, desk: Recognising
):
    async with db.transaction() as conn:
        person_id = await people.mint(conn, SOMEBODY, now=clock.now())
    assert await desk.phone_to_tell(person_id, "13900000009") == "+8613900000009"
    async with db.transaction() as conn:
        await Contacts(keys).remember(conn, person_id, PHONE.e164, "zh", clock.now())
    assert await desk.phone_to_tell(person_id, "13900000009") is None
