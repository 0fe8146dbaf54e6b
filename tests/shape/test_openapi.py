"""The API descriptions are what the code serves, say what there is to say, and keep what was released."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from gateway import describing
from tests.shape.compatibility import broken, operations
from tests.shape.tree import ROOT, tracked

FOLDER = ROOT / "openapi"
FIRST_LINE_MAX = 120


@cache
def documents() -> dict[str, dict[str, Any]]:
    """What the code serves now, as JSON has it."""
    return {name: json.loads(json.dumps(document)) for name, document in describing.every_document().items()}


def unsaid(document: dict[str, Any]) -> list[str]:
    """What operations leave open: their id, their purpose, or how they refuse."""
    found = []
    for path, method, operation in operations(document):
        at = f"{method.upper()} {path}"
        found += [f"{at}: no {word}" for word in ("operationId", "summary") if not operation.get(word)]
        if len(operation.get("summary", "")) > FIRST_LINE_MAX:
            found.append(f"{at}: its summary is longer than {FIRST_LINE_MAX} characters")
        answers = operation.get("responses", {})
        proofs = operation.get("security", document.get("security"))
        if proofs and {} not in proofs and "401" not in answers:
            found.append(f"{at}: not documented that it refuses who is not signed in")
        if (operation.get("parameters") or operation.get("requestBody")) and not any(
            status[0] == "4" for status in answers
        ):
            found.append(f"{at}: no refusal is documented")
        if not any(status[0] in "23" for status in answers):
            found.append(f"{at}: no answer is documented")
    ids = Counter(operation.get("operationId") for _, _, operation in operations(document))
    return found + [f"{name}: {times} operations of this id" for name, times in ids.items() if times > 1]


@pytest.mark.parametrize("audience", ["public", "resident", "mini", "venue", "department", "operator", "notify"])
def test_the_committed_description_is_what_the_code_serves(audience: str) -> None:
    committed = json.loads((FOLDER / f"{audience}.json").read_text(encoding="utf-8"))
    assert committed == documents()[audience], "run make openapi"


def test_every_description_is_committed_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(documents())


def test_every_operation_says_its_name_its_purpose_and_its_refusals() -> None:
    assert [f"{name} {line}" for name, document in documents().items() for line in unsaid(document)] == []


def test_an_operation_that_says_too_little_is_noticed() -> None:
    whole = {"operationId": "a", "summary": "A", "parameters": [{}], "responses": {"200": {}, "404": {}}}
    assert unsaid({"paths": {"/a": {"get": whole}}}) == []
    for word in ("operationId", "summary", "responses"):
        assert unsaid({"paths": {"/a": {"get": {key: value for key, value in whole.items() if key != word}}}}) != []
    assert unsaid({"paths": {"/a": {"get": whole | {"responses": {"200": {}}}}}}) != []
    assert unsaid({"paths": {"/a": {"get": whole | {"security": [{"accessToken": []}]}}}}) != []
    assert unsaid({"paths": {"/a": {"get": whole | {"security": [{"accessToken": []}, {}]}}}}) == []
    assert unsaid({"paths": {"/a": {"get": whole, "put": whole}}}) != []


def test_what_was_released_is_still_kept() -> None:
    released = [path for path in tracked() if path.startswith("openapi/released/") and path.endswith(".json")]
    for path in released:
        name = path.rsplit("/", 1)[1].removesuffix(".json")
        assert broken(json.loads((ROOT / path).read_text(encoding="utf-8")), documents().get(name, {})) == [], path


RELEASED: dict[str, Any] = {
    "paths": {
        "/bookings/{id}": {
            "put": {
                "operationId": "book",
                "parameters": [{"in": "path", "name": "id", "required": True}, {"in": "query", "name": "q"}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}}},
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/View"}}}}
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Asked": {
                "type": "object",
                "required": ["slot"],
                "properties": {"slot": {"type": "string"}, "note": {"type": "string", "enum": ["a", "b"]}},
            },
            "View": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "places": {"type": "array", "items": {"type": "integer"}}},
            },
        }
    },
}


def edited(edit: Callable[[dict[str, Any], dict[str, Any]], object]) -> dict[str, Any]:
    document = copy.deepcopy(RELEASED)
    edit(document["paths"]["/bookings/{id}"], document["components"]["schemas"])
    return document


@pytest.mark.parametrize(
    "edit",
    [
        lambda path, schemas: path.clear(),
        lambda path, schemas: path["put"].update(operationId="bookPlace"),
        lambda path, schemas: path["put"]["parameters"].pop(),
        lambda path, schemas: path["put"]["parameters"][1].update(required=True),
        lambda path, schemas: path["put"]["parameters"].append({"in": "header", "name": "x", "required": True}),
        lambda path, schemas: path["put"]["responses"].pop("201"),
        lambda path, schemas: path["put"]["requestBody"].update(required=True),
        lambda path, schemas: path["put"]["requestBody"].update(content={}),
        lambda path, schemas: schemas["Asked"]["properties"].pop("note"),
        lambda path, schemas: schemas["Asked"]["required"].append("note"),
        lambda path, schemas: schemas["Asked"]["properties"]["note"].update(enum=["a"]),
        lambda path, schemas: schemas["Asked"]["properties"]["slot"].update(enum=["a"]),
        lambda path, schemas: schemas["Asked"]["properties"]["slot"].update(type="integer"),
        lambda path, schemas: schemas["View"]["properties"].pop("places"),
        lambda path, schemas: schemas["View"]["required"].clear(),
        lambda path, schemas: schemas["View"]["properties"]["places"]["items"].update(type="string"),
    ],
)
def test_a_broken_promise_is_noticed(edit: Callable[[dict[str, Any], dict[str, Any]], object]) -> None:
    assert broken(RELEASED, edited(edit)) != []


def test_what_only_adds_breaks_nothing() -> None:
    def add(path: dict[str, Any], schemas: dict[str, Any]) -> None:
        path["get"] = path["put"]
        path["put"]["parameters"].append({"in": "query", "name": "more"})
        path["put"]["responses"]["409"] = {}
        schemas["Asked"]["properties"]["more"] = {"type": "string"}
        schemas["Asked"]["properties"]["note"]["enum"].append("c")
        schemas["View"]["properties"]["more"] = {"type": "string"}
        schemas["View"]["required"].append("more")

    assert broken(RELEASED, edited(add)) == []
