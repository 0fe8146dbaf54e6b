"""Who allowed a subscribe message is told by it; SMS takes over where it certainly failed, and never goes beside it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiohttp.test_utils import TestServer

from city.demo.people import PEOPLE
from city.standins.chat_platform import openid_of
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET
from city.standins.serving import app_of
from gateway.miniapp.demo_texts import DEMO_TEXTS
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import People
from kernel.sealing import Keys
from kernel.settings import Secret
from notifications import templates
from notifications.channels.provider import Accepted, Refused, SubscribeMessage
from notifications.channels.subscribe.platform import SubscribePlatform
from notifications.channels.subscribe.texts import SubscribeTexts
from notifications.contacts import Choices
from notifications.model import BUSY_PAUSE
from notifications.parts import Notifications
from tests.builders_notifications import Carrier, a_person, a_promise, outcomes, owe, stages

TEXTS = SubscribeTexts(DEMO_TEXTS)
TEMPLATE = "demo-booking-made"
WHO = next(one for one in PEOPLE if one.phone)


class Losing(SubscribePlatform):
    """A platform whose answer is lost on the way, when told so; or that is busy."""

    answer: Refused | type[Exception] | None = None

    async def send(self, parcel: SubscribeMessage, /) -> Accepted | Refused:
        if isinstance(self.answer, Refused):
            return self.answer
        said = await super().send(parcel)
        if self.answer is not None:
            raise self.answer
        return said


class Town:
    def __init__(self, notifications: Notifications, platform: Losing, sms: Carrier, url: str) -> None:
        self.notifications = notifications
        self.platform = platform
        self.sms = sms
        self.url = url
        self.person: PersonId

    async def phone(self, path: str, **told: str) -> Any:
        async with httpx.AsyncClient() as phones:
            return (await phones.post(f"{self.url}{path}", json={"phone": WHO.phone, **told})).json()

    async def tap(self, *, is_told: bool = True, is_real: bool = True) -> None:
        """The person allows one; the platform counts it (`is_real`), and the mini-program tells us (`is_told`)."""
        if is_real:
            await self.phone("/demo/subscribe-taps", template=TEMPLATE)
        openid = openid_of(str(WHO.phone))
        assert openid is not None
        if is_told:
            async with self.notifications.db.transaction() as conn:
                await self.notifications.grants.tapped(
                    conn, self.person, openid, tap_id=uuid4(), template=TEMPLATE, outcome="accept",
                    now=self.notifications.clock.now(),
                )  # fmt: skip

    async def tell(self) -> None:
        now = self.notifications.clock.now()
        await owe(self.notifications, a_promise(templates.BOOKING_CONFIRMED, to=self.person, due_at=now))
        await self.notifications.settle()

    async def shown(self) -> int:
        return len((await self.phone("/demo/subscribe-messages"))["messages"])

    async def left(self) -> int:
        async with self.notifications.db.connection() as conn:
            left = await self.notifications.grants.left(conn, self.person, "zh")
        return next(one.left for one in left if one.template == TEMPLATE)


@pytest.fixture
async def town(db: Database, clock: StoppedClock, keys: Keys) -> AsyncIterator[Town]:
    async with TestServer(app_of(clock)) as server:
        url = str(server.make_url("")).rstrip("/")
        platform, sms = Losing(clock, url, DEMO_APP_ID, Secret(DEMO_APP_SECRET), TEXTS), Carrier()
        people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
        made = Town(Notifications(db, clock, keys, people, [sms, platform], subscribe_texts=TEXTS), platform, sms, url)
        made.person = await a_person(made.notifications)
        async with db.transaction() as conn:
            choices = Choices(results=("subscribe", "sms"))
            await made.notifications.contacts.choose(conn, made.person, choices, clock.now())
        yield made
        await platform.close()


async def test_who_allowed_it_is_told_by_a_subscribe_message_and_by_no_sms(town: Town, db: Database) -> None:
    await town.tap()
    await town.tell()
    assert (await town.shown(), len(town.sms.carried), await town.left()) == (1, 0, 0)
    assert await stages(db) == {"inbox delivered": 1, "subscribe delivered": 1}


async def test_without_a_grant_an_sms_goes_out(town: Town) -> None:
    await town.tell()
    assert (await town.shown(), len(town.sms.carried)) == (0, 1)


async def test_a_grant_the_platform_knows_nothing_of_is_followed_by_an_sms_and_never_tried_again(town: Town) -> None:
    await town.tap(is_real=False)
    await town.tell()
    assert (await town.shown(), len(town.sms.carried), await town.left()) == (0, 1, 0)


async def test_an_unknown_end_spends_the_grant_and_sends_no_sms(town: Town, db: Database) -> None:
    await town.tap()
    town.platform.answer = ConnectionResetError
    await town.tell()
    assert (await town.shown(), len(town.sms.carried), await town.left()) == (1, 0, 0)
    assert (await stages(db))["subscribe unknown"] == 1


async def test_a_busy_platform_gives_the_grant_back_until_it_is_tried_again(
    town: Town, db: Database, clock: StoppedClock
) -> None:
    await town.tap()
    town.platform.answer = Refused("busy", "45009")
    await town.tell()
    assert (await town.left(), len(town.sms.carried)) == (1, 0)
    town.platform.answer = None
    for _ in range(3):
        clock.advance(BUSY_PAUSE * 2)
        await town.notifications.settle()
    assert (await town.shown(), len(town.sms.carried), await town.left()) == (1, 0, 0)
    assert [outcome for _, outcome in await outcomes(db)] == ["rejected", "accepted"]


async def test_each_grant_is_used_once_however_many_notices_come(town: Town) -> None:
    for _ in range(3):
        await town.tap()
    for _ in range(5):
        now = town.notifications.clock.now()
        await owe(town.notifications, a_promise(templates.BOOKING_CONFIRMED, to=town.person, due_at=now))
    await town.notifications.settle()
    assert (await town.shown(), len(town.sms.carried), await town.left()) == (3, 2, 0)
