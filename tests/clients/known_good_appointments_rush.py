"""Good requests at the gate before a rush, each as a citizen of its own."""

import asyncio
from datetime import timedelta
from typing import Final

from appointments.model import Service, Slot, office_id_of, service_id_of, slot_id_of
from appointments.offices import offering
from appointments.rush.model import ReleaseId, release_id_of
from kernel.db import Database
from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain
from tests.clients.served_city import DESK_DISTRICT, DESK_OFFICE

BOTH: Final = (Audience.RESIDENT, Audience.MINI)
AN_HOUR: Final = timedelta(hours=1)
GATED: Final = Service(
    service_id=service_id_of("behind-the-gate"), slug="behind-the-gate", department="police", name_zh="放号服务",
    name_en="Released at once", bring_zh="", bring_en="", is_gated=True,
)  # fmt: skip

for _audience in BOTH:
    plain(_audience, "listReleases")

    @good("joinLine", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        return Good({"release_id": str(a_release(everybody))}, token=everybody.city.a_citizen(audience))

    @good("readPlaceInLine", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        return in_line(everybody, audience)

    @good("leaveLine", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        return in_line(everybody, audience)


@good("followPlaceInLine", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    found = in_line(everybody, Audience.RESIDENT)
    return Good(found.path, {"seconds": "1"}, token=found.token)


def in_line(everybody: Everybody, audience: Audience) -> Good:
    """The place of a citizen who is in line."""
    release_id, token = str(a_release(everybody)), everybody.city.a_citizen(audience)
    everybody.ask("PUT", f"/{audience}/releases/{release_id}/place", token)
    return Good({"release_id": release_id}, token=token)


def a_release(everybody: Everybody) -> ReleaseId:
    """A release that opened an hour before everybody came: the same one, however often it is asked for."""
    slot = a_gated_slot(everybody)
    asyncio.run(_offer(everybody, slot))
    assert slot.opens_at is not None
    return release_id_of(slot.service_id, slot.opens_at)


def a_gated_slot(everybody: Everybody) -> Slot:
    office_id, service_id = office_id_of(DESK_OFFICE), GATED.service_id
    opens_at = (everybody.now - AN_HOUR).replace(microsecond=0)
    starts_at = opens_at + timedelta(days=3)
    return Slot(
        slot_id=slot_id_of(office_id, service_id, starts_at, ref="rush"), office_id=office_id, service_id=service_id,
        district=DESK_DISTRICT, starts_at=starts_at, ends_at=starts_at + AN_HOUR, places=100, opens_at=opens_at,
        is_gated=True, ref="rush",
    )  # fmt: skip


async def _offer(everybody: Everybody, slot: Slot) -> None:
    db = await Database.open(everybody.city.parts.settings.database_url.reveal(), connections_max=1)
    try:
        await offering.plant(db, services=[GATED])
        await offering.offer(db, [slot])
    finally:
        await db.close()
