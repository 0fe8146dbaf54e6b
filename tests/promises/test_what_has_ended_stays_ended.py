"""Who signed out, was withdrawn or lost a scenario gets nothing more, also in the second before everybody has heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from city.demo.people import PEOPLE
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.snapshots import Snapshot, Snapshots
from tests.builders_gateway import Entrance, an_entrance
from tests.builders_wallet import STATION, a_venue, device_at
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.operators import cataloguing
from wallet.parts import Wallet

WHO = next(one for one in PEOPLE if one.phone)
REAL_NAME = {"name": WHO.name, "id_number": WHO.id_number}


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock) as opened:
        yield opened


async def test_a_session_that_was_signed_out_brings_forth_no_other(entrance: Entrance) -> None:
    token = (await entrance.a_citizen(WHO))["access_token"]
    assert (await entrance.ask("POST", "/resident/sign-out", token)).status_code == 204
    refused = await entrance.ask("POST", "/resident/real-name", token, json=REAL_NAME)  # nobody has heard of it yet
    assert refused.status_code == 401
    opened = "SELECT count(*) FROM gateway.session WHERE ended_at IS NULL AND expires_at > $1"
    assert await entrance.db.fetchval(opened, entrance.clock.now() + timedelta(minutes=16)) == 0


async def test_a_closed_account_opens_no_session(entrance: Entrance) -> None:
    token = (await entrance.a_citizen(WHO))["access_token"]
    answers = await asyncio.gather(
        entrance.ask("DELETE", "/resident/account", token),
        *(entrance.ask("POST", "/resident/real-name", token, json=REAL_NAME) for _ in range(8)),
    )
    assert {answer.status_code for answer in answers} <= {200, 204, 401}
    assert await entrance.db.fetchval("SELECT count(*) FROM gateway.account") == 0
    await entrance.refresh()
    for checked in [answer.json() for answer in answers if answer.status_code == 200]:
        assert (await entrance.ask("GET", "/resident/me", checked["access_token"])).status_code == 401


async def test_a_catalogue_that_cannot_be_read_does_not_keep_anybody_from_hearing_who_signed_out() -> None:
    heard = asyncio.Event()

    async def read_broken() -> Any:
        raise ValueError("a row that this version does not understand")

    async def read_ended() -> frozenset[int]:
        heard.set()
        return frozenset({1})

    ended = Snapshot("ended", read_ended)
    snapshots = Snapshots(Snapshot("broken", read_broken), ended)
    keeping = asyncio.create_task(snapshots.keep_fresh())
    snapshots.hint("broken")
    await asyncio.sleep(0.05)
    snapshots.hint("ended")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(heard.wait(), 2)
    assert heard.is_set()
    assert not keeping.done()
    assert ended.current == {1}
    keeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await keeping


async def asked(wire: Wire) -> dict[str, Any]:
    answer = await wire.venue(device_at(STATION)).post("/asks", json={"scenario_code": "station.entry"})
    found: dict[str, Any] = answer.json()
    return found


def consent(card: Certificate, ask: dict[str, Any]) -> dict[str, Any]:
    return {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": ["name"]}


async def heard_everywhere(wallet: Wallet) -> None:
    for snapshot in wallet.snapshots:
        await snapshot.refresh()


async def test_a_scanner_that_was_stolen_and_withdrawn_reads_no_answer(wallet: Wallet, card: Certificate) -> None:
    wire = Wire(wallet)
    ask = await asked(wire)
    stolen, other = device_at(STATION), device_at(STATION, 2)
    assert (await wire.operator().delete(f"/devices/{stolen.device_id}")).status_code == 204
    await heard_everywhere(wallet)
    given = await wire.resident(card.person_id).post("/asks/consent", json=consent(card, ask))
    assert given.status_code == 200
    refused = await wire.venue(stolen).get(f"/asks/{ask['ask_id']}")
    assert (refused.status_code, refused.json()["code"]) == (403, "wallet.device_not_registered")
    assert (await wire.venue(other).get(f"/asks/{ask['ask_id']}")).json()["fields"]


async def test_a_venue_that_lost_its_scenario_gets_no_answer_to_what_it_asked_before(
    wallet: Wallet, card: Certificate
) -> None:
    wire = Wire(wallet)
    ask, resident = await asked(wire), wire.resident(card.person_id)
    async with wallet.db.transaction() as conn:
        await cataloguing.put_venue(conn, a_venue(STATION, "station", "云上站"))
    await heard_everywhere(wallet)
    for path, body in (("/asks/look", {"text": ask["text"]}), ("/asks/consent", consent(card, ask))):
        refused = await resident.post(path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "wallet.scenario_not_granted")
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 0
    assert (await wire.venue(device_at(STATION)).get(f"/asks/{ask['ask_id']}")).json()["state"] == "waiting"
