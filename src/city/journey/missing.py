"""Somebody does not come: it counts against them, they say why, and whoever answers for the office decides."""

from datetime import timedelta
from typing import Final

from city.journey import at_the_desk
from city.journey.at_the_desk import Hall
from city.journey.neighbours import Neighbour
from city.journey.stage import Stage, now

WHY: Final = "路上救护车占道，没能赶到"
APPEALS_MAX: Final = 100
LONG_AGO: Final = timedelta(days=1, hours=3)
"""An hour so long ago was over before today began, also when it is nearly midnight."""


async def play(stage: Stage, hall: Hall, one: Neighbour) -> None:
    """Miss an hour, be told, appeal, be believed."""
    story = stage.story
    story.act(f"{one.who.name} did not come")
    with story.step("The day of a booking is over (a short cut of the demo), and nobody came"):
        await one.phone.forget()
        booking_id = await at_the_desk.visit(stage, hall, one, hall.services[0], now() - LONG_AGO)
        await one.phone.await_sms("they are told by SMS, and that they may appeal", "爽约", "申诉")
        strikes = (await one.app.get("/mini/strikes")).content
        story.equal("it counts once", expected=1, seen=strikes["counted"])
        states = {strike["booking_id"]: strike["stage"] for strike in strikes["strikes"]}
        story.equal("against this booking", expected="standing", seen=states.get(booking_id))
    with story.step("They appeal"):
        path, why = f"/mini/strikes/{booking_id}/appeal", {"reason": WHY}
        appealed = (await one.app.post(path, why)).content
        story.equal("what they say is noted", expected="appealed", seen=appealed["stage"])
        again = (await one.app.post(path, why)).content
        story.equal("said again, it is said once", expected=appealed, seen=again)
        other = await one.app.post(path, {"reason": "别的理由"}, status=409)
        story.equal("there is one appeal", expected="appointments.appeal_twice", seen=other.code)
    with story.step("The supervisor decides"):
        refused = await hall.clerk.ask("GET", "/department/appeals", status=403)
        story.equal("no clerk does", expected="appointments.not_a_supervisor", seen=refused.code)
        appeals = (await hall.supervisor.get(f"/department/appeals?limit={APPEALS_MAX}")).content["appeals"]
        found = [appeal for appeal in appeals if appeal["reason"] == WHY]
        story.holds("the appeal is on the list", bool(found), expected=WHY, seen=appeals)
        unnamed = one.who.name not in str(found) and one.person_id not in str(found)
        story.holds("and does not say whose it is", unnamed, expected="no name", seen=found)
        await one.phone.forget()
        for appeal in found:
            decision = f"/department/appeals/{appeal['strike_id']}/decision"
            decided = (await hall.supervisor.post(decision, {"verdict": "waived"})).content
            story.equal("the strike is taken back", expected="waived", seen=decided["stage"])
        await one.phone.await_sms("they are told by SMS", "申诉", "成立")
        strikes = (await one.app.get("/mini/strikes")).content
        story.equal(
            "and nothing counts against them", expected=(0, None), seen=(strikes["counted"], strikes["suspension"])
        )
