"""Good requests by which certificates come in at scale: loads, entries of registers, collecting."""

import json
from typing import Any, Final
from uuid import uuid4

import schemathesis

from city.departments import parks_register
from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain

DEPARTMENT: Final = Audience.DEPARTMENT
NDJSON: Final = "application/x-ndjson"

for _audience in (Audience.RESIDENT, Audience.MINI):
    plain(_audience, "listCollectedKinds")


@schemathesis.serializer(NDJSON)
def one_line(_context: Any, value: Any) -> bytes:
    """Whatever is made up goes as one line of JSON; what is bytes already, as it is."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@good("openLoad", DEPARTMENT)
def _(_: Everybody) -> Good:
    return Good({"load_id": str(uuid4())})


@good("sendLines", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"load_id": everybody.load_id()}, {"from": "1"}, body=everybody.to_issue(), media=NDJSON)


@good("readLoad", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"load_id": everybody.load_id()})


@good("listRefusedLines", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    load_id = everybody.load_id()
    path, headers = f"/department/loads/{load_id}/lines", {"Content-Type": NDJSON}
    sent = {**headers, "Authorization": f"Bearer {everybody.police}"}
    everybody.city.http.post(path, params={"from": 1}, content=b"?\n", headers=sent).raise_for_status()
    return Good({"load_id": load_id})


@good("finishLoad", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"load_id": everybody.load_id()})


@good("putRegisterEntry", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    request = everybody.to_issue()
    reference, kind_code = request.pop("reference"), request.pop("kind_code")
    body = {"kind_code": kind_code, "revision": 1, "state": "issued", "certificate": request}
    return Good({"reference": reference}, body=body)


@good("reissueCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    headers = {"Idempotency-Key": str(uuid4())}
    return Good({"certificate_id": everybody.issued()}, headers=headers, body={"reason": "lost"})


@good("collectCertificates", Audience.RESIDENT, Audience.MINI)
def _(_: Everybody) -> Good:
    return Good(body={"kind_code": parks_register.KIND.code})
