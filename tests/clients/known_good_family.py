"""Good requests about what is shown together, mandates, guardianships and the ledger taken along."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.clients.everybody import SCENARIO, Everybody
from tests.clients.known_good import Good, good, plain

BOTH: Final = (Audience.RESIDENT, Audience.MINI)
DEPARTMENT: Final = Audience.DEPARTMENT

for _audience in BOTH:
    plain(_audience, "listMandates", "exportUses")


@good("presentCertificates", *BOTH)
def _(everybody: Everybody) -> Good:
    certificates = [{"certificate_id": everybody.certificate_id}]
    return Good(body={"scenario_code": SCENARIO, "certificates": certificates})


@good("giveMandate", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good({"mandate_id": str(uuid4())}, body=mandate(everybody))


@good("revokeMandate", *BOTH)
def _(everybody: Everybody) -> Good:
    mandate_id = str(uuid4())
    path = f"/resident/mandates/{mandate_id}"
    everybody.ask("PUT", path, everybody.resident.access_token, json=mandate(everybody))
    return Good({"mandate_id": mandate_id})


@good("listMandateCertificates", *BOTH)
def _(everybody: Everybody) -> Good:
    guarding(everybody)
    held = everybody.ask("GET", "/resident/mandates", everybody.resident.access_token).json()["held"]
    return Good({"mandate_id": next(one["mandate_id"] for one in held if one["state"] == "standing")})


@good("putGuardianship", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"reference": str(uuid4())}, body=guardianship(everybody))


@good("endGuardianship", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"reference": guarding(everybody)})


def mandate(everybody: Everybody) -> dict[str, Any]:
    """For a minute: so many can stand at once, and no more."""
    agent = {"id_number": everybody.stranger.id_number, "name": everybody.stranger.name}
    return {"agent": agent, "expires_at": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}


def guarding(everybody: Everybody) -> str:
    """The reference of a guardianship of the resident's, just registered."""
    reference = str(uuid4())
    everybody.ask("PUT", f"/department/guardianships/{reference}", everybody.police, json=guardianship(everybody))
    return reference


def guardianship(everybody: Everybody) -> dict[str, Any]:
    ward, guardian = everybody.stranger, everybody.person
    return {
        "guardian": {"id_number": guardian.id_number, "name": guardian.name},
        "ward": {"id_number": ward.id_number, "name": ward.name},
        "until": (date.today() + timedelta(days=30)).isoformat(),  # noqa: DTZ011
    }
