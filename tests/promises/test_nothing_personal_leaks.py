"""Names, ID numbers and phones are nowhere that an operator, a log reader or a thief of a disk would look.

An invented person is planted in each place first, and found by the very look that finds nobody else. Two things of a
demo do name its invented people, and only in a demo: what `./run` says on its terminal about who can be played, and the
answers of /demo. Neither is a file, a log or a store.
"""

import asyncio
import logging
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import msgspec
import pytest
import redis
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from city.demo.people import PEOPLE
from city.demo.staff import STAFF
from city.journey import calling, issuing
from city.journey.calling import Caller, open_http
from city.journey.issuing import CONCESSION
from city.private_postgres import ROLE
from city.private_redis import SOCKET
from city.standins.chat_platform import openid_of
from kernel.sealing import KeyFile, MasterKey, Sealer
from kernel.telemetry import Telemetry
from tests import columns_of_notifications, columns_of_the_wallet, places_of_a_city, traces_of_somebody
from tests.busy_people import DEPARTMENT, open_stage
from tests.leak_scanner import ASCII_CHARACTERS_MIN, Scanner
from tests.places_of_a_city import RedisWatch
from tests.recording_proxy import RecordingProxy, recording_proxy
from tests.running_city import RunningCity, running_city
from tests.traces_of_somebody import Traces

PLANTED = {"司马青", "310107190001019998"}
PACKED = "欧阳素"
"""Planted where PostgreSQL packs it, so that only a look at the tables finds it."""
BANNER = re.compile(rb"  Who can sign in:.*?(?=  What to try:)", re.DOTALL)
SPANS_LEAVE_WITHIN_SECONDS = 15.0
SPANS_MIN = 100
SOMEBODY = next(person for person in PEOPLE if person.phone)
COLUMNS = (columns_of_the_wallet.COLUMNS, columns_of_notifications.COLUMNS)


def told_of_people() -> Iterator[str]:
    """What is personal about everybody in the demo city."""
    known = [(one.name, one.name_latin, one.phone) for one in PEOPLE]
    known += [(one.name, one.name_latin, one.phone) for one in STAFF]
    for name, latin, phone in known:
        yield name
        if len(latin) >= ASCII_CHARACTERS_MIN:
            yield latin
        if phone is not None:
            yield phone.removeprefix("+86")
    yield from (person.id_number for person in PEOPLE)
    for person in PEOPLE:
        if person.phone is not None and (openid := openid_of(person.phone)) is not None:
            yield openid


class Watched(msgspec.Struct):
    """A talkative city, of which all is kept that it logs, traces, asks and is asked."""

    city: RunningCity
    entrance: RecordingProxy
    outside: RecordingProxy
    redis: RedisWatch
    owner: Any
    """A connection of PostgreSQL's own superuser."""

    @property
    def trace(self) -> Path:
        return self.city.folder / "trace"


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    async with recording_proxy() as entrance, recording_proxy() as outside:
        environ = {
            "SUISHENBAN_LOG_LEVEL": "debug",
            "SUISHENBAN_TRACE_FILE": "FOLDER/trace",
            "SUISHENBAN_TRACE_SHARE": "1",
            "SUISHENBAN_CHAT_PLATFORM_URL": outside.url,
            "SUISHENBAN_REAL_NAME_URL": outside.url,
        }
        async with running_city(environ) as city:
            entrance.port, outside.port = city.port, city.port + 1
            await places_of_a_city.make_postgres_talk(city.at)
            owner = await places_of_a_city.superuser(city.at)
            await city.until_ready()
            watch = RedisWatch(city.at)
            await watch.begin()
            yield Watched(city, entrance, outside, watch, owner)
            await watch.end()
            await owner.close()


async def test_nobody_is_found_where_the_planted_are(watched: Watched) -> None:
    with ExitStack() as until_looked:
        started = await plant_everywhere(watched, until_looked)
        await watched.city.play_journey(watched.entrance.url)
        async with open_http() as http:
            stage = await open_stage(http, watched.city.url)
            department = await calling.machine(stage.city, stage.client(DEPARTMENT), issuer=stage.cast.issuer)
            traces = await traces_of_somebody.begin(stage, SOMEBODY.id_number)
            code = await traces.leave()
            await ask_clumsily(watched.city, department)
            await fail_inside(watched, traces, department)
        scanner = Scanner({*PLANTED, PACKED, *told_of_people(), *parts_of(code)})
        found: dict[str, set[str]] = defaultdict(set)
        known: dict[int, set[str]] = {}
        async for place, content in everything(watched, started):
            mark = hash(content)
            if mark not in known:
                known[mark] = scanner.found_in(content)
            found[place] |= known[mark]
    assert {place for place, texts in found.items() if not texts >= PLANTED} == set(), "a place is not looked through"
    assert PACKED in found["tables"]
    assert {place: texts - PLANTED - {PACKED} for place, texts in found.items()} == {place: set() for place in found}
    await columns_hold_what_was_decided(watched)
    await a_code_does_not_tell_whose_it_is(watched, traces, code)


