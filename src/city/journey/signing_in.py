"""The resident signs in by phone with the code of an SMS, and has their real name checked."""

import re
from typing import Any

import msgspec

from city.journey.calling import Caller
from city.journey.stage import Phone, Stage
from gateway.demo.cast import PlayedPerson

DEVICE = "journey"


class SignedIn(msgspec.Struct, frozen=True):
    """A resident in their own app, and the phone their SMS come to."""

    app: Caller
    phone: Phone
    account_id: str
    person_id: str


async def play(stage: Stage, person: PlayedPerson) -> SignedIn:
    """Sign in and be known by name."""
    story = stage.story
    story.act(f"{person.name} signs in by phone")
    phone = await stage.phone_of(person)
    with story.step("The phone asks for a code, and the SMS comes"):
        challenge = (await stage.city.post("/resident/sign-in/codes", {"phone": person.phone}, status=202)).content
        sms = await phone.await_sms("the code comes by SMS", "验证码")
        code = next(iter(re.findall(r"(?<!\d)\d{6}(?!\d)", sms.text)), "")
        story.holds("the code has six digits", bool(code), expected="six digits", seen=sms.text)
    with story.step("The code signs in, once"):
        answer = {"challenge_id": challenge["challenge_id"], "phone": person.phone, "code": code, "device": DEVICE}
        wrong = {**answer, "code": f"{(int(code) + 1) % 10**6:06d}"}
        refused = await stage.city.post("/resident/sign-in", wrong, status=422)
        story.equal("a wrong code signs nobody in", expected="residents.code_not_accepted", seen=refused.code)
        tokens = (await stage.city.post("/resident/sign-in", answer)).content
        refused = await stage.city.post("/resident/sign-in", answer, status=422)
        story.equal("a code is good once", expected="residents.code_not_accepted", seen=refused.code)
    app = stage.city.proved(tokens["access_token"])
    tokens = await _be_known(stage, person, app, tokens)
    app = stage.city.proved(tokens["access_token"])
    with story.step("The entrance knows who this is"):
        me = (await app.get("/resident/me")).content
        story.equal("the account has its real name", expected=person.name, seen=(me["real_name"] or {}).get("name"))
        masked = (me["real_name"]["id_number_masked"], me["phone_masked"])
        story.holds(
            "ID number and phone are masked on the screen",
            person.id_number not in str(masked) and person.phone not in str(masked),
            expected="masked",
            seen=str(masked),
        )
    return SignedIn(app, phone, me["account_id"], me["real_name"]["person_id"])


async def _be_known(stage: Stage, person: PlayedPerson, app: Caller, tokens: dict[str, Any]) -> dict[str, Any]:
    """Have the real name checked; the tokens that prove it."""
    story = stage.story
    with story.step("The real name is checked: name, ID number and phone belong together"):
        known = (await app.get("/resident/me")).content["real_name"]
        if known is None:
            refused = await app.ask("GET", "/resident/certificates", status=403)
            story.equal(
                "before the check, no certificate is shown", expected="access.real_name_needed", seen=refused.code
            )
        asked = {"name": person.name, "id_number": person.id_number}
        other = next(one for one in stage.cast.residents if one.name != person.name)
        wrong = await app.ask("POST", "/resident/real-name", {**asked, "name": other.name}, status=None)
        if wrong.code == "residents.real_name_busy" and known is not None:
            return tokens  # checked before, and as often today as one account may be
        story.equal(
            "another's name does not pass",
            expected=(422, "residents.real_name_mismatch"),
            seen=(wrong.status, wrong.code),
        )
        checked = await app.ask("POST", "/resident/real-name", asked, status=None)
        if checked.code == "residents.real_name_busy" and known is not None:
            return tokens
        story.equal("the person's own name passes", expected=200, seen=checked.status)
    return dict(checked.content)
