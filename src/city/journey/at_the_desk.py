"""A day in a hall: people check in, take numbers, are called, served and sent on; display and report tell of it."""

import secrets
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

from city.journey import hours, operating
from city.journey.calling import Caller, until
from city.journey.issuing import IDENTITY_CARD
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, now
from city.journey.telling import Broken, only
from gateway.demo.cast import PlayedStaff

SCENARIO: Final = "office.check_in"
SHOWN_WITHIN_SECONDS: Final = 4.0
"""A display is at most a second old."""
NOBODYS_PHONE: Final = "+8613490009999"
COUNTERS: Final = range(1, 100)
"""Two of these are sat at, never the same for long: after three booked numbers in a row a counter calls a walk-in."""
NOTE: Final = "材料齐全，已受理"
COMMENT: Final = "办得又快又好"
DESK: Final = "/department/desk"


class Hall(msgspec.Struct, frozen=True):
    """An office in whose hall nobody is, two of its services, its clerk and its supervisor, and where they sit down."""

    office: dict[str, Any]
    services: list[dict[str, Any]]
    clerk: Caller
    supervisor: Caller
    counter_number: int
    other_counter: int


async def enter(stage: Stage) -> Hall:
    """A hall for this journey: one where nobody waits, if there is one. Raises Broken."""
    story = stage.story
    with story.step("A clerk and a supervisor sign in"):
        for office, services in await _quiet_first(stage):
            clerk = await _sign_in(stage, office, "desk")
            supervisor = await _sign_in(stage, office, "supervisor") if clerk is not None else None
            if clerk is None or supervisor is None:
                continue  # their phones have signed in as often as they may for now
            hall = Hall(office, services, clerk, supervisor, *secrets.SystemRandom().sample(COUNTERS, 2))
            await _clear(hall)
            me = (await supervisor.get("/department/me")).content
            story.equal(
                "they are known to be of that office", expected=(office["office_id"], True),
                seen=(me["office_id"], me["is_supervisor"]),
            )  # fmt: skip
            return hall
    raise Broken("staff of some office sign in", "a clerk and a supervisor", "none may for now")


async def _quiet_first(stage: Stage) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Offices with two plain services each, in any order, but those first in whose halls nobody is."""
    known = {one["service_id"]: one for one in (await hours.services(stage)).values()}
    found = []
    for one in await hours.offices(stage):
        plain = [known[desk["service_id"]] for desk in one["desks"] if hours.is_plain(known[desk["service_id"]])]
        if len(plain) > 1:
            board = (await stage.city.get(f"/public/offices/{one['office']['office_id']}/display")).content
            is_quiet = not board["counters"] and not any(line["waiting"] for line in board["lines"])
            found.append((not is_quiet, secrets.randbits(32), one["office"], secrets.SystemRandom().sample(plain, 2)))
    return [(office, services) for _, _, office, services in sorted(found, key=lambda one: one[:2])]


async def _sign_in(stage: Stage, office: dict[str, Any], role: str) -> Caller | None:
    staff: PlayedStaff | None = next(
        (one for one in stage.cast.staff if (one.role, one.office) == (role, office["name_zh"])), None
    )
    return None if staff is None else await operating.sign_in_as(stage, "department", staff.phone)


async def _clear(hall: Hall) -> None:
    """What somebody left in the hall: numbers are finished or given back, and counters closed."""
    for ticket in (await hall.supervisor.get(f"{DESK}/tickets")).content["tickets"]:
        await _change(hall.supervisor, ticket, "leave" if ticket["stage"] == "waiting" else "done")
    for counter in (await hall.supervisor.get(f"{DESK}/counters")).content["counters"]:
        if counter["is_open"]:
            await hall.supervisor.post(f"{DESK}/counters/{counter['counter']}/close")


async def _change(staff: Caller, ticket: dict[str, Any], act: str, **more: Any) -> dict[str, Any]:
    body = {"expected": ticket["version"], **more}
    return dict((await staff.post(f"{DESK}/tickets/{ticket['ticket_id']}/{act}", body)).content)


async def visit(stage: Stage, hall: Hall, one: Neighbour, service: dict[str, Any], starts_at: datetime) -> str:
    """A booking of an hour that is near or past, by a short cut of the demo; its id."""
    wanted = {
        "booking_id": str(uuid4()), "person_id": one.person_id, "office_id": hall.office["office_id"],
        "service_id": service["service_id"], "starts_at": starts_at.isoformat(),
    }  # fmt: skip
    return str((await stage.city.post("/demo/visits", wanted)).content["booking_id"])


async def play(stage: Stage, hall: Hall, first: Neighbour, second: Neighbour, third: Neighbour) -> None:
    """From opening the counters to the day's report."""
    stage.story.act(f"A day in the hall: {hall.office['name_zh']}")
    counters = await _open(stage, hall)
    with stage.story.step("Two people have booked an hour that is now (a short cut of the demo)"):
        visits = [
            await visit(stage, hall, one, service, now().replace(microsecond=0))
            for one, service in zip((first, second), hall.services, strict=True)
        ]
    await _by_code(stage, hall, first, visits[0])
    await _by_phone(stage, hall, second, third)
    walk_in = await _walk_in(stage, hall, first, third)
    await _serve(stage, hall, counters[0], first, visits[0])
    await _pass_on(stage, hall, counters, walk_in)
    await _tell_result(stage, hall, first, visits[0])
    await _book_for(stage, hall, third)
    await _report(stage, hall)