def parts_of(code: str) -> set[str]:
    """Pieces of an offline code, by which it is known wherever it is kept: it has in it what it shows."""
    length = 40
    return {code[at : at + length] for at in range(length, len(code) - length, length)}


async def columns_hold_what_was_decided(watched: Watched) -> None:
    """Every column in which a person could be holds what keeps them out, and is in use."""
    keys = msgspec.json.decode(watched.city.at.key_file.read_bytes(), type=KeyFile)
    for columns in COLUMNS:
        assert await columns.undecided(watched.owner) == set()
        assert await columns.unseen(watched.owner) == set()
        assert await columns.unlike_decided(watched.owner, keys.sealing[0]) == set()


async def a_code_does_not_tell_whose_it_is(watched: Watched, traces: Traces, code: str) -> None:
    """To whom an offline code is bound is sealed: beside what it shows, it names neither person nor certificate."""
    certificate_id, person_id = UUID(traces.card.certificate_id), UUID(traces.me.person_id)
    besides = traces_of_somebody.beside_what_it_shows(code)
    assert Scanner(told_of_people()).found_in(besides) == set()
    assert traces_of_somebody.ids_in(besides, certificate_id, person_id) == set()
    assert traces_of_somebody.ids_in(besides + certificate_id.bytes, certificate_id) == {certificate_id}


async def test_a_column_that_nobody_decided_on_or_that_holds_a_person_is_found(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    key = MasterKey("00000000", bytes(32))
    for columns in COLUMNS:
        assert await columns.undecided(conn) == set()
        assert await columns.unlike_decided(conn, key) == set()
    await conn.execute("ALTER TABLE wallet.proof ADD COLUMN holder text")
    await conn.execute("ALTER TABLE notifications.said ADD COLUMN words bytea")
    of_the_wallet, of_notifications = COLUMNS
    assert await of_the_wallet.undecided(conn) == {"proof.holder"}
    assert await of_notifications.undecided(conn) == {"said.words"}
    assert "issuing_refusal" in await of_the_wallet.unseen(conn)
    row = "INSERT INTO wallet.issuing_refusal (load_id, line, reference, code, detail) VALUES ($1, $2, $3, $4, $5)"
    name, sealed = SOMEBODY.name, Sealer([key], "test").seal(SOMEBODY.name.encode(), b"")
    await conn.execute(row, uuid4(), 1, sealed, "wallet.holder_refused", "the number is not one")
    assert await of_the_wallet.unlike_decided(conn, key) == set()
    await conn.execute(row, uuid4(), 1, name.encode(), name, name)
    found = await of_the_wallet.unlike_decided(conn, key)
    assert {one.split()[0] for one in found} == {f"issuing_refusal.{one}" for one in ("reference", "code", "detail")}
    row = (
        "INSERT INTO notifications.batch_refusal (batch_id, number, code, detail, reference) VALUES ($1, 1, $2, '', $3)"
    )
    await conn.execute(row, uuid4(), "notifications.recipient_refused", "2026-0117")
    assert await of_notifications.unlike_decided(conn, key) == set()
    await conn.execute(row, uuid4(), "notifications.recipient_refused", SOMEBODY.id_number)
    assert {one.split()[0] for one in await of_notifications.unlike_decided(conn, key)} == {"batch_refusal.reference"}
    await conn.close()


# ---- planting


async def plant_everywhere(watched: Watched, until_looked: ExitStack) -> list[int]:
    """Leave the planted person everywhere, as careless code would; the processes that were told of them."""
    city, words = watched.city, " ".join(sorted(PLANTED))
    for path in (city.said, city.folder / "planted", city.at.logs / "web.log"):
        careless = logging.FileHandler(path, encoding="utf-8")
        careless.handle(logging.makeLogRecord({"msg": f"signed in: {words}"}))
        careless.close()
    with watched.trace.open("a") as spans:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=spans)))
        with provider.get_tracer("careless").start_as_current_span("request") as span:
            span.set_attribute("person", words)
    async with aiohttp.request("GET", f"{watched.entrance.url}/{quote(words)}") as answer:
        assert answer.status == 404
    async with aiohttp.request("GET", f"{watched.outside.url}/{quote(words)}") as answer:
        assert answer.status == 404
    client = redis.Redis(unix_socket_path=str(city.at.sockets / SOCKET))
    client.set(f"person:{words}", words)
    client.close()
    await watched.owner.execute("CREATE TABLE public.planted (name text)")
    await watched.owner.execute("INSERT INTO public.planted VALUES ($1), ($2)", words, PACKED * 5_000)
    with suppress(asyncpg.RaiseError):
        await watched.owner.execute(f"DO $$ BEGIN RAISE EXCEPTION 'refused: {words}'; END $$")
    sleeper = [sys.executable, "-c", "import time; time.sleep(120)", words]
    process = until_looked.enter_context(subprocess.Popen(sleeper, env={"PERSON": words}))
    until_looked.callback(process.kill)
    return [process.pid]


