"""Station, hospital and museum scan, each with its own key and scenario, and see only what it allows."""

from typing import Any, Final
from uuid import uuid4

import msgspec

from city.journey import calling
from city.journey.calling import Answer, Caller
from city.journey.issuing import CONCESSION, IDENTITY_CARD, INSURANCE
from city.journey.showing import SCENARIO_OF, Shown, ask_for_code
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, moment, now
from gateway.demo.cast import PlayedPerson

SORT_OF: Final = {IDENTITY_CARD: "station", INSURANCE: "hospital", CONCESSION: "museum"}
BEYOND_SECONDS: Final = 5
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Seen(msgspec.Struct, frozen=True):
    """A yes: which venue saw which fields of which certificate, under which scenario."""

    owner: str
    scenario_code: str
    certificate: Issued
    fields: dict[str, Any]


class Gate:
    """A device of a venue that has proved itself, and what its venue may see."""

    def __init__(self, caller: Caller, owner: str, allowed: dict[tuple[str, str], list[str]]) -> None:
        self.caller = caller
        self.owner = owner
        self.allowed = allowed

    async def scan(self, text: str, use_id: str) -> Answer:
        return await self.caller.post("/venue/verifications", {"code": text, "use_id": use_id})


async def open_gates(stage: Stage, sort: str, scenario: str) -> list[Gate]:
    """Two devices of a venue, each with its own key."""
    gates = []
    for client in stage.venue(sort, scenario)[:2]:
        caller = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        scenarios = (await caller.get("/venue/scenarios")).content["scenarios"]
        allowed = {
            (one["scenario_code"], kind["kind_code"]): [field["name"] for field in kind["fields"]]
            for one in scenarios
            for kind in one["shows"]
        }
        gates.append(Gate(caller, client.owner, allowed))
    return gates


async def play(
    stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued], codes: dict[str, Shown]
) -> tuple[list[Seen], list[Gate]]:
    """Every scan of the journey; the yeses, and the station's gates."""
    stage.story.act("A station, a hospital and a museum verify")
    gates: dict[str, list[Gate]] = {}
    for kind, scenario in SCENARIO_OF.items():
        with stage.story.step(f"Two devices of a {SORT_OF[kind]} prove themselves, each with its own key"):
            gates[kind] = await open_gates(stage, SORT_OF[kind], scenario)
    seen = [await _redeem(stage, gates[kind][0], codes[kind]) for kind in SCENARIO_OF]
    station, card = gates[IDENTITY_CARD], issued[IDENTITY_CARD]
    seen.append(await _use_once(stage, me, station, card))
    await _let_expire(stage, me, station[0], card)
    await _change(stage, me, gates, card)
    seen.append(await _open_in_browser(stage, person, me, station[0], card))
    return seen, station


async def _redeem(stage: Stage, gate: Gate, code: Shown) -> Seen:
    story, certificate = stage.story, code.certificate
    with story.step(f"{gate.owner} scans the {certificate.name_zh}"):
        verdict = (await gate.scan(code.text, str(uuid4()))).content
        story.equal("a good code is good", expected="valid", seen=verdict["verdict"])
        allowed = gate.allowed[code.scenario_code, certificate.kind_code]
        story.equal(
            "the venue gets the fields its scenario allows and no other",
            expected=sorted(allowed),
            seen=sorted(verdict["fields"]),
        )
        expected = {name: certificate.values[name] for name in allowed}
        story.equal("the fields say what the department wrote", expected=expected, seen=verdict["fields"])
    return Seen(gate.owner, code.scenario_code, certificate, verdict["fields"])


async def _use_once(stage: Stage, me: SignedIn, gates: list[Gate], card: Issued) -> Seen:
    story = stage.story
    with story.step("One code, two gates, and a lost answer"):
        text = (await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD]))["text"]
        use_id = str(uuid4())
        first = await gates[0].scan(text, use_id)
        story.equal("the first gate says yes", expected="valid", seen=first.content["verdict"])
        second = (await gates[1].scan(text, str(uuid4()))).content
        story.equal(
            "a second device is told that it was used already, and nothing else",
            expected=("already_used", {}),
            seen=(second["verdict"], second["fields"]),
        )
        retry = await gates[0].scan(text, use_id)
        story.equal("the same device asking again hears the same, byte for byte", expected=first.body, seen=retry.body)
        other = (await gates[0].scan(text, str(uuid4()))).content
        story.equal("as another scan it is used already", expected="already_used", seen=other["verdict"])
    return Seen(gates[0].owner, SCENARIO_OF[IDENTITY_CARD], card, first.content["fields"])


async def _let_expire(stage: Stage, me: SignedIn, gate: Gate, card: Issued) -> None:
    story = stage.story
    with story.step("An old code"):
        shown = await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD])
        seconds = int((moment(shown["accepted_until"]) - now()).total_seconds()) + BEYOND_SECONDS
        await stage.city.post("/demo/codes/age", {"code_text": shown["text"], "seconds": seconds})
        verdict = (await gate.scan(shown["text"], str(uuid4()))).content
        story.equal(
            "an old code has expired, and says nothing else",
            expected=("expired", {}),
            seen=(verdict["verdict"], verdict["fields"]),
        )


async def _change(stage: Stage, me: SignedIn, gates: dict[str, list[Gate]], card: Issued) -> None:
    story = stage.story
    with story.step("A changed code, an invented one, and one for somebody else's scenario"):
        text = (await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD]))["text"]
        changed = text[:-2] + _BASE32[(_BASE32.index(text[-2]) + 1) % len(_BASE32)] + text[-1]
        for what, scanned in (("a changed code", changed), ("a web address", "https://example.org/")):
            verdict = (await gates[IDENTITY_CARD][0].scan(scanned, str(uuid4()))).content
            seen = verdict["verdict"], verdict["fields"]
            story.equal(f"{what} is not ours", expected=("not_ours", {}), seen=seen)
        verdict = (await gates[CONCESSION][0].scan(text, str(uuid4()))).content
        story.equal(
            "the museum cannot redeem a code shown for the station",
            expected=("wrong_scenario", {}),
            seen=(verdict["verdict"], verdict["fields"]),
        )


async def _open_in_browser(stage: Stage, person: PlayedPerson, me: SignedIn, gate: Gate, card: Issued) -> Seen:
    story = stage.story
    text = (await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD]))["text"]
    with story.step("Somebody opens the address in the code with a browser"):
        path = text[text.index("/Q/") :]
        page = await stage.city.get(path)
        invented = await stage.city.get("/Q/" + "A" * 26)
        story.equal("the page is the same for every code", expected=invented.body, seen=page.body)
        personal = [value for value in (person.name, person.id_number) if value in page.body.decode()]
        story.equal("it reveals nothing", expected=[], seen=personal)
    with story.step("The code is as good as before"):
        verdict = (await gate.scan(text, str(uuid4()))).content
        story.equal("opening the address redeems nothing", expected="valid", seen=verdict["verdict"])
    return Seen(gate.owner, SCENARIO_OF[IDENTITY_CARD], card, verdict["fields"])
