"""Good requests about places kept, what was told with a booking, and what was booked for others."""

from typing import Final
from uuid import uuid4

from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain

BOTH: Final = (Audience.RESIDENT, Audience.MINI)

for _audience in BOTH:  # each place is kept for a citizen of its own: nobody holds without end
    plain(_audience, "listHolds", "listBookingsForOthers")

    @good("holdPlace", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        wanted = {"slot_id": everybody.free_slot()}
        return Good({"booking_id": str(uuid4())}, body=wanted, token=everybody.city.a_citizen(audience))

    @good("releasePlace", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = str(uuid4()), everybody.city.a_citizen(audience)
        everybody.ask("PUT", f"/{audience}/holds/{booking_id}", token, json={"slot_id": everybody.free_slot()})
        return Good({"booking_id": booking_id}, token=token)

    @good("readWhatWasTold", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = everybody.booked_by_another(audience)
        return Good({"booking_id": booking_id}, token=token)
