"""What can be booked where: services and offices, hours that are free, and hours that a department gives by itself."""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from city.journey import calling
from city.journey.calling import Caller
from city.journey.stage import Stage, moment, now
from city.journey.telling import Broken

FROM_TOMORROW: Final = timedelta(days=1)
LOOKED_AHEAD: Final = timedelta(days=12)
PAGE: Final = 100
TRIP: Final = "park_bus"
TRIPS_OF: Final = "department:parks"
SITTING: Final = "driving_test"
SITTINGS_OF: Final = "department:police"
GIVEN_AHEAD_DAYS: Final = range(20, 300)
"""Trips of a journey leave on a day of their own, further ahead than anybody's."""
SITTING_AHEAD: Final = timedelta(days=2)
BACK: Final = {"on_conflict": "cancel", "reason_zh": "旅程结束"}


async def services(stage: Stage) -> dict[str, dict[str, Any]]:
    """Every service, by its slug."""
    return {one["slug"]: one for one in (await stage.city.get("/resident/services")).content["services"]}


async def offices(stage: Stage) -> list[dict[str, Any]]:
    """Every office with its desks."""
    return list((await stage.city.get("/resident/offices")).content["offices"])


def is_plain(service: dict[str, Any]) -> bool:
    """Whether it is booked at a counter, without a question and without a gate."""
    return service["sort"] == "counter" and not service["questions"] and not service["is_gated"]


async def slots(app: Caller, service_id: str, **wish: Any) -> list[dict[str, Any]]:
    """A page of hours of a service from tomorrow on that are released, with room or without."""
    first, last = (now() + ahead for ahead in (FROM_TOMORROW, LOOKED_AHEAD))
    asked = {**wish, "service_id": service_id, "from": first.date(), "to": last.date(), "limit": PAGE}
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    found = (await app.get(f"/mini/slots?{query}")).content["slots"]
    return [one for one in found if one["opens_at"] is None or moment(one["opens_at"]) <= now()]


async def free_slots(app: Caller, service_id: str, **wish: Any) -> list[dict[str, Any]]:
    """Those where there is room, of the normal lane if no other is asked for. Raises Broken where there are none."""
    found = await slots(app, service_id, **{"lane": "normal", "only_free": "true", **wish})
    if not found:
        raise Broken("there is room in the coming two weeks", "free hours", "none")
    return found


async def give_trip(stage: Stage, *, seats: int) -> tuple[Caller, dict[str, Any]]:
    """A trip of the park bus that leaves from some office on some day: its department, and the trip."""
    office = secrets.choice(await offices(stage))["office"]
    ahead = timedelta(days=secrets.choice(GIVEN_AHEAD_DAYS), hours=secrets.randbelow(8))
    detail = {
        "sort": "trip", "route_zh": "旅程专线", "route_en": "Line of the journey", "departs_from_zh": "东门",
        "departs_from_en": "East gate",
    }  # fmt: skip
    starts_at = now().replace(second=0, microsecond=0) + ahead
    return await _give(stage, TRIPS_OF, TRIP, office["office_id"], starts_at, places=seats, detail=detail)


async def give_sitting(stage: Stage, *, seats: int, opens_at: datetime) -> tuple[Caller, dict[str, Any]]:
    """A sitting of the driving test that opens at a moment, behind the gate: its department, and the sitting."""
    office = secrets.choice(await offices(stage))["office"]
    detail = {"sort": "sitting", "room_zh": "旅程考场", "room_en": "Room of the journey", "exam_code": "K1-JOURNEY"}
    starts_at = now().replace(second=0, microsecond=0) + SITTING_AHEAD
    return await _give(
        stage, SITTINGS_OF, SITTING, office["office_id"], starts_at, places=seats, detail=detail,
        opens_at=opens_at.isoformat(),
    )  # fmt: skip


async def take_back(department: Caller, slot: dict[str, Any]) -> None:
    """What was given is offered no more."""
    await department.post(f"/department/offering/slots/{slot['slot_id']}/withdraw", BACK)


async def _give(
    stage: Stage, client_id: str, slug: str, office_id: str, starts_at: datetime, **more: Any
) -> tuple[Caller, dict[str, Any]]:
    department = await calling.machine(stage.city, stage.client(client_id), issuer=stage.cast.issuer)
    service = (await services(stage))[slug]
    given = {
        "office_id": office_id,
        "service_id": service["service_id"],
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
        "ref": f"journey-{secrets.token_hex(8)}",
        **more,
    }
    slot = (await department.ask("PUT", "/department/offering/slots", given)).content
    return department, {**slot, "office_id": office_id, "service_id": service["service_id"]}
