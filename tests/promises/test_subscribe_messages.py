"""Subscribe messages reach the mini-program's platform, and its answers are read for what they are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from city.demo.people import PEOPLE
from city.standins.chat_platform import openid_of
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET
from city.standins.serving import app_of
from gateway.miniapp.demo_texts import DEMO_TEXTS
from kernel.clock import StoppedClock
from kernel.settings import Secret
from notifications import templates
from notifications.channels.provider import Accepted, Provider, Refused, SubscribeMessage
from notifications.channels.subscribe.platform import SubscribePlatform, Unclear
from notifications.channels.subscribe.texts import SubscribeTexts
from tests.builders_notifications import VALUES

WHO = next(one for one in PEOPLE if one.phone)
TEXTS = SubscribeTexts(DEMO_TEXTS)
ONCE, LASTING = "demo-booking-made", "demo-department-notice"
UNTIL = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def a_message(
    template: templates.Template = templates.BOOKING_CONFIRMED, openid: str | None = None
) -> SubscribeMessage:
    values = {name: VALUES[name] for name in template.placeholders}
    worded = TEXTS.worded(template, values, "zh")
    assert worded is not None
    to = openid or openid_of(str(WHO.phone))
    assert to is not None
    return SubscribeMessage("0195572f-9c00-7000-8000-00000000000a", to, "您已预约", UNTIL, worded)


class StandIn:
    """The demo's platform, and a city that sends by it."""

    def __init__(self, url: str, clock: StoppedClock) -> None:
        self.url = url
        self.clock = clock
        self.platform = SubscribePlatform(clock, url, DEMO_APP_ID, Secret(DEMO_APP_SECRET), TEXTS)

    async def ask(self, path: str, **told: str) -> Any:
        async with httpx.AsyncClient() as phones:
            answer = await phones.post(f"{self.url}{path}", json={"phone": WHO.phone, **told})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def shown(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (await self.ask("/demo/subscribe-messages"))["messages"]
        return messages


@pytest.fixture
async def stand_in(clock: StoppedClock) -> AsyncIterator[StandIn]:
    async with TestServer(app_of(clock)) as server:
        city = StandIn(str(server.make_url("")).rstrip("/"), clock)
        yield city
        await city.platform.close()


async def test_an_allowed_message_arrives_and_the_next_one_is_refused(stand_in: StandIn) -> None:
    assert isinstance(stand_in.platform, Provider)
    assert await stand_in.platform.send(a_message()) == Refused("recipient", "43101")
    await stand_in.ask("/demo/subscribe-taps", template=ONCE)
    assert await stand_in.platform.send(a_message()) == Accepted()
    assert await stand_in.platform.send(a_message()) == Refused("recipient", "43101")
    [shown] = await stand_in.shown()
    assert shown["values"] == {
        "thing1": "出入境证件办理",
        "thing2": "浦东新区出入境接待大厅",
        "time3": "2026年3月5日 09:30",
    }
    assert shown["page"] == "pages/bookings/index"


async def test_a_lasting_one_lets_all_through_until_it_is_taken_back(stand_in: StandIn) -> None:
    notice = a_message(templates.DEPARTMENT_NOTICE)
    await stand_in.ask("/demo/subscribe-taps", template=LASTING)
    assert [await stand_in.platform.send(notice) for _ in range(3)] == [Accepted()] * 3
    await stand_in.ask("/demo/subscribe-taps", template=LASTING, outcome="reject")
    assert await stand_in.platform.send(notice) == Refused("recipient", "43101")


async def test_what_is_wrong_with_person_or_template_is_told_apart(stand_in: StandIn) -> None:
    assert await stand_in.platform.send(a_message(openid="nobody")) == Refused("recipient", "40003")
    wrong = SubscribePlatform(stand_in.clock, stand_in.url, DEMO_APP_ID, Secret("another"), TEXTS)
    assert await wrong.send(a_message()) == Refused("provider", "token 40125")
    await wrong.close()


async def test_a_token_that_ended_is_renewed(stand_in: StandIn) -> None:
    await stand_in.ask("/demo/subscribe-taps", template=ONCE)
    await stand_in.ask("/demo/subscribe-taps", template=ONCE)
    assert await stand_in.platform.send(a_message()) == Accepted()
    stand_in.clock.advance(timedelta(hours=3))
    assert await stand_in.platform.send(a_message()) == Accepted()


class Moody:
    """A platform that answers as a test wants: the answers in turn, the last one for ever."""

    def __init__(self, *answers: dict[str, Any] | int | float) -> None:
        self.answers = list(answers)
        self.tokens: list[bool] = []
        self.sent: list[str] = []

    async def token(self, request: web.Request) -> web.Response:
        self.tokens.append((await request.json())["force_refresh"])
        await asyncio.sleep(0.02)
        return web.json_response({"access_token": f"token-{len(self.tokens)}", "expires_in": 7_200})

    async def send(self, request: web.Request) -> web.Response:
        self.sent.append(request.query["access_token"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.json_response({"errcode": 0})
        return web.Response(status=answer) if isinstance(answer, int) else web.json_response(answer)


@pytest.fixture
async def over(clock: StoppedClock) -> AsyncIterator[Any]:
    opened: list[Any] = []

    async def made(moody: Moody, **how: float) -> SubscribePlatform:
        app = web.Application()
        app.add_routes(
            [web.post("/cgi-bin/stable_token", moody.token), web.post("/cgi-bin/message/subscribe/send", moody.send)]
        )
        server = TestServer(app)
        await server.start_server()
        url = str(server.make_url("")).rstrip("/")
        platform = SubscribePlatform(clock, url, DEMO_APP_ID, Secret("s"), TEXTS, answer_seconds=0.5, **how)
        opened.extend((platform, server))
        return platform

    yield made
    for one in opened:
        await one.close()


async def test_one_token_is_fetched_for_however_many_wait(over: Any) -> None:
    moody = Moody({"errcode": 0, "msgid": 7})
    platform = await over(moody)
    assert set(await asyncio.gather(*(platform.send(a_message()) for _ in range(10)))) == {Accepted(("7",))}
    assert moody.tokens == [False]


async def test_a_token_the_platform_forgot_is_replaced_once_for_all_who_hold_it(over: Any) -> None:
    moody = Moody(*[{"errcode": 40001}] * 5, {"errcode": 0})
    platform = await over(moody)
    answers = await asyncio.gather(*(platform.send(a_message()) for _ in range(5)))
    assert answers == [Accepted()] * 5
    assert moody.tokens == [False, True]
    assert set(moody.sent) == {"token-1", "token-2"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(-1, "busy"), (45009, "busy"), (43108, "later"), (42001, "busy"), (43107, "provider"), (47003, "provider"),
     (45168, "provider"), (99999, "provider"), (43101, "recipient")],
)  # fmt: skip
async def test_an_errcode_says_whose_no_it_is(over: Any, answer: int, kind: str) -> None:
    platform = await over(Moody({"errcode": answer, "errmsg": "no"}))
    assert await platform.send(a_message()) == Refused(kind, str(answer))  # type: ignore[arg-type]


@pytest.mark.parametrize(("answer", "raises"), [(502, Unclear), (2.0, TimeoutError)])
async def test_no_clear_answer_to_the_message_itself_is_unknown(
    over: Any, answer: Any, raises: type[Exception]
) -> None:
    platform = await over(Moody(answer))
    with pytest.raises(raises):
        await platform.send(a_message())


async def test_a_platform_that_is_away_is_a_certain_no(clock: StoppedClock) -> None:
    platform = SubscribePlatform(clock, "http://127.0.0.1:9", DEMO_APP_ID, Secret("s"), TEXTS)
    refused = await platform.send(a_message())
    assert isinstance(refused, Refused)
    assert refused.kind == "busy"
    await platform.close()


async def test_what_never_left_is_never_unknown(over: Any) -> None:
    moody = Moody(0.3)
    platform = await over(moody, before_sent_seconds=0.7)
    crowd = platform.at_once_max * 5
    said = await asyncio.gather(*(platform.send(a_message()) for _ in range(crowd)), return_exceptions=True)
    assert not [one for one in said if isinstance(one, Exception)]
    assert len(moody.sent) == said.count(Accepted()) < crowd
    assert said.count(Refused("busy", "no connection free")) == crowd - len(moody.sent)


async def test_a_platform_that_does_not_let_us_connect_is_a_certain_no(clock: StoppedClock) -> None:
    async with TestServer(app_of(clock)) as server:
        url, port = str(server.make_url("")).rstrip("/"), server.port
        platform = SubscribePlatform(
            clock, url, DEMO_APP_ID, Secret(DEMO_APP_SECRET), TEXTS, before_sent_seconds=0.3
        )  # fmt: skip
        assert await platform.send(a_message()) == Refused("recipient", "43101"), "it has a token"
    with (
        socket.create_server(("127.0.0.1", port), backlog=0),
        socket.create_connection(("127.0.0.1", port)),  # takes the only place where one waits to be let in
    ):
        said = await asyncio.gather(*(platform.send(a_message()) for _ in range(4)), return_exceptions=True)
    await platform.close()
    assert said == [Refused("busy", "ConnectionTimeoutError")] * 4, said
