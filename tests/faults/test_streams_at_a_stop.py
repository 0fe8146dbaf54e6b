"""The web process of a city stops in its time with streams of events open, and starts whole or not at all."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from appointments.model import Slot, slot_id_of
from appointments.offices import offering
from appointments.rush.model import ReleaseId, release_id_of
from city import asking, embedded
from city.environment import SOURCES
from city.serving import CLOSED_WITHIN_SECONDS, FINISHED_WITHIN_SECONDS
from gateway import tokens
from gateway.parts import CityParts
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import AccountId, OfficeId, SessionId, uuid7
from kernel.principal import Audience, Resident
from kernel.sealing import make_key_file
from kernel.settings import load
from kernel.snapshots import Snapshot, Snapshots
from tests.builders_appointments import HALF_AN_HOUR, a_person, a_service, an_office

STREAMS = 20
"""Of each sort."""
UP_WITHIN_SECONDS = 30.0
ENDS_WITHIN_SECONDS = 1.0
"""After the process was told to stop: far less than an answer under way is waited for."""
SERVE = (sys.executable, "-P", "-m", "city", "serve")
CANNOT_BE_BUILT = """
import os, sys
from city.reading_settings import read_settings
from city.serving import serve
from gateway.app import City
from kernel.log import configure
def build(parts, settings, cast):
    raise ArithmeticError("a route that is there twice")
settings = read_settings(os.environ)
configure(settings.log_level, process="web")
sys.exit(serve(City(settings, None, build), settings.host, settings.port))
"""


class Web:
    """The web process of a city whose database and Redis are the tests'."""

    def __init__(self, words: tuple[str, ...], given: dict[str, str], said: Path) -> None:
        self.given = given
        self.port = int(given["SUISHENBAN_PORT"])
        self.said = said
        environ = {"PYTHONPATH": str(SOURCES), "PATH": os.environ["PATH"], **given}
        with said.open("wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out, env=environ, cwd="/")

    def until_up(self) -> None:
        end = time.monotonic() + UP_WITHIN_SECONDS
        while not asking.listens("127.0.0.1", self.port):
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.02)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def given(servers: embedded.Running, database_url: str, tmp_path: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    make_key_file(tmp_path / "keys.json")
    return {
        "SUISHENBAN_DATABASE_URL": database_url,
        "SUISHENBAN_REDIS_URL": servers.redis_url,
        "SUISHENBAN_KEY_FILE": str(tmp_path / "keys.json"),
        "SUISHENBAN_PORT": port,
    }


async def a_line(db: Database, given: dict[str, str]) -> tuple[OfficeId, ReleaseId, str]:
    """An office, a release to come, and the token of somebody in its line."""
    clock = SystemClock()
    now, office_id, service_id = clock.now(), await an_office(db), await a_service(db)
    starts_at = (now + timedelta(days=2)).replace(microsecond=0)
    slot = Slot(
        slot_id=slot_id_of(office_id, service_id, starts_at), office_id=office_id, service_id=service_id,
        district="310104", starts_at=starts_at, ends_at=starts_at + HALF_AN_HOUR, places=1,
        opens_at=starts_at - timedelta(days=1), is_gated=True,
    )  # fmt: skip
    await offering.offer(db, [slot])
    assert slot.opens_at is not None
    release_id = release_id_of(service_id, slot.opens_at)
    settings, person = load(given), a_person()
    parts = await CityParts.open(settings, process="test")
    principal = Resident(AccountId(uuid4()), SessionId(uuid7(now)), person)
    token = tokens.mint(
        parts.signing_keys, principal, issuer=settings.public_origin, audience=Audience.RESIDENT,
        session_id=principal.session_id, now=now, client_id=None,
    )  # fmt: skip
    await parts.appointments.gate.join(release_id, person)
    await parts.close()
    return office_id, release_id, token.text


@asynccontextmanager
async def listening(port: int, path: str, token: str) -> AsyncIterator[asyncio.StreamReader]:
    """Somebody who has heard the first event of a stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200"), head + await reader.read(2000)
    await asyncio.wait_for(reader.readuntil(b"data: "), 10)
    yield reader
    writer.close()


async def test_streams_of_the_gate_and_the_display_end_when_the_process_is_told_to_stop(db, given, tmp_path):
    office_id, release_id, token = await a_line(db, given)
    web = Web(SERVE, given, tmp_path / "said")
    try:
        await asyncio.to_thread(web.until_up)
        paths = [f"/resident/releases/{release_id}/place/events", f"/public/offices/{office_id}/display/events"]
        opened = [listening(web.port, path, token) for path in paths * STREAMS]
        readers = await asyncio.gather(*(one.__aenter__() for one in opened))
        began = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        rests = await asyncio.gather(*(asyncio.wait_for(reader.read(), 10) for reader in readers))
        ended = time.monotonic() - began
        code = await asyncio.to_thread(web.process.wait, 10)
        took = time.monotonic() - began
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in opened))
    finally:
        web.end()
    said = web.said.read_text()
    assert code == 0, said
    assert ended < ENDS_WITHIN_SECONDS
    assert took < FINISHED_WITHIN_SECONDS + CLOSED_WITHIN_SECONDS
    assert {rest[-5:] for rest in rests} == {b"0\r\n\r\n"}, "the end of a body, not a line that broke"
    assert "Traceback" not in said
    assert '"level": "error"' not in said


async def test_a_process_that_hears_of_a_change_as_it_is_to_stop_stops_all_the_same():
    async def nothing() -> None:
        pass

    for ticks in range(6):
        kept = Snapshots(Snapshot("catalogue", nothing))
        keeping = asyncio.create_task(kept.keep_fresh())
        await asyncio.sleep(0.01)
        kept.hint("catalogue")
        for _ in range(ticks):
            await asyncio.sleep(0)
        keeping.cancel()
        await asyncio.wait([keeping], timeout=1)
        assert keeping.cancelled(), f"not when it is told {ticks} turns of the loop later"


def test_an_application_that_cannot_be_built_says_why_and_ends(given, tmp_path):
    web = Web((sys.executable, "-P", "-c", CANNOT_BE_BUILT), given, tmp_path / "said")
    try:
        assert web.process.wait(UP_WITHIN_SECONDS) == 1
    finally:
        web.end()
    said = web.said.read_text()
    assert "the web process cannot start" in said
    assert "a route that is there twice" in said
    assert not asking.listens("127.0.0.1", web.port)
