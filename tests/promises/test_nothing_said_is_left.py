"""When its days are over, nothing is left of a message that anybody could read, in no table: not even with our keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from gateway.worker import beats
from notifications.channels.provider import ReceivedText
from tests.builders_batches import ndjson
from tests.builders_callbacks import EVERYTHING, own_server
from tests.builders_programs import Office, settled
from tests.builders_services import PHONE, VALUES
from tests.columns_of_notifications import DECIDED
from tests.decided_columns import PROMISE, SAID, SEALED, THEIRS
from tests.whole_city import TestCity

KEPT_DAYS: Final = 90
STRANGER: Final = "+8613900139000"
MAY_READ: Final = {SEALED, SAID, THEIRS, PROMISE}
NO_MESSAGES: Final = {
    "api_key": "a department's own",
    "batch": "what a department calls it, told to hold nothing personal",
    "callback_endpoint": "a department's own",
    "contact": "a person's own, as long as they keep it",
    "inbox_item": "a person's own inbox",
    "subscribe_grant": "a person's own, as long as it can be used",
    "team_member": "a department's own people",
}
"""Tables that hold something readable of nobody's message, and what they hold."""


@pytest.fixture
async def office(city: TestCity) -> Office:
    return await Office.opened(city)


async def readable(city: TestCity) -> Mapping[str, int]:
    """Columns in which something of a message can be read, with our keys or without, and in how many rows."""
    found: dict[str, int] = {}
    for table, columns in DECIDED.items():
        for column, decision in columns.items():
            if table in NO_MESSAGES or decision not in MAY_READ:
                continue
            said = f"\"{column}\" IS NOT NULL AND \"{column}\"::text NOT IN ('', '\\x')"
            if decision == PROMISE:
                said = f"\"{column}\" LIKE '%{PHONE.removeprefix('+')}%'"
            count = await city.parts.db.fetchval(f'SELECT count(*) FROM notifications."{table}" WHERE {said}')
            if count:
                found[f"{table}.{column}"] = count
    return found


async def writes(city: TestCity, phone: str, text: str) -> None:
    await city.parts.replies.hearing.hear(
        [ReceivedText("carrier", phone, "1069", text, str(uuid4()), city.clock.now())]
    )
    await city.parts.replies.handling.handle_arrived()


async def something_of_everything(office: Office, url: str) -> str:
    """A single message, a batch with a bad row, answers to them, and calls back that nobody takes; one message's id."""
    city, caller = office.city, office.caller
    callback = {"url": url, "events": [kind.value for kind in EVERYTHING]}
    assert (await caller.put(f"/callbacks/{uuid4()}", json=callback)).status_code == 200
    await city.renew()
    sent = await office_sends(office, "王小明-1")
    batch = f"/batches/{uuid4()}"
    text_id = UUID(office.path.split("/")[2])
    await caller.put(batch, json={"name": "一批", "text_id": str(text_id), "lane": "result"})
    rows = [{"phone": phone, "values": VALUES, "reference": f"王小明-{phone}"} for phone in (STRANGER, "nobody")]
    lines = await caller.ask(
        "POST", f"{batch}/lines?from=1", {"Content-Type": "application/x-ndjson"}, content=ndjson(rows)
    )
    assert lines.json()["refused"] == 1
    await caller.post(f"{batch}/start", {})
    await city.parts.batches.feeding.feed_due()
    await settled(city)
    await writes(city, PHONE, "我是王小明，周六上班吗？")
    await writes(city, "+8613700137000", "我是司马青")
    await city.parts.batches.feeding.feed_due()
    await city.parts.callbacks.telling.tell_everything()
    await pass_days(office, 1)
    await city.parts.callbacks.keeping.give_up_overdue()
    return sent


async def office_sends(office: Office, reference: str) -> str:
    headers = {"Idempotency-Key": f"sms-{PHONE.removeprefix('+')}"}
    body = {"phone": PHONE, "values": VALUES, "reference": reference}
    answer = await office.caller.post(office.path, body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["message_id"])


async def pass_days(office: Office, days: float) -> None:
    """Let time pass; the department's program proves itself anew."""
    city = office.city
    city.clock.advance(timedelta(days=days))
    await city.parts.signing_keys.ensure()
    await city.renew()
    office.caller = city.as_department(office.service_id, "parks")


async def forget(city: TestCity) -> None:
    """Every beat of the worker that forgets."""
    for beat in beats(city.parts):
        if beat.name.startswith("forget"):
            await beat.play()


async def test_when_the_days_are_over_nothing_can_be_read_any_more(city: TestCity, office: Office) -> None:
    async with own_server() as (server, url):
        server.status = 500
        message_id = await something_of_everything(office, url)
    before = await readable(city)
    assert before.keys() >= {
        "message.sealed_values", "message.address", "message.key", "request.reference", "receipt.raw",
        "batch_refusal.reference", "callback_event.sealed_body", "service_text.sealed_text",
        "received_text.sealed_text", "demo_sms.shown",
    }  # fmt: skip
    await forget(city)
    assert await readable(city) == before, "not before its time"
    await pass_days(office, KEPT_DAYS)
    await forget(city)
    assert await readable(city) == {}
    assert await office.state(message_id) == "delivered"
    assert await city.parts.db.fetchval("SELECT count(*) FROM notifications.carried") == 0


async def test_a_department_that_keeps_less_has_its_events_and_answers_forgotten_too(
    city: TestCity, office: Office
) -> None:
    async with own_server() as (server, url):
        server.status = 500
        await something_of_everything(office, url)
    await office_sends(await Office.opened(city), "r")
    await settled(city)
    assert (await office.caller.put("/retention", json={"days": 5})).status_code == 200
    await city.renew()
    await pass_days(office, 5)
    await forget(city)
    left = await readable(city)
    assert left.keys() & {"service_text.sealed_text", "batch_refusal.reference"} == set()
    events = await city.parts.db.fetch("SELECT type FROM notifications.callback_event")
    assert [one["type"] for one in events] == ["batch.finished"], "that says how many, and of nobody"
    assert left["message.address"] == 1, "another department keeps its own"
    assert left["received_text.sealed_text"] == 1, "what answers nobody is the city's"


async def test_after_its_days_a_key_may_be_used_for_another_message(city: TestCity, office: Office) -> None:
    first = await office_sends(office, "r")
    assert await office_sends(office, "r") == first
    await settled(city)
    await pass_days(office, KEPT_DAYS + 0.01)
    await forget(city)
    assert await office_sends(office, "r") != first
