"""Hours are found, a place is kept while questions are answered, and one that is kept too long is free again."""

import secrets
from typing import Any, Final
from uuid import uuid4

from city.journey import hours
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, moment, now

KEPT_SECONDS: Final = 600
NEAR_BY: Final = "comprehensive"
"""Offered at several offices, so that one is the nearest."""
URGENT: Final = "exit_entry"


async def play(stage: Stage, first: Neighbour, second: Neighbour) -> None:
    """Search, hold, be asked, confirm; and let a hold lapse."""
    stage.story.act(f"{first.who.name} looks for an hour, and keeps a place")
    await _search(stage, first)
    await _confirm(stage, first)
    await _let_lapse(stage, first, second)


async def _search(stage: Stage, first: Neighbour) -> None:
    story = stage.story
    known = await hours.services(stage)
    with story.step("Hours near a place, where there is room"):
        service_id = known[NEAR_BY]["service_id"]
        offering = [
            one["office"]
            for one in await hours.offices(stage)
            if any(desk["service_id"] == service_id for desk in one["desks"])
        ]
        here = secrets.choice(offering)
        near = f"{here['latitude']:.3f},{here['longitude']:.3f}"
        found = await hours.free_slots(first.app, service_id, near=near)
        far = [one["distance_m"] for one in found]
        story.equal("the nearest office comes first", expected=(here["office_id"], sorted(far)),
                    seen=(found[0]["office_id"], far))  # fmt: skip
        story.holds("what is full is left out", all(one["free"] for one in found), expected="free", seen=far)
    with story.step("An hour in the urgent lane"):
        slot = (await hours.free_slots(first.app, known[URGENT]["service_id"], lane="urgent"))[-1]
        refused = await first.refused(slot, str(uuid4()), status=422)
        story.equal("it is for who says why", expected="appointments.reason_needed", seen=refused.code)


async def _confirm(stage: Stage, first: Neighbour) -> None:
    story = stage.story
    asking = [one for one in (await hours.services(stage)).values() if any(q["is_required"] for q in one["questions"])]
    service = asking[0]
    booking_id = str(uuid4())
    path = f"/mini/holds/{booking_id}"
    with story.step(f"A place for {service['name_zh']} is kept"):
        slot = secrets.choice(await hours.free_slots(first.app, service["service_id"]))
        held = (await first.app.ask("PUT", path, {"slot_id": slot["slot_id"]})).content
        minutes = (moment(held["hold_until"]) - now()).total_seconds() / 60
        story.holds("for ten minutes", 0 < minutes <= KEPT_SECONDS / 60 + 1, expected="10 minutes", seen=minutes)
        again = (await first.app.ask("PUT", path, {"slot_id": slot["slot_id"]})).content
        story.equal("asked again, the same place for the minutes that are left", expected=held, seen=again)
    with story.step("It is confirmed with what the service asks"):
        refused = await first.refused(slot, booking_id, status=422)
        required = sorted(one["code"] for one in service["questions"] if one["is_required"])
        story.equal(
            "without the answers it is refused, and told which are missing",
            expected=("appointments.answers_wrong", required),
            seen=(refused.code, refused.content.get("questions")),
        )
        kept = (await first.app.get("/mini/holds")).content["holds"]
        story.equal("the place is kept meanwhile", expected=[held], seen=kept)
        answers = {one["code"]: _answer(one) for one in service["questions"]}
        booked = await first.book(slot, booking_id, answers=answers)
        story.equal(
            "then it is booked, the very place that was kept",
            expected=(held["slot_id"], held["number"]),
            seen=(booked["slot_id"], booked["number"]),
        )
        told = (await first.app.get(f"/mini/bookings/{booking_id}/told")).content["answers"]
        story.equal("what was answered can be read again", expected=answers, seen=told)
        left = (await first.app.get("/mini/holds")).content["holds"]
        story.equal("and nothing is kept beside it", expected=[], seen=left)
        await first.cancel(booking_id)


def _answer(question: dict[str, Any]) -> str | int | bool:
    match question["sort"]:
        case "choice":
            return str(question["choices"][0]["code"])
        case "number":
            return 1
        case "yes_no":
            return True
        case _:
            return "示例"


async def _let_lapse(stage: Stage, first: Neighbour, second: Neighbour) -> None:
    story = stage.story
    booking_id, others = str(uuid4()), str(uuid4())
    with story.step("The last seat of a trip is kept, and nothing more is done"):
        department, trip = await hours.give_trip(stage, seats=1)
        await first.app.ask("PUT", f"/mini/holds/{booking_id}", {"slot_id": trip["slot_id"]})
        refused = await second.refused(trip, others)
        story.equal("it is nobody else's", expected="appointments.slot_full", seen=refused.code)
    with story.step("The minutes are over (a short cut of the demo makes them pass)"):
        aged = {"person_id": first.person_id, "booking_id": booking_id, "seconds": KEPT_SECONDS}
        await stage.city.post("/demo/holds/age", aged)
        left = (await first.app.get("/mini/holds")).content["holds"]
        story.equal("it is kept no more", expected=[], seen=left)
        taken = await second.book(trip, others)
        story.equal("and free for everybody again", expected=trip["slot_id"], seen=taken["slot_id"])
        late = await first.refused(trip, booking_id)
        story.equal("who confirms too late is told", expected="appointments.slot_full", seen=late.code)
        await second.cancel(others)
        await hours.take_back(department, trip)
