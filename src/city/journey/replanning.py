"""An office closes on a day: it sees first whom that hits, then moves them with a notice, and opens again."""

import secrets
from collections import defaultdict
from typing import Any, Final
from uuid import uuid4

from city.journey import calling, hours
from city.journey.calling import Caller, until
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, moment
from city.journey.telling import Broken

REASON: Final = "设备检修"
OPEN_AGAIN: Final = 201
OPEN_WITHIN_SECONDS: Final = 4.0
"""That an hour was full is remembered for a second."""
SLOTS_ON_A_DAY_MIN: Final = 2
GONE: Final = ("appointments.slot_withdrawn", "appointments.slot_full")
"""What a withdrawn hour is answered; for some seconds after it was asked about before, that it is full."""


async def play(stage: Stage, one: Neighbour, other: Neighbour) -> None:
    """Book, close the day, look, move, open again."""
    story = stage.story
    story.act("An office closes on a day")
    with story.step("A day on which nobody is booked yet, and then one is"):
        service, slot = await _a_day_of_nobody(stage, one)
        booking_id = str(uuid4())
        booked = await one.book(slot, booking_id)
        department = await calling.machine(
            stage.city, stage.client(f"department:{service['department']}"), issuer=stage.cast.issuer
        )
        desk = f"/department/offering/desks/{slot['office_id']}/{slot['service_id']}"
        kept = (await department.get(desk)).content
    await _look(stage, department, desk, kept, booked)
    path = f"/department/offering/rules/{uuid4()}"
    await _close(stage, department, desk, path, booked, one, other)
    with story.step("The day is open again"):
        await department.ask("DELETE", path)
        applied = (await department.post(f"{desk}/apply", {"on_conflict": "keep", "reason_zh": REASON})).content
        story.equal("its hours are planned anew", expected=True, seen=applied["is_done"])
        path = f"/mini/bookings/{uuid4()}"

        refused = None

        async def look() -> bool | None:
            nonlocal refused
            answer = await other.app.ask("PUT", path, {"slot_id": slot["slot_id"]}, status=None)
            refused = answer.code
            return True if answer.status == OPEN_AGAIN else None

        again = await until(look, within_seconds=OPEN_WITHIN_SECONDS)
        within = f"within {OPEN_WITHIN_SECONDS:.0f} s"
        story.holds("and can be booked", again is True, expected=within, seen=f"it is refused: {refused}")
        await other.app.ask("DELETE", path)
        await one.cancel(booking_id)


async def _a_day_of_nobody(stage: Stage, one: Neighbour) -> tuple[dict[str, Any], dict[str, Any]]:
    """A plain service, and an hour of it on a day when all of its places at that office are free. Raises Broken."""
    plain = [service for service in (await hours.services(stage)).values() if hours.is_plain(service)]
    for service in secrets.SystemRandom().sample(plain, len(plain)):
        by_day: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for slot in await hours.slots(one.app, service["service_id"]):
            by_day[slot["office_id"], moment(slot["starts_at"]).date().isoformat()].append(slot)
        whole = [*by_day.values()][:-1]  # the last of them may go on, on the next page
        fit = [
            ordinary
            for slots in whole
            if all(slot["free"] == slot["places"] for slot in slots)
            and len(ordinary := [slot for slot in slots if slot["lane"] == "normal"]) >= SLOTS_ON_A_DAY_MIN
        ]
        if fit:
            return service, secrets.choice(secrets.choice(fit))
    raise Broken("an office has a day on which nobody is booked", "one", "none")


async def _look(stage: Stage, department: Caller, desk: str, kept: dict[str, Any], booked: dict[str, Any]) -> None:
    story = stage.story
    with story.step("The office wonders what it would do to close on that day"):
        seen = (await department.post(f"{desk}/preview", {"rule": _closed_on(booked)})).content
        hit = [one["booking_id"] for one in seen["conflicts"]]
        story.equal("it sees who is booked then", expected=[booked["booking_id"]], seen=hit)
        story.holds("and which hours would go", seen["go"] > 0, expected="some", seen=seen["go"])
        now_kept = (await department.get(desk)).content
        story.equal("looking changes nothing", expected=kept, seen=now_kept)


def _closed_on(booked: dict[str, Any]) -> dict[str, Any]:
    """The rule that closes the day of a booking, and no other."""
    day = moment(booked["starts_at"]).date().isoformat()
    return {"sort": "closed", "first_day": day, "last_day": day, "reason_zh": REASON, "reason_en": "Maintenance"}


async def _close(
    stage: Stage, department: Caller, desk: str, path: str, booked: dict[str, Any], one: Neighbour, other: Neighbour
) -> None:
    story = stage.story
    day = moment(booked["starts_at"]).date().isoformat()
    with story.step(f"It is closed on {day} alone, and whoever is booked is moved"):
        where = {"office_id": booked["office"]["office_id"], "service_id": booked["service"]["service_id"]}
        await department.ask("PUT", path, {**where, **_closed_on(booked)})
        seen = (await department.post(f"{desk}/preview", {})).content
        story.equal("one booking is in the way", expected=1, seen=seen["conflicting"])
        await one.phone.forget()
        applied = (await department.post(f"{desk}/apply", {"on_conflict": "move", "reason_zh": REASON})).content
        story.equal(
            "it is moved", expected=(1, 0, True), seen=(applied["moved"], applied["cancelled"], applied["is_done"])
        )
        moved = (await one.app.get(f"/mini/bookings/{booked['booking_id']}")).content
        story.equal(
            "it stands, in its next version", expected=("booked", booked["version"] + 1),
            seen=(moved["stage"], moved["version"]),
        )  # fmt: skip
        new_day = moment(moved["starts_at"])
        story.holds("on another day", new_day.date().isoformat() != day, expected=f"not {day}", seen=moved["starts_at"])
        sms = await one.phone.await_sms("they are told by SMS, and why", REASON)
        hour = f"{new_day:%H:%M}"
        story.holds("with the new hour", hour in sms.text, expected=hour, seen=sms.text)
        refused = await other.refused({"slot_id": booked["slot_id"]}, str(uuid4()))
        is_no = refused.code in GONE
        story.holds("nobody books the closed hour", is_no, expected=" or ".join(GONE), seen=refused.code)
