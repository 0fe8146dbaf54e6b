"""Departments issue certificates to a person, each department under its own key."""

from typing import Any, Final
from uuid import uuid4

from city.journey import calling
from city.journey.calling import Caller
from city.journey.stage import Issued, Stage, now
from city.journey.telling import Broken
from gateway.demo.cast import PlayedClient, PlayedPerson

IDENTITY_CARD: Final = "居民身份证"
INSURANCE: Final = "医保电子凭证"
CONCESSION: Final = "文化场馆优惠凭证"
TO_ISSUE: Final = (
    ("department:police", IDENTITY_CARD),
    ("department:medical_insurance", INSURANCE),
    ("department:culture_tourism", CONCESSION),
)
"""Which department issues what: one kind for the station, one for the hospital, one for the museum."""


async def play(stage: Stage, person: PlayedPerson) -> dict[str, Issued]:
    """Issue one certificate of each kind; what was issued, by the name of its kind."""
    stage.story.act(f"Three departments issue certificates to {person.name}")
    systems: dict[str, Caller] = {}
    for client_id, _ in TO_ISSUE:
        systems[client_id] = await _prove(stage, stage.client(client_id))
    issued = {}
    for client_id, kind in TO_ISSUE:
        issued[kind] = await _issue(stage, systems[client_id], stage.client(client_id), kind, person)
    await _refuse_others(stage, systems["department:culture_tourism"], issued[IDENTITY_CARD], person)
    return issued


async def _prove(stage: Stage, client: PlayedClient) -> Caller:
    story, issuer = stage.story, stage.cast.issuer
    with story.step(f"{client.owner} proves itself with its own key (private_key_jwt)"):
        other = next(one for one in stage.cast.clients if one.audience == "department" and one is not client)
        forged = calling.assertion(client, issuer=issuer, now=now(), signed_by=other)
        refused = await calling.token_of(stage.city, client, forged, status=401)
        story.equal("another's key proves nothing", expected="clients.invalid_client", seen=refused.code)
        good = calling.assertion(client, issuer=issuer, now=now())
        token = (await calling.token_of(stage.city, client, good)).content["access_token"]
        again = await calling.token_of(stage.city, client, good, status=401)
        story.equal("an assertion is good once", expected="clients.invalid_client", seen=again.code)
    return stage.city.proved(token)


async def _issue(
    stage: Stage, department: Caller, client: PlayedClient, kind_name: str, person: PlayedPerson
) -> Issued:
    story = stage.story
    with story.step(f"{client.owner} issues: {kind_name}"):
        kind = await kind_of(department, kind_name)
        request = request_of(kind, person)
        values = request["values"]
        first = (await department.post("/department/certificates", request, status=201)).content
        story.equal("what is issued is good at once", expected="issued", seen=first["state"])
        again = (await department.post("/department/certificates", request, status=201)).content
        story.equal(
            "asked again under the same reference, the same certificate",
            expected=(first["certificate_id"], first["identifier"]),
            seen=(again["certificate_id"], again["identifier"]),
        )
        other = {**request, "values": {**values, "name": "另一人"}}
        refused = await department.post("/department/certificates", other, status=422)
        story.equal("a reference stands for one certificate", expected="wallet.reference_reused", seen=refused.code)
    return Issued(first["certificate_id"], kind["kind_code"], kind_name, values, client)


async def issue(
    department: Caller, client: PlayedClient, kind_name: str, person: PlayedPerson, **values: str | int | bool
) -> Issued:
    """One more certificate, without much ado; `values` say what it is to tell."""
    kind = await kind_of(department, kind_name)
    request = request_of(kind, person)
    request["values"] |= values
    made = (await department.post("/department/certificates", request, status=201)).content
    return Issued(made["certificate_id"], kind["kind_code"], kind_name, request["values"], client)


def request_of(kind: dict[str, Any], person: PlayedPerson) -> dict[str, Any]:
    """A certificate of this kind as a department asks for it, under a reference of its own."""
    return {
        "reference": f"journey-{uuid4()}",
        "kind_code": kind["kind_code"],
        "holder": {"id_number": person.id_number, "name": person.name},
        "values": _values(kind, person),
        "valid_from": now().date().isoformat(),
    }


async def kind_of(department: Caller, name_zh: str) -> dict[str, Any]:
    """How this department's kind of that name is to be filled in."""
    kinds = (await department.get("/department/kinds")).content["kinds"]
    found = next((kind for kind in kinds if kind["name_zh"] == name_zh), None)
    if found is None:
        raise Broken("a department may issue its own kinds", name_zh, [kind["name_zh"] for kind in kinds])
    return dict(found)


def _values(kind: dict[str, Any], person: PlayedPerson) -> dict[str, Any]:
    """A value for every field: what an ID number tells about its holder, and something fit for the rest."""
    number = person.id_number
    known = {
        "name": person.name,
        "id_number": number,
        "sex": "male" if int(number[16]) % 2 else "female",
        "birth_date": f"{number[6:10]}-{number[10:12]}-{number[12:14]}",
    }
    return {field["name"]: known.get(field["name"], _something(field)) for field in kind["fields"]}


def _something(field: dict[str, Any]) -> str | int | bool:
    match field["type"]:
        case "boolean":
            return True
        case "integer":
            return 1
        case "date":
            return now().date().isoformat()
        case "code":
            return field["codes"][0] if field["codes"] else "standard"
        case _:
            return "示例"


async def _refuse_others(stage: Stage, stranger: Caller, issued: Issued, person: PlayedPerson) -> None:
    with stage.story.step("A department tries to issue another's kind"):
        request = {
            "reference": f"journey-{uuid4()}",
            "kind_code": issued.kind_code,
            "holder": {"id_number": person.id_number, "name": person.name},
            "values": issued.values,
            "valid_from": now().date().isoformat(),
        }
        refused = await stranger.post("/department/certificates", request, status=403)
        stage.story.equal(
            "a department issues its own kinds and no other", expected="wallet.kind_not_entitled", seen=refused.code
        )
