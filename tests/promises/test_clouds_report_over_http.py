"""Clouds push reports and answers to addresses that hold a secret; it is durable before they hear that it is well."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from city import embedded
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import make_key_file
from kernel.settings import load
from notifications.channels.clouds.callbacks import BODY_BYTES_MAX
from notifications.channels.provider import ReceivedText
from notifications.finding import FOUND_AFTER
from notifications.seals import Seals
from tests.builders_notifications import a_promise, owe, stages
from tests.whole_city import TestCity

ALIYUN_DOOR, TENCENT_DOOR = "a" * 32, "t" * 32
CARRIERS = """
[[carriers]]
kind = "aliyun"
name = "aliyun-1"
signature = "随申办"
access_key_id = "LTAI0000"
access_key_secret_file = "secret"
callback_secret_file = "aliyun.callback"
endpoint = "{url}"

[[carriers]]
kind = "tencent"
name = "tencent-1"
weight = 0
signature = "随申办"
secret_id = "AKID0000"
secret_key_file = "secret"
callback_secret_file = "tencent.callback"
app_id = "1400006666"
endpoint = "{url}"

[[texts]]
carrier = "aliyun-1"
text = "certificate_issued"
version = 1
zh = "SMS_1"
"""


class Cloud:
    """Takes every SMS, and names each by its reference."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.is_cut = False

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(dict(request.query))
        if self.is_cut:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"Code": "OK", "BizId": f"biz-{len(self.taken)}"})


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    made, app, port = Cloud(), web.Application(), unused_port()
    app.add_routes([web.post("/", made.take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    (tmp_path / "carriers.toml").write_text(CARRIERS.format(url=f"http://127.0.0.1:{port}"), encoding="utf-8")
    for name, secret in (("secret", "hush"), ("aliyun.callback", ALIYUN_DOOR), ("tencent.callback", TENCENT_DOOR)):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    yield made
    await runner.cleanup()


@pytest.fixture
async def carried(
    servers: embedded.Running, database_url: str, redis: Redis, clock: StoppedClock, tmp_path: Path, cloud: Cloud
) -> AsyncIterator[TestCity]:
    """A city whose SMS two clouds carry."""
    make_key_file(tmp_path / "keys.json")
    settings = load(
        {
            "SUISHENBAN_DATABASE_URL": database_url,
            "SUISHENBAN_REDIS_URL": servers.redis_url,
            "SUISHENBAN_KEY_FILE": str(tmp_path / "keys.json"),
            "SUISHENBAN_CARRIERS": str(tmp_path / "carriers.toml"),
        }
    )
    opened = await TestCity.open(settings, clock)
    yield opened
    await opened.close()


async def push(city: TestCity, path: str, body: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return await city.client.post(f"/carriers/{path}", content=content, headers={"Content-Type": "application/json"})


def a_report(reference: str, *, biz_id: str = "biz-1", success: bool = True) -> dict[str, Any]:
    return {
        "phone_number": "13800138000", "send_time": "2026-03-02 09:00:00", "report_time": "2026-03-02 09:00:05",
        "success": success, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
        "biz_id": biz_id, "out_id": reference,
    }  # fmt: skip


async def sent_one(city: TestCity) -> None:
    notifications = city.parts.notifications
    await owe(notifications, a_promise(due_at=city.clock.now()))
    await notifications.settle()


async def test_a_message_is_delivered_when_the_cloud_has_reported_it(
    carried: TestCity, cloud: Cloud, db: Database
) -> None:
    await sent_one(carried)
    (taken,) = cloud.taken
    assert (taken["PhoneNumbers"], taken["TemplateCode"], taken["SignName"]) == ("13800138000", "SMS_1", "随申办")
    assert await stages(db) == {"sms accepted": 1}
    answer = await push(carried, f"aliyun/{ALIYUN_DOOR}/reports", [a_report(taken["OutId"])] * 2)
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "接收成功"})
    await carried.parts.notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}


async def test_a_report_finds_the_message_whose_answer_was_lost(carried: TestCity, cloud: Cloud, db: Database) -> None:
    cloud.is_cut = True
    await sent_one(carried)
    (taken,) = cloud.taken
    assert await stages(db) == {"sms unknown": 1}
    assert (await push(carried, f"aliyun/{ALIYUN_DOOR}/reports", [a_report(taken["OutId"])])).status_code == 200
    notifications = carried.parts.notifications
    carried.clock.advance(FOUND_AFTER + timedelta(seconds=1))
    assert await notifications.finding.find_stale() == 1
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}
    assert len(cloud.taken) == 1


