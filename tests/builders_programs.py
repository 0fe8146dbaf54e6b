"""A department's programs in a whole city: by the department's own door, and by that of GOV.UK Notify's clients."""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID, uuid4

import httpx

from kernel.ids import DepartmentId
from notifications.services.keys.proving import token_of
from notifications.services.model import KeyKind
from notifications.texts.model import TextSort
from tests.builders_services import PHONE, VALUES, approved_text, refreshed
from tests.whole_city import Caller, TestCity


class Office:
    """A department with an approved text, at its own door."""

    def __init__(self, city: TestCity, caller: Caller, service_id: DepartmentId, text_id: UUID) -> None:
        self.city = city
        self.caller = caller
        self.service_id = service_id
        self.path = f"/texts/{text_id}/messages"

    @classmethod
    async def opened(cls, city: TestCity, sort: TextSort = TextSort.SMS, **content: Any) -> Self:
        service_id = DepartmentId(uuid4())
        text_id = await approved_text(city.parts.db, city.clock, service_id, sort, **content)
        await refreshed(city.parts.services)
        return cls(city, city.as_department(service_id, "parks"), service_id, text_id)

    async def send(self, phone: str = PHONE, **how: Any) -> httpx.Response:
        return await self.caller.post(self.path, {"phone": phone, "values": VALUES, **how})

    async def state(self, message_id: str) -> str:
        return str((await self.caller.get(f"/sent/{message_id}")).json()["state"])


class Client:
    """A program with an API key."""

    def __init__(self, city: TestCity, service_id: DepartmentId, key: str) -> None:
        self.city = city
        self.service_id = service_id
        self.key = key
        self.texts: dict[TextSort, UUID] = {}

    @classmethod
    async def joined(cls, city: TestCity) -> Self:
        """With a live key, and an approved text of each sort."""
        service_id = DepartmentId(uuid4())
        made = await city.parts.services.keys.make(service_id, "a program", "live", actor="tests")
        client = cls(city, service_id, made.text)
        for sort in TextSort:
            client.texts[sort] = await approved_text(city.parts.db, city.clock, service_id, sort)
        await refreshed(city.parts.services)
        return client

    async def with_key(self, kind: KeyKind) -> Self:
        """The same department's, with another key."""
        made = await self.city.parts.services.keys.make(self.service_id, f"a {kind} key", kind, actor="tests")
        other = type(self)(self.city, self.service_id, made.text)
        other.texts = self.texts
        return other

    async def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        token = token_of(self.key[-36:], self.service_id, int(self.city.clock.now().timestamp()))
        headers = {"Authorization": f"Bearer {token}"}
        return await self.city.client.request(method, path, headers=headers, **how)

    async def sms(self, phone: str = PHONE, values: Mapping[str, Any] = VALUES, **how: Any) -> httpx.Response:
        body = {"phone_number": phone, "template_id": str(self.texts[TextSort.SMS]), "personalisation": values, **how}
        return await self.ask("POST", "/v2/notifications/sms", json=body)

    async def email(self, address: str, **how: Any) -> httpx.Response:
        text_id = str(self.texts[TextSort.EMAIL])
        body = {"email_address": address, "template_id": text_id, "personalisation": VALUES, **how}
        return await self.ask("POST", "/v2/notifications/email", json=body)

    async def status(self, message_id: str) -> str:
        return str((await self.ask("GET", f"/v2/notifications/{message_id}")).json()["status"])


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """The one error of a refusal, in the form of the API."""
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said.keys() == {"status_code", "errors"}
    assert said["status_code"] == answer.status_code
    [one] = said["errors"]
    assert one.keys() == {"error", "message"}
    return said["status_code"], one["error"], one["message"]


async def shown_to(city: TestCity, phone: str) -> list[str]:
    """The texts that the demo's carrier shows for a number."""
    async with city.parts.db.connection() as conn:
        return [one.text for one in await city.parts.notifications.demo_outbox.shown_to(conn, phone)]


async def settled(city: TestCity) -> None:
    """All that is due is sent, rehearsed and confirmed, here and now."""
    await city.parts.notifications.settle()
    await city.parts.services.rehearsing.end_due()
