"""The resident books an appointment, gets the SMS, and the reminder when its hour comes."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from city.journey.signing_in import SignedIn
from city.journey.stage import Stage, moment, now
from city.journey.telling import Broken

REMINDED_BEFORE: Final = timedelta(hours=24)
AHEAD_MIN: Final = timedelta(hours=26)
"""Further ahead than a reminder comes, by more than an hour: one who books later is reminded later."""
AHEAD_MAX: Final = timedelta(days=14)
JUST_BEFORE: Final = timedelta(minutes=1)


class Booked(msgspec.Struct, frozen=True):
    """A booking of this journey: to be cancelled at its end."""

    booking_id: str
    slot_id: str
    office: str
    service: str


async def play(stage: Stage, me: SignedIn) -> Booked:
    """Book, be told, be reminded by the clock."""
    story = stage.story
    story.act("An appointment")
    with story.step("What can be booked, and where there is room"):
        slots = await _free_slots(me)
    with story.step("The resident books"):
        await me.phone.forget()
        slot, other = slots[0], slots[1]
        booking_id = str(uuid4())
        path, wanted = f"/resident/bookings/{booking_id}", {"slot_id": slot["slot_id"]}
        booking = (await me.app.ask("PUT", path, wanted, status=201)).content
        story.equal("a place in that slot is theirs", expected=slot["slot_id"], seen=booking["slot_id"])
        again = (await me.app.ask("PUT", path, wanted, status=201)).content
        story.equal("asked again, the same booking", expected=booking, seen=again)
        second = await me.app.ask("PUT", f"/resident/bookings/{uuid4()}", {"slot_id": other["slot_id"]}, status=409)
        story.equal("nobody books the same service twice", expected="appointments.already_booked", seen=second.code)
    booked = Booked(booking_id, slot["slot_id"], booking["office"]["name_zh"], booking["service"]["name_zh"])
    with story.step("The SMS"):
        sms = await me.phone.await_sms("a confirmation comes by SMS", booked.office, booked.service)
        told = moment(booking["starts_at"])
        story.holds("it says the hour", f"{told:%H:%M}" in sms.text, expected=f"{told:%H:%M}", seen=sms.text)
    await _be_reminded(stage, me, booked, moment(booking["starts_at"]))
    return booked


async def _free_slots(me: SignedIn) -> list[dict[str, Any]]:
    """Two hours of one service, both free, of which this person has no booking. Raises Broken."""
    services = (await me.app.get("/resident/services")).content["services"]
    bookings = (await me.app.get("/resident/bookings?limit=50")).content["bookings"]
    held = [one for one in bookings if one["stage"] == "booked"]
    taken = {one["service"]["service_id"] for one in held}
    for service in services:
        if service["service_id"] in taken:
            continue
        first, last = (now() + ahead for ahead in (AHEAD_MIN, AHEAD_MAX - timedelta(days=1)))
        days = f"from={first.date().isoformat()}&to={last.date().isoformat()}"
        path = f"/resident/slots?service_id={service['service_id']}&{days}&limit=50"
        slots = (await me.app.get(path)).content["slots"]
        free = [slot for slot in slots if _is_fit(slot, held, first)]
        if len(free) > 1:
            return free[:2]
    raise Broken("there is room in the coming two weeks", "a service with two free hours", "none")


def _is_fit(slot: dict[str, Any], held: list[dict[str, Any]], first: datetime) -> bool:
    starts, ends = moment(slot["starts_at"]), moment(slot["ends_at"])
    overlaps = any(moment(one["starts_at"]) < ends and starts < moment(one["ends_at"]) for one in held)
    return slot["free"] > 0 and starts >= first and not overlaps


async def _be_reminded(stage: Stage, me: SignedIn, booked: Booked, starts_at: datetime) -> None:
    story = stage.story
    due_at = starts_at - REMINDED_BEFORE
    words = ("提醒", booked.office, booked.service)
    with story.step("A minute before the hour of the reminder"):
        await stage.city.post("/demo/reminders", {"as_of": (due_at - JUST_BEFORE).isoformat()})
        story.equal("no reminder yet", expected=[], seen=[sms.text for sms in await me.phone.fresh(*words)])
    with story.step("The hour of the reminder comes, by the clock"):
        await stage.city.post("/demo/reminders", {"as_of": due_at.isoformat()})
        await me.phone.await_sms("the reminder comes by SMS", *words)
        await stage.city.post("/demo/reminders", {"as_of": (due_at + JUST_BEFORE).isoformat()})
        reminders = [sms.text for sms in await me.phone.fresh(*words)]
        story.equal("once", expected=1, seen=len(reminders))
