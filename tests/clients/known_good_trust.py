"""Good requests for what the city publishes, for exports, and for the cities that operators recognise."""

from typing import Any, Final

from kernel.clock import SystemClock
from kernel.principal import Audience
from tests.clients.everybody import Everybody, awaited
from tests.clients.known_good import Good, good, plain
from tests.other_city import OtherCity

PUBLIC, OPERATOR = Audience.PUBLIC, Audience.OPERATOR
CITY_OF_TESTS: Final = "330100"
RECOGNISED: Final = f"/operator/trusted-cities/{CITY_OF_TESTS}"

plain(PUBLIC, "readTrustList", "readTrustRoots", "readCredentialIssuer")
plain(OPERATOR, "listTrustedCities")


def published_lists(everybody: Everybody) -> list[str]:
    """The addresses of the status lists, once the worker has built some."""

    def look() -> list[str] | None:
        found: list[str] = everybody.ask("GET", "/status-lists").json()["status_lists"]
        return found or None

    return awaited(look, "a status list")


def held_kind(everybody: Everybody) -> str:
    path = f"/resident/certificates/{everybody.certificate_id}"
    kind_code: str = everybody.ask("GET", path, everybody.resident.access_token).json()["kind_code"]
    return kind_code


def recognition(everybody: Everybody) -> dict[str, Any]:
    city = OtherCity(SystemClock())
    return {
        "issuer": city.issuer,
        "name_zh": "外市",
        "name_en": "Another city",
        "roots": [dict(city.root.public.jwk)],
        "kinds": {"11330000DEMH0001XX001": held_kind(everybody)},
    }


@good("readCredentialType", PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good({"kind_code": held_kind(everybody)})


@good("exportCertificate", Audience.RESIDENT, Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.certificate_id}, body={"fields": ["name"]})


@good("putTrustedCity", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"region_code": CITY_OF_TESTS}, body=recognition(everybody))


@good("withdrawTrustedCity", OPERATOR)
def _(everybody: Everybody) -> Good:
    everybody.ask("PUT", RECOGNISED, everybody.operator.access_token, json=recognition(everybody))
    return Good({"region_code": CITY_OF_TESTS})


@good("putTrustListOfCity", OPERATOR)
def _(everybody: Everybody) -> Good:
    everybody.ask("PUT", RECOGNISED, everybody.operator.access_token, json=recognition(everybody))
    city = OtherCity(SystemClock())
    return Good({"region_code": CITY_OF_TESTS}, body={"token": city.trust_list(sequence=city.now)})
