"""A cloud's API that answers badly, late, half or not at all: what is certain is refused, all else is unknown."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from kernel.clock import StoppedClock
from kernel.settings import Secret
from notifications.channels.clouds import calling
from notifications.channels.clouds.aliyun import Account, Aliyun
from notifications.channels.clouds.calling import NotUnderstood, NotWell
from notifications.channels.clouds.refusals import NotCertain
from notifications.channels.clouds.tencent import Account as TencentAccount
from notifications.channels.clouds.tencent import Tencent
from notifications.channels.provider import Accepted, Provider, ProviderText, Refused, Sms

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PHONE = "+8613800138000"
REFERENCE = "01957c2a-6f00-7000-8000-0000000000ab"
TEXT = ProviderText("SMS_1", "随申办", {"code": "204816", "minutes": "5"})
SMS = Sms(REFERENCE, PHONE, "【随申办】204816", NOW + timedelta(minutes=5), TEXT)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Cloud:
    """A server on loopback that says what the test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.answer: Answer = says({})
        self.url = ""

    async def hear(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)

    @property
    def aliyun(self) -> Aliyun:
        return Aliyun("aliyun", Account("key", Secret("hush")), StoppedClock(NOW), endpoint=self.url)

    @property
    def tencent(self) -> Tencent:
        return Tencent(
            "tencent", TencentAccount("id", Secret("hush"), "1400006666"), StoppedClock(NOW), endpoint=self.url
        )


def says(body: Any, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=raw, status=status, content_type="application/json")

    return answer


def status_of(code: str, serial: str = "") -> dict[str, Any]:
    return {"Response": {"SendStatusSet": [{"Code": code, "SerialNo": serial, "Message": "x"}], "RequestId": "r"}}


def fault(code: str) -> dict[str, Any]:
    return {"Response": {"Error": {"Code": code, "Message": "+8613800138000 is bad"}, "RequestId": "r"}}


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    made = Cloud()
    app = web.Application()
    app.add_routes([web.post("/", made.hear)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}"
    yield made
    await runner.cleanup()


async def sent(provider: Aliyun | Tencent, sms: Sms = SMS) -> Accepted | Refused:
    assert isinstance(provider, Provider)
    try:
        return await provider.send(sms)
    finally:
        await provider.close()


async def test_what_is_accepted_names_what_its_report_will_name(cloud: Cloud) -> None:
    cloud.answer = says({"Code": "OK", "BizId": "900619746936498440^0", "RequestId": "r", "Message": "OK"})
    assert await sent(cloud.aliyun) == Accepted(("900619746936498440^0",))
    cloud.answer = says(status_of("Ok", "5000:1045710669157053657849499619"))
    assert await sent(cloud.tencent) == Accepted(("5000:1045710669157053657849499619",))


async def test_a_message_takes_its_reference_number_template_and_values_along(cloud: Cloud) -> None:
    cloud.answer = says({"Code": "OK", "BizId": "1"})
    await sent(cloud.aliyun)
    (asked,) = cloud.asked
    assert dict(asked.query) == {
        "OutId": REFERENCE,
        "PhoneNumbers": "13800138000",
        "SignName": "随申办",
        "TemplateCode": "SMS_1",
        "TemplateParam": '{"code":"204816","minutes":"5"}',
    }
    cloud.answer = says(status_of("Ok", "1"))
    await sent(cloud.tencent)
    assert json.loads(cloud.bodies[1]) == {
        "PhoneNumberSet": [PHONE],
        "SmsSdkAppId": "1400006666",
        "TemplateId": "SMS_1",
        "SignName": "随申办",
        "TemplateParamSet": ["204816", "5"],
        "SessionContext": REFERENCE,
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", "later"),
        ("isv.AMOUNT_NOT_ENOUGH", "busy"),
        ("Throttling.User", "busy"),
        ("SignatureDoesNotMatch", "busy"),
        ("isv.SMS_TEMPLATE_ILLEGAL", "message"),
        ("isv.SOMETHING_NEW", "provider"),
        ("isv.MOBILE_NUMBER_ILLEGAL", "recipient"),
    ],
)
async def test_what_aliyun_refuses_for_certain_is_refused_as_it_is_meant(cloud: Cloud, code: str, kind: Any) -> None:
    cloud.answer = says({"Code": code, "Message": "13800138000 is bad"}, status=400 if "." not in code else 200)
    assert await sent(cloud.aliyun) == Refused(kind, code)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (status_of("LimitExceeded.PhoneNumberDailyLimit"), "later"),
        (status_of("LimitExceeded.AppDailyLimit"), "busy"),
        (fault("AuthFailure.SignatureFailure"), "busy"),
        (status_of("FailedOperation.TemplateIncorrectOrUnapproved"), "message"),
        (fault("InvalidParameterValue.SdkAppIdNotExist"), "provider"),
        (status_of("InvalidParameterValue.IncorrectPhoneNumber"), "recipient"),
        (status_of("FailedOperation.PhoneNumberInBlacklist"), "recipient"),
    ],
)
async def test_what_tencent_refuses_for_certain_is_refused_as_it_is_meant(cloud: Cloud, said: Any, kind: Any) -> None:
    cloud.answer = says(said)
    refused = await sent(cloud.tencent)
    assert isinstance(refused, Refused)
    assert refused.kind == kind
    assert refused.reason in json.dumps(said)
    assert "138" not in refused.reason


@pytest.mark.parametrize("code", ["isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError", "SOMETHING.New", ""])
async def test_a_fault_of_aliyuns_own_leaves_it_unknown(cloud: Cloud, code: str) -> None:
    cloud.answer = says({"Code": code}, status=503)
    with pytest.raises(NotCertain):
        await sent(cloud.aliyun)


