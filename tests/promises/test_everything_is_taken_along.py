"""A resident takes along everything the city's entrance and wallet hold; whoever leaves is acted for no more."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from city.demo.people import PEOPLE
from gateway.residents.http import ExportView
from gateway.residents.parts import Residents
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import AccountId, SessionId, uuid7
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.contacts import Contacts
from tests.builders_family import a_licence, count_told, given, put, show_for, the_kind
from tests.builders_gateway import ORIGIN, Entrance, an_entrance
from tests.builders_proofs import about, checked, written
from tests.builders_wallet import ID_CARD, SOMEBODY_ELSE, a_code, a_wallet, an_id_card, issued, scanned
from tests.wire_wallet import Wire
from wallet import exporting
from wallet.model import Certificate
from wallet.parts import Wallet
from wallet.residents.uses.views import UseView

RESIDENT = next(person for person in PEOPLE if person.phone)
HOLDER = Identity(id_number=RESIDENT.id_number, name=RESIDENT.name)


class Left:
    """Somebody who signed in, holds certificates, and can leave."""

    def __init__(self, residents: Residents, wallet: Wallet, account_id: AccountId, card: Certificate) -> None:
        self.residents = residents
        self.wallet = wallet
        self.account_id = account_id
        self.card = card
        self.wire = Wire(wallet)

    async def exported(self) -> ExportView:
        held = await self.residents.showing.held(self.account_id)
        view = ExportView.of(held, SessionId(uuid7(self.wallet.clock.now())))
        return msgspec.json.decode(msgspec.json.encode(view), type=ExportView)


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock) as opened:
        yield opened


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    wallet = await a_wallet(db, redis, clock, keys)
    await put(wallet, the_kind(ID_CARD, is_printable=True))
    return wallet


@pytest.fixture
async def residents(entrance: Entrance, wallet: Wallet, keys: Keys) -> AsyncIterator[Residents]:
    opened = await Residents.open(
        wallet.db, wallet.clock, keys, wallet.limits, wallet.outbox, wallet.people, Contacts(keys),
        entrance.signing_keys, issuer=ORIGIN, real_name_url=entrance.platform_url, wallet=wallet,
    )  # fmt: skip
    yield opened
    await opened.close()


@pytest.fixture
async def somebody(entrance: Entrance, residents: Residents, wallet: Wallet) -> Left:
    await entrance.a_citizen(RESIDENT)
    card = await issued(wallet, an_id_card(holder=HOLDER))
    account = await wallet.db.fetchval("SELECT account_id FROM gateway.account WHERE person_id = $1", card.person_id)
    return Left(residents, wallet, AccountId(account), card)


async def test_the_export_has_all_that_the_wallet_holds(somebody: Left, clock: StoppedClock) -> None:
    wallet, wire, card = somebody.wallet, somebody.wire, somebody.card
    licence = await issued(wallet, a_licence(holder=HOLDER))
    other = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    await scanned(wallet, await a_code(wallet, card))
    path = await written(wire, card)
    assert (await checked(wire, path, about(HOLDER))).json()["is_match"]
    given_away = await given(wire, card, SOMEBODY_ELSE, clock.now())
    received = await given(wire, other, HOLDER, clock.now())
    view = await somebody.exported()
    assert (view.real_name, view.id_number) == (HOLDER.name, HOLDER.id_number)
    held = view.wallet
    assert held is not None
    assert {one.certificate_id for one in held.certificates} == {card.certificate_id, licence.certificate_id}
    values = {value.name: value.value for one in held.certificates for value in one.values}
    assert values["id_number"] == HOLDER.id_number
    assert sorted(use.route for use in held.uses) == ["code", "paper"]
    listed = (await wire.resident(card.person_id).get("/uses")).json()["uses"]
    assert held.uses == msgspec.convert(listed, type=list[UseView])
    assert not held.has_older_uses
    assert [str(one.mandate_id) for one in held.mandates_given] == [given_away]
    assert [str(one.mandate_id) for one in held.mandates_held] == [received]
    [printed] = held.printed_proofs
    assert (printed.certificate_id, printed.printed_at) == (card.certificate_id, clock.now())
    assert (printed.checks, printed.checked_at) == (1, clock.now())
    assert SOMEBODY_ELSE.name.encode() not in msgspec.json.encode(view)


async def test_a_ledger_too_long_for_one_answer_says_that_there_is_more(somebody: Left) -> None:
    card, clock = somebody.card, somebody.wallet.clock
    async with somebody.wallet.db.transaction() as conn:
        await conn.execute(
            """
            INSERT INTO wallet.use (person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code,
                                    scenario_edition, certificate_id, kind_code, route, outcome, fields)
            SELECT $1, sha256(n::text::bytea), $2, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
                   'station.entry', 1, $3, $4, 'code', 'valid', '{}'
              FROM generate_series(0, $5::integer) AS n
            """,
            card.person_id, clock.now(), card.certificate_id, ID_CARD, exporting.USES_MAX,
        )  # fmt: skip
    held = (await somebody.exported()).wallet
    assert held is not None
    assert (len(held.uses), held.has_older_uses) == (exporting.USES_MAX, True)


async def test_who_was_never_checked_has_nothing_in_the_wallet(entrance: Entrance, residents: Residents) -> None:
    await entrance.sign_in()
    account = await entrance.db.fetchval("SELECT account_id FROM gateway.account")
    assert (await residents.showing.held(AccountId(account))).wallet is None


async def test_whoever_closes_their_account_is_acted_for_no_more(somebody: Left, clock: StoppedClock) -> None:
    wallet, wire, card = somebody.wallet, somebody.wire, somebody.card
    agent = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    mandates = [await given(wire, card, SOMEBODY_ELSE, clock.now()) for _ in range(2)]
    received = await given(wire, agent, HOLDER, clock.now())
    who = wire.resident(agent.person_id)
    assert (await show_for(who, card, mandates[0])).status_code == 201
    path = await written(wire, card)
    await somebody.residents.close_account(somebody.account_id)
    await somebody.residents.close_account(somebody.account_id)
    for mandate_id in mandates:
        refused = await show_for(who, card, mandate_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "wallet.mandate_ended")
    assert (await count_told(wallet, "mandate_ended"), await count_told(wallet, "mandate_lost")) == (2, 2)
    assert (await show_for(wire.resident(card.person_id), agent, received)).status_code == 201
    assert (await checked(wire, path, about(HOLDER))).json()["is_match"], "certificates and proofs stay"
    acts = await wallet.db.fetch("SELECT actor, act FROM kernel.audit WHERE act = 'wallet.end_mandate'")
    assert [row["actor"] for row in acts] == [f"person:{card.person_id}"] * 2
