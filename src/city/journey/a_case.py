"""An office says what is missing for a case, once and whole, then what changed; and a venue's look is told by SMS."""

import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from city.journey import calling
from city.journey.calling import Caller, until
from city.journey.issuing import IDENTITY_CARD
from city.journey.showing import SCENARIO_OF, ask_for_code
from city.journey.signing_in import SignedIn
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Issued, Stage, now
from city.journey.verifying import Gate
from gateway.demo.cast import PlayedPerson

CLIENT: Final = "department:parks"
PREFERENCES: Final = "/resident/contact-preferences"
LEASE: Final = {
    "what": {"zh": "租赁合同", "en": "lease"},
    "why": {"zh": "缺少签名页", "en": "the signed page is missing"},
}
PHOTO: Final = {"what": {"zh": "近期照片", "en": "photo"}, "why": {"zh": "背景不是白色", "en": "not on white"}}
RECEIPT: Final = {"what": {"zh": "缴费凭证", "en": "receipt"}, "why": {"zh": "未提供", "en": "not handed in"}}


async def play(stage: Stage, person: PlayedPerson, me: SignedIn, card: Issued, station: Gate) -> None:
    """Ask to be told of looks, be told of a case meanwhile, and hear of the look."""
    story = stage.story
    story.act(f"An office writes to {person.name} about a case")
    before = await _want_to_hear(stage, me)
    await me.phone.forget()
    with story.step(f"{station.owner} scans the {card.name_zh}"):
        text = (await ask_for_code(me.app, card, SCENARIO_OF[IDENTITY_CARD]))["text"]
        verdict = (await station.scan(text, str(uuid4()))).content
        story.equal("it is good", expected="valid", seen=verdict["verdict"])
    department = await calling.machine(stage.city, stage.client(CLIENT), issuer=stage.cast.issuer)
    await _be_told(stage, me, department, _Case(person))
    with story.step("The resident hears of the look outside the app, as they asked"):
        await me.phone.await_sms("an SMS says who looked at what", "核验了您的", station.owner, card.name_zh)
    with story.step("The resident wants no more of these"):
        left = (await me.app.ask("PUT", PREFERENCES, _wish(before, before["channels"]["shown"]))).content
        story.equal("the app says so", expected=before["channels"]["shown"], seen=left["channels"]["shown"])


class _Case:
    """A matter of one person with the office, under a number of its own."""

    def __init__(self, person: PlayedPerson) -> None:
        self.matter = f"场地使用申请{secrets.token_hex(3)}"
        self.path = f"/department/cases/journey-{uuid4().hex}/notices"
        self._person = person

    async def miss(self, department: Caller, *items: dict[str, Any]) -> dict[str, Any]:
        """Say what is missing."""
        notice = {
            "matter": {"zh": self.matter},
            "items": list(items),
            "place": {"zh": "园区管理处一号窗口", "en": "Park office, window 1"},
            "until": (now() + timedelta(days=14)).date().isoformat(),
        }
        body = {"id_number": self._person.id_number, "notice": notice}
        answer: dict[str, Any] = (await department.ask("PUT", f"{self.path}/supplement", body)).content
        return answer


def _wish(before: dict[str, Any], shown: list[str]) -> dict[str, Any]:
    """The choices before, with other channels for looks; they were agreed to as the app showed the words."""
    kept = {name: before[name] for name in ("language", "sms_results", "sms_reminders", "sms_notices")}
    consent = {"consent_version": before["consent"]["version"]}
    return {**kept, **consent, "channels": {**before["channels"], "shown": shown}}


async def _want_to_hear(stage: Stage, me: SignedIn) -> dict[str, Any]:
    """Have looks told by SMS; how they were told before."""
    with stage.story.step("The resident wants an SMS whenever a certificate is shown"):
        before: dict[str, Any] = (await me.app.get(PREFERENCES)).content
        chosen = (await me.app.ask("PUT", PREFERENCES, _wish(before, ["sms"]))).content
        stage.story.equal("it is chosen", expected=["sms"], seen=chosen["channels"]["shown"])
    return before


async def _be_told(stage: Stage, me: SignedIn, department: Caller, case: _Case) -> None:
    story = stage.story
    with story.step("The office says what is missing, and says it again after a lost answer"):
        first = await case.miss(department, LEASE, PHOTO)
        again = await case.miss(department, LEASE, PHOTO)
        story.equal("it is one notice", expected=first["message_id"], seen=again["message_id"])
        sms = await me.phone.await_sms("one SMS names every paper", case.matter, "2项", "租赁合同", "近期照片")
        item = await _item(me, first["message_id"])
        lines = [(one["text"], one["why"]) for one in item["lines"]]
        expected = [(one["what"]["zh"], one["why"]["zh"]) for one in (LEASE, PHOTO)]
        story.equal("the inbox has the whole list, and why each is asked for", expected=expected, seen=lines)
        seen = [one.text for one in await me.phone.fresh(case.matter)]
        story.equal("and no other SMS came", expected=[sms.text], seen=seen)
    with story.step("The office finds that one is there after all, and another is missing"):
        changed = await case.miss(department, PHOTO, RECEIPT)
        story.equal("this is told as a change", expected=True, seen=changed["is_renewal"])
        await me.phone.await_sms("an SMS says what changed", case.matter, "新增：缴费凭证", "不再需要：租赁合同")
        item = await _item(me, changed["message_id"])
        texts = [one["text"] for one in item["lines"]]
        story.equal("and the inbox has the whole new list", expected=["近期照片", "缴费凭证"], seen=texts)
    with story.step("The office looks at what it told"):
        notices = (await department.get(case.path)).content["notices"]
        standing = [(one["message_id"], one["is_current"], one["state"]) for one in notices]
        both = [(first["message_id"], False, "handled"), (changed["message_id"], True, "handled")]
        story.equal("both were told, and the second stands", expected=both, seen=standing)


async def _item(me: SignedIn, message_id: str) -> dict[str, Any]:
    """What came to the inbox; empty when it does not come in time."""

    async def look() -> dict[str, Any] | None:
        page = (await me.app.get("/resident/inbox?limit=20")).content
        return next((one for one in page["items"] if one["id"] == message_id), None)

    return await until(look, within_seconds=ARRIVES_WITHIN_SECONDS) or {"lines": []}