# ---- what goes wrong


async def ask_clumsily(city: RunningCity, department: Caller) -> None:
    """Callers who put people where they do not belong are refused, and nothing of it is kept."""
    number, name, phone = SOMEBODY.id_number, SOMEBODY.name, SOMEBODY.phone
    told = {"baggage": f"person={number}", "user-agent": quote(name), "tracestate": f"a={number}"}
    bearer = {"Authorization": f"Bearer {department.token}"}
    clumsy: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/{quote(name)}", {}),
        ("GET", f"/resident/bookings/{number}", {}),
        ("GET", f"/resident/certificates?holder={number}&name={quote(name)}", {}),
        ("GET", "/resident/me", {"headers": {"Authorization": f"Bearer {number}"}}),
        ("POST", "/resident/sign-in/codes", {"json": {"phone": name}}),
        ("POST", "/resident/sign-in/codes", {"json": {"phone": phone, name: number}}),
        ("POST", "/resident/sign-in/codes", {"data": f'{{"phone": "{name}'.encode()}),
        ("POST", "/resident/sign-in/codes", {"data": b"\xff" + name.encode("gbk")}),
        ("POST", "/venue/token", {"data": {"client_id": name, "client_assertion": number}}),
        ("POST", "/department/messages", {"json": {"id_number": number, "title": name}, "headers": bearer}),
        ("POST", "/department/certificates", {"json": {"holder": name, "reference": number}, "headers": bearer}),
        ("GET", f"/department/messages/{number}", {"headers": bearer}),
        ("PUT", f"/department/register/{number}", {"json": {"holder": name, "state": number}, "headers": bearer}),
        ("PUT", f"/department/guardianships/{number}", {"json": {"ward": name}, "headers": bearer}),
        ("POST", f"/department/loads/{uuid4()}/lines?from={number}", {"data": name.encode(), "headers": bearer}),
        ("PUT", f"/venue-applications/{uuid4()}", {"json": {"contact": {"name": name, number: phone}}}),
        ("GET", f"/venue-applications/{uuid4()}", {"headers": {"Application-Secret": number}}),
        ("POST", f"/P/{number}", {"json": {"name": name, "last_four": number}}),
        ("POST", "/P/" + "A" * 26, {"data": {"name": name, "last_four": name}}),
        ("GET", f"/ledger/checkpoints/{quote(name)}", {}),
        ("GET", f"/status-lists/{quote(name)}", {}),
        ("GET", f"/types/{quote(name)}", {}),
        ("POST", "/resident/contact/email", {"json": {"address": f"{phone}@{name}"}}),
        ("POST", "/demo/outbox/search", {"json": {"email": f"{name}@people.example"}}),
        ("POST", "/demo/texts", {"json": {"phone": number, "text": name}}),
        ("POST", f"/unsubscribe/{quote(name)}{number}", {}),
        ("POST", f"/carriers/aliyun/{number}/replies", {"data": name.encode()}),
        ("POST", "/department/team", {"json": {"phone": f"{name}{phone}"}, "headers": bearer}),
        ("POST", "/department/texts", {"json": {"sort": name, "content": number}, "headers": bearer}),
        ("POST", f"/department/texts/{number}/messages", {"json": {"phone": phone}, "headers": bearer}),
        ("POST", f"/department/batches/{uuid4()}/lines?from={number}", {"data": name.encode(), "headers": bearer}),
        ("PUT", f"/department/callbacks/{number}", {"json": {"url": f"https://{name}/{number}"}, "headers": bearer}),
        ("GET", f"/department/sent?reference={number}&state={quote(name)}", {"headers": bearer}),
        ("POST", "/v2/notifications/sms", {"json": {"phone_number": phone, name: number}, "headers": bearer}),
        ("GET", f"/v2/notifications?reference={number}&older_than={quote(name)}", {"headers": bearer}),
    ]
    async with aiohttp.ClientSession(city.url, headers=told) as http:
        for method, path, how in clumsy:
            async with http.request(method, path, **how) as answer:
                assert 400 <= answer.status < 500, f"{method} {path}: {answer.status}"


