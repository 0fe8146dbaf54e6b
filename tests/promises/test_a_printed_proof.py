"""A resident prints a proof; whoever holds the paper learns whether it is true and how it stands, and nothing else."""

import asyncio
import re
import statistics
import time
from datetime import date, datetime, timedelta
from urllib.parse import unquote

import pytest

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock
from kernel.ids import CertificateId, uuid7
from kernel.people import Identity
from tests.builders_family import a_licence, put, the_kind
from tests.builders_proofs import (
    HTML,
    JSON,
    NOWHERE,
    a_printable_card,
    about,
    asked_to_print,
    checked,
    checked_by_hand,
    scanned_off,
    state_of,
    stepped,
    words_of,
    written,
)
from tests.builders_wallet import (
    HEALTH_CARD,
    HOST,
    ID_CARD,
    SOMEBODY,
    SOMEBODY_ELSE,
    an_id_card,
    issued,
)
from tests.wire_wallet import Wire
from wallet.departments.issue_policy import IssueRequest
from wallet.model import Certificate, State
from wallet.parts import Wallet
from wallet.proof_page import CONTENT_SECURITY_POLICY
from wallet.proofs.checking import TRIES_A_DAY, TRIES_AN_HOUR, TRIES_OF_ADDRESS
from wallet.proofs.printing import BUSY_RETRY_SECONDS, PRINTED_A_DAY, WAITING_MAX

WRONG = [
    about(name="某甲甲"),
    about(name=SOMEBODY_ELSE.name),
    about(name=" "),
    about(last_four="0000"),
    about(SOMEBODY_ELSE),
    {"name": SOMEBODY.id_number[-4:], "last_four": "0000"},
]


@pytest.fixture
async def card(wallet: Wallet) -> Certificate:
    return await a_printable_card(wallet)


async def uses(wallet: Wallet) -> int:
    count: int = await wallet.db.fetchval("SELECT count(*) FROM wallet.use")
    return count


# --- printing ---------------------------------------------------------------------------------------------------------


async def test_whoever_scans_the_paper_and_knows_whose_it_is_learns_that_it_is_true(
    wire: Wire, card: Certificate
) -> None:
    printed = await asked_to_print(wire, card)
    assert (printed.status_code, printed.headers["content-type"]) == (201, "application/pdf")
    assert printed.headers["cache-control"] == "no-store"
    name = printed.headers["content-disposition"].partition("filename*=UTF-8''")[2]
    assert unquote(name) == "居民身份证.pdf"
    [text] = scanned_off(printed.content)
    assert text.startswith(f"HTTPS://{HOST}/P/")
    assert text.lower() == printed.headers["check-url"].lower()
    for said in (SOMEBODY.name, SOMEBODY.id_number, "如意桥路9号", "公安局", card.attributes.identifier):
        assert said in words_of(printed.content)

    path = text.removeprefix(f"HTTPS://{HOST}")
    answer = (await checked(wire, path)).json()
    assert answer["is_match"]
    proof = answer["proof"]
    assert (proof["state"], proof["kind_zh"], proof["issuer_zh"]) == ("valid", "居民身份证", "公安局")
    assert {one["name"]: one["value"] for one in proof["fields"]} == {
        "name": "某＊",
        "sex": "f＊＊＊＊＊",
        "birth_date": "＊＊＊＊",
        "address": "如＊＊＊＊＊",
        "id_number": f"310＊＊＊＊{SOMEBODY.id_number[-2:]}",
    }
    page = await checked_by_hand(wire, path)
    assert "一致，现时有效" in page.text
    assert "某＊" in page.text
    assert SOMEBODY.id_number not in page.text + str(answer)


async def test_who_draws_the_page_themselves_is_told_what_it_takes(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    for who in (wire.resident(card.person_id), wire.mini(card.person_id)):
        told = (await who.post(f"/certificates/{card.certificate_id}/proofs", headers=JSON)).json()
        assert set(told) == {"text", "check_url", "printed_at", "valid_until"}
        assert re.fullmatch(rf"HTTPS://{HOST}/P/[A-Z2-7]{{26}}", told["text"])
        assert told["check_url"] == f"https://{HOST}/P/{told['text'][-26:]}"
        assert datetime.fromisoformat(told["printed_at"]) == clock.now()
        assert told["valid_until"] == "2040-01-01"
        assert await state_of(wire, f"/P/{told['text'][-26:].lower()}") == "valid"


async def test_printing_again_makes_another_code_and_both_are_good(wire: Wire, card: Certificate) -> None:
    first, second = await written(wire, card), await written(wire, card)
    assert first != second
    assert [await state_of(wire, path) for path in (first, second)] == ["valid", "valid"]


async def test_only_what_is_ones_own_printable_and_good_is_printed(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    licence = await issued(wallet, a_licence())
    other = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))

    async def refusal(certificate_id: object) -> tuple[int, str, str | None]:
        who = wire.resident(card.person_id)
        said = (await who.post(f"/certificates/{certificate_id}/proofs", headers=JSON)).json()
        return said["status"], said["code"], said.get("state")

    assert await refusal(licence.certificate_id) == (422, "wallet.kind_not_printable", None)
    assert await refusal(other.certificate_id) == (404, "wallet.certificate_not_found", None)
    assert await refusal(CertificateId(uuid7(clock.now()))) == (404, "wallet.certificate_not_found", None)
    await stepped(wire, card, State.SUSPENDED)
    assert await refusal(card.certificate_id) == (409, "wallet.certificate_not_good", "suspended")
    strange = await asked_to_print(wire, card, Accept="image/png")
    assert (strange.status_code, strange.json()["code"]) == (406, "request.not_acceptable")
    assert (await wire.resident(None).post(f"/certificates/{card.certificate_id}/proofs")).status_code == 403
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.proof") == 0


