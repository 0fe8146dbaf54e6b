"""The resident says how they want to be told things, by e-mail too, and writes back when it is too much."""

import re
import secrets
from typing import Any, Final
from uuid import uuid4

from city.journey import calling
from city.journey.calling import Caller, until
from city.journey.sending import Sender
from city.journey.signing_in import SignedIn
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Stage
from gateway.demo.cast import PlayedPerson

CLIENT: Final = "department:parks"
PREFERENCES: Final = "/resident/contact-preferences"
OPT_OUTS: Final = f"{PREFERENCES}/opt-outs"
_CODE: Final = re.compile(r"(?<!\d)\d{6}(?!\d)")


async def play(stage: Stage, person: PlayedPerson, me: SignedIn, sender: Sender | None) -> None:
    """Confirm an address, choose channels, reply "T", and take all of it back."""
    stage.story.act(f"{person.name} chooses how to be told")
    address = f"{secrets.token_hex(6)}@people.example"
    before = await _confirm(stage, me, address)
    await _choose(stage, me, before)
    await _be_told(stage, person, me, address)
    await _take_back(stage, me, before)
    if sender is not None:
        await _want_no_more(stage, person, me, sender)


async def _mails(stage: Stage, address: str, *words: str) -> list[str]:
    """What came to an address, newest first, if it has all these words."""
    found = (await stage.city.post("/demo/outbox/search", {"email": address})).content["messages"]
    return [one["text"] for one in found if all(word in one["text"] for word in words)]


async def _confirm(stage: Stage, me: SignedIn, address: str) -> dict[str, Any]:
    """Have an e-mail address confirmed; how the person was told things before."""
    story, app = stage.story, me.app
    with story.step("An e-mail address is confirmed with a code that is sent there"):
        before: dict[str, Any] = (await app.get(PREFERENCES)).content
        early = await app.ask("PUT", PREFERENCES, _wish(before, notices=["email"]), status=None)
        story.equal("before that, no e-mail can be chosen", expected="reaching.email_not_confirmed", seen=early.code)
        asked = (await app.post("/resident/contact/email", {"address": address}, status=202)).content

        async def look() -> str | None:
            return next((code for text in await _mails(stage, address) for code in _CODE.findall(text)), None)

        code = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
        story.holds("the code comes by e-mail", code is not None, expected="six digits", seen=code)
        answer = {"challenge_id": asked["challenge_id"], "code": code}
        masked = (await app.post("/resident/contact/email/confirm", answer)).content["email_masked"]
        story.equal("of the address only a little is shown", expected=f"{address[0]}***@people.example", seen=masked)
    return before


def _wish(before: dict[str, Any], **channels: list[str]) -> dict[str, Any]:
    """The choices before, with other channels."""
    kept = {name: before[name] for name in ("language", "sms_results", "sms_reminders", "sms_notices")}
    return {**kept, "channels": {**before["channels"], **channels}}


async def _choose(stage: Stage, me: SignedIn, before: dict[str, Any]) -> None:
    story = stage.story
    with story.step("What departments tell is to come by e-mail, and not by SMS"):
        wish = _wish(before, notices=["email"])
        silent = await me.app.ask("PUT", PREFERENCES, wish, status=None)
        story.equal("a new channel needs a consent", expected="reaching.consent_needed", seen=silent.code)
        story.holds(
            "to words that are shown", bool(before["consent"]["text"]), expected="words", seen=before["consent"]
        )
        agreed = {**wish, "consent_version": before["consent"]["version"]}
        chosen = (await me.app.ask("PUT", PREFERENCES, agreed)).content["channels"]["notices"]
        story.equal("it is chosen", expected=["email"], seen=chosen)


async def _be_told(stage: Stage, person: PlayedPerson, me: SignedIn, address: str) -> None:
    story, words = stage.story, f"园区第{secrets.token_hex(3)}号通知"
    with story.step("A department tells something"):
        department = await calling.machine(stage.city, stage.client(CLIENT), issuer=stage.cast.issuer)
        await me.phone.forget()
        await _tell(department, person, words)

        async def look() -> str | None:
            return next(iter(await _mails(stage, address, words)), None)

        mail = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
        story.holds("it comes by e-mail", mail is not None, expected=words, seen="none")
        inbox = (await me.app.get("/resident/inbox?limit=10")).content
        seen = [one for one in inbox["items"] if words in str(one)]
        story.equal("it is in the inbox, once", expected=1, seen=len(seen))
        story.equal("and no SMS comes", expected=[], seen=await me.phone.fresh(words))


async def _tell(department: Caller, person: PlayedPerson, words: str) -> None:
    notice = {"id_number": person.id_number, "title": "园区通知", "body": words}
    key = {"Idempotency-Key": str(uuid4())}
    await department.ask("POST", "/department/messages", notice, headers=key, status=202)


async def _take_back(stage: Stage, me: SignedIn, before: dict[str, Any]) -> None:
    with stage.story.step("The address is forgotten"):
        await me.app.ask("DELETE", "/resident/contact/email", status=204)
        left = (await me.app.get(PREFERENCES)).content
        seen = (left["email_masked"], "email" in str(left["channels"]))
        stage.story.equal("and so is every choice of it", expected=(None, False), seen=seen)
        again = {**_wish(before), "consent_version": before["consent"]["version"]}
        await me.app.ask("PUT", PREFERENCES, again)


async def _want_no_more(stage: Stage, person: PlayedPerson, me: SignedIn, sender: Sender) -> None:
    """Answer an SMS of the department's with a T."""
    story, app, caller = stage.story, me.app, f"department:{sender.service_id}"

    async def stopped() -> list[str]:
        return [one["sender"] for one in (await app.get(OPT_OUTS)).content["opt_outs"]]

    async def look() -> bool | None:
        return caller in await stopped() or None

    with story.step("The resident answers the department's SMS with a T"):
        await stage.city.post("/demo/texts", {"phone": person.phone, "text": "Ｔ。"}, status=202)
        heard = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
        story.equal("the app shows of whom no more is wanted", expected=True, seen=heard)
    with story.step("The department sends one more"):
        end = await sender.ended(await sender.send(person, "二"))
        story.equal("it is not sent, and the department is told", expected="cancelled", seen=end)
        story.equal("the phone is silent", expected=[], seen=await me.phone.fresh(f"{sender.event}二"))
    with story.step("The resident wants them again"):
        answer = await app.ask("PUT", f"{OPT_OUTS}/{caller}", {"is_opted_out": False})
        seen = caller in [one["sender"] for one in answer.content["opt_outs"]]
        story.equal("the app says so", expected=False, seen=seen)
        await sender.send(person, "三")
        await me.phone.await_sms("and the next one comes", f"{sender.event}三")
