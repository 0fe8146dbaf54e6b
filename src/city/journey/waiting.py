"""A trip is full: somebody waits for it, and what is given back is offered to them alone."""

from typing import Final
from uuid import uuid4

from city.journey import hours
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, moment, now
from city.journey.telling import only

OFFERED_MINUTES: Final = 30


async def play(stage: Stage, first: Neighbour, second: Neighbour, third: Neighbour) -> None:
    """The first has the only seat, the second waits, the third comes later."""
    story = stage.story
    story.act(f"{second.who.name} waits for a seat")
    mine, waiting_id = str(uuid4()), str(uuid4())
    with story.step("The only seat of a trip is booked"):
        department, trip = await hours.give_trip(stage, seats=1)
        await first.book(trip, mine)
        refused = await second.refused(trip, str(uuid4()))
        story.equal("who comes next is told that it is full", expected="appointments.slot_full", seen=refused.code)
    with story.step(f"{second.who.name} waits"):
        day = moment(trip["starts_at"]).date().isoformat()
        wish = {
            "service_id": trip["service_id"], "office_id": trip["office_id"], "first_day": day, "last_day": day,
        }  # fmt: skip
        path = f"/mini/waiting/{waiting_id}"
        joined = (await second.app.ask("PUT", path, wish, status=201)).content
        story.equal("nobody is asked before them", expected=("waiting", 0), seen=(joined["stage"], joined["ahead"]))
        again = (await second.app.ask("PUT", path, wish, status=201)).content
        story.equal("asked again, the same place in the line", expected=joined, seen=again)
    with story.step("The seat is given back"):
        await second.phone.forget()
        await first.cancel(mine)
        await second.phone.await_sms("whoever waits is told by SMS", "候补到号")
        waits = (await second.app.get("/mini/waiting")).content["waits"]
        offer = only("the phone shows what is offered", [one["offer"] for one in waits if one["stage"] == "offered"])
        minutes = (moment(offer["until"]) - now()).total_seconds() / 60
        story.equal("it is this seat", expected=trip["slot_id"], seen=offer["slot_id"])
        story.holds("kept for half an hour", 0 < minutes <= OFFERED_MINUTES + 1, expected="30 minutes", seen=minutes)
        refused = await third.refused(trip, str(uuid4()))
        story.equal("and for nobody else", expected="appointments.slot_full", seen=refused.code)
    with story.step(f"{second.who.name} takes it"):
        taken = (await second.app.post(f"{path}/accept", {})).content
        seen = taken["slot_id"], taken["channel"]
        story.equal("it is booked", expected=(trip["slot_id"], "waiting_list"), seen=seen)
        again = (await second.app.post(f"{path}/accept", {})).content
        story.equal("taken again, the same booking", expected=taken, seen=again)
    with story.step("The department takes the trip back"):
        await second.phone.forget()
        await hours.take_back(department, trip)
        await second.phone.await_sms("whoever is booked is told why", hours.BACK["reason_zh"])
        stage_now = (await second.app.get(f"/mini/bookings/{taken['booking_id']}")).content["stage"]
        story.equal("and booked no more", expected="cancelled", seen=stage_now)
