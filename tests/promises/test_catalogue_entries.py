"""Entries of the catalogue (GB/T 36902): whole when they are put, sound, read back page by page, and never widened by
the way."""

from typing import Any

import pytest

from tests.builders_wallet import ID_CARD, KINDS, MUSEUM, POLICE, STATION
from tests.wire_wallet import Wire
from wallet.model import Words
from wallet.parts import Wallet

CODE = f"{POLICE}777"
WORDS = {"name_zh": "入", "name_en": "In", "purpose_zh": "看", "purpose_en": "See"}


def a_field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "label_zh": name, "label_en": name, "type": kind, "sensitivity": "personal"} | more


def a_question(name: str, field: str, test: str, **operand: Any) -> dict[str, Any]:
    return {"name": name, "label_zh": name, "label_en": name, "field": field, "test": test} | operand


ADULT = a_question("age_at_least_18", "birth_date", "age_at_least", number=18)


def a_kind(**changed: Any) -> dict[str, Any]:
    fields = [
        a_field("birth_date", "date"),
        a_field("address", "text"),
        a_field("class", "code", codes=["C1", "C2"]),
        a_field("points", "integer"),
        a_field("is_fit", "boolean"),
    ]
    return {
        "name_zh": "证", "name_en": "Card", "fields": fields, "face_colour": "#123456", "layout": "card",
        "predicates": [ADULT], **changed,
    }  # fmt: skip


async def put(wallet: Wallet, path: str, body: dict[str, Any], status: int = 204) -> str:
    """The code of the refusal, if it is one; afterwards the process knows the change."""
    answer = await Wire(wallet).operator().put(path, json=body)
    assert answer.status_code == status, answer.text
    await wallet.snapshots[0].refresh()
    return "" if status < 400 else str(answer.json()["code"])


async def test_an_entry_is_read_back_as_it_was_put(wallet: Wallet) -> None:
    questions = [
        ADULT,
        a_question("lives_here", "address", "starts_with", texts=["上海市"]),
        a_question("drives_c1", "class", "one_of", texts=["C1"]),
        a_question("has_100", "points", "at_least", number=100),
        a_question("fit", "is_fit", "is_true"),
    ]
    body = a_kind(
        predicates=questions, organ_zh="出入境管理局", organ_en="Exit and Entry", face=["class", "birth_date"],
        is_offline=False, is_printable=True, proves_guardianship=True, valid_days=90,
    )  # fmt: skip
    await put(wallet, f"/kinds/{CODE}", body)
    kinds = (await Wire(wallet).operator().get("/kinds")).json()["kinds"]
    [read] = [kind for kind in kinds if kind["kind_code"] == CODE]
    for name in ("organ_zh", "face", "is_offline", "is_printable", "proves_guardianship", "valid_days"):
        assert read[name] == body[name]
    assert [{k: v for k, v in one.items() if v not in (None, [])} for one in read["predicates"]] == questions
    kind = wallet.catalogue().kinds[CODE]
    assert (kind.organ, kind.face) == (Words("出入境管理局", "Exit and Entry"), ("class", "birth_date"))


