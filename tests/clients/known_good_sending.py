"""Good requests by which departments send: keys, teams, single messages, batches, how much and for how long."""

import json
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import httpx
import schemathesis

from kernel.principal import Audience
from tests.builders_texts import READY_VALUES
from tests.clients.everybody import Everybody, awaited
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_callbacks import a_department
from tests.clients.known_good_loading import NDJSON
from tests.clients.known_good_texts import submitted

DEPARTMENT, OPERATOR = Audience.DEPARTMENT, Audience.OPERATOR
CSV: Final = "text/csv"
NOBODY: Final = "+8610000000001"
"""A number that stands for nobody."""
ROW: Final[dict[str, Any]] = {"phone": NOBODY, "values": READY_VALUES}

plain(DEPARTMENT, "listServiceKeys", "readTeam", "listSentMessages", "listBatches", "readStatistics", "readRetention")
plain(OPERATOR, "readEverybodysStatistics", "readSending", "listEverybodysBatches")


@schemathesis.serializer(CSV)
def as_cells(_context: Any, value: Any) -> bytes:
    """Whatever is made up goes as it is read."""
    return value if isinstance(value, bytes) else str(value).encode()


@lru_cache(maxsize=1)
def text_in_use(everybody: Everybody) -> str:
    """The id of a text of the police's that was approved, and is known by now."""
    handed_in = submitted(everybody)
    path = f"/operator/texts/{handed_in['text_id']}/versions/1/approve"
    everybody.ask("POST", path, everybody.operator.access_token, json={})
    return awaited(lambda: handed_in["text_id"] if _sends(everybody, handed_in["text_id"]) else None, "a text in use")


def _sends(everybody: Everybody, text_id: str) -> bool:
    headers = {"Authorization": f"Bearer {everybody.police}"}
    path = f"/department/texts/{text_id}/messages"
    answer: httpx.Response = everybody.city.http.post(path, json={**ROW, "kind": "test"}, headers=headers)
    return answer.status_code == 202


def sent(everybody: Everybody, **more: Any) -> str:
    """The id of a message just taken."""
    path = f"/department/texts/{text_in_use(everybody)}/messages"
    return str(everybody.ask("POST", path, everybody.police, json={**ROW, **more}).json()["message_id"])


def batch(everybody: Everybody, *steps: str, **plan: Any) -> str:
    """The id of a batch just opened, with a row that is good and one that is none, after these steps."""
    batch_id = str(uuid4())
    path = f"/department/batches/{batch_id}"
    wanted = {"name": "取件", "text_id": text_in_use(everybody), "lane": "result", **plan}
    everybody.ask("PUT", path, everybody.police, json=wanted)
    headers = {"Content-Type": NDJSON, "Authorization": f"Bearer {everybody.police}"}
    lines = json.dumps(ROW).encode() + b"\n?\n"
    everybody.city.http.post(f"{path}/lines?from=1", content=lines, headers=headers).raise_for_status()
    for step in steps:
        everybody.ask("POST", f"{path}/{step}", everybody.police, json={})
    return batch_id


def tomorrow(everybody: Everybody) -> str:
    return (everybody.now + timedelta(days=1)).isoformat()


@good("makeServiceKey", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"name": "program", "kind": "test"}, token=a_department(everybody))


@good("revokeServiceKey", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    token = a_department(everybody)
    made = everybody.ask("POST", "/department/keys", token, json={"name": "program", "kind": "test"}).json()
    return Good({"key_id": made["key_id"]}, token=token)


@good("addToTeam", DEPARTMENT)
@good("takeOffTeam", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"phone": everybody.person.phone}, token=a_department(everybody))


@good("sendMessage", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"text_id": text_in_use(everybody)}, body=ROW)


@good("readSentMessage", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"message_id": sent(everybody)})


@good("withdrawMessage", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"message_id": sent(everybody, send_at=tomorrow(everybody))})


@good("openBatch", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"batch_id": str(uuid4())}, body={"name": "取件", "text_id": text_in_use(everybody)})


@good("sendBatchLines", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"batch_id": batch(everybody)}, {"from": "3"}, body=ROW, media=NDJSON)


@good("readBatch", DEPARTMENT)
@good("listMissingRows", DEPARTMENT)
@good("listRefusedRows", DEPARTMENT)
@good("cancelBatch", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"batch_id": batch(everybody)})


@good("startBatch", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"batch_id": batch(everybody)}, body={})


@good("pauseBatch", DEPARTMENT)
@good("resumeBatch", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    """One that waits for its hour, paused: pausing it again changes nothing."""
    return Good({"batch_id": batch(everybody, "start", "pause", send_at=tomorrow(everybody))})


@good("pauseBatchOf", OPERATOR)
@good("cancelBatchOf", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(everybodys(everybody, batch(everybody, "start", send_at=tomorrow(everybody))))


@good("resumeBatchOf", OPERATOR)
def _(everybody: Everybody) -> Good:
    whose = everybodys(everybody, batch(everybody, "start", send_at=tomorrow(everybody)))
    path = f"/operator/batches/{whose['service_id']}/{whose['batch_id']}/pause"
    everybody.ask("POST", path, everybody.operator.access_token)
    return Good(whose)


def everybodys(everybody: Everybody, batch_id: str) -> dict[str, str]:
    """A batch just opened, as operators name it."""
    listed = everybody.ask("GET", "/operator/batches", everybody.operator.access_token).json()["batches"]
    [service_id] = [one["department_id"] for one in listed if one["batch"]["batch_id"] == batch_id]
    return {"service_id": service_id, "batch_id": batch_id}


@good("chooseRetention", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"days": 30}, token=a_department(everybody))


@good("readAllowance", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"service_id": str(uuid4())})


@good("setAllowance", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"service_id": str(uuid4())}, body={"per_minute": 100, "per_day": 1_000})
