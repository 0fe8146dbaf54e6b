"""A city for one journey: brought up by the ordinary command on free ports, and thrown away at the end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from city import asking, environment, tethered
from city.accounts import server_account
from city.embedded import throwaway_folder
from city.errors import CannotStart
from city.parts import command_line

READY_WITHIN_SECONDS = 180.0
STOPPED_WITHIN_SECONDS = 30.0
PORT_TRIES_MAX = 50
LOOKED_EVERY_SECONDS = 0.1


@contextmanager
def throwaway_city(environ: Mapping[str, str], user: str | None, tick: Callable[[], None]) -> Iterator[str]:
    """A demo city of its own, for the block; yields its address. Nothing of somebody's settings reaches it.

    Raises CannotStart with the last words of a city that did not come up.
    """
    host, port = environment.DEFAULT_HOST, _free_ports()
    folder = throwaway_folder(server_account(user, environ))
    log = folder.with_name(f"{folder.name}.log")
    words = [*_tether(), *command_line("up"), "--data", str(folder), "--port", str(port)]
    words += ["--user", user] if user else []
    kept = {name: text for name, text in environ.items() if not name.startswith((environment.PREFIX, "PG"))}
    with log.open("wb") as out:
        city = subprocess.Popen(words, env=kept, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _await(city, host, port, log, tick)
        yield asking.url_of(host, port)
    finally:
        _stop(city)
        shutil.rmtree(folder, ignore_errors=True)
        log.unlink(missing_ok=True)


def _tether() -> tuple[str, ...]:
    """What makes the city stop when this process ends, however it ends (`city.tethered`)."""
    return (sys.executable, "-I", "-S", tethered.__file__, str(int(signal.SIGTERM)), str(os.getpid()), "-", "-")


def _await(city: "subprocess.Popen[bytes]", host: str, port: int, log: Path, tick: Callable[[], None]) -> None:
    end = time.monotonic() + READY_WITHIN_SECONDS
    while not _is_ready(host, port):
        if city.poll() is not None or time.monotonic() > end:
            said = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise CannotStart(
                "A city to play in did not come up. It said last:\n" + "\n".join(f"    {line}" for line in said),
                "Start one with ./run, and play the journey beside it.",
            )
        tick()
        time.sleep(LOOKED_EVERY_SECONDS)


def _is_ready(host: str, port: int) -> bool:
    """Web answers with all it needs, and the demo's own servers are there."""
    return all(asking.listens(host, one) for one in range(port, port + environment.PORTS)) and asking.answers_well(
        host, port, "/health/ready"
    )


def _stop(city: "subprocess.Popen[bytes]") -> None:
    city.terminate()
    with suppress(subprocess.TimeoutExpired):
        city.wait(STOPPED_WITHIN_SECONDS)
    if city.poll() is None:
        city.kill()
        city.wait()


def _free_ports() -> int:
    """The first of as many ports in a row as a city takes."""
    host = environment.DEFAULT_HOST
    for _ in range(PORT_TRIES_MAX):
        with socket.socket() as tried:
            tried.bind((host, 0))
            first: int = tried.getsockname()[1]
        if first <= environment.PORT_MAX and all(
            asking.is_free(host, port) for port in range(first, first + environment.PORTS)
        ):
            return first
    raise CannotStart("There are not enough free ports on this machine.", "Close a program that holds many of them.")
