"""No name and no value has signs that hide or turn what stands beside them: NUL, line feeds, overrides of direction.

Several lines are for what is read as a letter: the text of a department's notice, and nothing else.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from city.demo.people import PEOPLE
from gateway import describing
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import CHILD, STRANGER, a_licence, a_wish, said
from tests.builders_gateway import an_entrance
from tests.builders_joining import NewDevice, an_application
from tests.builders_loading import a_line, ndjson, opened, refusals, sent
from tests.builders_people import guardianship, the_card_of
from tests.builders_wallet import (
    ID_CARD,
    POLICE_ID,
    SOMEBODY,
    STATION,
    an_id_card,
    device_at,
)
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.parts import Wallet

SIGNS = [*"\x00\x01\t\n\x0b\r\x1b\x1f\x7f\x85\x9f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
NAMES = ("name", "name_zh", "name_en", "label_zh", "organ_en", "purpose", "purpose_en", "address", "reason")


def spoiled(sign: str) -> Iterator[str]:
    """A text with the sign at its end, where patterns forget it, and inside."""
    yield f"某{sign}"
    yield f"某{sign}甲"


def spoil(body: Any, text: str) -> Iterator[Any]:
    """The body with one of its names spoiled, for each that it has."""
    for name, value in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        replaced = [text] if name in NAMES and isinstance(value, str) else spoil(value, text)
        for one in replaced:
            yield {**body, name: one} if isinstance(body, dict) else [*body[:name], one, *body[name + 1 :]]


A_KIND: dict[str, Any] = {
    "name_zh": "证", "name_en": "A", "organ_en": "Police", "face_colour": "#123456", "layout": "card",
    "fields": [{"name": "no", "label_zh": "号", "label_en": "No", "type": "text", "sensitivity": "open"}],
}  # fmt: skip
A_VENUE: dict[str, Any] = {
    "sort": "museum", "credit_code": "12310104DEMB0001XX", "name_zh": "馆", "name_en": "M", "district": "310104",
    "address": "路1号", "scenario_codes": [],
}  # fmt: skip
A_SCENARIO = {"name_zh": "看", "name_en": "See", "purpose_zh": "看", "purpose_en": "To see", "grants": {}}
AN_ISSUER = {"department_id": str(POLICE_ID), "name_zh": "局", "name_en": "P", "kind_codes": []}
A_CITY = {
    "issuer": "https://other.example", "name_zh": "邻市", "name_en": "Next", "kinds": {},
    "roots": [{"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}],
}  # fmt: skip


def named_by_operators() -> list[tuple[str, str, Any]]:
    device = {"venue_id": str(STATION), "name_zh": "闸机", "name_en": "Gate"}
    return [
        ("PUT", f"/kinds/{ID_CARD[:18]}077", A_KIND),
        ("PUT", "/issuers/310000", AN_ISSUER),
        ("PUT", "/scenarios/a.b", A_SCENARIO),
        ("PUT", f"/venues/{uuid4()}", A_VENUE),
        ("PUT", f"/devices/{uuid4()}", device),
        ("PUT", "/trusted-cities/330100", A_CITY),
        ("POST", f"/venue-applications/{uuid4()}/reject", {"reason": "不够"}),
    ]


async def refused_spoiled(client: httpx.AsyncClient, method: str, path: str, body: Any, names_min: int) -> None:
    """Every name of a body is refused with every sign, as the form of a request is."""
    for sign in SIGNS:
        for text in spoiled(sign):
            bodies = list(spoil(body, text))
            assert len(bodies) >= names_min
            for one in bodies:
                answer = await client.request(method, path, json=one)
                assert said(answer) == (400, "request.malformed"), (sign, one)


@pytest.mark.parametrize(
    ("method", "path", "body"), named_by_operators(), ids=[path.split("/")[1] for _, path, _ in named_by_operators()]
)
async def test_operators_name_nothing_with_signs_that_hide_or_turn(
    wire: Wire, method: str, path: str, body: Any
) -> None:
    await refused_spoiled(wire.operator(), method, path, body, 1)


async def test_organisations_and_their_devices_have_no_such_signs_in_their_names(wire: Wire) -> None:
    path = f"/venue-applications/{uuid4()}"
    await refused_spoiled(wire.anybody(), "PUT", path, an_application(), 7)
    device = NewDevice().body()
    for sign in SIGNS:
        answer = await wire.venue(device_at(STATION)).post(
            "/devices", json=device | {"name_zh": f"门{sign}"}, headers={"Idempotency-Key": "k"}
        )
        assert said(answer) == (400, "request.malformed")


async def test_people_have_no_such_signs_in_their_names_whoever_names_them(
    wire: Wire, card: Certificate, police: httpx.AsyncClient, clock: StoppedClock
) -> None:
    wish, register = a_wish(STRANGER, clock.now()), {"kind_code": ID_CARD, "revision": 1, "state": "issued"}
    asked = the_card_of(STRANGER) | {"values": {}}  # of the names in it, the holder's alone
    entry = register | {"certificate": {name: asked[name] for name in ("holder", "values", "valid_from")}}
    await refused_spoiled(wire.resident(card.person_id), "PUT", f"/mandates/{uuid4()}", wish, 1)
    await refused_spoiled(police, "PUT", "/guardianships/JH-1", guardianship(STRANGER, CHILD), 2)
    await refused_spoiled(police, "POST", "/certificates", asked, 1)
    await refused_spoiled(police, "POST", f"/certificates/{card.certificate_id}/supersede", asked, 1)
    await refused_spoiled(police, "PUT", "/register/R-1", entry, 1)


async def test_who_signs_in_has_no_such_signs_in_their_name(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock
) -> None:
    who = next(one for one in PEOPLE if one.phone)
    async with an_entrance(db, redis, keys, clock) as entrance:
        token = (await entrance.sign_in(str(who.phone)))["access_token"]
        for sign in SIGNS:
            told = {"name": f"{who.name}{sign}", "id_number": who.id_number}
            answer = await entrance.ask("POST", "/resident/real-name", token, json=told)
            assert said(answer) == (400, "request.malformed"), repr(sign)


@pytest.mark.parametrize("field", ["address", "licence_class"])
async def test_what_a_certificate_says_has_no_such_signs(wallet: Wallet, police: httpx.AsyncClient, field: str) -> None:
    request = an_id_card("R-2") if field == "address" else a_licence("R-2")
    good = {"kind_code": request.kind_code, "values": request.values, "valid_from": "2020-01-01"}
    good["holder"] = {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name}
    first = await police.post("/certificates", json=good | {"reference": "R-1"})
    certificate_id = first.json()["certificate_id"]
    for text in (text for sign in SIGNS for text in spoiled(sign)):
        bad = good | {"values": request.values | {field: text}}
        entry = {name: bad[name] for name in ("holder", "values", "valid_from")}
        pushed = {"kind_code": request.kind_code, "revision": 1, "state": "issued", "certificate": entry}
        answers = [
            await police.post("/certificates", json=bad | {"reference": "R-2"}),
            await police.post(f"/certificates/{certificate_id}/supersede", json=bad | {"reference": "R-2"}),
            await police.put("/register/R-2", json=pushed),
        ]
        for answer in answers:
            assert said(answer) == (422, "wallet.value_refused"), (text, answer.text)
            assert answer.json()["field"] == field
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == 1


async def test_lines_with_such_signs_are_refused_each_with_its_reason_and_the_others_are_issued(
    police: httpx.AsyncClient,
) -> None:
    lines: list[dict[str, Any]] = []
    for sign in SIGNS:
        good, named_badly, valued_badly = (a_line(len(lines) + nth) for nth in range(3))
        named_badly["holder"]["name"] += sign
        valued_badly["values"] |= {"address": f"路{sign}1号"}
        lines += [good, named_badly, valued_badly]
    odd = [b'{"reference":"L-x","\\u0000\\u202e":1}', b'{"reference":"L-y\\u0000"}', b"\x00"]
    load_id = await opened(police)
    answer = await sent(police, load_id, ndjson([*lines, *odd]))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["issued"], answer.json()["refused"]) == (len(SIGNS), 2 * len(SIGNS) + len(odd))
    found = await refusals(police, load_id)
    whys = {(one["line"] - 1) % 3: (one["code"], one["field"]) for one in found if one["line"] <= len(lines)}
    assert whys == {1: ("request.malformed", "holder.name"), 2: ("wallet.value_refused", "address")}
    assert {one["code"] for one in found[-len(odd) :]} == {"request.malformed"}
    assert not any(sign in one["detail"] for one in found for sign in SIGNS)


LOOKED_FOR = ("text", "code", "client_id")
"""Texts that are only looked for among what we made."""


def texts_taken(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every text in the body of a request, by where it stands: the operation, then the names that lead to it."""
    schemas = document["components"]["schemas"]

    def inside(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from (("", one) for way in ("oneOf", "anyOf", "allOf") for one in schema.get(way, []))
        yield from ((f".{name}", one) for name, one in schema.get("properties", {}).items())
        every = [schema.get(way) for way in ("items", "additionalProperties")]
        yield from (("[]", one) for one in every if isinstance(one, dict))

    def walk(schema: dict[str, Any], where: str, above: frozenset[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in above:
            yield from walk(schemas[name], where, above | {name})
        if "string" in [*([kind] if isinstance(kind := schema.get("type"), str) else kind or [])]:
            yield where, schema
        for step, one in inside(schema):
            yield from walk(one, where + step, above)

    for methods in document["paths"].values():
        for operation in methods.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            for media in body.get("content", {}).values():
                yield from walk(media["schema"], operation["operationId"], frozenset())


def lets_through(schema: dict[str, Any]) -> str:
    """The signs that a described text may have."""
    if {"enum", "const", "format"} & schema.keys():
        return ""
    pattern = re.compile(schema.get("pattern", ""))
    texts = {sign: (f"{sign}", f"a{sign}", f"a{sign}a") for sign in SIGNS}
    return "".join(sign for sign, tried in texts.items() if any(pattern.search(text) for text in tried))


def test_no_text_that_is_kept_may_have_such_signs_but_line_feeds_where_people_write_several_lines() -> None:
    found = {
        f"{name} {where}": signs
        for name, document in describing.documents().items()
        for where, schema in texts_taken(document)
        if (signs := lets_through(schema)) and where.rpartition(".")[2] not in LOOKED_FOR
    }
    by_its_kind = (
        "issueCertificate.values[]",
        "supersedeCertificate.values[]",
        "putRegisterEntry.certificate.values[]",
        "sendMessage.values[]",
        "previewText.values[]",
        "sendBatchLines",
    )
    several_lines = (
        "department sendNotice.body",
        "resident appealAgainstStrike.reason",
        "mini appealAgainstStrike.reason",
        *(f"department {way}Text.content.{spoken}.body" for way in ("write", "rewrite") for spoken in ("zh", "en")),
    )
    assert {found.pop(where) for where in several_lines} == {"\n"}
    assert {where: len(signs) for where, signs in found.items()} == {
        "public checkProof.name": len(SIGNS),  # compared with a name, and forgotten
        **{f"department {where}": len(SIGNS) for where in by_its_kind},  # see the tests above
    }