async def _open(stage: Stage, hall: Hall) -> list[dict[str, Any]]:
    story = stage.story
    with story.step("Two counters open"):
        counters = []
        for staff, number, service in zip(
            (hall.clerk, hall.supervisor), (hall.counter_number, hall.other_counter), hall.services, strict=True
        ):
            wanted = {"service_ids": [service["service_id"]]}
            counters.append((await staff.ask("PUT", f"{DESK}/counters/{number}", wanted)).content)
        story.equal("each is whose who sits there", expected=[True, True], seen=[one["is_mine"] for one in counters])
        taken = {"service_ids": [hall.services[0]["service_id"]]}
        refused = await hall.supervisor.ask("PUT", f"{DESK}/counters/{hall.counter_number}", taken, status=409)
        story.equal("nobody else sits down there", expected="appointments.counter_taken", seen=refused.code)
        await _shown(stage, hall, "the display shows both", {hall.counter_number: None, hall.other_counter: None})
    return counters


async def _shown(stage: Stage, hall: Hall, promise: str, wanted: dict[int, str | None]) -> None:
    """The display shows these numbers at these counters, within a second or so."""

    async def look() -> bool | None:
        board = (await stage.city.get(f"/public/offices/{hall.office['office_id']}/display")).content
        seen = {one["counter"]: one["number"] for one in board["counters"]}
        return True if wanted.items() <= seen.items() else None

    found = await until(look, within_seconds=SHOWN_WITHIN_SECONDS)
    stage.story.holds(promise, found is True, expected=str(wanted), seen="something else")


async def _by_code(stage: Stage, hall: Hall, first: Neighbour, booking_id: str) -> None:
    story = stage.story
    with story.step(f"{first.who.name} shows a code"):
        cards = (await first.app.get("/mini/certificates")).content["certificates"]
        good = [one for one in cards if one["name_zh"] == IDENTITY_CARD and one["state"] == "issued"]
        if not good:
            raise Broken(f"everybody has an {IDENTITY_CARD}", "one", "none")
        path = f"/mini/certificates/{good[0]['certificate_id']}/codes"
        code = (await first.app.post(path, {"scenario_code": SCENARIO}, status=201)).content["text"]
        read = {"code": code, "use_id": str(uuid4())}
        here = (await hall.clerk.post(f"{DESK}/check-ins/code", read)).content
        told = here["booking_id"], here["stage"], here["ticket"]["lane"]
        story.equal("they are checked in, and have a number", expected=(booking_id, "checked_in", "booked"), seen=told)
        is_unnamed = first.who.name not in str(here)
        story.holds("the desk learns nothing else of them", is_unnamed, expected="no name", seen=here)
        again = (await hall.clerk.post(f"{DESK}/check-ins/code", read)).content
        story.equal("read again after a lost answer, the same", expected=here, seen=again)
        spent = await hall.clerk.post(f"{DESK}/check-ins/code", {**read, "use_id": str(uuid4())}, status=422)
        seen = spent.code, spent.content.get("verdict")
        story.equal("the code is good once", expected=("appointments.code_not_good", "already_used"), seen=seen)
        use = (await first.app.get("/mini/uses?limit=1")).content["uses"][0]
        story.equal("their ledger says who looked", expected=hall.office["name_zh"], seen=use["venue_zh"])