async def test_what_an_entry_leaves_out_has_a_sensible_default(wallet: Wallet) -> None:
    body = a_kind()
    del body["predicates"]
    await put(wallet, f"/kinds/{CODE}", body)
    kind = wallet.catalogue().kinds[CODE]
    assert (kind.predicates, kind.face, kind.is_offline, kind.is_printable) == ((), (), True, False)


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"predicates": [ADULT, ADULT]}, "catalogue_incomplete"),
        ({"predicates": [ADULT | {"name": "class"}]}, "catalogue_incomplete"),
        ({"predicates": [ADULT | {"name": "identifier"}]}, "catalogue_incomplete"),
        ({"face": ["no_such_field"]}, "catalogue_incomplete"),
        ({"face": ["age_at_least_18"]}, "catalogue_incomplete"),
        ({"face": ["class", "class"]}, "catalogue_incomplete"),
        ({"predicates": [ADULT | {"field": "no_such_field"}]}, "predicate_unsound"),
        ({"predicates": [ADULT | {"field": "address"}]}, "predicate_unsound"),
        ({"predicates": [ADULT | {"number": None}]}, "predicate_unsound"),
        ({"predicates": [ADULT | {"number": 151}]}, "predicate_unsound"),
        ({"predicates": [ADULT | {"number": -1}]}, "predicate_unsound"),
        ({"predicates": [ADULT | {"texts": ["18"]}]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "points", "age_at_least", number=18)]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "birth_date", "at_least", number=18)]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "is_fit", "is_true", number=1)]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "class", "is_true")]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "class", "one_of")]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "class", "one_of", texts=["B9"])]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "points", "one_of", texts=["1"])]}, "predicate_unsound"),
        ({"predicates": [a_question("q", "birth_date", "starts_with", texts=["19"])]}, "predicate_unsound"),
    ],
)
async def test_an_entry_that_makes_no_sense_is_refused(wallet: Wallet, changed: dict[str, Any], code: str) -> None:
    assert await put(wallet, f"/kinds/{CODE}", a_kind(**changed), 422) == f"wallet.{code}"
    assert CODE not in wallet.catalogue().kinds


async def test_a_scenario_may_be_granted_questions_and_what_it_is_granted_is_not_taken_away(wallet: Wallet) -> None:
    await put(wallet, f"/kinds/{CODE}", a_kind())
    await put(wallet, "/scenarios/a.b", WORDS | {"grants": {CODE: ["age_at_least_18", "class"]}})
    assert await put(wallet, f"/kinds/{CODE}", a_kind(predicates=[]), 422) == "wallet.catalogue_incomplete"
    without = [field for field in a_kind()["fields"] if field["name"] != "class"]
    assert await put(wallet, f"/kinds/{CODE}", a_kind(fields=without), 422) == "wallet.catalogue_incomplete"
    await put(wallet, "/scenarios/a.b", WORDS | {"grants": {CODE: ["birth_date"]}})
    await put(wallet, f"/kinds/{CODE}", a_kind(predicates=[], fields=without))


async def test_a_question_never_turns_into_a_value_for_whoever_was_granted_a_yes_or_no(wallet: Wallet) -> None:
    await put(wallet, f"/kinds/{CODE}", a_kind())
    await put(wallet, "/scenarios/a.b", WORDS | {"grants": {CODE: ["age_at_least_18"]}})
    fields = [*a_kind()["fields"], a_field("age_at_least_18", "date")]
    changed = a_kind(predicates=[], fields=fields)
    assert await put(wallet, f"/kinds/{CODE}", changed, 422) == "wallet.catalogue_incomplete"
    await put(wallet, "/scenarios/a.b", WORDS | {"grants": {}})
    await put(wallet, f"/kinds/{CODE}", changed)


async def test_terms_narrow_a_scenario_and_stay_when_the_venue_is_put_again(wallet: Wallet) -> None:
    terms = {
        "grants": {ID_CARD: ["name"]}, "days": ["mon", "fri"], "opens": "08:30", "closes": "17:30",
        "quota_per_day": 5, "granted_until": "2030-01-31",
    }  # fmt: skip
    await put(wallet, f"/venues/{STATION}/scenarios/station.entry", terms)
    await put(wallet, f"/venues/{STATION}/scenarios/museum.entry", {})
    venue = wallet.catalogue().venues[STATION]
    assert venue.scenario_codes == {"station.entry", "museum.entry"}
    assert set(venue.terms) == {"station.entry"}
    held = venue.terms["station.entry"]
    assert (held.days, held.opens_minute, held.closes_minute, held.quota_per_day) == (0b10001, 510, 1050, 5)
    itself = {
        "sort": "station", "credit_code": "12310104DEMB0001XX", "name_zh": "站", "name_en": "S", "district": "310104",
        "address": "路1号", "scenario_codes": ["station.entry"],
    }  # fmt: skip
    await put(wallet, f"/venues/{STATION}", itself)
    assert wallet.catalogue().venues[STATION].terms == {"station.entry": held}
    listed = (await Wire(wallet).operator().get("/venues")).json()["venues"]
    [read] = [one for one in listed if one["venue_id"] == str(STATION)]
    assert read["terms"]["station.entry"] == terms
    await put(wallet, f"/venues/{STATION}/scenarios/station.entry", {})
    assert wallet.catalogue().venues[STATION].terms == {}
    await put(wallet, f"/venues/{STATION}", itself | {"scenario_codes": []})
    assert wallet.catalogue().venues[STATION].scenario_codes == frozenset()


