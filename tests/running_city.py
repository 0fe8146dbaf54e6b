"""A whole city brought up by its own command, in processes of its own, as a person would: for tests that break it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from city import asking, leftovers
from city.accounts import server_account
from city.data_directory import DataDirectory
from city.embedded import throwaway_folder
from city.environment import DEFAULT_HOST, PORTS, SOURCES

UP_WITHIN_SECONDS = 120.0
STOPPED_WITHIN_SECONDS = 30.0
LOOKED_EVERY_SECONDS = 0.05
PORTS_TRIED = range(9100, 9200 - PORTS, PORTS)
IS_OPEN = "The city is open at"
JOURNEY_WITHIN_SECONDS = 90.0


class RunningCity:
    """One city on a folder of its own. It may be killed and started again: its data stay until the end."""

    def __init__(self, folder: Path, port: int, environ: Mapping[str, str]) -> None:
        self.at = DataDirectory(folder / "data")
        self.port = port
        self.url = asking.url_of(DEFAULT_HOST, port)
        self.folder = folder
        self.said = folder / "said"
        self._environ = {**_bare(), **environ}
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Bring it up; what was said is in `said`."""
        words = [sys.executable, "-P", "-m", "city", "up", "--data", str(self.at.path), "--port", str(self.port)]
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(words, stdout=said, stderr=said, env=self._environ, cwd="/")
        end = time.monotonic() + UP_WITHIN_SECONDS
        while IS_OPEN not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            await asyncio.sleep(LOOKED_EVERY_SECONDS)

    def is_ready(self) -> bool:
        return asking.answers_well(DEFAULT_HOST, self.port, "/health/ready")

    async def until_ready(self) -> None:
        """Wait until the city says that it can be used."""
        end = time.monotonic() + UP_WITHIN_SECONDS
        while not await asyncio.to_thread(self.is_ready):
            assert time.monotonic() < end, "the city does not become ready"
            await asyncio.sleep(LOOKED_EVERY_SECONDS)

    def pids(self) -> dict[str, int]:
        """Its processes that live, by name, as the data directory knows them."""
        return leftovers.recorded(self.at.running)

    def kill(self, name: str) -> None:
        """End one process as nobody can prepare for."""
        os.kill(self.pids()[name], signal.SIGKILL)

    async def kill_supervisor(self) -> dict[str, int]:
        """Kill the process that keeps all the others; who they were."""
        assert self.process is not None
        orphans = self.pids()
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        return orphans

    async def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            await asyncio.to_thread(self.process.wait, STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    async def play_journey(self, url: str | None = None, *, phone: str | None = None) -> str:
        """`./run journey` against this city, in a process that knows its address and nothing else; what it said."""
        words = [sys.executable, "-P", "-m", "city", "journey", "--url", url or self.url, "--quiet"]
        words += [] if phone is None else ["--phone", phone]
        playing = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=_bare(), cwd="/"
        )
        assert playing.stdout is not None
        try:
            async with asyncio.timeout(JOURNEY_WITHIN_SECONDS):
                said = (await playing.stdout.read()).decode()
                assert await playing.wait() == 0, said
        finally:
            if playing.returncode is None:
                playing.kill()
                await playing.wait()
        return said


@asynccontextmanager
async def running_city(environ: Mapping[str, str] | None = None) -> AsyncIterator[RunningCity]:
    """A demo city of its own for the block, its data thrown away at the end.

    `environ` is told to it besides; `FOLDER` in it stands for a folder of the block's own.
    """
    folder = throwaway_folder(server_account(None, os.environ))
    folder.chmod(0o711)
    told = {name: text.replace("FOLDER", str(folder)) for name, text in (environ or {}).items()}
    city = RunningCity(folder, free_ports(), told)
    try:
        await city.start()
        yield city
    finally:
        try:
            await city.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _bare() -> dict[str, str]:
    """Nothing of whoever runs the tests reaches the city."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(SOURCES)}


def free_ports() -> int:
    """The first of as many free ports in a row as a city takes; several test runs begin at different ones."""
    turn = os.getpid() % len(PORTS_TRIED)
    for first in (*PORTS_TRIED[turn:], *PORTS_TRIED[:turn]):
        if all(asking.is_free(DEFAULT_HOST, port) for port in range(first, first + PORTS)):
            return int(first)
    raise OSError("no free ports")
