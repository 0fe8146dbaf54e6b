"""A city says in a file who carries its messages; a file that is wrong is refused in words an operator can act on."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from city.checking_carriers import look
from city.errors import CannotStart
from city.reading_settings import read_settings
from gateway.carriers.building import carriers_of, looks_of
from gateway.carriers.reading import CarriersRefused, read
from kernel.clock import StoppedClock
from kernel.settings import Secret
from notifications.channels.clouds.callbacks import Door
from notifications.channels.provider import Provider

MONDAY_NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ALIYUN = """
[[carriers]]
kind = "aliyun"
name = "aliyun-1"
weight = 60
signature = "随申办"
access_key_id = "LTAI0000"
access_key_secret_file = "aliyun.secret"
callback_secret_file = "aliyun.callback"
"""
TENCENT = """
[[carriers]]
kind = "tencent"
name = "tencent-1"
signature = "随申办"
secret_id = "AKID0000"
secret_key_file = "tencent.secret"
callback_secret_file = "tencent.callback"
app_id = "1400006666"
"""
TEXT = """
[[texts]]
carrier = "aliyun-1"
text = "sign_in_code"
version = 1
zh = "SMS_1"
en = "SMS_2"
parameters = { code = "code", min = "minutes" }
"""
SECRETS = {
    "aliyun.secret": "hush-a\n", "aliyun.callback": "a" * 32, "tencent.secret": "hush-t", "tencent.callback": "t" * 32,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def written(folder: Path, text: str, name: str = "carriers.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def refused(path: Path) -> str:
    with pytest.raises(CarriersRefused) as refusal:
        carriers_of(path, StoppedClock(MONDAY_NINE))
    assert "hush" not in str(refusal.value)
    return str(refusal.value)


def test_a_city_without_a_file_has_no_carriers() -> None:
    assert carriers_of(None, StoppedClock(MONDAY_NINE)).providers == []


def test_the_carriers_of_a_file_are_wired_with_their_secrets_doors_and_texts(folder: Path) -> None:
    carriers = carriers_of(written(folder, ALIYUN + TENCENT + TEXT), StoppedClock(MONDAY_NINE))
    assert [(one.name, one.channel) for one in carriers.providers] == [("aliyun-1", "sms"), ("tencent-1", "sms")]
    assert carriers.weights == {"aliyun-1": 60, "tencent-1": 100}
    assert carriers.doors == [
        Door("aliyun", "aliyun-1", Secret("a" * 32)), Door("tencent", "tencent-1", Secret("t" * 32)),
    ]  # fmt: skip
    ids = carriers.provider_ids["sign_in_code", 1]["aliyun-1"]
    assert (ids.zh, ids.en, ids.signature) == ("SMS_1", "SMS_2", "随申办")
    assert list(ids.parameters.items()) == [("code", "code"), ("min", "minutes")]
    assert looks_of(carriers).keys() == {"aliyun-1", "tencent-1"}


def test_the_file_may_be_json(folder: Path) -> None:
    carrier = {
        "kind": "aliyun", "name": "a", "signature": "随申办", "access_key_id": "k",
        "access_key_secret_file": "aliyun.secret", "callback_secret_file": str(folder / "aliyun.callback"),
    }  # fmt: skip
    path = written(folder, json.dumps({"carriers": [carrier]}), "carriers.json")
    assert carriers_of(path, StoppedClock(MONDAY_NINE)).weights == {"a": 100}


def test_what_is_read_shows_no_secret(folder: Path) -> None:
    assert "hush" not in repr(read(written(folder, ALIYUN + TENCENT)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "carriers"),
        ("[[carriers]\n", "no TOML"),
        (ALIYUN.replace('"aliyun"', '"pigeon"'), "pigeon"),
        (ALIYUN + 'colour = "red"\n', "colour"),
        (ALIYUN.replace('signature = "随申办"\n', ""), "signature"),
        (ALIYUN + ALIYUN, "two carriers are called aliyun-1"),
        (ALIYUN.replace("60", "-1"), "weight"),
        (ALIYUN.replace('access_key_secret_file = "aliyun.secret"', 'access_key_secret = "open"'), "file of its own"),
        (ALIYUN.replace("aliyun.secret", "nowhere"), "nowhere"),
        (ALIYUN + 'endpoint = "http://dysmsapi.aliyuncs.com"\n', "https"),
        (ALIYUN.replace("aliyun.callback", "aliyun.secret"), "callback secret of aliyun-1"),
        (ALIYUN + TEXT.replace("sign_in_code", "sing_in_code"), "sing_in_code"),
        (ALIYUN + TEXT.replace('"minutes"', '"hours"'), "hours"),
        (TENCENT + TEXT, "names the carrier aliyun-1"),
        ("carriers = 5\n", "carriers"),
        ('carriers = ["a"]\n', "carriers number 1"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(folder: Path, text: str, says: str) -> None:
    assert says in refused(written(folder, text))


def test_a_file_that_is_not_there_is_refused_in_words(folder: Path) -> None:
    assert "No such file" in refused(folder / "carriers.toml")


def test_a_secret_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "aliyun.secret").chmod(0o640)
    assert "can be read by others" in refused(written(folder, ALIYUN))
    (folder / "aliyun.secret").chmod(0o600)
    (folder / "aliyun.secret").write_text(" \n")
    assert "is empty" in refused(written(folder, ALIYUN))


def environment_of(path: Path) -> dict[str, str]:
    return {
        "SUISHENBAN_DATABASE_URL": "postgresql:///nowhere",
        "SUISHENBAN_REDIS_URL": "unix:///nowhere",
        "SUISHENBAN_KEY_FILE": "keys.json",
        "SUISHENBAN_CARRIERS": str(path),
    }


def test_no_part_of_a_city_starts_with_a_file_that_is_wrong(folder: Path) -> None:
    assert read_settings(environment_of(written(folder, ALIYUN))).carriers == folder / "carriers.toml"
    with pytest.raises(CannotStart) as reason:
        read_settings(environment_of(written(folder, ALIYUN.replace("60", "-1"))))
    assert "weight" in reason.value.sentence
    assert "docs/CARRIERS.md" in reason.value.remedy


def test_a_path_that_not_every_process_would_find_is_refused(folder: Path) -> None:
    assert "whole path" in refused(Path("carriers.toml"))


async def test_a_check_tells_of_each_carrier_how_it_is_and_where_it_reports(folder: Path) -> None:
    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = f'endpoint = "http://127.0.0.1:{unused_port()}"\n'
    smpp = f'[[carriers]]\nkind = "smpp"\nname = "mobile"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "c"\n'
    path = written(folder, ALIYUN + silent + smpp + 'password_file = "aliyun.secret"\n')
    found = {finding.part: finding for finding in await look(read_settings(environment_of(path)))}
    server.close()
    await server.wait_closed()
    assert (found["carrier mobile"].is_fine, found["carrier mobile"].found) == (False, "closed by the SMSC")
    assert not found["carrier aliyun-1"].is_fine
    assert found["carrier of email"].found.startswith("nobody")
    assert found["callbacks of aliyun-1"].found.startswith("http://127.0.0.1:8700/carriers/aliyun/SECRET/")
    assert not [finding for finding in found.values() if "hush" in finding.found or "a" * 32 in finding.found]


async def test_a_check_of_a_city_without_carriers_finds_none() -> None:
    environ = environment_of(Path("/"))
    del environ["SUISHENBAN_CARRIERS"]
    assert await look(read_settings(environ)) == []


def test_every_kind_of_carrier_is_wired(folder: Path) -> None:
    subscribe = [{"provider_template": "T1", "title_zh": "取号", "title_en": "Queue", "texts": {"queue_nearly": {}}}]
    written(folder, json.dumps(subscribe), "subscribe.json")
    others = """
