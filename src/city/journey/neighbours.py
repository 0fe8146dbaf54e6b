"""Others who live in the city, in the mini-program: those with whom the resident shares its hours and its halls."""

from typing import Any, Final

import msgspec

from city.journey.calling import Caller
from city.journey.from_mini_program import tap
from city.journey.stage import Phone, Stage, nearby
from city.journey.telling import Broken
from gateway.demo.cast import PlayedPerson

_OPEN: Final = ("booked", "checked_in", "waiting", "offered", "called", "serving")
"""Stages of bookings, waits and queue numbers that are not over."""


class Neighbour(msgspec.Struct, frozen=True):
    """Somebody who is known by name, has nothing booked, waits for nothing and may book."""

    who: PlayedPerson
    app: Caller
    phone: Phone
    person_id: str

    async def book(self, slot: dict[str, Any], booking_id: str, **more: Any) -> dict[str, Any]:
        """A place in a slot, booked. Raises Broken."""
        wanted = {"slot_id": slot["slot_id"], **more}
        return dict((await self.app.ask("PUT", f"/mini/bookings/{booking_id}", wanted, status=201)).content)

    async def refused(self, slot: dict[str, Any], booking_id: str, *, status: int = 409, **more: Any) -> Any:
        """The refusal that booking a slot is answered. Raises Broken."""
        wanted = {"slot_id": slot["slot_id"], **more}
        return await self.app.ask("PUT", f"/mini/bookings/{booking_id}", wanted, status=status)

    async def cancel(self, booking_id: str) -> dict[str, Any]:
        return dict((await self.app.ask("DELETE", f"/mini/bookings/{booking_id}")).content)


async def sign_in(stage: Stage, count: int, but: PlayedPerson) -> list[Neighbour]:
    """So many neighbours of `but` who are free. Raises Broken."""
    found: list[Neighbour] = []
    with stage.story.step(f"{count} others open the mini-program"):
        for who in nearby(stage.cast, but):
            neighbour = await _open(stage, who)
            if await _is_free(neighbour.app):
                found.append(neighbour)
            if len(found) == count:
                return found
        raise Broken("some people of the city have nothing booked", f"{count} of them", f"{len(found)}")


async def _open(stage: Stage, who: PlayedPerson) -> Neighbour:
    """In the mini-program, known by name."""
    codes = await tap(stage, who)
    both = {"js_code": codes["js_code"], "phone_code": codes["phone_code"]}
    mini = stage.city.proved((await stage.city.post("/mini/sign-in", both)).content["access_token"])
    known = (await mini.get("/mini/me")).content["real_name"]
    if known is None:
        tokens = await mini.post("/mini/real-name", {"name": who.name, "id_number": who.id_number})
        mini = stage.city.proved(tokens.content["access_token"])
        known = (await mini.get("/mini/me")).content["real_name"]
    return Neighbour(who, mini, await stage.phone_of(who), known["person_id"])


async def _is_free(mini: Caller) -> bool:
    bookings = (await mini.get("/mini/bookings?limit=50")).content["bookings"]
    waits = (await mini.get("/mini/waiting")).content["waits"]
    tickets = (await mini.get("/mini/tickets")).content["tickets"]
    strikes = (await mini.get("/mini/strikes")).content
    is_idle = not any(one["stage"] in _OPEN for one in [*bookings, *waits, *tickets])
    return is_idle and not strikes["counted"] and strikes["suspension"] is None
