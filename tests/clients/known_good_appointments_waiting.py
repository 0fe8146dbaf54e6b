"""Good requests about waiting lists, and about bookings nobody came to; each for a citizen of its own."""

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from appointments.absence.striking import strike
from appointments.model import Booking, Stage, office_id_of, service_id_of
from appointments.offices.catalogue import Catalogues
from appointments.queries import lock_bookings, mark_missed
from appointments.telling import Telling
from kernel.clock import in_shanghai
from kernel.db import Database
from kernel.ids import AccountId, BookingId, DepartmentId, PersonId, SessionId, StaffId, uuid7
from kernel.principal import Audience, Resident, Staff
from tests.clients.everybody import Everybody, awaited
from tests.clients.known_good import Good, good, plain
from tests.clients.served_city import ALWAYS_OPEN, DESK_OFFICE

BOTH: Final = (Audience.RESIDENT, Audience.MINI)
REASON: Final = "当天住院，附住院证明"

for _audience in BOTH:
    plain(_audience, "listWaiting", "listStrikes")

    @good("joinWaitingList", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        token = everybody.city.a_citizen(audience)
        return Good({"waiting_id": str(uuid4())}, body=a_wish(everybody), token=token)

    @good("leaveWaitingList", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        waiting_id, token = waiting(everybody, audience)
        return Good({"waiting_id": waiting_id}, token=token)

    @good("acceptOffer", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        waiting_id, token = waiting(everybody, audience)

        def look() -> Any:
            return everybody.ask("GET", f"/{audience}/waiting", token).json()["waits"][0]["offer"]

        awaited(look, "an offer of a free place")
        return Good({"waiting_id": waiting_id}, body={}, token=token)

    @good("appealAgainstStrike", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = struck(everybody, audience)
        return Good({"booking_id": booking_id}, body={"reason": REASON}, token=token)


@good("listAppeals", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=a_supervisor(everybody))


@good("decideAppeal", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    booking_id, token = struck(everybody, Audience.RESIDENT)
    everybody.ask("POST", f"/resident/strikes/{booking_id}/appeal", token, json={"reason": REASON})
    supervisor = a_supervisor(everybody)
    appeals = everybody.ask("GET", "/department/appeals?limit=100", supervisor).json()["appeals"]
    return Good({"strike_id": appeals[-1]["strike_id"]}, body={"verdict": "waived"}, token=supervisor)


def a_wish(everybody: Everybody) -> dict[str, Any]:
    today = in_shanghai(everybody.now).date()
    service_id = str(service_id_of(ALWAYS_OPEN))
    return {"service_id": service_id, "first_day": str(today), "last_day": str(today + timedelta(days=7))}


def waiting(everybody: Everybody, audience: Audience) -> tuple[str, str]:
    """The wait of a citizen, and their token."""
    waiting_id, token = str(uuid4()), everybody.city.a_citizen(audience)
    everybody.ask("PUT", f"/{audience}/waiting/{waiting_id}", token, json=a_wish(everybody))
    return waiting_id, token


def a_supervisor(everybody: Everybody) -> str:
    now = everybody.city.parts.clock.now()
    ids = StaffId(uuid7(now)), SessionId(uuid7(now)), DepartmentId(uuid7(now))
    return everybody.city.minted(Staff(*ids, office_id_of(DESK_OFFICE), True), Audience.DEPARTMENT)


def struck(everybody: Everybody, audience: Audience) -> tuple[str, str]:
    """A booking that a citizen made and, as the city sees it, did not come to; and their token."""
    now = everybody.city.parts.clock.now()
    booking_id, person_id = BookingId(uuid4()), PersonId(uuid4())
    citizen = Resident(AccountId(uuid7(now)), SessionId(uuid7(now)), person_id)
    token = everybody.city.minted(citizen, audience)
    body = {"slot_id": everybody.free_slot()}
    everybody.ask("PUT", f"/{audience}/bookings/{booking_id}", token, json=body)
    asyncio.run(_miss(everybody, person_id, booking_id))
    return str(booking_id), token


async def _miss(everybody: Everybody, person_id: PersonId, booking_id: BookingId) -> None:
    """What the end of the booking's day does, on a day that has not ended."""
    parts = everybody.city.parts
    db = await Database.open(parts.settings.database_url.reveal(), connections_max=2)
    telling = Telling(parts.notifications.outbox, Catalogues(db))
    try:
        async with db.transaction() as conn:
            found: list[Booking] = await lock_bookings(conn, [(person_id, booking_id)])
            assert [one.stage for one in found] == [Stage.BOOKED]
            await mark_missed(conn, [(person_id, booking_id)], now=parts.clock.now())
            await strike(conn, telling, found, now=parts.clock.now())
    finally:
        await db.close()
