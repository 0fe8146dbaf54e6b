"""Good requests of organisations that apply, of operators who decide, and of venues that keep their devices."""

from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.builders_joining import NewDevice, an_application, granting
from tests.clients.everybody import SCENARIO, Everybody
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_institutions import venue

PUBLIC, VENUE, OPERATOR = Audience.PUBLIC, Audience.VENUE, Audience.OPERATOR
WANTED: Final = {"scenario_code": SCENARIO, "purpose": "核对到访人", "looks_per_day": 100}

plain(PUBLIC, "listOfferedScenarios")
plain(OPERATOR, "listKinds", "listIssuers", "listScenarios", "listVenues", "listVenueDevices", "listVenueApplications")
plain(VENUE, "listDevices")


def application() -> dict[str, Any]:
    return an_application(NewDevice(), WANTED)


def filed(everybody: Everybody) -> tuple[str, str]:
    """The id and the secret of an application just filed."""
    application_id = str(uuid4())
    answer = everybody.ask("PUT", f"/venue-applications/{application_id}", json=application())
    return application_id, str(answer.json()["secret"])


@good("fileVenueApplication", PUBLIC)
def _(_: Everybody) -> Good:
    return Good({"application_id": str(uuid4())}, body=application())


@good("readVenueApplication", PUBLIC)
def _(everybody: Everybody) -> Good:
    application_id, secret = filed(everybody)
    return Good({"application_id": application_id}, headers={"Application-Secret": secret})


@good("withdrawVenueApplication", PUBLIC)
def _(everybody: Everybody) -> Good:
    application_id, secret = filed(everybody)
    return Good({"application_id": application_id}, headers={"Application-Secret": secret})


@good("lookAtVenueApplication", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"application_id": filed(everybody)[0]})


@good("approveVenueApplication", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"application_id": filed(everybody)[0]}, body=granting(SCENARIO))


@good("rejectVenueApplication", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"application_id": filed(everybody)[0]}, body={"reason": "用途不清"})


@good("putTerms", OPERATOR)
def _(everybody: Everybody) -> Good:
    venue_id = str(uuid4())
    everybody.ask("PUT", f"/operator/venues/{venue_id}", everybody.operator.access_token, json=venue())
    terms = {"days": ["sat", "sun"], "opens": "09:00", "closes": "24:00", "quota_per_day": 500}
    return Good({"venue_id": venue_id, "scenario_code": SCENARIO}, body=terms)


@good("enrolDevice", VENUE)
def _(_: Everybody) -> Good:
    return Good(headers={"Idempotency-Key": str(uuid4())}, body=NewDevice().body())


@good("withdrawOwnDevice", VENUE)
def _(everybody: Everybody) -> Good:
    headers = {"Idempotency-Key": str(uuid4()), "Authorization": f"Bearer {everybody.gate}"}
    enrolled = everybody.city.http.post("/venue/devices", headers=headers, json=NewDevice().body())
    return Good({"device_id": enrolled.raise_for_status().json()["device_id"]})