async def _by_phone(stage: Stage, hall: Hall, second: Neighbour, third: Neighbour) -> None:
    story = stage.story
    with story.step(f"{second.who.name} says a phone number"):
        here = (await hall.clerk.post(f"{DESK}/check-ins/phone", {"phone": second.who.phone})).content
        story.equal("they are checked in", expected="checked_in", seen=here["stage"])
        codes = []
        for phone in (third.who.phone, NOBODYS_PHONE):
            codes.append((await hall.clerk.post(f"{DESK}/check-ins/phone", {"phone": phone}, status=404)).code)
        story.equal(
            "who is not expected and who is not known are answered the same",
            expected=["appointments.not_expected"] * 2, seen=codes,
        )  # fmt: skip


async def _walk_in(stage: Stage, hall: Hall, first: Neighbour, third: Neighbour) -> dict[str, Any]:
    story = stage.story
    with story.step(f"{third.who.name} walks in, takes a number and says a phone number"):
        service_id, known_by = hall.services[0]["service_id"], {"by": "phone", "phone": third.who.phone}
        path, wanted = f"{DESK}/tickets/{uuid4()}", {"service_id": service_id, "person": known_by}
        taken = (await hall.clerk.ask("PUT", path, wanted)).content
        again = (await hall.clerk.ask("PUT", path, wanted)).content
        story.equal("asked again, the same number", expected=taken, seen=again)
        urgent = f"{DESK}/tickets/{uuid4()}"
        refused = await hall.clerk.ask("PUT", urgent, {**wanted, "lane": "urgent"}, status=422)
        story.equal("an urgent one needs a ground", expected="appointments.reason_needed", seen=refused.code)
    with story.step("Both look at their phones"):
        for one, ahead in ((first, 0), (third, 1)):
            tickets = (await one.app.get("/mini/tickets")).content["tickets"]
            mine = only("the phone has their number", [ticket for ticket in tickets if ticket["stage"] == "waiting"])
            seen = mine["ahead"], mine["wait_minutes"] is not None
            story.equal("it tells how many are before them, and about how long", expected=(ahead, True), seen=seen)
    return dict(taken)