@pytest.mark.parametrize(
    "path, terms, status, code",
    [
        (f"/venues/{STATION}/scenarios/no.such", {}, 422, "wallet.catalogue_incomplete"),
        (f"/venues/{KINDS[0].kind_code}/scenarios/station.entry", {}, 404, "request.no_such_path"),
        ("/venues/00000000-0000-4000-8000-000000000000/scenarios/station.entry", {}, 404, "wallet.venue_not_found"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"grants": {ID_CARD: ["id_number"]}}, 422, "wallet.terms_refused"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"grants": {CODE: ["name"]}}, 422, "wallet.terms_refused"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"opens": "08:00", "closes": "08:00"},
         422, "wallet.terms_refused"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"closes": "08:00"}, 422, "wallet.terms_refused"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"opens": "24:00", "closes": "08:00"}, 400, "request.malformed"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"days": []}, 400, "request.malformed"),
        (f"/venues/{MUSEUM}/scenarios/museum.entry", {"quota_per_day": 0}, 400, "request.malformed"),
    ],
)  # fmt: skip
async def test_terms_that_cannot_be_are_refused(
    wallet: Wallet, path: str, terms: dict[str, Any], status: int, code: str
) -> None:
    assert await put(wallet, path, terms, status) == code


@pytest.mark.parametrize("path, member", [("kinds", "kind_code"), ("issuers", "issuer_code"), ("devices", "device_id"),
                                          ("scenarios", "scenario_code"), ("venues", "venue_id")])  # fmt: skip
async def test_an_operator_reads_all_there_is_page_by_page(wallet: Wallet, path: str, member: str) -> None:
    operator, found, cursor = Wire(wallet).operator(), [], ""
    while cursor is not None:
        page = (await operator.get(f"/{path}?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        assert len(page[path]) <= 2
        found += [one[member] for one in page[path]]
        cursor = page["next_cursor"]
    assert sorted(map(str, getattr(wallet.catalogue(), path))) == sorted(found)
    assert len(set(found)) == len(found)


async def test_the_devices_of_one_venue_are_listed_alone(wallet: Wallet) -> None:
    devices = (await Wire(wallet).operator().get(f"/devices?venue_id={MUSEUM}")).json()["devices"]
    assert {one["venue_id"] for one in devices} == {str(MUSEUM)}
    assert len(devices) == 3


async def test_what_has_not_changed_is_not_sent_again(wallet: Wallet) -> None:
    for client, path in (
        (Wire(wallet).operator(), "/kinds"),
        (Wire(wallet).operator(), "/venues"),
        (Wire(wallet).anybody(), "/scenarios"),
    ):
        first = await client.get(path)
        tag = first.headers["ETag"]
        assert (first.status_code, tag[0], tag[-1]) == (200, '"', '"')
        for known in (tag, f'W/{tag}, "other"', f'"a, b", {tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        for unknown in ('"other"', tag.strip('"'), ""):
            assert (await client.get(path, headers={"If-None-Match": unknown})).content == first.content


async def test_what_has_changed_is_sent_under_another_tag(wallet: Wallet) -> None:
    operator = Wire(wallet).operator()
    tag = (await operator.get("/kinds")).headers["ETag"]
    await put(wallet, f"/kinds/{CODE}", a_kind())
    changed = await operator.get("/kinds", headers={"If-None-Match": tag})
    assert (changed.status_code, CODE in changed.text) == (200, True)
    assert changed.headers["ETag"] != tag


async def test_anybody_may_read_for_what_venues_look(wallet: Wallet) -> None:
    scenarios = (await Wire(wallet).anybody().get("/scenarios")).json()["scenarios"]
    assert {one["scenario_code"] for one in scenarios} == set(wallet.catalogue().scenarios)
    assert all(one["purpose_zh"] and one["shows"] for one in scenarios)
