"""One request for every operation that the city is bound to answer well, made just before it is sent.

Registered by audience and operationId: here those of everybody, and in the modules named after who asks.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from appointments.model import office_id_of, service_id_of
from kernel.ids import AccountId, PersonId, SessionId, uuid7
from kernel.principal import Audience, Resident
from tests.clients.everybody import Everybody, last_segment
from tests.clients.served_city import ALWAYS_OPEN, DESK_OFFICE

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


class Good(msgspec.Struct, frozen=True):
    """What is sent, and as whom: None leaves it to the audience's own caller."""

    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: Any = None
    media: str = JSON
    token: str | None = None


Maker = Callable[[Everybody], Good]
MAKERS: Final[dict[tuple[Audience, str], Maker]] = {}


def known_good(audience: Audience, operation_id: str) -> Maker | None:
    """How to make a good request, or None for an operation that nobody has told us about."""
    return MAKERS.get((audience, operation_id))


def good(operation_id: str, *audiences: Audience) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        for audience in audiences:
            assert (audience, operation_id) not in MAKERS
            MAKERS[audience, operation_id] = maker
        return maker

    return register


def plain(audience: Audience, *operation_ids: str) -> None:
    """Operations that need nothing but their caller."""
    for operation_id in operation_ids:
        good(operation_id, audience)(lambda _: Good())


plain(Audience.PUBLIC, "readPublicKeys", "readCast", "readDemoOutbox", "isLive", "isReady")


@good("openCode", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good({"token": last_segment(everybody.code()["text"])})


@good("openAsk", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good({"token": last_segment(everybody.asked()["text"])})


@good("ageCode", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good(body={"code_text": everybody.code()["text"], "seconds": 30})


@good("ageHold", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    now, booking_id = datetime.now(UTC), str(uuid4())
    person_id = PersonId(uuid4())
    token = everybody.city.minted(Resident(AccountId(uuid7(now)), SessionId(uuid7(now)), person_id), Audience.RESIDENT)
    everybody.ask("PUT", f"/resident/holds/{booking_id}", token, json={"slot_id": everybody.free_slot()})
    return Good(body={"person_id": str(person_id), "booking_id": booking_id, "seconds": 1})


@good("playVisit", Audience.PUBLIC)
def _(_: Everybody) -> Good:
    visit = {"booking_id": str(uuid4()), "person_id": str(uuid4()), "starts_at": datetime.now(UTC).isoformat()}
    return Good(
        body={**visit, "office_id": str(office_id_of(DESK_OFFICE)), "service_id": str(service_id_of(ALWAYS_OPEN))}
    )


@good("searchDemoOutbox", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good(body={"phone": everybody.person.phone})


@good("writeBack", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    return Good(body={"phone": everybody.person.phone, "text": "收到，谢谢"})


@good("playReminders", Audience.PUBLIC)
def _(_: Everybody) -> Good:
    return Good(body={"as_of": (datetime.now(UTC) + timedelta(minutes=5)).isoformat()})
