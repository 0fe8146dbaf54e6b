"""The resident books an appointment, has it in a calendar, moves it, and is reminded of the hour it has then."""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from city.journey.calendar_file import ZONE, entries
from city.journey.signing_in import SignedIn
from city.journey.stage import Stage, moment, now
from city.journey.telling import Broken, only

REMINDED_BEFORE: Final = timedelta(hours=24)
AHEAD_MIN: Final = timedelta(hours=26)
"""Further ahead than a reminder comes, by more than an hour: one who books later is reminded later."""
AHEAD_MAX: Final = timedelta(days=14)
JUST_BEFORE: Final = timedelta(minutes=1)
ALARMS: Final = "2"
"""A calendar reminds as we do: the day before and two hours before."""


class Booked(msgspec.Struct, frozen=True):
    """A booking of this journey: to be cancelled at its end."""

    booking_id: str
    slot_id: str
    office: str
    service: str


async def play(stage: Stage, me: SignedIn) -> Booked:
    """Book, be told, move, be reminded by the clock."""
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
    entry = await _note_in_calendar(stage, me, booking)
    moved = await _move(stage, me, booked, other, entry)
    booked = Booked(booking_id, other["slot_id"], moved["office"]["name_zh"], booked.service)
    await _be_reminded(stage, me, booked, moment(moved["starts_at"]))
    return booked


async def _note_in_calendar(stage: Stage, me: SignedIn, booking: dict[str, Any]) -> dict[str, str]:
    """The booking as the resident's calendar has it."""
    story = stage.story
    with story.step("The booking, for the resident's own calendar"):
        file = await me.app.get(f"/resident/bookings/{booking['booking_id']}/calendar")
        found = entries(file.body)
        story.equal("a calendar comes", expected="text/calendar", seen=file.media)
        entry = only("with one entry", found)
        hour = f"{moment(booking['starts_at']):%Y%m%dT%H%M%S}"
        story.equal("at its hour, in the city's zone", expected=hour, seen=entry.get(f"DTSTART;TZID={ZONE}"))
        story.equal("with the alarms that we would send", expected=ALARMS, seen=entry["alarms"])
    return entry


async def _move(
    stage: Stage, me: SignedIn, booked: Booked, other: dict[str, Any], entry: dict[str, str]
) -> dict[str, Any]:
    """The booking in its new hour; a calendar that subscribed hears of it."""
    story, path = stage.story, f"/resident/bookings/{booked.booking_id}"
    with story.step("A calendar subscribes"):
        feed = await _subscribe(me)
        address = urlsplit(feed["address"]).path
        before = await _in_feed(stage, address, entry["UID"])
        story.equal("it reads the same entry, without signing in", expected=entry, seen=before)
    with story.step("The resident moves to another hour"):
        await me.phone.forget()
        moved = (await me.app.post(f"{path}/reschedule", {"slot_id": other["slot_id"]})).content
        seen = moved["booking_id"], moved["slot_id"], moved["version"]
        story.equal(
            "the same booking, in its next version", expected=(booked.booking_id, other["slot_id"], 2), seen=seen
        )
        again = (await me.app.post(f"{path}/reschedule", {"slot_id": other["slot_id"]})).content
        story.equal("asked again, the same", expected=moved, seen=again)
        hour = f"{moment(moved['starts_at']):%H:%M}"
        await me.phone.await_sms("the new hour comes by SMS", "改为", hour)
    with story.step("The calendar reads again"):
        after = await _in_feed(stage, address, entry["UID"])
        sequence = int(entry["SEQUENCE"]) + 1
        story.equal("the same entry, in its next sequence", expected=str(sequence), seen=after["SEQUENCE"])
        hour = f"{moment(moved['starts_at']):%Y%m%dT%H%M%S}"
        story.equal("at the new hour", expected=hour, seen=after.get(f"DTSTART;TZID={ZONE}"))
        await me.app.ask("DELETE", f"/resident/calendar-feeds/{feed['feed']['feed_id']}", status=204)
        gone = await stage.city.get(address, status=404)
        story.equal("a feed that was ended is no more", expected="appointments.feed_not_found", seen=gone.code)
    return dict(moved)


async def _in_feed(stage: Stage, address: str, uid: str) -> dict[str, str]:
    """The entry of a feed that has this UID. Raises Broken."""
    found = entries((await stage.city.get(address)).body)
    return only("the feed has the booking, once", [one for one in found if one["UID"] == uid])


async def _subscribe(me: SignedIn) -> dict[str, Any]:
    """A feed with its address. Where there are as many as may be, of journeys broken off, the oldest makes room."""
    answer = await me.app.ask("POST", "/resident/calendar-feeds", status=None)
    if answer.status == 409:
        oldest = (await me.app.get("/resident/calendar-feeds")).content["feeds"][-1]
        await me.app.ask("DELETE", f"/resident/calendar-feeds/{oldest['feed_id']}", status=204)
        answer = await me.app.ask("POST", "/resident/calendar-feeds", status=201)
    return dict(answer.content)


async def _free_slots(me: SignedIn) -> list[dict[str, Any]]:
    """Two hours of one service, one after the other, both free, which this person has not booked. Raises Broken."""
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
        later = [slot for slot in free if moment(slot["starts_at"]) > moment(free[0]["starts_at"])]
        if later:
            return [free[0], later[0]]
    raise Broken("there is room in the coming two weeks", "a service with two free hours", "none")


def _is_fit(slot: dict[str, Any], held: list[dict[str, Any]], first: datetime) -> bool:
    starts, ends = moment(slot["starts_at"]), moment(slot["ends_at"])
    overlaps = any(moment(one["starts_at"]) < ends and starts < moment(one["ends_at"]) for one in held)
    return slot["free"] > 0 and starts >= first and not overlaps


async def _be_reminded(stage: Stage, me: SignedIn, booked: Booked, starts_at: datetime) -> None:
    """Once, of the hour the booking has; the earlier one that it had has its reminder before that, if at all."""
    story = stage.story
    due_at = starts_at - REMINDED_BEFORE
    words = ("提醒", booked.office, booked.service)
    with story.step("A minute before the hour of the reminder"):
        await stage.city.post("/demo/reminders", {"as_of": (due_at - JUST_BEFORE).isoformat()})
        story.equal(
            "no reminder yet, and none of the hour it had",
            expected=[],
            seen=[sms.text for sms in await me.phone.fresh(*words)],
        )
    with story.step("The hour of the reminder comes, by the clock"):
        await stage.city.post("/demo/reminders", {"as_of": due_at.isoformat()})
        await me.phone.await_sms("the reminder comes by SMS", *words)
        await stage.city.post("/demo/reminders", {"as_of": (due_at + JUST_BEFORE).isoformat()})
        reminders = [sms.text for sms in await me.phone.fresh(*words)]
        story.equal("once", expected=1, seen=len(reminders))
