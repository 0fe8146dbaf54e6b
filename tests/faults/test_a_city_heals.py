"""The whole city, brought up as a person would, loses one process after another and heals; then it is stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from city import asking, leftovers
from city.accounts import server_account
from city.data_directory import DataDirectory
from city.embedded import throwaway_folder
from city.environment import PORT_MAX, PORTS, SOURCES

UP_WITHIN_SECONDS = 60.0
HEALS_WITHIN_SECONDS = 10.0
STOPS_WITHIN_SECONDS = 20.0
PARTS = ("web", "worker", "postgres", "redis", "standins", "departments")


class RunningCity(msgspec.Struct):
    """One city, its port, and the process that keeps it."""

    at: DataDirectory
    port: int
    process: subprocess.Popen[bytes]

    def pids(self) -> dict[str, int]:
        return leftovers.recorded(self.at.running)

    def is_ready(self) -> bool:
        return asking.answers_well("127.0.0.1", self.port, "/health/ready")


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    patience = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < patience, what
        time.sleep(0.05)


def start(at: DataDirectory, port: int, out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-P", "-m", "city", "up", "--data", str(at.path), "--port", str(port)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)}
    with out.open("wb") as said:
        return subprocess.Popen(words, stdout=said, stderr=said, env=environ, cwd="/")


def free_ports() -> int:
    """The first of three free ports next to each other."""
    for first in range(20000 + os.getpid() % 20000, PORT_MAX, PORTS):
        if all(asking.is_free("127.0.0.1", port) for port in range(first, first + PORTS)):
            return first
    raise OSError("no free ports")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    folder = throwaway_folder(server_account(None, os.environ))
    at, port, out = DataDirectory(folder / "data"), free_ports(), tmp_path_factory.mktemp("up") / "said"
    folder.chmod(0o711)
    running = RunningCity(at, port, start(at, port, out))
    try:
        until(lambda: "The city is open" in out.read_text(), UP_WITHIN_SECONDS, out.read_text())
        yield running
    finally:
        running.process.terminate()
        running.process.wait(STOPS_WITHIN_SECONDS)
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.parametrize("name", PARTS)
def test_each_process_may_be_killed_and_the_city_heals(city: RunningCity, name: str) -> None:
    before = city.pids()
    assert set(before) == set(PARTS)
    os.kill(before[name], signal.SIGKILL)
    until(lambda: city.pids().get(name, before[name]) != before[name], HEALS_WITHIN_SECONDS, f"{name} stays away")
    until(city.is_ready, HEALS_WITHIN_SECONDS, f"the city does not answer after {name} was killed")
    until(lambda: set(city.pids()) == set(PARTS), HEALS_WITHIN_SECONDS, "not every process is back")
    if name in ("postgres", "redis"):
        assert city.pids()["web"] == before["web"], "the web process finds its servers again by itself"


def test_a_second_start_names_the_address_of_the_first(city: RunningCity, tmp_path: Path) -> None:
    said = tmp_path / "said"
    assert start(city.at, free_ports(), said).wait(20) == 1
    assert f"process {city.process.pid}, at http://127.0.0.1:{city.port}" in said.read_text()


def test_check_finds_every_part_in_order(city: RunningCity) -> None:
    until(city.is_ready, HEALS_WITHIN_SECONDS, "the city does not answer")
    words = [sys.executable, "-P", "-m", "city", "check", "--data", str(city.at.path)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)}
    answer = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    assert answer.returncode == 0, answer.stdout
    assert all(part in answer.stdout for part in ("PostgreSQL", "Redis", "web", "worker", "stand-in", "sending"))


def test_killed_and_started_again_it_comes_up_and_asked_to_stop_it_leaves_nothing(
    city: RunningCity, tmp_path: Path
) -> None:
    orphans = city.pids()
    city.process.kill()
    city.process.wait()
    said = tmp_path / "said"
    city.process = start(city.at, city.port, said)
    until(lambda: "The city is open" in said.read_text(), UP_WITHIN_SECONDS, "it does not come up again")
    assert all(leftovers.birth_of(pid) is None for pid in orphans.values())
    pids = city.pids()
    city.process.send_signal(signal.SIGINT)
    assert city.process.wait(STOPS_WITHIN_SECONDS) == 0
    assert all(leftovers.birth_of(pid) is None for pid in pids.values())
    assert all(asking.is_free("127.0.0.1", port) for port in range(city.port, city.port + PORTS))
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as tried:
        tried.connect(str(city.at.sockets / "redis.sock"))
