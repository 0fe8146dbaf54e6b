"""The web process lets nobody hold it up when it is to stop, and nobody share its port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from city import asking
from city.environment import SOURCES
from city.serving import CLOSED_WITHIN_SECONDS, FINISHED_WITHIN_SECONDS
from city.settling import YOUNG_MAX

APPLICATION = """
import asyncio, gc, sys
from city.errors import CannotStart
from city.serving import serve
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("closed", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"data: still here\\n\\n", "more_body": True})
        await asyncio.sleep(0.05)
    seen = b"%d %d" % (gc.get_freeze_count(), gc.get_threshold()[0]) if scope["path"] == "/collector" else b"done"
    await send({"type": "http.response.body", "body": seen})
try:
    sys.exit(serve(app, "127.0.0.1", int(sys.argv[1])))
except CannotStart as reason:
    sys.exit(str(reason))
"""


class Web:
    """A web process with a tiny application."""

    def __init__(self, said: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.said = said
        self.process = self.start()
        while not asking.listens("127.0.0.1", self.port):
            assert self.process.poll() is None
            time.sleep(0.02)

    def start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-P", "-c", APPLICATION, str(self.port)]
        environ = {"PYTHONPATH": str(SOURCES), "PATH": os.environ["PATH"]}
        with self.said.open("ab") as said:
            return subprocess.Popen(words, stdout=said, stderr=said, env=environ)

    def ask(self, path: str) -> socket.socket:
        asked = socket.create_connection(("127.0.0.1", self.port), 10)
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return asked


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    there = Web(tmp_path / "said")
    yield there
    there.process.kill()
    there.process.wait()


def test_the_collector_leaves_alone_what_was_loaded_at_the_start(web: Web) -> None:
    with web.ask("/collector") as asked:
        said = b"".join(iter(lambda: asked.recv(4096), b""))
    frozen, young_max = (int(word) for word in said.rpartition(b"\r\n\r\n")[2].split())
    assert frozen > 10_000
    assert young_max == YOUNG_MAX


def test_a_stream_of_events_does_not_hold_up_a_stop(web: Web) -> None:
    with web.ask("/stream") as stream:
        assert stream.recv(64)
        began = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(10) == 0
    assert time.monotonic() - began < FINISHED_WITHIN_SECONDS + CLOSED_WITHIN_SECONDS
    assert web.said.read_text() == "closed\n"


def test_an_answer_under_way_is_finished(web: Web) -> None:
    with web.ask("/slow") as slow:
        assert slow.recv(64)
        web.process.send_signal(signal.SIGTERM)
        answer = b""
        while more := slow.recv(1024):
            answer += more
    assert b"done" in answer
    assert web.process.wait(10) == 0


def test_a_kill_leaves_the_port_free(web: Web) -> None:
    web.process.kill()
    web.process.wait()
    assert asking.is_free("127.0.0.1", web.port)


def test_a_second_one_does_not_share_the_port(web: Web) -> None:
    assert web.start().wait(10) == 1
    assert f"Port {web.port} is taken" in web.said.read_text()
