"""Good requests about printed proofs: residents print, whoever holds the paper checks."""

from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.clients.everybody import Everybody, fields_of, last_segment
from tests.clients.known_good import Good, good

PRINTABLE: Final = "无犯罪记录证明"


@good("printProof", Audience.RESIDENT, Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": printable(everybody)}, headers={"Accept": "application/json"})


@good("listProofs", Audience.RESIDENT, Audience.MINI)
def _(everybody: Everybody) -> Good:
    printed(everybody)
    return Good(query={"limit": "5"})


@good("openProof", Audience.PUBLIC)
def _(_: Everybody) -> Good:
    return Good({"token": "A" * 26})


@good("checkProof", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    person = everybody.person
    return Good({"token": printed(everybody)}, body={"name": person.name, "last_four": person.id_number[-4:]})


def printable(everybody: Everybody) -> str:
    """The id of a certificate of the resident's that can be printed."""
    kinds: list[dict[str, Any]] = everybody.ask("GET", "/department/kinds", everybody.police).json()["kinds"]
    kind = next(one for one in kinds if one["name_zh"] == PRINTABLE)
    person = everybody.person
    return everybody.issued(
        {
            "reference": f"clients-{uuid4()}",
            "kind_code": kind["kind_code"],
            "holder": {"id_number": person.id_number, "name": person.name},
            "values": fields_of(kind, person),
            "valid_from": everybody.now.date().isoformat(),
        }
    )


def printed(everybody: Everybody) -> str:
    """The token of a proof just printed."""
    headers = {"Authorization": f"Bearer {everybody.resident.access_token}", "Accept": "application/json"}
    path = f"/resident/certificates/{printable(everybody)}/proofs"
    answer = everybody.city.http.post(path, headers=headers).raise_for_status()
    return last_segment(str(answer.json()["text"]))