async def fail_inside(watched: Watched, traces: Traces, department: Caller) -> None:
    """Let every write of the city fail, with all that PostgreSQL and its client have to say of the failing row."""
    person = traces.person
    certificate = issuing.request_of(await issuing.kind_of(department, CONCESSION), person)
    notice = {"id_number": person.id_number, "title": person.name, "body": person.id_number}
    tables = await watched.owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE tableowner = $1", ROLE
    )
    for table in tables:
        await watched.owner.execute(f"ALTER TABLE {table['name']} ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        for path, body in (
            ("/resident/sign-in/codes", {"phone": person.phone}),
            ("/department/certificates", certificate),
            ("/department/messages", notice),
        ):
            key = {"Idempotency-Key": "fails"}
            assert (await department.ask("POST", path, body, headers=key, status=None)).status == 500, path
        for write in traces.writes():
            assert (await write()).status == 500, write.__name__
    finally:
        for table in tables:
            await watched.owner.execute(f"ALTER TABLE {table['name']} DROP CONSTRAINT never")
    assert b"unexpected failure" in (watched.city.at.logs / "web.log").read_bytes()
    said = (watched.city.at.logs / "postgres.log").read_bytes()
    assert b"violates check constraint" in said
    assert b"Failing row contains" in said
    assert b"Parameters: $1 = " in said


# ---- looking


async def everything(watched: Watched, started: list[int]) -> AsyncIterator[tuple[str, bytes]]:
    """Every place of the city with all that is in it."""
    city, at = watched.city, watched.city.at
    await watched.owner.execute("CHECKPOINT")
    for content in await places_of_a_city.every_table(watched.owner):
        yield "tables", content
    for content in places_of_a_city.files_below(at.postgres / "pg_wal"):
        yield "WAL", content
    for content in places_of_a_city.files_below(at.postgres, beside=[at.postgres / "pg_wal"]):
        yield "data files", content
    for content in places_of_a_city.everything_in_redis(at):
        yield "keys and values of Redis", content
    yield "what is said to Redis", await watched.redis.end()
    for name, proxy in (("asked of the city", watched.entrance), ("asked of others by the city", watched.outside)):
        assert len(proxy.heads) > 1, f"nothing was {name}"
        yield f"URLs and headers {name}", b"".join(proxy.heads)
    careless = Telemetry()
    careless.count("signed_in", " ".join(PLANTED))
    yield "metrics", places_of_a_city.fetched(city.port, "/metrics") + careless.render()
    for pid in (*places_of_a_city.processes_of(city), *started):
        yield "command lines and environments", places_of_a_city.command_and_environment(pid)
    yield "what is said on the terminal", BANNER.sub(b"", city.said.read_bytes())
    logs_of_postgres = list(at.logs.glob("postgres.log*"))
    yield "log of PostgreSQL", b"".join(path.read_bytes() for path in logs_of_postgres)
    for content in places_of_a_city.files_below(at.logs, beside=logs_of_postgres):
        yield "log lines", content
    yield "traces", await spans_of_the_journey(watched)
    for content in places_of_a_city.files_below(city.folder, beside=[at.postgres, at.logs, city.said, watched.trace]):
        yield "other files", content


async def spans_of_the_journey(watched: Watched) -> bytes:
    """The traces, once they are written: the clumsy callers were the last."""
    end = time.monotonic() + SPANS_LEAVE_WITHIN_SECONDS
    while (spans := watched.trace.read_bytes()).count(b"department/certificates") < 2 or spans.count(b"\n") < SPANS_MIN:
        assert time.monotonic() < end, "the journey is not traced"
        await asyncio.sleep(0.1)
    return spans
