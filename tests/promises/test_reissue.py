"""A department issues a certificate anew: the same values and holder, a new version, new days; once, however asked."""

import asyncio
from datetime import date
from typing import Any

import httpx
import pytest

from kernel.clock import StoppedClock
from tests.builders_wallet import HEALTH_ID, POLICE_ID, SOMEBODY_ELSE, an_id_card, issued
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.parts import Wallet
from wallet.residents.holding import read_certificate


async def anew(client: httpx.AsyncClient, certificate: Certificate, key: str | None = "k", **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    path = f"/certificates/{certificate.certificate_id}/reissue"
    return await client.post(path, json={"reason": "lost"} | body, headers=headers)


async def states(wallet: Wallet) -> list[tuple[int, str]]:
    rows = await wallet.db.fetch("SELECT version, state FROM wallet.certificate ORDER BY version")
    return [(row["version"], row["state"]) for row in rows]


async def test_a_certificate_is_issued_anew_with_the_same_values(wallet: Wallet, police: httpx.AsyncClient) -> None:
    old = await issued(wallet)
    answer = await anew(police, old, valid_from="2026-03-01", valid_until="2036-03-01")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["version"], body["state"], body["valid_until"]) == (2, "issued", "2036-03-01")
    new = await read_certificate(wallet.db, wallet.seals, old.person_id, body["certificate_id"])
    assert new.attributes.values == old.attributes.values
    assert new.person_id == old.person_id
    assert await states(wallet) == [(1, "superseded"), (2, "issued")]
    reason = "SELECT reason FROM wallet.certificate_change WHERE to_state = 'superseded'"
    assert await wallet.db.fetchval(reason) == "lost"


async def test_without_days_it_is_good_from_today_for_as_long_as_its_kind(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    body = (await anew(police, await issued(wallet))).json()
    assert body["valid_from"] == "2026-03-02"
    assert (date.fromisoformat(body["valid_until"]) - date(2026, 3, 2)).days == 7300


@pytest.mark.parametrize("how", [{"key": "k-1"}, {"key": None, "reference": "NEW-1"}])
async def test_asked_again_it_is_the_same_one_tomorrow_too(
    wallet: Wallet, police: httpx.AsyncClient, clock: StoppedClock, how: dict[str, Any]
) -> None:
    old = await issued(wallet)
    first = (await anew(police, old, **how)).json()
    clock.advance(date(2026, 3, 9) - date(2026, 3, 2))
    again = await asyncio.gather(*(anew(police, old, **how) for _ in range(4)))
    assert [answer.json() for answer in again] == [first] * 4
    assert await states(wallet) == [(1, "superseded"), (2, "issued")]


async def test_asked_many_times_at_once_it_is_one(wallet: Wallet, police: httpx.AsyncClient) -> None:
    old = await issued(wallet)
    answers = await asyncio.gather(*(anew(police, old) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["certificate_id"] for answer in answers}) == 1


async def test_one_key_for_other_days_or_another_certificate_is_refused(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    mine, theirs = await issued(wallet), await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    assert (await anew(police, mine, None, reference="N-1")).status_code == 201
    for answer in (
        await anew(police, mine, None, reference="N-1", valid_until="2050-01-01"),
        await anew(police, theirs, None, reference="N-1"),
        await anew(police, theirs, None, reference="R-1"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "wallet.reference_reused")


async def test_what_was_replaced_is_not_issued_anew_under_another_key(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    old = await issued(wallet)
    await anew(police, old, "k-1")
    answer = await anew(police, old, "k-2")
    assert (answer.status_code, answer.json()["code"]) == (409, "wallet.step_not_allowed")
    assert answer.json()["state"] == "superseded"


async def test_a_suspended_one_may_be_issued_anew_and_a_revoked_one_not(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    first, second = await issued(wallet), await issued(wallet, an_id_card("R-2"))
    await police.post(f"/certificates/{first.certificate_id}/suspend", json={"reason": "lost"})
    await police.post(f"/certificates/{second.certificate_id}/revoke", json={"reason": "lost"})
    assert (await anew(police, first)).status_code == 201
    answer = await anew(police, second)
    assert (answer.status_code, answer.json()["state"]) == (409, "revoked")


async def test_only_its_own_department_issues_it_anew_and_says_under_which_key(wallet: Wallet) -> None:
    old = await issued(wallet)
    async with Wire(wallet).department(HEALTH_ID) as health:
        assert (await anew(health, old)).json()["code"] == "wallet.certificate_not_found"
    async with Wire(wallet).department(POLICE_ID) as police:
        assert (await anew(police, old, None)).json()["code"] == "wallet.reference_missing"
        assert (await anew(police, old, valid_until="2020-01-01")).json()["code"] == "wallet.validity_refused"
    assert await states(wallet) == [(1, "issued")]
