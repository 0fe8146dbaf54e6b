"""A department of a served city with texts and keys, for other people's clients of its messages."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

from kernel.clock import SystemClock
from kernel.ids import DepartmentId
from kernel.snapshots import announce
from notifications.channels.provider import ReceivedText
from notifications.services.keys.proving import token_of
from notifications.texts.model import TextSort
from notifications.texts.reading import SNAPSHOT as TEXTS
from tests.builders_services import PHONE, VALUES, approved_text
from tests.clients.served_city import ServedCity

KNOWN_WITHIN_SECONDS = 20.0
ENDED_WITHIN_SECONDS = 30.0
ANSWERED = {"created", "sending"}


class Programs:
    """What a department's programs are given: an address, a key of each kind, and two texts."""

    def __init__(self, city: ServedCity) -> None:
        self.city = city
        self.url = city.url
        self.service_id = DepartmentId(uuid4())
        self.keys: dict[str, str] = {}
        self.sms = self.email = UUID(int=0)

    async def found(self) -> "Programs":
        parts, clock = self.city.parts, SystemClock()
        self.sms = await approved_text(parts.db, clock, self.service_id, TextSort.SMS)
        self.email = await approved_text(parts.db, clock, self.service_id, TextSort.EMAIL)
        for kind in ("live", "team", "test"):
            made = await parts.services.keys.make(self.service_id, f"our {kind} key", kind, actor="tests")
            self.keys[kind] = made.text
        await parts.services.teams.add(self.service_id, PHONE, actor="tests")
        async with parts.db.transaction() as conn:
            await announce(conn, TEXTS)
        end = time.monotonic() + KNOWN_WITHIN_SECONDS
        while len((await self.read("/v2/templates")).get("templates", [])) < 2:
            assert time.monotonic() < end, "the city does not know its texts"
            await asyncio.sleep(0.1)
        return self

    async def read(self, path: str) -> Any:
        token = token_of(self.keys["live"][-36:], self.service_id, int(time.time()))
        headers = {"Authorization": f"Bearer {token}"}
        return (await asyncio.to_thread(self.city.http.get, path, headers=headers)).json()

    def sent_by_test_key(self) -> str:
        """The id of a message that was sent with the test key."""
        token = token_of(self.keys["test"][-36:], self.service_id, int(time.time()))
        body = {"phone_number": PHONE, "template_id": str(self.sms), "personalisation": VALUES}
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.city.http.post("/v2/notifications/sms", json=body, headers=headers)
        return str(answer.raise_for_status().json()["id"])

    async def written_back(self, phone: str, text: str) -> None:
        """Somebody whom the department told something writes back; the city has it when this returns."""
        parts, now = self.city.parts, SystemClock().now()
        wrote = ReceivedText("demo", phone, "10690001", text, str(uuid4()), now)
        await parts.replies.hearing.hear([wrote])
        end = time.monotonic() + ENDED_WITHIN_SECONDS
        while not (await self.read("/v2/received-text-messages"))["received_text_messages"]:
            assert time.monotonic() < end, "the text did not come"
            await asyncio.sleep(0.2)

    async def ended(self, message_id: str) -> str:
        """The status of a message, once it has one that is final."""
        end = time.monotonic() + ENDED_WITHIN_SECONDS
        while (status := (await self.read(f"/v2/notifications/{message_id}"))["status"]) in ANSWERED:
            assert time.monotonic() < end, status
            await asyncio.sleep(0.2)
        return str(status)