async def test_what_is_pushed_is_kept_as_it_came_and_sealed(carried: TestCity, db: Database) -> None:
    report = {"nationcode": "86", "mobile": "13800138000", "report_status": "SUCCESS", "sid": "s", "errmsg": "好"}
    answer = await push(carried, f"tencent/{TENCENT_DOOR}/reports", [report, "broken"])
    assert (answer.status_code, answer.json()) == (200, {"result": 0, "errmsg": "OK"})
    rows = await db.fetch("SELECT receipt_id, provider, provider_ref, raw FROM notifications.receipt")
    seals = Seals(carried.parts.keys)
    opened = {row["provider_ref"]: seals.open_receipt(row["receipt_id"], row["raw"]) for row in rows}
    assert {row["provider"] for row in rows} == {"tencent-1"}
    assert msgspec.json.decode(opened["s"]) == report
    assert b'"broken"' in opened.values()
    assert all(b"13800138000" not in row["raw"] for row in rows)


async def test_what_people_answer_is_passed_on_before_the_cloud_is_answered(carried: TestCity) -> None:
    heard: list[ReceivedText] = []

    async def hear(texts: Any) -> None:
        heard.extend(texts)

    carried.parts.notifications.receiving.texts = hear
    up = {"phone_number": "13800138000", "content": "退订", "dest_code": "01", "sequence_id": 7}
    assert (await push(carried, f"aliyun/{ALIYUN_DOOR}/replies", [up])).json()["code"] == 0
    reply = {"extend": "", "mobile": "13800138000", "nationcode": "86", "sign": "随申办", "text": "Y", "time": 1}
    assert (await push(carried, f"tencent/{TENCENT_DOOR}/replies", reply)).json()["errmsg"] == "OK"
    assert [(text.provider, text.from_phone, text.text) for text in heard] == [
        ("aliyun-1", "+8613800138000", "退订"),
        ("tencent-1", "+8613800138000", "Y"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        f"aliyun/{TENCENT_DOOR}/reports",
        f"tencent/{ALIYUN_DOOR}/replies",
        f"aliyun/{ALIYUN_DOOR[:-1]}/reports",
        f"aliyun/{ALIYUN_DOOR}a/reports",
        "aliyun/%E7%A7%98/reports",
        f"aliyun/{'a' * 4000}/reports",
    ],
)
async def test_whoever_does_not_know_the_secret_finds_nothing(carried: TestCity, db: Database, path: str) -> None:
    answer = await push(carried, path, [a_report("x")])
    assert answer.status_code in (400, 404)
    assert await db.fetchval("SELECT count(*) FROM notifications.receipt") == 0


async def test_a_push_that_is_none_is_refused_and_one_that_is_too_long_too(carried: TestCity) -> None:
    assert (await push(carried, f"aliyun/{ALIYUN_DOOR}/reports", b"success")).status_code == 400
    long = b"[" + b" " * BODY_BYTES_MAX + b"]"
    assert (await push(carried, f"aliyun/{ALIYUN_DOOR}/reports", long)).status_code == 413


async def test_a_city_without_carriers_has_no_doors(city: TestCity) -> None:
    assert (await push(city, f"aliyun/{ALIYUN_DOOR}/reports", [])).status_code == 404
