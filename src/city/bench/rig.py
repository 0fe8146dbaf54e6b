"""A throw-away city on two cores: the web process has one, everything else the other. No worker runs beside it."""

import asyncio
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from city import asking, environment, seeds
from city.bench import measuring, wrk
from city.bench.measuring import Round
from city.embedded import servers
from city.errors import CannotStart
from city.parts import command_line
from gateway.parts import MIGRATIONS, CityParts
from kernel.migrate import migrate
from kernel.sealing import make_key_file
from kernel.settings import Settings, load

READY_WITHIN_SECONDS = 30.0
STOPPED_WITHIN_SECONDS = 15.0
REQUESTS_PER_MINUTE = 100_000_000
"""High enough that the limiter is asked at each request and never says no."""

T = TypeVar("T")

_BARE_SCRIPT = """
wrk.headers["Authorization"] = "Bearer " .. string.rep("x", 400)
"""


class Case(Protocol):
    """What a benchmark brings: rounds of load, what they broke, and what the least would cost."""

    def round(self, seconds: int) -> Round: ...

    def broken(self, rounds: list[Round]) -> tuple[int, list[str]]: ...

    def floor(self) -> dict[str, float]: ...


class Rig:
    """The city under measurement. `parts` are opened in this process too, to prepare and to check."""

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        parts: CityParts,
        folder: Path,
        *,
        url: str,
        pid: int,
        environ: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self.environ = environ
        self.parts = parts
        self.folder = folder
        self.url = url
        self.pid = pid
        self.bare_url = ""
        self.bare_pid = 0
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop the parts live on."""
        return self._loop.run_until_complete(work)

    def load(self, script: str, *, seconds: int, counted: tuple[str, ...] = ()) -> Round:
        """One round of our side."""
        return measuring.measure(self.pid, lambda: wrk.load(self.url, script, seconds=seconds, counted=counted))

    def bare_round(self, seconds: int) -> Round:
        """One round of the yardstick, with as large a header as ours."""
        return measuring.measure(self.bare_pid, lambda: wrk.load(self.bare_url, _BARE_SCRIPT, seconds=seconds))


@contextmanager
def open_rig(say: Callable[[str], None], *, is_planted: bool = True) -> Iterator[Rig]:
    """Bring the city up, and take it down at the end. `is_planted`: with the people and certificates of the demo."""
    web_core, other_core = measuring.cores()
    say(f"  starting PostgreSQL and Redis{', planting the demo city' if is_planted else ''}")
    with ExitStack() as stack:
        if other_core:
            stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
            os.sched_setaffinity(0, other_core)  # PostgreSQL, Redis and wrk inherit it; what is measured next does not
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(servers(durable=True))
        port, bare_port = free_port(), free_port()
        key_file = folder / "keys.json"
        make_key_file(key_file)
        environ = environment.for_parts(
            {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            database_url=running.database_url,
            redis_url=running.redis_url,
            key_file=key_file,
            host=environment.DEFAULT_HOST,
            port=port,
            public_host=environment.public_host_of(environment.DEFAULT_HOST, port),
        )
        environ["SUISHENBAN_REQUESTS_PER_MINUTE"] = str(REQUESTS_PER_MINUTE)
        settings = load(environ)
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        loop.run_until_complete(migrate(running.database_url, MIGRATIONS))
        if is_planted:
            loop.run_until_complete(seeds.plant(settings, out=io.StringIO()))  # its progress is nobody's here
        parts = loop.run_until_complete(CityParts.open(settings, process="bench"))
        stack.callback(lambda: loop.run_until_complete(parts.close()))
        web = stack.enter_context(process(command_line("serve"), environ, web_core))
        await_ready(web, port, "/health/ready")
        rig = Rig(settings, loop, parts, folder, url=f"http://127.0.0.1:{port}", pid=web.pid, environ=environ)
        words = (sys.executable, "-P", "-m", "city.bench.bare", str(bare_port))
        bare = stack.enter_context(process(words, environ, web_core))
        await_ready(bare, bare_port, "/")
        rig.bare_url, rig.bare_pid = f"http://127.0.0.1:{bare_port}", bare.pid
        yield rig


@contextmanager
def process(words: tuple[str, ...], environ: Mapping[str, str], core: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    """A server of the benchmark on a core of its own, for the block."""

    def on_its_core() -> None:
        if core:
            os.sched_setaffinity(0, core)

    started = subprocess.Popen(
        words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=on_its_core
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


PORTS_BETWEEN: Final = (20_000, 32_000)
PORTS_IN_A_ROW: Final = 4
PORTS_TRIED: Final = 200


def free_port() -> int:
    """The first of as many free ports in a row as a city takes.

    Below those the system gives to connections: one of those may be taken again before a server takes it.
    Raises CannotStart.
    """
    for _ in range(PORTS_TRIED):
        first = random.randrange(*PORTS_BETWEEN, PORTS_IN_A_ROW)
        if all(asking.is_free(environment.DEFAULT_HOST, port) for port in range(first, first + PORTS_IN_A_ROW)):
            return first
    raise CannotStart("No free ports for the benchmark's servers.", "Close what else listens on this machine.")


def await_ready(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    """Return when it answers. Raises CannotStart."""
    end = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise CannotStart("A server of the benchmark did not start.", "`./run check` says what is missing.")
        if asking.answers_well("127.0.0.1", port, path):
            return
        time.sleep(0.05)
    raise CannotStart("A server of the benchmark did not become ready.", "Close what else keeps this machine busy.")
