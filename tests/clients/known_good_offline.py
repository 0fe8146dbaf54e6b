"""Good requests about codes without network, the scans of them, the log of the ledger, and status lists."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.builders_joining import NewDevice
from tests.clients.everybody import SCENARIO, Everybody, awaited, last_segment
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_institutions import venue

PUBLIC, VENUE = Audience.PUBLIC, Audience.VENUE
BOTH: Final = (Audience.RESIDENT, Audience.MINI)

plain(PUBLIC, "listStatusLists")
plain(VENUE, "readBundle", "listFindings")


@good("listVenueFindings", Audience.OPERATOR)
def _(everybody: Everybody) -> Good:
    venue_id = str(uuid4())
    everybody.ask("PUT", f"/operator/venues/{venue_id}", everybody.operator.access_token, json=venue())
    return Good({"venue_id": venue_id})


def to_show(everybody: Everybody) -> dict[str, Any]:
    return {"scenario_code": SCENARIO, "certificates": [{"certificate_id": everybody.certificate_id}]}


@good("showOffline", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good(body=to_show(everybody))


@good("preIssueCodes", *BOTH)
def _(everybody: Everybody) -> Good:
    keys = [NewDevice().public_jwk() for _ in range(2)]
    return Good(body={**to_show(everybody), "holder_keys": keys, "lifetime_seconds": 3600})


@good("uploadScans", VENUE)
def _(everybody: Everybody) -> Good:
    token = everybody.resident.access_token
    shown = everybody.ask("POST", "/resident/offline-codes", token, json=to_show(everybody)).json()
    scanned = {"use_id": str(uuid4()), "scanned_at": datetime.now(UTC).isoformat(), "verdict": "valid"}
    return Good(body={"scans": [{"code": shown["text"], **scanned}]})


# --- the log of the ledger ---------------------------------------------------------------------------------------


def scanned(everybody: Everybody) -> str:
    """The `use_id` of a scan just made."""
    use_id = str(uuid4())
    everybody.ask(
        "POST", "/venue/verifications", everybody.gate, json={"code": everybody.code()["text"], "use_id": use_id}
    )
    return use_id


def latest_size(everybody: Everybody) -> int:
    """How many records the log had when its latest checkpoint was signed: one at least."""

    def look() -> int | None:
        answer = everybody.city.http.get("/ledger/checkpoint")
        size = int(answer.text.splitlines()[1]) if answer.status_code == 200 else 0
        return size or None

    if look() is None:
        scanned(everybody)
    return awaited(look, "a checkpoint of what was scanned")


def logged(everybody: Everybody, path: str, token: str, **query: str) -> None:
    """Wait until the log has a record that can be asked for under this path."""
    headers = {"Authorization": f"Bearer {token}"}

    def look() -> bool | None:
        return everybody.city.http.get(path, headers=headers, params=query).status_code == 200 or None

    awaited(look, "a record in the log")


@good("readCheckpoint", PUBLIC)
def _(everybody: Everybody) -> Good:
    latest_size(everybody)
    return Good()


@good("readCheckpointOfSize", PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good({"size": latest_size(everybody)})


@good("proveConsistency", PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good({"size": latest_size(everybody)}, {"from": 1})


@good("proveUse", *BOTH)
def _(everybody: Everybody) -> Good:
    scanned(everybody)
    token = everybody.resident.access_token
    look = everybody.ask("GET", "/resident/uses", token).json()["uses"][0]["look"]
    logged(everybody, f"/resident/uses/{look}/proof", token)
    return Good({"look": look})


@good("proveVerification", VENUE)
def _(everybody: Everybody) -> Good:
    use_id, near = scanned(everybody), datetime.now(UTC).isoformat()
    logged(everybody, f"/venue/uses/{use_id}/proof", everybody.gate, near=near)
    return Good({"use_id": use_id}, {"near": near})


# --- status lists ------------------------------------------------------------------------------------------------


@good("readStatusList", PUBLIC)
def _(everybody: Everybody) -> Good:
    def look() -> str | None:
        found = everybody.ask("GET", "/status-lists").json()["status_lists"]
        return last_segment(found[0]) if found else None

    return Good({"list_id": awaited(look, "a status list")})
