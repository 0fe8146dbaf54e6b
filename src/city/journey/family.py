"""A mandate: somebody shows another's certificate for them, until it is ended in one place."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from city.journey.calling import Caller
from city.journey.from_mini_program import tap
from city.journey.issuing import IDENTITY_CARD, INSURANCE
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, nearby, now
from city.journey.verifying import Gate, open_gates
from gateway.demo.cast import PlayedPerson

SORT: Final = "hospital"
SCENARIO: Final = "hospital.registration"
STANDS_FOR: Final = timedelta(days=1)


async def play(stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued]) -> None:
    """Give a mandate to somebody else, let them show under it, end it, and see that it has ended everywhere."""
    story = stage.story
    agent = nearby(stage.cast, person)[0]
    story.act(f"{agent.name} shows for {person.name}")
    theirs = await _sign_in(stage, agent)
    hospital = (await open_gates(stage, SORT, SCENARIO))[0]
    card = issued[IDENTITY_CARD]
    with story.step("Without a mandate, another's certificate is not there"):
        refused = await _show(theirs, card, None, status=404)
        story.equal("nobody shows what is another's", expected="wallet.certificate_not_found", seen=refused)
    mandate_id = await _give(stage, me, agent, card)
    await _look(stage, theirs, mandate_id, person, issued)
    code = await _use(stage, theirs, mandate_id, me, card, hospital)
    await _end(stage, theirs, mandate_id, me, card, hospital, code)


async def _sign_in(stage: Stage, agent: PlayedPerson) -> Caller:
    """The agent in the mini-program, known by name."""
    with stage.story.step(f"{agent.name} opens the mini-program, and is known by name"):
        codes = await tap(stage, agent)
        both = {"js_code": codes["js_code"], "phone_code": codes["phone_code"]}
        mini = stage.city.proved((await stage.city.post("/mini/sign-in", both)).content["access_token"])
        if (await mini.get("/mini/me")).content["real_name"] is None:
            known = {"name": agent.name, "id_number": agent.id_number}
            mini = stage.city.proved((await mini.post("/mini/real-name", known)).content["access_token"])
        name = (await mini.get("/mini/me")).content["real_name"]["name"]
        stage.story.equal("it is who was meant", expected=agent.name, seen=name)
    return mini


async def _give(stage: Stage, me: SignedIn, agent: PlayedPerson, card: Issued) -> str:
    story, mandate_id = stage.story, str(uuid4())
    with story.step("A mandate for one kind of certificate, at hospitals, for a day"):
        wish = {
            "agent": {"id_number": agent.id_number, "name": agent.name},
            "expires_at": (now() + STANDS_FOR).isoformat(),
            "kind_codes": [card.kind_code],
            "scenario_codes": [SCENARIO],
        }
        given = (await me.app.ask("PUT", f"/resident/mandates/{mandate_id}", wish)).content
        story.equal("it stands at once", expected="standing", seen=given["state"])
        again = (await me.app.ask("PUT", f"/resident/mandates/{mandate_id}", wish)).content
        story.equal("asked again, the same mandate", expected=given, seen=again)
        story.holds(
            "the agent's name is masked where others look on",
            agent.name not in str(given),
            expected="masked",
            seen=given["other"],
        )
    return mandate_id


async def _look(stage: Stage, theirs: Caller, mandate_id: str, person: PlayedPerson, issued: dict[str, Issued]) -> None:
    story = stage.story
    with story.step("The agent sees what it covers"):
        held = (await theirs.get("/mini/mandates")).content["held"]
        ids = [one["mandate_id"] for one in held]
        story.equal("the mandate is among theirs", expected=1, seen=ids.count(mandate_id))
        cards = (await theirs.get(f"/mini/mandates/{mandate_id}/certificates")).content["certificates"]
        kinds = {one["kind_code"] for one in cards}
        story.equal("and what may be shown, of that kind alone", expected={issued[IDENTITY_CARD].kind_code}, seen=kinds)
        story.holds("with values masked", person.id_number not in str(cards), expected="masked values", seen=cards)
    with story.step("The agent tries more than was given"):
        for certificate, scenario in ((issued[IDENTITY_CARD], "station.entry"), (issued[INSURANCE], SCENARIO)):
            refused = await _show(theirs, certificate, mandate_id, scenario=scenario, status=403)
            story.equal(
                "another scenario or another certificate is not covered",
                expected="wallet.mandate_does_not_cover",
                seen=refused,
            )


async def _use(stage: Stage, theirs: Caller, mandate_id: str, me: SignedIn, card: Issued, hospital: Gate) -> str:
    """Show under the mandate; a code that was shown then, and not scanned yet."""
    story = stage.story
    with story.step(f"The agent shows the {card.name_zh} at {hospital.owner}"):
        text = await _show(theirs, card, mandate_id, status=201)
        verdict = (await hospital.scan(text, str(uuid4()))).content
        allowed = hospital.allowed[SCENARIO, card.kind_code]
        expected = {name: card.values[name] for name in allowed}
        story.equal(
            "it is the holder's certificate that is seen",
            expected=("valid", expected),
            seen=(verdict["verdict"], verdict["fields"]),
        )
    with story.step("Both see it"):
        mine = await _last_use(me.app, f"/resident/uses?certificate_id={card.certificate_id}")
        acted = mine["acted"]["mandate_id"]
        story.equal("the holder's ledger says under which mandate", expected=mandate_id, seen=acted)
        theirs_too = await _last_use(theirs, f"/mini/uses?as_agent=true&certificate_id={card.certificate_id}")
        story.equal("and so does the agent's, of the same look", expected=mine["look"], seen=theirs_too["look"])
    return await _show(theirs, card, mandate_id, status=201)


async def _end(
    stage: Stage, theirs: Caller, mandate_id: str, me: SignedIn, card: Issued, hospital: Gate, code: str
) -> None:
    story = stage.story
    with story.step("The holder ends it; the agent has a code on the screen"):
        ended = (await me.app.post(f"/resident/mandates/{mandate_id}/revoke")).content
        story.equal("it has ended", expected="ended", seen=ended["state"])
        verdict = (await hospital.scan(code, str(uuid4()))).content
        story.equal(
            "the very next scan is refused",
            expected=("mandate_ended", {}),
            seen=(verdict["verdict"], verdict["fields"]),
        )
        refused = await _show(theirs, card, mandate_id, status=409)
        story.equal("and so is the very next showing", expected="wallet.mandate_ended", seen=refused)
        await theirs.post("/mini/sign-out", status=204)


async def _show(theirs: Caller, card: Issued, mandate_id: str | None, *, scenario: str = SCENARIO, status: int) -> str:
    """The code that comes, or the code of the refusal."""
    body: dict[str, Any] = {"scenario_code": scenario, "mandate_id": mandate_id}
    answer = await theirs.post(f"/mini/certificates/{card.certificate_id}/codes", body, status=status)
    return str(answer.content["text"]) if status == 201 else answer.code


async def _last_use(caller: Caller, path: str) -> dict[str, Any]:
    return dict((await caller.get(f"{path}&limit=1")).content["uses"][0])
