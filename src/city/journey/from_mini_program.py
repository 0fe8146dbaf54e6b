"""The same resident in the mini-program, who scans a venue's code and consents to part of what it asks."""

from typing import Any, Final

from city.journey.booking import Booked
from city.journey.calling import Answer, Caller
from city.journey.issuing import IDENTITY_CARD
from city.journey.looking_back import in_short, ledger_of
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from city.journey.verifying import Gate, open_gates
from gateway.demo.cast import PlayedPerson

SORT: Final = "hospital"
SCENARIO: Final = "hospital.registration"
CONSENTED: Final = ["name", "birth_date"]
"""Less than the scenario would allow."""


async def play(
    stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued], station: list[Gate], booked: Booked
) -> None:
    """Sign in by `js_code`, then answer a venue's ask."""
    stage.story.act("The same resident in the mini-program")
    mini = await _sign_in(stage, person, me, issued, booked)
    with stage.story.step("The hospital's devices prove themselves"):
        hospital = await open_gates(stage, SORT, SCENARIO)
    await _answer_ask(stage, mini, me, issued, hospital[0], station[0])
    await _decline_ask(stage, mini, hospital[0])


async def _sign_in(
    stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued], booked: Booked
) -> Caller:
    story = stage.story
    with story.step("The chat app hands out codes, and the mini-program signs in with them"):
        codes = await tap(stage, person)
        answer = await stage.city.ask("POST", "/mini/sign-in", {"js_code": codes["js_code"]}, status=None)
        if answer.status != 200:
            story.equal("who is new is asked for the phone", expected="miniapp.phone_needed", seen=answer.code)
            codes = await tap(stage, person)
            both = {"js_code": codes["js_code"], "phone_code": codes["phone_code"]}
            answer = await stage.city.post("/mini/sign-in", both)
    with story.step("It is the same account, without a second registration"):
        mini = stage.city.proved(answer.content["access_token"])
        account = (await mini.get("/mini/me")).content["account_id"]
        story.equal("the account is the one from the app", expected=me.account_id, seen=account)
        listed = (await mini.get("/mini/certificates")).content["certificates"]
        held = {one["certificate_id"] for one in listed} >= {one.certificate_id for one in issued.values()}
        story.holds("with the same certificates", held, expected="those of this journey", seen=listed)
        bookings = (await mini.get("/mini/bookings")).content["bookings"]
        found = booked.booking_id in {one["booking_id"] for one in bookings}
        story.holds("and the same bookings", found, expected=booked.booking_id, seen=bookings)
    with story.step("Later it signs in again with a js_code alone"):
        codes = await tap(stage, person)
        again = await stage.city.post("/mini/sign-in", {"js_code": codes["js_code"]})
        used = await stage.city.ask("POST", "/mini/sign-in", {"js_code": codes["js_code"]}, status=422)
        story.equal("a js_code is good once", expected="miniapp.code_refused", seen=used.code)
        elsewhere = await stage.city.proved(again.content["access_token"]).ask("GET", "/resident/me", status=403)
        story.equal("its token is for the mini-program alone", expected="access.wrong_audience", seen=elsewhere.code)
    return stage.city.proved(again.content["access_token"])


async def tap(stage: Stage, person: PlayedPerson) -> dict[str, str]:
    """What `wx.login` and the phone-number button hand to the mini-program, played by the stand-in."""
    platform = stage.city.at(stage.cast.chat_platform_url)
    return dict((await platform.post("/demo/js-codes", {"phone": person.phone}, status=201)).content)


async def _answer_ask(
    stage: Stage, mini: Caller, me: SignedIn, issued: dict[str, Issued], hospital: Gate, stranger: Gate
) -> None:
    story, card = stage.story, issued[IDENTITY_CARD]
    with story.step(f"{hospital.owner} shows a code that asks"):
        asked = await _ask(hospital)
        state = (await hospital.caller.get(f"/venue/asks/{asked['ask_id']}")).content["state"]
        story.equal("it waits for an answer", expected="waiting", seen=state)
    with story.step("The resident scans it and looks"):
        looked = (await mini.post("/mini/asks/look", {"text": asked["text"]})).content
        story.equal("who asks is told", expected=hospital.owner, seen=looked["venue_zh"])
        story.holds("and for what", bool(looked["scenario"]["purpose_zh"]), expected="a purpose", seen=looked)
        allowed = hospital.allowed[SCENARIO, card.kind_code]
        shows = {one["kind_code"]: [field["name"] for field in one["fields"]] for one in looked["scenario"]["shows"]}
        story.equal("and which fields", expected=allowed, seen=shows.get(card.kind_code))
        fitting = {one["certificate_id"] for one in looked["fitting"]}
        story.holds(
            "the identity card would answer", card.certificate_id in fitting, expected=card.name_zh, seen=looked
        )
        state = (await hospital.caller.get(f"/venue/asks/{asked['ask_id']}")).content["state"]
        story.equal("looking tells the venue nothing", expected="waiting", seen=state)
    with story.step("The resident consents to less than what is asked"):
        answer = {"text": asked["text"], "certificate_id": card.certificate_id, "fields": CONSENTED}
        await mini.post("/mini/asks/consent", answer)
        heard = (await hospital.caller.get(f"/venue/asks/{asked['ask_id']}")).content
        expected = {name: card.values[name] for name in CONSENTED}
        story.equal("the venue gets just what was consented to", expected=("answered", expected), seen=_heard(heard))
        other: Answer = await stranger.caller.ask("GET", f"/venue/asks/{asked['ask_id']}", status=404)
        story.equal("and no other venue does", expected="wallet.ask_not_found", seen=other.code)
    with story.step("The ledger has it"):
        uses = [use for use in await ledger_of(me, {IDENTITY_CARD: card}) if use["route"] == "ask"]
        seen = [in_short(use) for use in uses]
        story.equal(
            "the ledger shows who asked and what was given",
            expected=[(hospital.owner, SCENARIO, sorted(CONSENTED))],
            seen=seen,
        )


def _heard(answer: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return answer["state"], answer["fields"]


async def _ask(hospital: Gate) -> dict[str, Any]:
    kinds = [kind for scenario, kind in hospital.allowed if scenario == SCENARIO]
    body = {"scenario_code": SCENARIO, "kind_codes": kinds}
    return dict((await hospital.caller.post("/venue/asks", body, status=201)).content)


async def _decline_ask(stage: Stage, mini: Caller, hospital: Gate) -> None:
    with stage.story.step("Another ask, declined"):
        asked = await _ask(hospital)
        await mini.post("/mini/asks/decline", {"text": asked["text"]}, status=204)
        heard = (await hospital.caller.get(f"/venue/asks/{asked['ask_id']}")).content
        stage.story.equal("the venue hears no, and nothing else", expected=("declined", {}), seen=_heard(heard))
