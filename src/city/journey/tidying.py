"""Everything of the journey is taken back, which is a promise too."""

from typing import Final
from uuid import uuid4

import msgspec

from city.journey import calling, joining_venue, sending
from city.journey.booking import Booked
from city.journey.calling import until
from city.journey.issuing import IDENTITY_CARD
from city.journey.joining_venue import Joined
from city.journey.sending import Sender
from city.journey.showing import SCENARIO_OF, ask_for_code
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from city.journey.verifying import Gate

HEARD_WITHIN_SECONDS: Final = 6.0
"""A session that ended is refused within a second; where the hint is lost, within five."""


class Left(msgspec.Struct, frozen=True):
    """What is left of a journey beside its certificates; without an operator there are no `joined` and no `sender`."""

    station: list[Gate]
    booked: Booked
    joined: Joined | None
    loaded: list[Issued]
    sender: Sender | None


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued], left: Left) -> None:
    """Cancel, revoke, close, sign out."""
    story, booked = stage.story, left.booked
    story.act("Everything is taken back")
    with story.step("The resident cancels"):
        await me.phone.forget()
        cancelled = (await me.app.ask("DELETE", f"/resident/bookings/{booked.booking_id}")).content
        story.equal("the place is given back", expected="cancelled", seen=cancelled["stage"])
        await me.phone.await_sms("an SMS says so", "取消", booked.office)
    card = issued[IDENTITY_CARD]
    with story.step("The departments revoke what they issued"):
        text = (await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD]))["text"]
        for one in issued.values():
            department = await calling.machine(stage.city, one.department, issuer=stage.cast.issuer)
            path = f"/department/certificates/{one.certificate_id}/revoke"
            revoked = (await department.post(path, {"reason": "issued_in_error"})).content
            story.equal(f"the {one.name_zh} is revoked", expected="revoked", seen=revoked["state"])
        verdict = (await left.station[0].scan(text, str(uuid4()))).content
        story.equal(
            "the very next scan hears so, also of a code shown before",
            expected=("revoked", {}),
            seen=(verdict["verdict"], verdict["fields"]),
        )
    with story.step("What was loaded is revoked too"):
        department = await calling.machine(stage.city, left.loaded[0].department, issuer=stage.cast.issuer)
        for one in left.loaded:
            path = f"/department/certificates/{one.certificate_id}/revoke"
            await department.post(path, {"reason": "issued_in_error"})
    if left.sender is not None:
        await sending.close(stage, left.sender)
    if left.joined is not None:
        await joining_venue.close(stage, left.joined)
    with story.step("The resident signs out"):
        await me.app.post("/resident/sign-out", status=204)

        async def look() -> str | None:
            answer = await me.app.ask("GET", "/resident/me", status=None)
            return answer.code if answer.status == 401 else None

        refused = await until(look, within_seconds=HEARD_WITHIN_SECONDS)
        story.equal("the token is good no more", expected="access.token_revoked", seen=refused)
