"""Somebody shows another's certificates under a mandate until it ends; from then on no showing and no scan succeeds."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import (
    STRANGER,
    a_code_for,
    a_licence,
    a_wish,
    another,
    count_told,
    given,
    said,
    show_for,
)
from tests.builders_wallet import (
    HOSPITAL,
    ID_CARD,
    LICENCE,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    a_wallet,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.model import Certificate, Outcome, Verdict
from wallet.parts import Wallet


@pytest.fixture
def holder(wire: Wire, card: Certificate) -> httpx.AsyncClient:
    return wire.resident(card.person_id)


@pytest.fixture
def agent(wire: Wire, agents_card: Certificate) -> httpx.AsyncClient:
    return wire.mini(agents_card.person_id)


@pytest.fixture
async def mandate_id(wire: Wire, card: Certificate, agents_card: Certificate, clock: StoppedClock) -> str:
    assert agents_card.person_id != card.person_id
    return await given(wire, card, SOMEBODY_ELSE, clock.now())


async def test_an_agent_shows_and_everybody_concerned_sees_it(
    wallet: Wallet, holder: httpx.AsyncClient, agent: httpx.AsyncClient, card: Certificate, mandate_id: str
) -> None:
    verdict = await scanned(wallet, await a_code_for(agent, card, mandate_id))
    assert (verdict.outcome, verdict.fields["name"]) == (Outcome.VALID, SOMEBODY.name)
    [seen] = (await holder.get("/uses")).json()["uses"]
    assert seen["acted"] == {"mandate_id": mandate_id, "basis": "granted", "other": "某＊"}
    assert (await agent.get("/uses")).json()["uses"] == []
    [mine] = (await agent.get("/uses", params={"as_agent": "true"})).json()["uses"]
    assert (mine["look"], mine["acted"]["other"]) == (seen["look"], "某＊")
    for template in ("certificate_shown_for_you", "certificate_shown_as_agent", "mandate_given", "mandate_received"):
        assert await count_told(wallet, template) == 1
    assert await count_told(wallet, "certificate_shown") == 0
    acts = [row["act"] for row in await wallet.db.fetch("SELECT act FROM kernel.audit")]
    assert acts.count("wallet.give_mandate") == 1


async def test_both_sides_list_it_and_the_agent_sees_what_it_covers_with_masked_values(
    wallet: Wallet, wire: Wire, card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    await issued(wallet, a_licence())
    mandate_id = await given(wire, card, SOMEBODY_ELSE, clock.now(), kind_codes=[ID_CARD])
    holder, agent = wire.resident(card.person_id), wire.resident(agents_card.person_id)
    [theirs] = (await holder.get("/mandates")).json()["given"]
    [mine] = (await agent.get("/mandates")).json()["held"]
    for view in (theirs, mine):
        assert (view["mandate_id"], view["state"], view["other"]) == (mandate_id, "standing", "某＊")
        assert [kind["code"] for kind in view["kinds"]] == [ID_CARD]
        assert view["scenarios"] is None
    [shown] = (await agent.get(f"/mandates/{mandate_id}/certificates")).json()["certificates"]
    assert (shown["certificate_id"], shown["kind_code"]) == (str(card.certificate_id), ID_CARD)
    assert SOMEBODY.id_number not in str(shown)
    assert SOMEBODY.name not in str(shown)
    assert said(await holder.get(f"/mandates/{mandate_id}/certificates")) == (404, "wallet.mandate_not_found")


@pytest.mark.parametrize("who_ends", ["holder", "agent"])
async def test_ended_in_one_place_the_very_next_showing_and_the_very_next_scan_fail(
    wallet: Wallet,
    holder: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    card: Certificate,
    mandate_id: str,
    who_ends: str,
) -> None:
    code = await a_code_for(agent, card, mandate_id)
    ends = {"holder": holder, "agent": agent}[who_ends]
    ended = await ends.post(f"/mandates/{mandate_id}/revoke")
    assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    assert said(await show_for(agent, card, mandate_id)) == (409, "wallet.mandate_ended")
    assert said(await agent.get(f"/mandates/{mandate_id}/certificates")) == (409, "wallet.mandate_ended")
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (Outcome.MANDATE_ENDED, {})
    [seen] = (await holder.get("/uses")).json()["uses"]
    assert (seen["outcome"], seen["fields"]) == ("mandate_ended", [])
    assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED
    again = await ends.post(f"/mandates/{mandate_id}/revoke")
    assert (again.status_code, again.json()) == (200, ended.json())
    for template in ("mandate_ended", "mandate_lost"):
        assert await count_told(wallet, template) == 1


async def test_it_stands_from_its_first_moment_to_before_its_last(
    wallet: Wallet, wire: Wire, card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    now, agent = clock.now(), wire.resident(agents_card.person_id)
    starts, ends = now + timedelta(hours=1), now + timedelta(hours=2)
    times = {"starts_at": starts.isoformat(), "expires_at": ends.isoformat()}
    mandate_id = await given(wire, card, SOMEBODY_ELSE, now, **times)
    assert said(await show_for(agent, card, mandate_id)) == (409, "wallet.mandate_ended")
    clock.advance(timedelta(hours=1))
    assert (await scanned(wallet, await a_code_for(agent, card, mandate_id))).outcome is Outcome.VALID
    clock.advance(timedelta(minutes=59, seconds=30))
    code = await a_code_for(agent, card, mandate_id)
    clock.advance(timedelta(seconds=30))
    assert (await scanned(wallet, code)).outcome is Outcome.MANDATE_ENDED
    assert said(await show_for(agent, card, mandate_id)) == (409, "wallet.mandate_ended")
    assert (await agent.get("/mandates")).json()["held"][0]["state"] == "expired"


async def test_it_covers_its_kinds_and_scenarios_and_no_others_when_shown_and_when_scanned(
    wallet: Wallet, wire: Wire, card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    agent, licence = wire.resident(agents_card.person_id), await issued(wallet, a_licence())
    scope = {"kind_codes": [ID_CARD], "scenario_codes": ["station.entry"]}
    mandate_id = await given(wire, card, SOMEBODY_ELSE, clock.now(), **scope)
    refused = (403, "wallet.mandate_does_not_cover")
    assert said(await show_for(agent, licence, mandate_id)) == refused
    assert said(await show_for(agent, card, mandate_id, scenario_code="hospital.registration")) == refused
    wanted = [{"certificate_id": str(one.certificate_id)} for one in (card, licence)]
    body = {"scenario_code": "station.entry", "certificates": wanted, "mandate_id": mandate_id}
    assert said(await agent.post("/presentations", json=body)) == refused
    code = await a_code_for(agent, card, mandate_id)
    async with wallet.db.transaction() as conn:
        await conn.execute("UPDATE wallet.mandate SET kind_codes = $1", [LICENCE])
    assert (await scanned(wallet, code)).outcome is Outcome.MANDATE_ENDED


async def test_an_agent_shows_several_certificates_of_the_holder_and_none_of_their_own_among_them(
    wallet: Wallet, agent: httpx.AsyncClient, card: Certificate, agents_card: Certificate, mandate_id: str
) -> None:
    licence = await issued(wallet, a_licence())

    async def present(*certificates: Certificate) -> httpx.Response:
        wanted = [{"certificate_id": str(one.certificate_id)} for one in certificates]
        body = {"scenario_code": "station.entry", "certificates": wanted, "mandate_id": mandate_id}
        return await agent.post("/presentations", json=body)

    assert said(await present(card, agents_card)) == (404, "wallet.certificate_not_found")
    verdict = await scanned(wallet, (await present(card, licence)).json()["text"])
    assert (verdict.outcome, len(verdict.beside)) == (Outcome.VALID, 1)
    agents = await wallet.db.fetch("SELECT agent_person_id FROM wallet.use")
    assert [row["agent_person_id"] for row in agents] == [agents_card.person_id] * 2
    assert await count_told(wallet, "certificate_shown_as_agent") == 1


async def test_nobody_else_acts_under_it(
    wallet: Wallet, wire: Wire, card: Certificate, mandate_id: str, holder: httpx.AsyncClient
) -> None:
    stranger = await another(wallet, STRANGER, "R-stranger")
    for who in (wire.resident(stranger.person_id), holder):
        assert said(await show_for(who, card, mandate_id)) == (404, "wallet.mandate_not_found")
    third = wire.resident(stranger.person_id)
    assert said(await third.post(f"/mandates/{mandate_id}/revoke")) == (404, "wallet.mandate_not_found")
    assert said(await third.get(f"/mandates/{uuid4()}/certificates")) == (404, "wallet.mandate_not_found")


async def test_who_has_the_number_but_not_the_name_never_hears_of_it_and_the_holder_cannot_tell(
    wallet: Wallet, wire: Wire, card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    misnamed = Identity(SOMEBODY_ELSE.id_number, "别人")
    holder, agent = wire.resident(card.person_id), wire.resident(agents_card.person_id)
    answers = []
    for named in (misnamed, Identity(STRANGER.id_number, "别人")):  # known by another name; not known at all
        path, wish = f"/mandates/{uuid4()}", a_wish(named, clock.now())
        answers.append((await holder.put(path, json=wish)).json())
    for answer in answers:
        assert (answer["other"], answer["state"]) == ("别＊", "standing")
    mandate_id = answers[0]["mandate_id"]
    assert (await agent.get("/mandates")).json()["held"] == []
    assert said(await show_for(agent, card, mandate_id)) == (404, "wallet.mandate_not_found")
    assert said(await agent.post(f"/mandates/{mandate_id}/revoke")) == (404, "wallet.mandate_not_found")
    assert (await holder.post(f"/mandates/{mandate_id}/revoke")).status_code == 200
    told = "SELECT count(*) FROM notifications.message WHERE person_id = $1"
    assert await wallet.db.fetchval(told, agents_card.person_id) == 1  # that their card was issued
    assert await count_told(wallet, "mandate_received") == 2
    assert await count_told(wallet, "mandate_lost") == 1


async def test_giving_again_under_the_same_id_changes_nothing_and_another_wish_is_refused(
    wallet: Wallet, holder: httpx.AsyncClient, agents_card: Certificate, clock: StoppedClock
) -> None:
    assert agents_card
    path, wish = f"/mandates/{uuid4()}", a_wish(SOMEBODY_ELSE, clock.now())
    first, twin = await asyncio.gather(*(holder.put(path, json=wish) for _ in range(2)))
    clock.advance(timedelta(minutes=10))
    again = await holder.put(path, json=wish)
    assert {answer.status_code for answer in (first, twin, again)} == {200}
    assert first.json() == twin.json() == again.json()
    assert await count_told(wallet, "mandate_given") == 1
    others = (
        {"kind_codes": [ID_CARD]}, {"scenario_codes": ["station.entry"]},
        {"agent": {"id_number": STRANGER.id_number, "name": STRANGER.name}},
        {"expires_at": (clock.now() + timedelta(days=3)).isoformat()}, {"starts_at": clock.now().isoformat()},
        {"agent": {"id_number": SOMEBODY_ELSE.id_number, "name": "别人"}},
    )  # fmt: skip
    for other in others:
        assert said(await holder.put(path, json=wish | other)) == (422, "wallet.mandate_reused")


async def test_what_cannot_be_given_is_refused(holder: httpx.AsyncClient, clock: StoppedClock) -> None:
    now = clock.now()

    async def refusal(agent: Identity = SOMEBODY_ELSE, **more: Any) -> tuple[int, str]:
        return said(await holder.put(f"/mandates/{uuid4()}", json=a_wish(agent, now) | more))

    period = (422, "wallet.mandate_period_refused")
    assert await refusal(SOMEBODY) == (422, "wallet.mandate_to_oneself")
    assert await refusal(Identity("110101199001011234", "某甲")) == (422, "wallet.agent_refused")
    assert await refusal(kind_codes=["9" * 21]) == (404, "wallet.kind_not_found")
    assert await refusal(scenario_codes=["no.such"]) == (404, "wallet.scenario_not_found")
    assert await refusal(expires_at=now.isoformat()) == period
    assert await refusal(expires_at=(now + timedelta(days=2_000)).isoformat()) == period
    assert await refusal(starts_at=(now - timedelta(days=1)).isoformat()) == period
    assert await refusal(starts_at=(now + timedelta(days=400)).isoformat()) == period
    assert await refusal(expires_at="2027-01-01T00:00:00") == (400, "request.malformed")
    assert await refusal(kind_codes=[]) == (400, "request.malformed")


async def test_fifty_mandates_stand_at_once_and_ending_one_makes_room(
    wire: Wire, card: Certificate, holder: httpx.AsyncClient, clock: StoppedClock
) -> None:
    held = [await given(wire, card, STRANGER, clock.now()) for _ in range(50)]
    refused = await holder.put(f"/mandates/{uuid4()}", json=a_wish(STRANGER, clock.now()))
    assert said(refused) == (409, "wallet.too_many_mandates")
    await holder.post(f"/mandates/{held[0]}/revoke")
    await given(wire, card, STRANGER, clock.now())


# ---- around the very moment


async def test_of_sixty_four_scans_around_the_end_none_is_recorded_as_good_after_it(
    wallet: Wallet, holder: httpx.AsyncClient, agent: httpx.AsyncClient, card: Certificate, mandate_id: str,
    db: Database, redis: Redis, clock: StoppedClock, keys: Keys,
) -> None:  # fmt: skip
    other = await a_wallet(db, redis, clock, keys, with_catalogue=False)
    *codes, last = [await a_code_for(agent, card, mandate_id) for _ in range(65)]
    good = "SELECT count(*) FROM wallet.use WHERE outcome = 'valid'"

    async def scan(place: int) -> Verdict:
        await asyncio.sleep(place * 0.001)
        return await scanned((wallet, other)[place % 2], codes[place])

    async def end() -> int:
        await asyncio.sleep(0.02)
        assert (await holder.post(f"/mandates/{mandate_id}/revoke")).status_code == 200
        count: int = await db.fetchval(good)
        return count

    good_at_the_end, *verdicts = await asyncio.gather(end(), *(scan(place) for place in range(64)))
    outcomes = [verdict.outcome for verdict in verdicts if isinstance(verdict, Verdict)]
    assert set(outcomes) <= {Outcome.VALID, Outcome.MANDATE_ENDED}
    assert outcomes.count(Outcome.VALID) == good_at_the_end == await db.fetchval(good)
    assert (await scanned(wallet, last)).outcome is Outcome.MANDATE_ENDED
    assert await db.fetchval("SELECT count(*) FROM wallet.use") == 65


async def test_ending_waits_for_the_scan_that_is_being_recorded_and_what_comes_later_is_refused(
    wallet: Wallet,
    holder: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    card: Certificate,
    mandate_id: str,
    db: Database,
) -> None:
    first, late = [await a_code_for(agent, card, mandate_id) for _ in range(2)]
    use_id = uuid4()
    async with db.transaction() as conn:
        await conn.execute("LOCK TABLE wallet.use IN SHARE MODE")  # the scan reads the mandate, and waits to record
        scan = asyncio.create_task(scanned(wallet, first, use_id=UseId(use_id)))
        await asyncio.sleep(0.3)
        ending = asyncio.create_task(holder.post(f"/mandates/{mandate_id}/revoke"))
        await asyncio.sleep(0.3)
        assert not scan.done()
        assert not ending.done(), "it was ended while somebody was let in under it"
    assert (await scan).outcome is Outcome.VALID
    assert (await ending).status_code == 200
    assert (await scanned(wallet, late)).outcome is Outcome.MANDATE_ENDED


# ---- asks


async def test_an_agent_answers_what_a_venue_asks_for_somebody(
    wallet: Wallet, wire: Wire, holder: httpx.AsyncClient, agent: httpx.AsyncClient, card: Certificate, mandate_id: str
) -> None:
    venue = wire.venue(device_at(STATION))
    ask = (await venue.post("/asks", json={"scenario_code": "station.entry"})).json()
    looked = (await agent.post("/asks/look", json={"text": ask["text"], "mandate_id": mandate_id})).json()
    assert [one["certificate_id"] for one in looked["fitting"]] == [str(card.certificate_id)]
    body = {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": ["name"]}
    assert said(await agent.post("/asks/consent", json=body)) == (404, "wallet.certificate_not_found")
    consent = await agent.post("/asks/consent", json=body | {"mandate_id": mandate_id})
    assert consent.status_code == 200, consent.text
    assert consent.json()["acted"]["other"] == "某＊"
    assert (await venue.get(f"/asks/{ask['ask_id']}")).json()["fields"] == {"name": SOMEBODY.name}
    [use] = (await holder.get("/uses")).json()["uses"]
    assert (use["route"], use["acted"]["mandate_id"]) == ("ask", mandate_id)
    assert await count_told(wallet, "certificate_shown_for_you") == 1
    other = (await venue.post("/asks", json={"scenario_code": "station.entry"})).json()
    await holder.post(f"/mandates/{mandate_id}/revoke")
    body |= {"text": other["text"], "mandate_id": mandate_id}
    assert said(await agent.post("/asks/consent", json=body)) == (409, "wallet.mandate_ended")
    assert (await venue.get(f"/asks/{other['ask_id']}")).json()["state"] == "waiting"


async def test_no_name_and_no_number_of_anybody_is_kept_in_clear(
    wallet: Wallet, mandate_id: str, card: Certificate
) -> None:
    assert UUID(mandate_id)
    assert card
    for table in ("wallet.mandate", "wallet.mandate_held", "wallet.mandate_reference", "kernel.audit"):
        rows = await wallet.db.fetch(f"SELECT t::text AS said FROM {table} AS t")
        text = " ".join(row["said"] for row in rows)
        for secret in (SOMEBODY_ELSE.name, SOMEBODY_ELSE.id_number, SOMEBODY_ELSE.name.encode().hex()):
            assert secret not in text


async def test_a_venue_without_the_scenario_learns_nothing_of_a_mandate(
    wallet: Wallet, agent: httpx.AsyncClient, card: Certificate, mandate_id: str
) -> None:
    code = await a_code_for(agent, card, mandate_id)
    assert (await scanned(wallet, code, device_at(HOSPITAL))).outcome is Outcome.WRONG_SCENARIO
    assert (await scanned(wallet, code)).outcome is Outcome.VALID
