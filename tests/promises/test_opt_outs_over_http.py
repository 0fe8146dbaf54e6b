"""Opt-outs as people's apps see them."""

import asyncio
from uuid import UUID, uuid4

from gateway.departments import onboarding
from kernel.ids import DepartmentId, PersonId
from kernel.principal import Audience
from notifications.replies.errors import ChangedTooOften
from notifications.replies.opting.changing import CHANGES_PER_DAY_MAX, OPT_OUTS_MAX
from tests.builders_notifications import a_person
from tests.whole_city import Caller, TestCity, advance, code_of

DEPARTMENT = DepartmentId(uuid4())


async def is_of_the_city(city: TestCity, *department_ids: UUID) -> None:
    """These are departments of the city."""
    async with city.parts.db.transaction() as conn:
        for nth, one in enumerate(department_ids):
            await onboarding.put_department(
                conn, DepartmentId(one), slug=f"some_{nth}", name_zh="某局", name_en="Some"
            )  # fmt: skip


async def changes(client: Caller, sender: str, *, is_out: bool = True) -> str:
    """What the city answers who opts out of a sender, or in again."""
    answer = await client.put(f"/contact-preferences/opt-outs/{sender}", json={"is_opted_out": is_out})
    return "done" if answer.status_code == 200 else code_of(answer)


async def test_a_resident_sees_and_changes_whose_sms_they_want_no_more_of(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    await is_of_the_city(city, DEPARTMENT)
    client, sender = city.as_resident(person), f"department:{DEPARTMENT}"
    at = f"/contact-preferences/opt-outs/{sender}"
    assert (await client.get("/contact-preferences/opt-outs")).json() == {"opt_outs": []}
    for _ in range(2):
        changed = await client.put(at, json={"is_opted_out": True})
        assert [one["sender"] for one in changed.json()["opt_outs"]] == [sender]
    mini = city.as_resident(person, audience=Audience.MINI)
    everybody = await mini.put("/contact-preferences/opt-outs/everybody", json={"is_opted_out": True})
    assert {one["sender"] for one in everybody.json()["opt_outs"]} == {sender, "everybody"}
    back = await client.put(at, json={"is_opted_out": False})
    assert [one["sender"] for one in back.json()["opt_outs"]] == ["everybody"]
    assert (await client.put("/contact-preferences/opt-outs/x;y", json={"is_opted_out": True})).status_code == 400
    stranger = city.as_resident(PersonId(uuid4()))
    assert (await stranger.get("/contact-preferences/opt-outs")).json() == {"opt_outs": []}
    assert code_of(await stranger.put(at, json={"is_opted_out": True})) == "replies.no_number_known"
    department = city.as_department(DEPARTMENT, "human_resources", "市人社局")
    assert (await department.get("/received-texts")).json() == {"texts": []}


async def test_nobody_opts_out_of_a_department_that_there_is_not(city: TestCity) -> None:
    client = city.as_resident(await a_person(city.parts.notifications))
    await is_of_the_city(city, DEPARTMENT)
    odd = f"{DEPARTMENT}".replace("-", "") + "-" * 4
    for said in (f"{uuid4()}", "-" * 36, odd):
        assert await changes(client, f"department:{said}") == "replies.sender_unknown"
        assert await changes(client, f"department:{said}", is_out=False) == "done", "what is not there stays away"
    for sender in (f"department:{DEPARTMENT}", "wallet", "appointments", "everybody"):
        assert await changes(client, sender) == "done"
    assert await city.parts.db.fetchval("SELECT count(*) FROM notifications.opt_out_change") == 4


async def test_nobody_opts_out_without_end(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    departments = [uuid4() for _ in range(OPT_OUTS_MAX + 1)]
    await is_of_the_city(city, *departments)
    senders = [f"department:{one}" for one in departments]
    for start in range(0, OPT_OUTS_MAX, CHANGES_PER_DAY_MAX):
        client = city.as_resident(person)
        for sender in senders[start : start + CHANGES_PER_DAY_MAX]:
            assert await changes(client, sender) == "done"
        advance(city, hours=25)
    client = city.as_resident(person)
    assert await changes(client, senders[-1]) == "replies.too_many_opt_outs"
    assert await changes(client, senders[0]) == "done", "what is so already is no change"
    assert await changes(client, senders[0], is_out=False) == "done"
    assert await changes(client, senders[-1]) == "done"


async def test_nobody_changes_their_mind_without_end(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    client = city.as_resident(person)
    for nth in range(CHANGES_PER_DAY_MAX - 3):
        assert await changes(client, "wallet", is_out=nth % 2 == 0) == "done"
    departments = [uuid4() for _ in range(16)]
    await is_of_the_city(city, *departments)
    changing = city.parts.replies.changing
    last = await asyncio.gather(
        *(changing.change(person, f"department:{one}", is_out=True) for one in departments), return_exceptions=True
    )
    assert sum(isinstance(one, ChangedTooOften) for one in last) == 13
    assert await changes(client, "everybody") == "replies.changed_too_often"
    advance(city, hours=25)
    assert await changes(city.as_resident(person), "appointments") == "done"