async def test_a_paper_that_does_not_name_its_holder_says_who_it_is_all_the_same(wallet: Wallet, wire: Wire) -> None:
    health = the_kind(HEALTH_CARD)
    await put(wallet, the_kind(HEALTH_CARD, is_printable=True, fields=health.fields[1:]))
    request = IssueRequest(
        reference="H-1", kind_code=HEALTH_CARD, holder=SOMEBODY, values={"fit": True}, valid_from=date(2026, 1, 1)
    )
    words = words_of((await asked_to_print(wire, await issued(wallet, request))).content)
    assert f"持有人Holder{SOMEBODY.name}" in words
    assert "合格Fit是Yes" in words


async def test_nobody_prints_without_end(wire: Wire, card: Certificate, clock: StoppedClock) -> None:
    for _ in range(PRINTED_A_DAY.permits):
        await written(wire, card)
    refused = await asked_to_print(wire, card, **JSON)
    assert (refused.status_code, refused.json()["code"]) == (429, "limits.rate_limited")
    clock.advance(timedelta(seconds=int(refused.headers["retry-after"])))
    await written(wire, card)


async def test_who_finds_the_press_busy_is_asked_to_come_again_and_loses_nothing(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    answers = await asyncio.gather(*(asked_to_print(wire, card) for _ in range(WAITING_MAX + 2)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * WAITING_MAX + [503] * 2
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("wallet.proofs_busy", str(BUSY_RETRY_SECONDS))
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.proof") == WAITING_MAX
    for _ in range(PRINTED_A_DAY.permits - WAITING_MAX):
        await written(wire, card)


# --- checking ---------------------------------------------------------------------------------------------------------


async def test_what_does_not_match_is_told_in_the_very_same_words_and_recorded_of_nobody(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    """A code that nobody printed, one that is none, a wrong name, a wrong number: byte for byte, head and all."""
    path = await written(wire, card)
    tries = [(path, claim) for claim in WRONG]
    tries += [
        (where, about()) for where in (NOWHERE, path[:-1], path + "A", "/P/x", "/P/%00", "/P/证明", path[:-1] + "1")
    ]
    for check in (checked, checked_by_hand):
        answers = []
        for where, claim in tries:
            answers.append(await check(wire, where, claim))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1
        clock.advance(timedelta(hours=2))
    assert "不一致" in answers[0].text
    assert await uses(wallet) == 0
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message WHERE template = 'proof_checked'") == 0
    assert wallet.checker.no_match_count == 2 * len(tries)


async def test_an_answer_takes_as_long_for_a_code_that_nobody_printed(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    path = await written(wire, card)
    spent: dict[str, list[float]] = {path: [], NOWHERE: []}
    for _ in range(40):
        for where, times in spent.items():
            clock.advance(timedelta(hours=1))
            started = time.perf_counter()
            assert not (await checked(wire, where, about(last_four="0000"))).json()["is_match"]
            times.append(time.perf_counter() - started)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert 0.6 < known / unknown < 1.6, f"{known * 1000:.2f} ms and {unknown * 1000:.2f} ms"


async def test_names_are_understood_as_people_type_them(wallet: Wallet, wire: Wire, clock: StoppedClock) -> None:
    await put(wallet, the_kind(ID_CARD, is_printable=True))
    numbers = (id_number("310101", date(1991, 2, day), Sex.FEMALE, 0) for day in range(1, 29))
    number = next(one for one in numbers if one.endswith("X"))
    holder, last = Identity(id_number=number, name="阿依古丽·买买提"), number[-4:]
    path = await written(wire, await issued(wallet, an_id_card(holder=holder)))
    for name in ("阿依古丽·买买提", " 阿依古丽．买买提 ", "阿依古丽•买买提", "阿依古丽买买提", "阿依 古丽・买买提"):
        for last_four in (last, last.lower()):
            assert (await checked(wire, path, {"name": name, "last_four": last_four})).json()["is_match"], name
            clock.advance(timedelta(hours=1))
    assert not (await checked(wire, path, {"name": "阿依古丽", "last_four": last})).json()["is_match"]


async def test_opening_a_code_shows_everybody_the_same_page_and_looks_nothing_up(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    path = await written(wire, card)
    await wallet.db.close()
    async with wire.anybody() as anybody:
        pages = [await anybody.get(where, headers=HTML) for where in (path, NOWHERE, "/P/x")]
    assert {(page.status_code, page.text) for page in pages} == {(200, pages[0].text)}
    assert pages[0].headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert pages[0].headers["cache-control"] == "no-store"
    assert re.findall(r"<script|https?://|/P/", pages[0].text) == []
    assert '<form method="post"' in pages[0].text


async def test_what_is_no_name_and_four_characters_is_asked_for_again_and_is_no_try(
    wire: Wire, card: Certificate
) -> None:
    path = await written(wire, card)
    async with wire.anybody() as anybody:
        for body in ({"name": "某甲"}, about(name=""), about(last_four="12"), about(more="x"), about(name="某" * 101)):
            by_hand = await anybody.post(path, data=body, headers=HTML)
            assert (by_hand.status_code, by_hand.text.count("请填写姓名和号码后四位")) == (400, 1)
            assert by_hand.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            said = await anybody.post(path, json=body)
            assert (said.status_code, said.json()["code"]) == (400, "request.malformed")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for raw in (b"name=%ff&last_four=1234", b"name=a&name=b&last_four=1234", b"\xff", b"&" * 99, b"name"):
            assert (await anybody.post(path, content=raw, headers=form | HTML)).status_code == 400, raw
        assert (await anybody.post(path, content=b"{", headers={"Content-Type": "application/json"})).status_code == 400
        assert (await anybody.post(path, content=b"<a/>", headers={"Content-Type": "text/xml"})).status_code == 415
        assert (await anybody.post(path, data=about(name="x" * 9_999))).status_code == 413
        assert (await anybody.post(path, json=about(), headers={"Accept": "image/png"})).status_code == 406
    assert await state_of(wire, path) == "valid"
    for _ in range(TRIES_AN_HOUR.permits - 1):
        assert (await checked(wire, path)).status_code == 200


@pytest.mark.parametrize("is_ours", [True, False])
async def test_nobody_tries_out_the_four_characters(
    is_ours: bool, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    path = await written(wire, card) if is_ours else NOWHERE
    for _ in range(TRIES_AN_HOUR.permits):
        assert (await checked(wire, path, WRONG[3])).status_code == 200
    refused = await checked(wire, path)
    assert (refused.status_code, refused.json()["code"]) == (429, "limits.rate_limited")
    page = await checked_by_hand(wire, path)
    assert (page.status_code, page.text.count("尝试次数过多") > 0) == (429, True)
    assert page.headers["retry-after"] == refused.headers["retry-after"]
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert await state_of(wire, await written(wire, card)) == "valid"  # another paper can be checked meanwhile
    clock.advance(timedelta(seconds=int(refused.headers["retry-after"])))
    assert (await checked(wire, path)).json()["is_match"] is is_ours


async def test_a_day_has_only_so_many_tries(wire: Wire, card: Certificate, clock: StoppedClock) -> None:
    path, tries, ends_at = await written(wire, card), 0, clock.now() + timedelta(days=1)
    while clock.now() < ends_at:
        tries += (await checked(wire, path, WRONG[3])).status_code == 200
        clock.advance(timedelta(minutes=6))
    assert tries <= 2 * TRIES_A_DAY.permits  # as many at once, and as many again as the day passes
    assert tries > TRIES_A_DAY.permits


async def test_an_address_has_only_so_many_tries(wire: Wire) -> None:
    for nth in range(TRIES_OF_ADDRESS.permits):
        assert (await checked(wire, f"/P/{nth}")).status_code == 200
    assert (await checked(wire, "/P/more")).status_code == 429


async def test_a_check_tells_how_the_certificate_stands_now_and_shows_nothing_of_a_bad_one(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    path = await written(wire, card)
    steps = [
        (State.SUSPENDED, "已暂停使用"),
        (State.ISSUED, "现时有效"),
        (State.REVOKED, "已被撤销"),
    ]
    for state, words in steps:
        await stepped(wire, card, state)
        proof = (await checked(wire, path)).json()["proof"]
        expected = "valid" if state is State.ISSUED else state.value
        assert (proof["state"], bool(proof["fields"])) == (expected, state is State.ISSUED)
        page = (await checked_by_hand(wire, path)).text
        assert words in page
        assert ("某＊" in page) is (state is State.ISSUED)
    assert (await asked_to_print(wire, card)).status_code == 409


async def test_a_proof_ends_with_its_certificate_and_not_before(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    path = await written(wire, card)
    clock.advance(timedelta(days=13 * 365))
    assert await state_of(wire, path) == "valid"
    clock.advance(timedelta(days=365))
    assert clock.now().date() > date(2040, 1, 1)
    assert await state_of(wire, path) == "expired"
