"""A resident finds any look at their certificates, and takes the whole ledger along."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kernel.clock import StoppedClock
from kernel.ids import PersonId, UseId
from tests.builders_family import a_licence, another, given, put, the_venue
from tests.builders_wallet import (
    HOSPITAL,
    ID_CARD,
    LICENCE,
    SOMEBODY_ELSE,
    STATION,
    a_code,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.model import Certificate, Outcome, Route, Use, Words
from wallet.parts import Wallet
from wallet.recording_uses import record_uses
from wallet.residents.uses import exporting


@pytest.fixture
async def resident(wallet: Wallet, card: Certificate, clock: StoppedClock) -> httpx.AsyncClient:
    """Whose card was looked at by a station, a minute later by a hospital, and whose licence by the station again."""
    licence, wire = await issued(wallet, a_licence()), Wire(wallet)
    await scanned(wallet, await a_code(wallet, card))
    clock.advance(timedelta(minutes=1))
    await scanned(wallet, await a_code(wallet, card, "hospital.registration"), device_at(HOSPITAL))
    clock.advance(timedelta(minutes=1))
    await scanned(wallet, await a_code(wallet, licence))
    clock.advance(timedelta(minutes=1))
    ask = (await wire.venue(device_at(STATION)).post("/asks", json={"scenario_code": "station.entry"})).json()
    who = wire.resident(card.person_id)
    body = {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": ["name"]}
    assert (await who.post("/asks/consent", json=body)).status_code == 200
    code = await a_code(wallet, card)
    async with wallet.db.transaction() as conn:
        await conn.execute("UPDATE wallet.certificate SET valid_until = '2026-03-01' WHERE kind_code = $1", ID_CARD)
    clock.advance(timedelta(minutes=1))
    await scanned(wallet, code)
    return who


async def found(who: httpx.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    """All that the filters leave, read one by one through the cursor."""
    uses: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await who.get("/uses", params={**filters, **cursor, "limit": 1})
        assert answer.status_code == 200, answer.text
        uses += answer.json()["uses"]
        if answer.json()["next_cursor"] is None:
            return uses
        cursor = {"cursor": answer.json()["next_cursor"]}


async def test_every_filter_leaves_just_what_it_says(resident: httpx.AsyncClient, card: Certificate) -> None:
    everything = await found(resident)
    assert [use["used_at"] for use in everything] == sorted((use["used_at"] for use in everything), reverse=True)
    assert [(use["route"], use["outcome"]) for use in everything] == [
        ("code", "certificate_expired"), ("ask", "valid"), ("code", "valid"), ("code", "valid"), ("code", "valid"),
    ]  # fmt: skip
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"certificate_id": str(card.certificate_id)}, [0, 1, 3, 4]),
        ({"kind_code": LICENCE}, [2]),
        ({"venue_id": str(HOSPITAL)}, [3]),
        ({"scenario_code": "station.entry"}, [0, 1, 2, 4]),
        ({"route": "ask"}, [1]),
        ({"outcome": "certificate_expired"}, [0]),
        ({"since": "2026-03-02", "until": "2026-03-02"}, [0, 1, 2, 3, 4]),
        ({"since": "2026-03-03"}, []),
        ({"until": "2026-03-01"}, []),
        ({"since": "0001-01-01", "until": "9999-12-31"}, [0, 1, 2, 3, 4]),
        ({"kind_code": ID_CARD, "route": "code", "outcome": "valid"}, [3, 4]),
        ({"as_agent": "true"}, []),
        ({"venue_id": str(uuid4())}, []),
    ]
    for filters, places in cases:
        assert await found(resident, **filters) == [everything[place] for place in places], filters


async def test_a_filter_that_is_none_is_refused(resident: httpx.AsyncClient) -> None:
    for wrong in (
        {"route": "post"}, {"outcome": "fine"}, {"kind_code": "x"}, {"scenario_code": "X"}, {"venue_id": "1"},
        {"since": "2026-03-02T09:00:00Z"}, {"until": "soon"}, {"as_agent": "perhaps"}, {"form": "pdf"},
    ):  # fmt: skip
        path = "/uses/export" if "form" in wrong else "/uses"
        answer = await resident.get(path, params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed"), wrong


async def test_the_export_is_the_whole_ledger_and_nobody_elses(
    wallet: Wallet, resident: httpx.AsyncClient, card: Certificate
) -> None:
    everything = await found(resident)
    exported = await resident.get("/uses/export")
    assert exported.headers["content-type"] == "application/json"
    assert "attachment" in exported.headers["content-disposition"]
    assert exported.json() == {"uses": everything}
    some = await resident.get("/uses/export", params={"form": "json", "kind_code": LICENCE})
    assert some.json()["uses"] == [everything[2]]
    stranger = Wire(wallet).resident(PersonId(uuid4()))
    assert (await stranger.get("/uses/export")).json() == {"uses": []}
    assert (await stranger.get("/uses/export", params={"form": "csv"})).content.count(b"\n") == 1


async def test_a_spreadsheet_opens_it_in_chinese_and_takes_nothing_for_a_formula(
    wallet: Wallet, resident: httpx.AsyncClient
) -> None:
    await put(wallet, the_venue(STATION, name=Words("=HYPERLINK(1)站", "station")))
    await put(wallet, the_venue(HOSPITAL, name=Words('＋1"院\r\n', "hospital")))
    exported = await resident.get("/uses/export", params={"form": "csv"})
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    text = exported.content.decode("utf-8-sig")
    assert exported.content.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header[:3] == ["时间", "场所", "场景"]
    assert len(rows) == 5
    assert {row[1] for row in rows} == {"'=HYPERLINK(1)站", "'＋1\"院\r\n"}
    assert rows[-1][0] == "2026-03-02 09:00:00"
    assert rows[-1][5] == "姓名、公民身份号码"
    assert not any(cell.startswith(exporting.FORMULA_SIGNS) for row in rows for cell in row)


async def test_a_long_ledger_comes_whole(wallet: Wallet, card: Certificate, clock: StoppedClock) -> None:
    count = 2 * exporting.EXPORT_PAGE + 1
    async with wallet.db.transaction() as conn:
        await record_uses(conn, [a_use(card, clock, number) for number in range(count)])
    exported = (await Wire(wallet).resident(card.person_id).get("/uses/export")).json()["uses"]
    assert len({use["look"] for use in exported}) == count
    times = [datetime.fromisoformat(use["used_at"]) for use in exported]
    assert times == sorted(times, reverse=True)


def a_use(card: Certificate, clock: StoppedClock, number: int) -> Use:
    device = device_at(STATION)
    return Use(
        card.person_id, number.to_bytes(32, "big"), clock.now() + timedelta(microseconds=number), UseId(uuid4()),
        device.device_id, STATION, "station.entry", 1, card.certificate_id, ID_CARD, Route.CODE, Outcome.VALID,
        ("name",),
    )  # fmt: skip


async def test_an_agent_takes_along_what_they_showed_for_others(
    wallet: Wallet, card: Certificate, clock: StoppedClock
) -> None:
    wire, agents = Wire(wallet), await another(wallet)
    agent = wire.resident(agents.person_id)
    for _ in range(2):
        mandate_id = await given(wire, card, SOMEBODY_ELSE, clock.now())
        body = {"scenario_code": "station.entry", "mandate_id": mandate_id}
        code = await agent.post(f"/certificates/{card.certificate_id}/codes", json=body)
        await scanned(wallet, code.json()["text"])
        clock.advance(timedelta(minutes=1))
    await scanned(wallet, await a_code(wallet, card))
    acted = await found(agent, as_agent="true")
    assert len(acted) == 2
    assert (await agent.get("/uses/export", params={"as_agent": "true"})).json()["uses"] == acted
    assert len(await found(wire.resident(card.person_id))) == 3
    assert (await agent.get("/uses/export")).json()["uses"] == []
    text = (await agent.get("/uses/export", params={"as_agent": "true", "form": "csv"})).content.decode("utf-8-sig")
    assert [row[8:10] for row in csv.reader(io.StringIO(text, newline=""))][1:] == [["某＊", "granted"]] * 2
