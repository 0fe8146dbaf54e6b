"""A whole city for a rush, brought up as `./run` does: what keeps it brings killed parts back."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from city import asking, environment, leftovers
from city.accounts import server_account
from city.bench.rig import free_port
from city.data_directory import DataDirectory
from city.embedded import throwaway_folder
from city.errors import CannotStart
from city.reading_settings import read_settings
from gateway.parts import CityParts
from kernel.settings import Settings

UP_WITHIN_SECONDS: Final = 120.0
STOPPED_WITHIN_SECONDS: Final = 30.0
LOOKED_EVERY_SECONDS: Final = 0.05
IS_OPEN: Final = "The city is open at"
T = TypeVar("T")


class Supervised:
    """A city that runs, with its parts opened in this process too, to prepare and to check."""

    def __init__(
        self,
        at: DataDirectory,
        settings: Settings,
        parts: CityParts,
        folder: Path,
        runner: "asyncio.Runner",
    ) -> None:
        self.settings = settings
        self.parts = parts
        self.folder = folder
        self._at = at
        self._runner = runner

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop the parts live on."""
        return self._runner.run(work)

    def pid(self, name: str) -> int:
        return leftovers.recorded(self._at.running)[name]

    def kill(self, name: str) -> None:
        """End one process of this city as nobody can prepare for."""
        os.kill(self.pid(name), signal.SIGKILL)

    def is_ready(self) -> bool:
        return asking.answers_well(environment.DEFAULT_HOST, self.settings.port, "/health/ready")


@contextmanager
def supervised(say: Callable[[str], None]) -> Iterator[Supervised]:
    """Bring a city up that is nobody's demo, behind one proxy: people come from addresses of their own."""
    say("  bringing a whole city up")
    folder = throwaway_folder(server_account(None, os.environ))
    folder.chmod(0o711)
    port = free_port()
    at = DataDirectory(folder / "data")
    given = {environment.DEMO: "false", "SUISHENBAN_PROXIES": "1"}
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    words = [sys.executable, "-P", "-m", "city", "up", "--data", str(at.path), "--port", str(port)]
    try:
        with (folder / "said").open("wb") as said:
            environ = {**bare, "PYTHONPATH": str(environment.SOURCES), **given}
            keeper = subprocess.Popen(words, stdout=said, stderr=said, env=environ, cwd="/")
        try:
            _await_open(keeper, folder / "said")
            with asyncio.Runner() as runner:
                settings = read_settings(_told(at) | given)
                parts = runner.run(CityParts.open(settings, process="bench"))
                try:
                    yield Supervised(at, settings, parts, folder, runner)
                finally:
                    runner.run(parts.close())
        finally:
            _stop(keeper)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _told(at: DataDirectory) -> dict[str, str]:
    address = at.address()
    assert address is not None
    return address.environ


def _await_open(keeper: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + UP_WITHIN_SECONDS
    while IS_OPEN not in said.read_text(encoding="utf-8"):
        if keeper.poll() is not None or time.monotonic() > end:
            words = said.read_text(encoding="utf-8").strip().splitlines()
            raise CannotStart(
                f"The city did not start: {' / '.join(words[-3:])}", "`./run check` says what is missing."
            )
        time.sleep(LOOKED_EVERY_SECONDS)


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    keeper.terminate()
    try:
        keeper.wait(STOPPED_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
