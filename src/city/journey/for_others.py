"""A guardian books for a ward: a department says who is whose, and the ward is told of everything."""

import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from city.journey import calling, hours
from city.journey.calling import Caller
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, now
from city.journey.telling import Broken

CLIENT: Final = "department:police"
"""It issues the household register, which proves a guardianship."""
LASTS: Final = timedelta(days=3)
SERVICE: Final = "comprehensive"


async def play(stage: Stage, guardian: Neighbour, ward: Neighbour) -> None:
    """Register, book, look, end."""
    story = stage.story
    story.act(f"{guardian.who.name} books for {ward.who.name}")
    with story.step("A department registers a guardianship"):
        department = await calling.machine(stage.city, stage.client(CLIENT), issuer=stage.cast.issuer)
        path = f"/department/guardianships/journey-{secrets.token_hex(8)}"
        told = {
            "guardian": {"id_number": guardian.who.id_number, "name": guardian.who.name},
            "ward": {"id_number": ward.who.id_number, "name": ward.who.name},
            "until": (now() + LASTS).date().isoformat(),
        }
        registered = (await department.ask("PUT", path, told)).content
        story.equal("it stands at once", expected="standing", seen=registered["state"])
        held = (await guardian.app.get("/mini/mandates")).content["held"]
        found = [one for one in held if one["basis"] == "guardian" and one["state"] == "standing" and one["may_book"]]
        if not found:
            raise Broken("the guardian may book for the ward", "a mandate that says so", held)
        mandate_id = str(found[0]["mandate_id"])
    booked = await _book(stage, guardian, ward, mandate_id)
    await _end(stage, department, path, guardian, ward, mandate_id, booked)


async def _book(stage: Stage, guardian: Neighbour, ward: Neighbour, mandate_id: str) -> dict[str, Any]:
    story, booking_id = stage.story, str(uuid4())
    known = await hours.services(stage)
    with story.step(f"{guardian.who.name} books"):
        await ward.phone.forget()
        slot = secrets.choice(await hours.free_slots(guardian.app, known[SERVICE]["service_id"]))
        booked = await guardian.book(slot, booking_id, mandate_id=mandate_id)
        story.equal("under the mandate", expected=mandate_id, seen=booked["mandate_id"])
        await ward.phone.await_sms("the ward is told by SMS", known[SERVICE]["name_zh"])
        theirs = (await ward.app.get(f"/mini/bookings/{booking_id}")).content
        story.equal("and has it among their own bookings", expected=booked, seen=theirs)
        for_others = (await guardian.app.get("/mini/bookings/for-others")).content["bookings"]
        found = booking_id in {one["booking_id"] for one in for_others}
        story.holds("the guardian sees it as for another", found, expected=booking_id, seen=for_others)
    with story.step("A service that nobody books but the person"):
        alone = next(one for one in known.values() if is_alone(one))
        slot = (await hours.free_slots(guardian.app, alone["service_id"]))[0]
        refused = await guardian.refused(slot, str(uuid4()), status=403, mandate_id=mandate_id)
        story.equal("is not booked for others", expected="appointments.not_for_others", seen=refused.code)
    return booked


def is_alone(service: dict[str, Any]) -> bool:
    """Whether it is a plain service that is booked for oneself alone."""
    return hours.is_plain(service) and not service["is_for_others"]


async def _end(
    stage: Stage, department: Caller, path: str, guardian: Neighbour, ward: Neighbour, mandate_id: str,
    booked: dict[str, Any],
) -> None:  # fmt: skip
    story = stage.story
    with story.step("The guardianship ends"):
        ended = (await department.post(f"{path}/end")).content
        story.equal("at once", expected="ended", seen=ended["state"])
        mine = f"/mini/bookings/{booked['booking_id']}"
        refused = await guardian.app.ask("DELETE", f"{mine}?mandate_id={mandate_id}", status=404)
        story.equal(
            "from then on nothing is done or seen for the ward", expected="appointments.mandate_refused",
            seen=refused.code,
        )  # fmt: skip
        stands = (await ward.app.get(mine)).content["stage"]
        story.equal("what is booked stays booked, for them to keep or cancel", expected="booked", seen=stands)
        await ward.cancel(booked["booking_id"])
