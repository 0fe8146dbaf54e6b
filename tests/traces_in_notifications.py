"""One person's traces in the parts of notifications that a journey leaves none in."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from city.journey import calling
from city.journey.calling import Answer, Caller, until
from city.journey.from_mini_program import tap
from city.journey.signing_in import SignedIn
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Stage, now
from gateway.demo.cast import PlayedPerson
from notifications.channels.subscribe.texts import SubscribeText

PARKS: Final = "department:parks"
TEXT: Final = "年票可领取"
"""A text of the parks department, of the demo."""
LINES: Final = {"Content-Type": "application/x-ndjson"}
CALLBACK: Final = "https://nobody.invalid/calls"


class NoticeTraces(msgspec.Struct):
    """Somebody whom a department writes to, and who writes back."""

    stage: Stage
    person: PlayedPerson
    me: SignedIn
    parks: Caller
    mini: Caller
    text_id: str
    subscribed: str

    def writes(self) -> list[Callable[[], Awaitable[Answer]]]:
        """Writes of every sort, each with the person in it, under names of its own each time."""
        return [
            self._names_an_address,
            self._allows_a_subscribe_message,
            self._is_told,
            self._is_told_of_a_case,
            self._stands_in_a_batch,
            self._is_on_a_team,
            self._is_in_the_address_of_a_callback,
            self._writes_back,
        ]

    async def have_come(self) -> None:
        """What was written became what it becomes: a callback is tried, and a department reads what was answered."""
        callback_id = (await self.parks.get("/department/callbacks")).content["callbacks"][0]["callback_id"]
        await self.parks.post(f"/department/callbacks/{callback_id}/test", status=202)
        await until(self._shows("路灯"), within_seconds=ARRIVES_WITHIN_SECONDS)
        await self.me.phone.forget()
        await self._is_told()  # the newest that the department told: of a case nothing is passed on
        await until(self._shows("年票"), within_seconds=ARRIVES_WITHIN_SECONDS)

        async def look() -> Any:
            await self._writes_back()
            return (await self.parks.get("/department/received-texts")).content["texts"] or None

        heard = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS, every_seconds=2)
        assert heard, "what was written back is not passed on"

    def _values(self) -> dict[str, str]:
        until_day = (now() + timedelta(days=7)).date().isoformat()
        return {"name": self.person.name, "until": until_day, "place": f"{self.person.name}家{uuid4().hex[:6]}"}

    def _shows(self, words: str) -> Callable[[], Awaitable[bool | None]]:
        async def look() -> bool | None:
            return True if await self.me.phone.fresh(words) else None

        return look

    async def _names_an_address(self) -> Answer:
        """An e-mail address made of the telephone number, as many are."""
        body = {"address": f"{self.person.phone.removeprefix('+86')}@people.example"}
        return await self.me.app.ask("POST", "/resident/contact/email", body, status=None)

    async def _allows_a_subscribe_message(self) -> Answer:
        body = {"tap_id": str(uuid4()), "template": self.subscribed, "outcome": "accept"}
        return await self.mini.ask("POST", "/mini/subscriptions", body, status=None)

    async def _is_told(self) -> Answer:
        path = f"/department/texts/{self.text_id}/messages"
        body = {"phone": self.person.phone, "values": self._values()}
        return await self.parks.ask("POST", path, body, headers={"Idempotency-Key": str(uuid4())}, status=None)

    async def _is_told_of_a_case(self) -> Answer:
        paper = {"what": {"zh": f"{self.person.name}的合同"}, "why": {"zh": f"与{self.person.id_number}不符"}}
        place, until_day = {"zh": f"{self.person.name}家"}, self._values()["until"]
        notice = {"matter": {"zh": "路灯报修"}, "items": [paper], "place": place, "until": until_day}
        path = f"/department/cases/case-{uuid4()}/notices/supplement"
        body = {"id_number": self.person.id_number, "notice": notice}
        return await self.parks.ask("PUT", path, body, status=None)

    async def _stands_in_a_batch(self) -> Answer:
        """A batch that waits for its start, some of its rows with a person where none should be."""
        path = f"/department/batches/{uuid4()}"
        opened = await self.parks.ask("PUT", path, {"name": "年票", "text_id": self.text_id}, status=None)
        if opened.status != 200:
            return opened
        name, number, phone = self.person.name, self.person.id_number, self.person.phone
        rows: list[Any] = [
            {"phone": phone, "values": self._values()},
            {"id_number": number, "values": self._values()},
            {"phone": name, "values": self._values()},
            {"phone": phone, "values": {**self._values(), "until": name}},
            {"phone": phone, "values": {name: number}},
            {"id_number": number, "phone": phone, "values": {}},
            {name: phone},
            name,
        ]
        raw = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        return await self.parks.ask("POST", f"{path}/lines?from=1", raw=raw, headers=LINES, status=None)

    async def _is_on_a_team(self) -> Answer:
        await self.parks.ask("POST", "/department/team/removals", {"phone": self.person.phone}, status=None)
        return await self.parks.ask("POST", "/department/team", {"phone": self.person.phone}, status=None)

    async def _is_in_the_address_of_a_callback(self) -> Answer:
        listed = await self.parks.get("/department/callbacks")
        found = [one["callback_id"] for one in listed.content["callbacks"]] or [str(uuid4())]
        body = {"url": f"{CALLBACK}/{self.person.id_number}/{uuid4()}", "events": ["message.delivered"]}
        return await self.parks.ask("PUT", f"/department/callbacks/{found[0]}", body, status=None)

    async def _writes_back(self) -> Answer:
        words = f"{self.person.name} {self.person.id_number} {uuid4()}"
        body = {"phone": self.person.phone, "text": words}
        return await self.stage.city.ask("POST", "/demo/texts", body, status=None)


async def begin(stage: Stage, person: PlayedPerson, me: SignedIn, subscribed: SubscribeText) -> NoticeTraces:
    """Have the department prove itself, and the person open the mini-program."""
    parks = await calling.machine(stage.city, stage.client(PARKS), issuer=stage.cast.issuer)
    listed = (await parks.get("/department/texts?limit=100")).content["texts"]
    text_id = next(one["text_id"] for one in listed if one["name"] == TEXT)
    codes = await tap(stage, person)
    both = {"js_code": codes["js_code"], "phone_code": codes["phone_code"]}
    mini = stage.city.proved((await stage.city.post("/mini/sign-in", both)).content["access_token"])
    return NoticeTraces(stage, person, me, parks, mini, text_id, subscribed.provider_template)
