"""Builders for what is shown together and for others: licences beside identity cards, mandates, a widened catalogue."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from msgspec.structs import replace

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.people import Identity
from tests.builders_wallet import KINDS, LICENCE, SCENARIOS, SOMEBODY, SOMEBODY_ELSE, VENUES, an_id_card, issued
from tests.wire_wallet import Wire
from wallet.departments.issue_policy import IssueRequest
from wallet.model import Certificate, Kind, Scenario, Terms, Venue
from wallet.operators import cataloguing
from wallet.parts import Wallet

CHILD = Identity(id_number=id_number("310101", date(2016, 6, 1), Sex.FEMALE, 0), name="某小丙")
STRANGER = Identity(id_number=id_number("310105", date(1970, 7, 7), Sex.MALE, 1), name="某丁")


def a_licence(reference: str = "L-1", holder: Identity = SOMEBODY) -> IssueRequest:
    values = {"name": holder.name, "licence_class": "C1", "points": 3}
    return IssueRequest(
        reference=reference, kind_code=LICENCE, holder=holder, values=values,
        valid_from=date(2020, 1, 1), valid_until=date(2030, 1, 1),
    )  # fmt: skip


async def another(wallet: Wallet, holder: Identity = SOMEBODY_ELSE, reference: str = "R-other") -> Certificate:
    """The identity card of another person, who is known by it."""
    return await issued(wallet, an_id_card(reference, holder))


def the_kind(kind_code: str, **changed: Any) -> Kind:
    return replace(next(kind for kind in KINDS if kind.kind_code == kind_code), **changed)


def the_scenario(scenario_code: str, **changed: Any) -> Scenario:
    return replace(next(one for one in SCENARIOS if one.scenario_code == scenario_code), **changed)


def the_venue(venue_id: object, **changed: Any) -> Venue:
    return replace(next(one for one in VENUES if one.venue_id == venue_id), **changed)


async def put(wallet: Wallet, *things: Kind | Scenario | Venue) -> None:
    """An operator changes the catalogue, and this process has heard of it."""
    async with wallet.db.transaction() as conn:
        for thing in things:
            match thing:
                case Kind():
                    await cataloguing.put_kind(conn, thing)
                case Scenario():
                    await cataloguing.put_scenario(conn, thing)
                case Venue():
                    await cataloguing.put_venue(conn, thing)
    for snapshot in wallet.snapshots:
        await snapshot.refresh()


async def put_terms(wallet: Wallet, venue_id: Any, scenario_code: str, terms: Terms) -> None:
    async with wallet.db.transaction() as conn:
        await cataloguing.put_terms(conn, venue_id, scenario_code, terms)
    for snapshot in wallet.snapshots:
        await snapshot.refresh()


def a_wish(agent: Identity, now: datetime, **more: Any) -> dict[str, Any]:
    """What a holder asks for when they give a mandate, for a year unless told otherwise."""
    named = {"id_number": agent.id_number, "name": agent.name}
    return {"agent": named, "expires_at": (now + timedelta(days=365)).isoformat(), **more}


async def given(wire: Wire, holder: Certificate, agent: Identity, now: datetime, **more: Any) -> str:
    """The id of a mandate just given."""
    mandate_id = str(uuid4())
    answer = await wire.resident(holder.person_id).put(f"/mandates/{mandate_id}", json=a_wish(agent, now, **more))
    assert answer.status_code == 200, answer.text
    return mandate_id


async def count_told(wallet: Wallet, template: str) -> int:
    count: int = await wallet.db.fetchval("SELECT count(*) FROM notifications.message WHERE template = $1", template)
    return count


async def show_for(who: httpx.AsyncClient, certificate: Certificate, mandate_id: str, **more: Any) -> httpx.Response:
    body = {"scenario_code": "station.entry", "mandate_id": mandate_id, **more}
    return await who.post(f"/certificates/{certificate.certificate_id}/codes", json=body)


async def a_code_for(who: httpx.AsyncClient, certificate: Certificate, mandate_id: str) -> str:
    answer = await show_for(who, certificate, mandate_id)
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["text"]
    return text


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")