async def _call(staff: Caller, counter: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    answer = await staff.post(f"{DESK}/counters/{counter['counter']}/call", {"expected": counter["version"]})
    return answer.content["counter"], answer.content["ticket"]


async def _serve(stage: Stage, hall: Hall, counter: dict[str, Any], first: Neighbour, booking_id: str) -> None:
    story = stage.story
    with story.step("The clerk calls the next"):
        after, ticket = await _call(hall.clerk, counter)
        if ticket is None:
            raise Broken("who has checked in is called", "a number", "nobody")
        story.equal("booked and come goes before walking in", expected=booking_id, seen=ticket["booking_id"])
        again = await _call(hall.clerk, counter)
        story.equal("called again after a lost answer, the same number", expected=(after, ticket), seen=again)
        await _shown(stage, hall, "the display shows it", {hall.counter_number: ticket["number"]})
        ticket = await _change(hall.clerk, ticket, "recall")
        story.equal("nobody came: it is called once more", expected=2, seen=ticket["calls"])
        early = await first.app.ask("PUT", f"/mini/bookings/{booking_id}/rating", {"stars": 5}, status=409)
        story.equal("nobody rates what is not over", expected="appointments.not_served", seen=early.code)
        ticket = await _change(hall.clerk, ticket, "start")
        ticket = await _change(hall.clerk, ticket, "done")
        visited = (await first.app.get(f"/mini/bookings/{booking_id}")).content["stage"]
        seen = ticket["stage"], visited
        story.equal("the visit is over, and so is the booking", expected=("done", "served"), seen=seen)


async def _pass_on(stage: Stage, hall: Hall, counters: list[dict[str, Any]], walk_in: dict[str, Any]) -> None:
    story = stage.story
    with story.step("The walk-in is called, and belongs elsewhere"):
        mine = (await hall.clerk.get(f"{DESK}/counters")).content["counters"]
        counter = next(one for one in mine if one["counter"] == hall.counter_number)
        counter, ticket = await _call(hall.clerk, counter)
        story.equal("whoever is next", expected=walk_in["number"], seen=None if ticket is None else ticket["number"])
        assert ticket is not None
        sent = await _change(hall.clerk, ticket, "transfer", service_id=hall.services[1]["service_id"])
        kept = sent["number"], sent["turn_at"]
        story.equal("number and turn stay", expected=(walk_in["number"], walk_in["turn_at"]), seen=kept)
        _, nobody = await _call(hall.clerk, counter)
        story.equal("nobody is left for this counter", expected=None, seen=nobody)
    with story.step("The other counter calls"):
        counter, booked = await _call(hall.supervisor, counters[1])
        story.equal("booked first there too", expected="booked", seen=None if booked is None else booked["lane"])
        assert booked is not None
        busy = await hall.supervisor.post(
            f"{DESK}/counters/{hall.other_counter}/call", {"expected": counter["version"]}, status=409
        )
        story.equal("one number at a time", expected="appointments.counter_busy", seen=busy.code)
        await _change(hall.supervisor, booked, "done")
        _, ticket = await _call(hall.supervisor, counter)
        called = None if ticket is None else ticket["number"]
        story.equal("then who was sent there", expected=sent["number"], seen=called)
        assert ticket is not None
        missed = await _change(hall.supervisor, ticket, "missed")
        story.equal("nobody came: the number is over", expected="missed", seen=missed["stage"])


async def _tell_result(stage: Stage, hall: Hall, first: Neighbour, booking_id: str) -> None:
    story = stage.story
    with story.step("The clerk notes what the visit came to"):
        await first.phone.forget()
        await hall.clerk.post(f"{DESK}/bookings/{booking_id}/result", {"outcome": "done", "note": NOTE})
        await first.phone.await_sms("they are told by SMS", "已办结", NOTE)
        result = (await first.app.get(f"/mini/bookings/{booking_id}/result")).content
        story.equal("and can read it", expected=("done", NOTE), seen=(result["outcome"], result["note"]))
    with story.step(f"{first.who.name} says how it was"):
        rating = {"stars": 5, "comment": COMMENT}
        rated = (await first.app.ask("PUT", f"/mini/bookings/{booking_id}/rating", rating)).content
        again = (await first.app.ask("PUT", f"/mini/bookings/{booking_id}/rating", rating)).content
        story.equal("said twice is said once", expected=rated, seen=again)
        ratings = (await hall.supervisor.get("/department/ratings")).content
        read = {"service_id": hall.services[0]["service_id"], "stars": 5, "text": COMMENT}
        story.holds("the office reads it", read in ratings["comments"], expected=COMMENT, seen=ratings["comments"])
        nobody = first.who.name not in str(ratings) and booking_id not in str(ratings)
        story.holds("and not whose it is", nobody, expected="no name", seen=ratings)


async def _book_for(stage: Stage, hall: Hall, third: Neighbour) -> None:
    story = stage.story
    with story.step(f"{third.who.name} comes without a phone, with a card"):
        service_id = hall.services[0]["service_id"]
        [slot, *_] = await hours.free_slots(third.app, service_id, office_id=hall.office["office_id"])
        wanted = {
            "booking_id": str(uuid4()), "slot_id": slot["slot_id"], "id_number": third.who.id_number,
            "name": third.who.name,
        }  # fmt: skip
        booked = (await hall.clerk.post(f"{DESK}/bookings", wanted, status=201)).content
        story.equal("the clerk books for them", expected="desk", seen=booked["channel"])
        again = (await hall.clerk.post(f"{DESK}/bookings", wanted, status=201)).content
        story.equal("sent again, the same booking", expected=booked, seen=again)
        theirs = (await third.app.get("/mini/bookings")).content["bookings"]
        found = booked["booking_id"] in {one["booking_id"] for one in theirs}
        story.holds("they have it once they sign in", found, expected=booked["booking_id"], seen=theirs)
        await third.cancel(booked["booking_id"])


async def _report(stage: Stage, hall: Hall) -> None:
    story = stage.story
    with story.step("The day's report"):
        refused = await hall.clerk.ask("GET", f"{DESK}/report", status=403)
        story.equal("it is the supervisor's", expected="appointments.not_a_supervisor", seen=refused.code)
        lines = (await hall.supervisor.get(f"{DESK}/report")).content["lines"]
        mine = {(line["service_id"], line["lane"]): line for line in lines}
        booked = [mine.get((one["service_id"], "booked"), {}) for one in hall.services]
        seen = [line.get("came", 0) > 0 and line.get("served", 0) > 0 for line in booked]
        story.equal("it counts who came and was served", expected=[True, True], seen=seen)
        elsewhere = mine.get((hall.services[1]["service_id"], "walk_in"), {})
        seen_there = elsewhere.get("not_there", 0) > 0
        story.holds("and whoever was called in vain", seen_there, expected="one or more", seen=elsewhere)
    with story.step("The counters close"):
        for staff, number in ((hall.clerk, hall.counter_number), (hall.supervisor, hall.other_counter)):
            closed = (await staff.post(f"{DESK}/counters/{number}/close")).content
            story.equal("nobody is called there any more", expected=False, seen=closed["is_open"])
