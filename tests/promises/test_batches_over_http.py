"""A department's program sends a batch over HTTP, looks how far it is, mends what was refused, and reads its counts."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.retention.parts import Retention
from notifications.statistics.parts import Statistics
from tests.builders_batches import DEPARTMENT, Department, Wire, a_department, a_row, ndjson

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


@pytest.fixture
async def wire(department: Department) -> Wire:
    retention = Retention(department.db, department.clock, days=90)
    return Wire(department, Statistics(department.db, department.clock), retention)


@pytest.fixture
async def client(wire: Wire) -> AsyncIterator[httpx.AsyncClient]:
    async with wire.department() as opened:
        yield opened


async def opened(client: httpx.AsyncClient, text_id: UUID, **other: Any) -> str:
    batch_id = str(uuid4())
    answer = await client.put(f"/batches/{batch_id}", json={"name": "一批", "text_id": str(text_id)} | other)
    assert answer.status_code == 200, answer.text
    return batch_id


async def test_a_batch_from_its_first_row_to_its_last_message(
    department: Department, client: httpx.AsyncClient
) -> None:
    batch_id = await opened(client, await department.text(), rows=6)
    rows: list[Any] = [a_row(1), b"nonsense", a_row(3)]
    sent = await client.post(f"/batches/{batch_id}/lines?from=1", content=ndjson(rows), headers=NDJSON)
    assert sent.status_code == 200, sent.text
    seen = sent.json()
    assert (seen["received"], seen["refused"], seen["missing"], seen["next_row"]) == (3, 1, 3, 4)
    assert seen["refused_for"] == [{"code": "request.malformed", "rows": 1}]
    early = await client.post(f"/batches/{batch_id}/start", json={})
    assert (early.status_code, early.json()["missing"]) == (409, [{"first": 4, "last": 6}])
    assert (await client.get(f"/batches/{batch_id}/missing")).json() == {"missing": [{"first": 4, "last": 6}]}
    csv = "phone,name,hall\n13800138004,甲,一号厅\n13800138005,乙,二号厅\n13800138006,丙,三号厅\n".encode()
    assert (await client.post(f"/batches/{batch_id}/lines?from=4", content=csv, headers=CSV)).status_code == 200
    [refused] = (await client.get(f"/batches/{batch_id}/refused")).json()["refused"]
    assert (refused["row"], refused["code"]) == (2, "request.malformed")
    await client.post(f"/batches/{batch_id}/lines?from=2", content=ndjson([a_row(2)]), headers=NDJSON)
    started = await client.post(f"/batches/{batch_id}/start", json={})
    assert (started.json()["state"], started.json()["refused"]) == ("started", 0)
    assert await department.feed() == 6
    seen = (await client.get(f"/batches/{batch_id}")).json()
    assert (seen["fed"], seen["waiting"], seen["sent"]) == (6, 6, 0)
    for act, state in (("pause", "paused"), ("resume", "started"), ("cancel", "cancelled")):
        assert (await client.post(f"/batches/{batch_id}/{act}")).json()["state"] == state
    [listed] = (await client.get("/batches")).json()["batches"]
    assert (listed["batch_id"], listed["withdrawn"]) == (batch_id, 6)
    [counted] = (await client.get("/statistics")).json()["sent"]
    assert (counted["accepted"], counted["channel"]) == (6, "sms")


async def test_batches_are_listed_page_by_page(department: Department, client: httpx.AsyncClient) -> None:
    text_id = await department.text()
    ids = [await opened(client, text_id) for _ in range(5)]
    found, cursor = [], None
    while True:
        page = (
            await client.get("/batches", params={"limit": 2} | ({} if cursor is None else {"cursor": cursor}))
        ).json()
        found += [one["batch_id"] for one in page["batches"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == sorted(ids)
    assert (await client.get("/batches", params={"cursor": "nonsense"})).status_code == 400


async def test_what_is_not_a_batch_of_ones_own_is_not_there(department: Department, wire: Wire, client: Any) -> None:
    text_id = await department.text()
    batch_id = await opened(client, text_id)
    body = {"name": "一批", "text_id": str(text_id)}
    async with wire.department(DepartmentId(uuid4())) as other:
        assert (await other.get(f"/batches/{batch_id}")).json()["code"] == "notifications.batch_not_found"
        assert (await other.put(f"/batches/{uuid4()}", json=body)).json()["code"] == "services.text_not_in_use"
        lines = await other.post(f"/batches/{batch_id}/lines?from=1", content=b"{}\n", headers=NDJSON)
        assert lines.json()["code"] == "notifications.batch_not_found"
        assert (await other.get("/statistics")).json() == {"sent": [], "is_cut": False}
    again = await client.put(f"/batches/{batch_id}", json=body | {"lane": "result"})
    assert (again.status_code, again.json()["code"]) == (409, "notifications.batch_reused")
    form = await client.post(
        f"/batches/{batch_id}/lines?from=1", content=b"{}\n", headers={"Content-Type": "text/plain"}
    )
    assert form.status_code == 415


async def test_a_department_chooses_how_long_its_messages_are_kept(client: httpx.AsyncClient) -> None:
    assert (await client.get("/retention")).json() == {"days": 90, "days_min": 5, "days_max": 90}
    assert (await client.put("/retention", json={"days": 30})).json()["days"] == 30
    assert (await client.get("/retention")).json()["days"] == 30
    assert (await client.put("/retention", json={"days": 91})).json()["code"] == "notifications.kept_too_long"


async def test_operators_see_everybodys_counts(department: Department, wire: Wire, client: httpx.AsyncClient) -> None:
    batch_id = await opened(client, await department.text())
    await client.post(f"/batches/{batch_id}/lines?from=1", content=ndjson([a_row(1)]), headers=NDJSON)
    await client.post(f"/batches/{batch_id}/start", json={})
    await department.feed()
    async with wire.operator() as operator:
        [one] = (await operator.get("/statistics")).json()["sent"]
        assert (one["accepted"], one["sender"].startswith("department:")) == (1, True)
        assert (await operator.get("/statistics", params={"from": "2026-03-02", "to": "2026-03-01"})).status_code == 422


async def test_operators_list_everybodys_batches_and_pause_resume_and_cancel_them(
    department: Department, wire: Wire, client: httpx.AsyncClient
) -> None:
    text_id = await department.text()
    ids = [await opened(client, text_id) for _ in range(3)]
    await client.post(f"/batches/{ids[0]}/lines?from=1", content=ndjson([a_row(1)]), headers=NDJSON)
    await client.post(f"/batches/{ids[0]}/start", json={})
    async with wire.operator() as operator:
        page = (await operator.get("/batches?limit=2")).json()
        rest = (await operator.get(f"/batches?limit=2&cursor={page['next_cursor']}")).json()
        assert {one["batch"]["batch_id"] for one in page["batches"] + rest["batches"]} == set(ids)
        assert {one["department_id"] for one in page["batches"]} == {str(DEPARTMENT)}
        place = f"/batches/{DEPARTMENT}/{ids[0]}"
        paused = (await operator.post(f"{place}/pause")).json()["batch"]
        assert (paused["state"], paused["paused_for"]) == ("paused", "operator")
        assert (await client.post(f"/batches/{ids[0]}/resume")).status_code == 409
        assert (await operator.post(f"{place}/resume")).json()["batch"]["state"] == "started"
        assert (await operator.post(f"{place}/cancel")).json()["batch"]["state"] == "cancelled"
        assert (await operator.post(f"/batches/{uuid4()}/{ids[0]}/cancel")).status_code == 404
    assert (await client.get(f"/batches/{ids[0]}")).json()["state"] == "cancelled"
    acts = await department.db.fetch(
        "SELECT act FROM kernel.audit WHERE actor LIKE 'operator:%' AND subject = $1", f"batch:{ids[0]}"
    )
    assert {row["act"].rpartition("_")[2] for row in acts} == {"pause", "resume", "cancel"}
