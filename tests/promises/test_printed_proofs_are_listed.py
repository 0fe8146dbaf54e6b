"""A resident sees what they have printed, how each paper stands now, and how often somebody checked it."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from kernel.clock import StoppedClock
from kernel.ids import CertificateId, PersonId
from tests.builders_family import a_licence, put, the_kind
from tests.builders_proofs import a_printable_card, about, asked_to_print, checked, state_of, stepped, written
from tests.builders_wallet import ID_CARD, LICENCE, SOMEBODY_ELSE, an_id_card, issued
from tests.wire_wallet import Wire
from wallet.model import Certificate, State
from wallet.parts import Wallet


@pytest.fixture
async def card(wallet: Wallet) -> Certificate:
    return await a_printable_card(wallet)


async def page_of(wire: Wire, person_id: PersonId, **query: Any) -> dict[str, Any]:
    async with wire.resident(person_id) as resident:
        answer = await resident.get("/proofs", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def proofs_of(wire: Wire, card: Certificate, **query: Any) -> list[dict[str, Any]]:
    page = await page_of(wire, card.person_id, **query)
    assert page["next_cursor"] is None
    found: list[dict[str, Any]] = page["proofs"]
    return found


def in_json(clock: StoppedClock) -> str:
    return clock.now().isoformat().replace("+00:00", "Z")


async def test_a_proof_just_printed_is_listed_with_all_that_is_known_of_it(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    assert await proofs_of(wire, card) == []
    await written(wire, card)
    [proof] = await proofs_of(wire, card)
    assert proof == {
        "certificate_id": str(card.certificate_id), "kind_code": ID_CARD, "name_zh": "居民身份证",
        "name_en": "Resident identity card", "state": "valid", "printed_at": in_json(clock),
        "valid_until": None if card.standing.valid_until is None else card.standing.valid_until.isoformat(),
        "checks": 0, "checked_at": None,
    }  # fmt: skip


async def test_each_check_that_matches_counts_for_its_own_paper_and_no_other(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    first = await written(wire, card)
    clock.advance(timedelta(minutes=1))
    await written(wire, card)
    last_checked = ""
    for _ in range(3):
        clock.advance(timedelta(minutes=1))
        await checked(wire, first)
        last_checked = in_json(clock)
        await checked(wire, first, about(last_four="0000"))
    clock.advance(timedelta(minutes=1))
    newer, older = await proofs_of(wire, card)
    assert (newer["checks"], newer["checked_at"]) == (0, None)
    assert (older["checks"], older["checked_at"]) == (3, last_checked)


async def test_a_proof_is_listed_as_whoever_checks_it_now_is_told_that_it_stands(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    paper = await written(wire, card)
    for state, told in ((State.SUSPENDED, "suspended"), (State.ISSUED, "valid"), (State.REVOKED, "revoked")):
        await stepped(wire, card, state)
        [proof] = await proofs_of(wire, card)
        assert proof["state"] == told == await state_of(wire, paper)
    await put(wallet, the_kind(LICENCE, is_printable=True))
    until = clock.now().date() + timedelta(days=2)
    licence = await issued(wallet, replace(a_licence(), valid_until=until))
    paper = await written(wire, licence)
    clock.advance(timedelta(days=4))
    [proof] = await proofs_of(wire, licence, certificate_id=str(licence.certificate_id))
    assert proof["state"] == "expired" == await state_of(wire, paper)
    assert date.fromisoformat(proof["valid_until"]) == until


async def test_many_proofs_are_listed_page_by_page_newest_first_each_once(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    times = []
    for step in (0, 0, 1, 0, 1, 1, 0):  # several in the same moment
        clock.advance(timedelta(seconds=step))
        await written(wire, card)
        times.append(in_json(clock))
    seen, cursor = [], None
    while True:
        page = await page_of(wire, card.person_id, limit=2, **({} if cursor is None else {"cursor": cursor}))
        assert len(page["proofs"]) <= 2
        seen += [proof["printed_at"] for proof in page["proofs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == times[::-1]
    async with wire.resident(card.person_id) as resident:
        for wrong in ("x", "_" * 54, "AAAA"):
            refused = await resident.get("/proofs", params={"cursor": wrong})
            assert (refused.status_code, refused.json()["code"]) == (400, "wallet.cursor_refused"), refused.text
        for wrong in (0, 101):
            assert (await resident.get("/proofs", params={"limit": wrong})).status_code == 400


async def test_everybody_sees_their_own_papers_alone(wallet: Wallet, wire: Wire, card: Certificate) -> None:
    other = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    await written(wire, card)
    await written(wire, card)
    await written(wire, other)
    assert len(await proofs_of(wire, card)) == 2
    [proof] = await proofs_of(wire, other)
    assert proof["certificate_id"] == str(other.certificate_id)
    assert await proofs_of(wire, other, certificate_id=str(card.certificate_id)) == []
    async with wire.mini(card.person_id) as mini:
        assert len((await mini.get("/proofs")).json()["proofs"]) == 2
    async with wire.resident(None) as unchecked:
        assert (await unchecked.get("/proofs")).status_code == 403
    async with wire.anybody() as anybody:
        assert (await anybody.get("/resident/proofs")).status_code == 401


async def test_what_is_printed_as_a_page_is_listed_like_what_is_drawn_oneself(wire: Wire, card: Certificate) -> None:
    assert (await asked_to_print(wire, card)).headers["content-type"] == "application/pdf"
    [proof] = await proofs_of(wire, card)
    assert CertificateId(card.certificate_id).hex in proof["certificate_id"].replace("-", "")