@pytest.mark.parametrize(
    "said",
    [status_of("InternalError.Timeout"), fault("InternalError"), fault("FailedOperation.OtherError"), status_of("New")],
)
async def test_a_fault_of_tencents_own_leaves_it_unknown(cloud: Cloud, said: Any) -> None:
    cloud.answer = says(said)
    with pytest.raises(NotCertain):
        await sent(cloud.tencent)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"{}", b'{"Response":{}}'])
async def test_an_answer_that_is_none_leaves_it_unknown(cloud: Cloud, body: bytes) -> None:
    cloud.answer = says(body, status=502)
    for provider in (cloud.aliyun, cloud.tencent):
        with pytest.raises(NotUnderstood):
            await sent(provider)


async def test_an_answer_without_end_leaves_it_unknown(cloud: Cloud) -> None:
    cloud.answer = says(b'{"Code":"OK","BizId":"1"}' + b" " * calling.ANSWER_BYTES_MAX)
    with pytest.raises(NotUnderstood):
        await sent(cloud.aliyun)


async def test_a_connection_that_is_cut_is_unknown_and_nothing_is_sent_twice(cloud: Cloud) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    cloud.answer = cut
    for provider in (cloud.aliyun, cloud.tencent):
        with pytest.raises(aiohttp.ClientError):
            await sent(provider)
    assert len(cloud.asked) == 2


async def test_a_kept_connection_that_is_cut_is_unknown_and_nothing_is_sent_twice(cloud: Cloud) -> None:
    provider = cloud.aliyun
    cloud.answer = says({"Code": "OK", "BizId": "1"})
    await provider.send(SMS)

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    cloud.answer = cut
    with pytest.raises(aiohttp.ClientError):
        await provider.send(SMS)
    await provider.close()
    assert len(cloud.asked) == 2


async def test_nobody_who_is_not_there_is_taken_for_perhaps() -> None:
    provider = Aliyun(
        "aliyun", Account("key", Secret("hush")), StoppedClock(NOW), endpoint=f"http://127.0.0.1:{unused_port()}"
    )
    refused = await sent(provider)
    assert isinstance(refused, Refused)
    assert refused.kind == "busy"


async def test_when_every_connection_is_taken_the_next_message_is_certainly_not_sent(cloud: Cloud) -> None:
    let_go = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.json_response({"Code": "OK", "BizId": "1"})

    cloud.answer = slow
    provider = Aliyun("aliyun", Account("k", Secret("h")), StoppedClock(NOW), endpoint=cloud.url, connections=1)
    first = asyncio.create_task(provider.send(SMS))
    while not cloud.asked:
        await asyncio.sleep(0.01)
    second = await provider.send(SMS)
    let_go.set()
    assert await first == Accepted(("1",))
    assert isinstance(second, Refused)
    assert second.kind == "busy"
    await provider.close()
    assert len(cloud.asked) == 1


async def test_an_answer_that_is_late_is_unknown(cloud: Cloud) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    cloud.answer = never
    async with asyncio.timeout(calling.ANSWERED_WITHIN_SECONDS + 2):
        with pytest.raises(TimeoutError):
            await sent(cloud.tencent)


async def test_a_text_the_cloud_keeps_no_template_of_is_not_even_offered(cloud: Cloud) -> None:
    free = Sms(REFERENCE, PHONE, "free words", NOW)
    for provider in (cloud.aliyun, cloud.tencent):
        assert await sent(provider, free) == Refused("message", "no template")
    assert cloud.asked == []


async def test_a_redirect_is_not_followed(cloud: Cloud) -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(f"{cloud.url}/")

    cloud.answer = elsewhere
    with pytest.raises(NotUnderstood):
        await sent(cloud.tencent)
    assert len(cloud.asked) == 1


async def test_a_check_tells_a_key_that_is_known_from_one_that_is_not(cloud: Cloud) -> None:
    cloud.answer = says({"Code": "isp.RAM_PERMISSION_DENY"})
    aliyun, tencent = cloud.aliyun, cloud.tencent
    assert "knows our key" in await aliyun.check()
    cloud.answer = says({"Code": "InvalidAccessKeyId.NotFound"}, status=404)
    with pytest.raises(NotWell, match="InvalidAccessKeyId"):
        await aliyun.check()
    cloud.answer = says({"Response": {"DescribeTemplateStatusSet": [], "RequestId": "r"}})
    assert "knows our key" in await tencent.check()
    cloud.answer = says(fault("AuthFailure.SecretIdNotFound"))
    with pytest.raises(NotWell, match="SecretIdNotFound"):
        await tencent.check()
    await aliyun.close()
    await tencent.close()
    assert [request.headers.get("x-acs-action") or request.headers["X-TC-Action"] for request in cloud.asked] == [
        "QuerySmsTemplateList", "QuerySmsTemplateList", "DescribeSmsTemplateList", "DescribeSmsTemplateList",
    ]  # fmt: skip


async def test_what_only_waited_for_a_connection_was_certainly_not_sent(cloud: Cloud) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1.5)
        return await says({"Code": "OK", "BizId": "1"})(request)

    cloud.answer = slow
    provider = Aliyun("a", Account("key", Secret("hush")), StoppedClock(NOW), endpoint=cloud.url, connections=2)
    crowd = provider.at_once_max * 4
    said = await asyncio.gather(*(provider.send(SMS) for _ in range(crowd)), return_exceptions=True)
    await provider.close()
    assert said.count(Accepted(("1",))) == len(cloud.asked) < crowd
    assert said.count(Refused("busy", "ConnectionTimeoutError")) == crowd - len(cloud.asked), said