[[carriers]]
kind = "smpp"
name = "mobile"
weight = 5
host = "smsc.example"
system_id = "city"
password_file = "aliyun.secret"

[[carriers]]
kind = "smtp"
name = "relay"
host = "mail.example"
sender = "city@suishenban.example"
sender_name = "随申办"
password_file = "aliyun.secret"

[[carriers]]
kind = "subscribe"
name = "chat"
app_id = "wx0"
secret_file = "aliyun.secret"
templates = "subscribe.json"
"""
    carriers = carriers_of(written(folder, ALIYUN + TENCENT + others), StoppedClock(MONDAY_NINE))
    assert {one.name: one.channel for one in carriers.providers} == {
        "aliyun-1": "sms", "tencent-1": "sms", "mobile": "sms", "relay": "email", "chat": "subscribe",
    }  # fmt: skip
    assert carriers.weights["mobile"] == 5
    assert carriers.mail_from == "city@suishenban.example"
    assert [one.provider_template for one in carriers.subscribe_texts.every] == ["T1"]
    assert all(isinstance(one, Provider) for one in carriers.providers)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('kind = "smpp"\nname = "m"\nhost = "h"\nsystem_id = "c"\npassword_file = "tencent.callback"', "carriers.toml"),
        ('kind = "smtp"\nname = "r"\nhost = "h"\nsender = "nobody"\nsender_name = "x"', "sender"),
        ('kind = "subscribe"\nname = "c"\napp_id = "w"\nsecret_file = "aliyun.secret"\ntemplates = "none"', "none"),
    ],
)
def test_what_a_driver_finds_wrong_is_refused_in_words_too(folder: Path, lines: str, says: str) -> None:
    assert says in refused(written(folder, f"[[carriers]]\n{lines}\n"))
