"""A department's register tells what an entry is now: the certificate follows, in whatever order the news come."""

import asyncio
import itertools
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import KeyFile, Keys, fresh_key
from tests.builders_wallet import (
    HEALTH_CARD,
    LICENCE,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    a_wallet,
)
from tests.wire_wallet import Wire
from wallet.parts import Wallet


def data(*, klass: str = "C1", holder: Any = SOMEBODY, **other: Any) -> dict[str, Any]:
    values = {"name": holder.name, "licence_class": klass}
    who = {"id_number": holder.id_number, "name": holder.name}
    return {"holder": who, "values": values, "valid_from": "2024-01-01", "valid_until": "2030-01-01"} | other


def entry(revision: int, state: str = "issued", certificate: Any = ..., **other: Any) -> dict[str, Any]:
    found = data() if certificate is ... else certificate
    return {"kind_code": LICENCE, "revision": revision, "state": state, "certificate": found} | other


GONE: dict[str, Any] = {"state": "revoked", "certificate": None}


async def told(client: httpx.AsyncClient, body: dict[str, Any], reference: str = "E-1") -> dict[str, Any]:
    answer = await client.put(f"/register/{reference}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def held(wallet: Wallet) -> list[tuple[int, str]]:
    rows = await wallet.db.fetch("SELECT version, state FROM wallet.certificate ORDER BY version, certificate_id")
    return [(row["version"], row["state"]) for row in rows]


async def test_an_entry_is_issued_changed_suspended_restored_and_revoked(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    outcomes = [
        (await told(police, body))["outcome"]
        for body in (
            entry(1),
            entry(2, certificate=data(klass="C2")),
            entry(3, "suspended", certificate=data(klass="C2")),
            entry(4, certificate=data(klass="C2")),
            entry(5, certificate=data(klass="C2", valid_until="2031-01-01")),
            entry(6, certificate=data(klass="C2", valid_until="2031-01-01")),
            entry(7, **GONE),
        )
    ]
    assert outcomes == ["issued", "superseded", "suspended", "restored", "superseded", "unchanged", "revoked"]
    assert await held(wallet) == [(1, "superseded"), (2, "superseded"), (3, "revoked")]
    told_of = await wallet.db.fetchval("SELECT count(*) FROM notifications.message")
    assert told_of == 6  # three were issued, and three changes of state are told as such


async def test_the_same_news_again_and_older_news_change_nothing(wallet: Wallet, police: httpx.AsyncClient) -> None:
    first = await told(police, entry(5))
    again = await told(police, entry(5))
    older = await told(police, entry(4, **GONE))
    assert (again["outcome"], older["outcome"]) == ("unchanged", "outdated")
    assert again["certificate"] == older["certificate"] == first["certificate"]
    assert older["revision"] == 5
    assert await held(wallet) == [(1, "issued")]


async def test_one_revision_with_other_data_is_refused(wallet: Wallet, police: httpx.AsyncClient) -> None:
    await told(police, entry(5))
    answer = await police.put("/register/E-1", json=entry(5, certificate=data(klass="C2")))
    assert (answer.status_code, answer.json()["code"]) == (422, "wallet.revision_reused")
    assert await held(wallet) == [(1, "issued")]


async def test_an_entry_that_is_gone_before_it_was_heard_of_is_not_issued_late(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    assert await told(police, entry(9, **GONE)) == {"outcome": "unchanged", "revision": 9, "certificate": None}
    assert (await told(police, entry(8)))["outcome"] == "outdated"
    assert await held(wallet) == []
    assert (await told(police, entry(10)))["outcome"] == "issued"


async def test_an_entry_that_comes_back_is_issued_as_the_next_version(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    await told(police, entry(1))
    await told(police, entry(2, **GONE))
    assert (await told(police, entry(3)))["outcome"] == "issued"
    assert await held(wallet) == [(1, "revoked"), (2, "issued")]


async def test_an_entry_that_goes_to_another_person_ends_for_the_first(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    first = await told(police, entry(1))
    second = await told(police, entry(2, certificate=data(holder=SOMEBODY_ELSE)))
    assert second["outcome"] == "issued"
    assert await held(wallet) == [(1, "revoked"), (2, "issued")]
    persons = {row[0] for row in await wallet.db.fetch("SELECT person_id FROM wallet.certificate")}
    assert len(persons) == 2
    assert first["certificate"]["identifier"][:-6] == second["certificate"]["identifier"][:-6]


async def test_a_register_that_was_loaded_before_is_taken_over(wallet: Wallet, police: httpx.AsyncClient) -> None:
    body = data()
    request = {"reference": "E-1", "kind_code": LICENCE, **body}
    loaded = (await police.post("/certificates", json=request)).json()
    same = await told(police, entry(1))
    assert same["outcome"] == "unchanged"
    assert same["certificate"]["certificate_id"] == loaded["certificate_id"]
    changed = await told(police, entry(2, certificate=data(klass="C2")))
    assert (changed["outcome"], changed["certificate"]["version"]) == ("superseded", 2)
    assert await held(wallet) == [(1, "superseded"), (2, "issued")]


async def test_versions_made_by_hand_are_followed(wallet: Wallet, police: httpx.AsyncClient) -> None:
    first = (await told(police, entry(1)))["certificate"]
    body = {"reference": "by-hand", "kind_code": LICENCE, **data(klass="B1")}
    path = f"/certificates/{first['certificate_id']}/supersede"
    second = (await police.post(path, json=body)).json()
    same = await told(police, entry(2, certificate=data(klass="B1")))
    assert (same["outcome"], same["certificate"]["certificate_id"]) == ("unchanged", second["certificate_id"])
    assert (await told(police, entry(3)))["certificate"]["version"] == 3


async def test_what_may_not_be_issued_is_refused_and_forgotten(wallet: Wallet, police: httpx.AsyncClient) -> None:
    for body, status, code in (
        (entry(1, kind_code=HEALTH_CARD), 403, "wallet.kind_not_entitled"),
        (entry(1, kind_code=HEALTH_CARD, **GONE), 403, "wallet.kind_not_entitled"),
        (entry(1, kind_code="1" * 21), 404, "wallet.kind_not_found"),
        (entry(1, certificate=data(valid_until="2020-01-01")), 422, "wallet.validity_refused"),
        (entry(1, certificate=data(values={"name": "某"})), 422, "wallet.value_refused"),
        (entry(1, certificate=None), 422, "wallet.value_refused"),
        (entry(0), 400, "request.malformed"),
        (entry(1, "superseded"), 400, "request.malformed"),
        (entry(1, nonsense=1), 400, "request.malformed"),
    ):
        answer = await police.put("/register/E-1", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.register_entry") == 0
    assert (await told(police, entry(1)))["outcome"] == "issued"


async def test_the_same_news_at_once_is_one_change(wallet: Wallet, police: httpx.AsyncClient) -> None:
    bodies = [entry(1), entry(2, certificate=data(klass="C2")), entry(3, "suspended", certificate=data(klass="C2"))]
    await asyncio.gather(*(told(police, body) for body in bodies * 4))
    last = await told(police, bodies[-1])
    assert last["certificate"]["state"] == "suspended"
    states = [state for _, state in await held(wallet)]
    assert states == ["superseded"] * (len(states) - 1) + ["suspended"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_the_last_revision_stands_whatever_came_in_which_order(
    wallet: Wallet, police: httpx.AsyncClient, data: st.DataObject
) -> None:
    reference = f"H-{next(_numbers)}"
    revisions = [
        entry(number, "revoked" if one is None else one[0], None if one is None else licence(one[1]))
        for number, one in enumerate(data.draw(st.lists(_STATES, min_size=1, max_size=5)), start=1)
    ]
    order = data.draw(st.permutations([*revisions, *revisions[-2:]]))
    for body in order:
        await told(police, body, reference)
    stands = (await told(police, revisions[-1], reference))["certificate"]
    wanted = revisions[-1]
    if wanted["certificate"] is None or wanted["state"] == "revoked":
        assert stands is None or stands["state"] == "revoked"
    else:
        assert (stands["state"], stands["valid_until"]) == (wanted["state"], wanted["certificate"]["valid_until"])


_numbers = itertools.count()
_STATES = st.none() | st.tuples(st.sampled_from(["issued", "suspended", "revoked"]), st.integers(2030, 2032))


def licence(year: int) -> dict[str, Any]:
    return data(valid_until=f"{year}-01-01")


async def test_an_entry_is_known_while_keys_are_rotated(db: Database, redis: Redis, clock: StoppedClock) -> None:
    old, new = fresh_key(), fresh_key()
    before = await a_wallet(db, redis, clock, Keys(KeyFile([old], [old])))
    async with Wire(before).department(POLICE_ID) as client:
        first = await told(client, entry(1))
    after = await a_wallet(db, redis, clock, Keys(KeyFile([new, old], [new, old])), with_catalogue=False)
    async with Wire(after).department(POLICE_ID) as client:
        assert (await told(client, entry(1)))["outcome"] == "unchanged"
        assert (await told(client, entry(2, **GONE)))["certificate"]["identifier"] == first["certificate"]["identifier"]
    assert await db.fetchval("SELECT count(*) FROM wallet.register_entry") == 1


async def test_no_reference_of_an_entry_is_readable_where_it_is_kept(wallet: Wallet, police: httpx.AsyncClient) -> None:
    await told(police, entry(1), "SECRET-REFERENCE")
    row = await wallet.db.fetchval("SELECT t::text FROM wallet.register_entry AS t")
    assert "SECRET" not in row
    assert b"SECRET".hex() not in row
