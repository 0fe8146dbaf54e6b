"""A program looks for its messages by their status: it finds them however many others are newer, and delays nobody."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from kernel.ids import uuid7
from notifications.services.states import EXAMINED_IN_VAIN_MAX, EXAMINED_MAX
from notifications.services.turns import OF_A_SERVICE_MAX
from tests.builders_programs import Client, error_of
from tests.whole_city import TestCity, code_of

COLUMNS = ("service_id", "message_id", "channel", "template", "version", "kind", "created_at", "send_at", "batch_id")


@pytest.fixture
async def client(city: TestCity) -> Client:
    return await Client.joined(city)


async def newer(client: Client, count: int, *, batch_id: UUID | None = None) -> None:
    """So many messages that were asked for later, and ended so long ago that they are forgotten but for that."""
    city = client.city
    city.clock.advance(timedelta(seconds=1))
    now = city.clock.now()
    rows = [
        (client.service_id, uuid7(now), "sms", "a text", 1, "live", now, now, batch_id) for _ in range(count)
    ]  # fmt: skip
    async with city.parts.db.transaction() as conn:
        await conn.copy_records_to_table("request", records=rows, columns=COLUMNS, schema_name="notifications")


async def test_what_is_looked_for_is_found_behind_any_number_of_others(client: Client) -> None:
    sent = (await client.sms()).json()["id"]
    await newer(client, EXAMINED_MAX + 1_000)
    page = (await client.ask("GET", "/v2/notifications?status=created")).json()
    assert [one["id"] for one in page["notifications"]] == [sent]
    found = await client.city.as_department(client.service_id, "parks").get("/sent?state=created")
    assert [one["message_id"] for one in found.json()["messages"]] == [sent]


async def test_who_is_told_that_the_look_was_too_far_is_told_where_to_go_on(client: Client) -> None:
    sent = (await client.sms()).json()["id"]
    await newer(client, EXAMINED_IN_VAIN_MAX + 500)
    status, error, message = error_of(await client.ask("GET", "/v2/notifications?status=created"))
    assert (status, error) == (400, "BadRequestError")
    older_than = message.rpartition("older_than=")[2]
    page = (await client.ask("GET", f"/v2/notifications?status=created&older_than={older_than}")).json()
    assert [one["id"] for one in page["notifications"]] == [sent]
    end = (await client.ask("GET", page["links"]["next"])).json()
    assert (end["notifications"], "next" in end["links"]) == ([], False)


async def test_lists_by_status_are_made_one_after_the_other_and_too_many_are_refused(client: Client) -> None:
    await newer(client, 2_000)
    asked = [client.ask("GET", "/v2/notifications?status=created") for _ in range(OF_A_SERVICE_MAX + 3)]
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers].count(200) == OF_A_SERVICE_MAX
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {error_of(answer)[:2] for answer in refused} == {(429, "RateLimitError")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    department = client.city.as_department(client.service_id, "parks")
    asked = [department.get("/sent?state=created") for _ in range(OF_A_SERVICE_MAX + 1)]
    assert {code_of(one) for one in await asyncio.gather(*asked) if one.status_code != 200} == {
        "services.too_many_looking"
    }
    assert (await client.ask("GET", "/v2/notifications?status=created")).status_code == 200  # a turn comes again


async def test_what_batches_sent_stands_in_nobodys_way(client: Client) -> None:
    sent = (await client.sms()).json()["id"]
    await newer(client, 3_000, batch_id=UUID(int=1))
    listed = (await client.ask("GET", "/v2/notifications")).json()["notifications"]
    assert [one["id"] for one in listed] == [sent]
    both = (await client.ask("GET", "/v2/notifications?include_jobs=true")).json()
    assert len(both["notifications"]) == 250
