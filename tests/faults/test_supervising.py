"""Processes die; a city's are started again, or the city stops and says why. Real processes, killed for real."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from city import leftovers
from city.children import Child, Part
from city.environment import SOURCES
from city.errors import CannotStart
from city.supervising import FAILED_FIRST_STARTS_MAX, Asked, Supervisor

LIVES = "while :; do sleep 0.05; done"
DEAF = "trap '' TERM; while :; do sleep 0.05; done"
HEALS_WITHIN_SECONDS = 5.0


def a_part(name: str = "one", script: str = LIVES, *, seconds: float = 2.0, **more: object) -> Part:
    """A tiny shell script as a part of a city."""
    return Part(
        name=name,
        command=("/bin/sh", "-c", script),
        environ={"PATH": os.environ["PATH"]},
        stop=((signal.SIGTERM, seconds),),
        **more,  # type: ignore[arg-type]
    )


class Watched:
    """A supervisor, what it said, and how to look at it while it works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.supervisor = Supervisor(folder / "logs", folder / "running", Asked(), self.said.append)

    def pid(self, name: str = "one") -> int:
        return leftovers.recorded(self.folder / "running").get(name, 0)

    def until(self, holds: Callable[[], bool]) -> None:
        patience = time.monotonic() + HEALS_WITHIN_SECONDS
        while not holds():
            assert time.monotonic() < patience, self.said
            self.supervisor.tend()
            time.sleep(0.02)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    there = Watched(tmp_path)
    yield there
    there.supervisor.stop([("one", "two", "three")], lambda: None)


def test_what_is_killed_is_started_again(watched: Watched) -> None:
    watched.supervisor.start([a_part()])
    watched.supervisor.await_ready(lambda: None)
    first = watched.pid()
    os.kill(first, signal.SIGKILL)
    watched.until(lambda: watched.pid() not in (0, first))
    watched.until(lambda: "one is ready again" in watched.said)
    assert watched.said[0] == "one was ended by SIGKILL; starting it again"


def test_killing_it_again_and_again_does_not_end_the_city(watched: Watched) -> None:
    watched.supervisor.start([a_part()])
    watched.supervisor.await_ready(lambda: None)
    for _ in range(FAILED_FIRST_STARTS_MAX + 1):
        before = watched.pid()
        os.kill(before, signal.SIGKILL)
        watched.until(lambda before=before: watched.pid() not in (0, before))
        watched.until(lambda: watched.said[-1] == "one is ready again")


def test_what_never_becomes_ready_is_not_tried_for_ever_and_its_last_words_are_told(watched: Watched) -> None:
    watched.supervisor.start([a_part(script="echo 'no such setting' >&2; exit 3", is_ready=lambda _: False)])
    with pytest.raises(CannotStart) as refused:
        watched.supervisor.await_ready(lambda: None)
    assert "one ended with exit code 3, 3 times before it was ready" in refused.value.sentence
    assert "no such setting" in refused.value.sentence
    assert "one.log" in refused.value.remedy


def test_what_needs_a_server_that_is_away_waits_for_it_and_is_not_blamed(watched: Watched, tmp_path: Path) -> None:
    there = tmp_path / "there"
    server = a_part("two", is_ready=lambda _: there.exists())
    client = a_part("one", f"[ -e {there} ] || exit 1; {LIVES}", needs=("two",), ready_after_seconds=0.1)
    watched.supervisor.start([server, client])
    watched.until(lambda: "one ended with exit code 1; starting it again" in watched.said)
    for _ in range(50):
        watched.supervisor.tend()
        time.sleep(0.02)
    assert watched.said == ["one ended with exit code 1; starting it again"]
    there.touch()
    watched.supervisor.await_ready(lambda: None)


def test_a_restart_of_one_leaves_the_others_alone(watched: Watched) -> None:
    watched.supervisor.start([a_part("two"), a_part("one", needs=("two",))])
    watched.supervisor.await_ready(lambda: None)
    one, two = watched.pid("one"), watched.pid("two")
    os.kill(two, signal.SIGKILL)
    watched.until(lambda: watched.pid("two") not in (0, two))
    assert watched.pid("one") == one


def test_a_process_that_does_not_listen_is_ended_all_the_same(watched: Watched) -> None:
    watched.supervisor.start([a_part("one", DEAF, seconds=0.3), a_part("two")])
    watched.supervisor.await_ready(lambda: None)
    time.sleep(0.2)  # until the shell has set its trap
    pids = watched.pid("one"), watched.pid("two")
    began = time.monotonic()
    watched.supervisor.stop([("two",), ("one",)], lambda: None)
    assert 0.3 <= time.monotonic() - began < 2.0
    assert [leftovers.birth_of(pid) for pid in pids] == [None, None]


def test_stages_stop_one_after_the_other(watched: Watched, tmp_path: Path) -> None:
    order = tmp_path / "order"
    slow = f"trap 'sleep 0.2; echo first >>{order}; exit 0' TERM; {LIVES}"
    quick = f"trap 'echo second >>{order}; exit 0' TERM; {LIVES}"
    watched.supervisor.start([a_part("one", slow), a_part("two", quick)])
    watched.supervisor.await_ready(lambda: None)
    time.sleep(0.2)
    watched.supervisor.stop([("one",), ("two",)], lambda: None)
    assert order.read_text().split() == ["first", "second"]


def test_a_long_log_is_set_aside_and_goes_on(tmp_path: Path) -> None:
    said = a_part(script=f"head -c 3000 /dev/zero; echo; {LIVES}", log_bytes_max=1000)
    child = Child(said, tmp_path / "logs", tmp_path / "running")
    child.start()
    while child.log.stat().st_size <= 3000:
        time.sleep(0.02)
    child.bound_log()
    child.stop()
    assert child.log.stat().st_size == 0
    assert child.log.with_suffix(".log.1").stat().st_size == 3001


CITY = """
import os, signal, sys
from pathlib import Path
from city.children import Part
from city.supervising import Asked, Supervisor
folder = Path(sys.argv[1])
with Asked().listening() as asked:
    supervisor = Supervisor(folder / "logs", folder / "running", asked, print)
    parts = [Part(name=name, command=("/bin/sleep", "60"), environ={}, stop=((signal.SIGTERM, 2.0),))
             for name in ("one", "two")]
    try:
        supervisor.start(parts)
        supervisor.await_ready(lambda: None)
        print("up", flush=True)
        supervisor.keep()
    finally:
        supervisor.stop([("one",), ("two",)], lambda: None)
"""


@pytest.fixture
def city(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, with two processes under it, up."""
    words = [sys.executable, "-P", "-c", CITY, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SOURCES)}) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        yield running
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_leaves_no_process_and_exits_well(
    city: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    pids = leftovers.recorded(tmp_path / "running")
    assert set(pids) == {"one", "two"}
    city.send_signal(number)
    assert city.wait(5) == 0
    assert [leftovers.birth_of(pid) for pid in pids.values()] == [None, None]
    assert leftovers.recorded(tmp_path / "running") == {}


def test_killed_itself_it_takes_its_processes_along(city: subprocess.Popen[str], tmp_path: Path) -> None:
    pids = leftovers.recorded(tmp_path / "running")
    city.kill()
    city.wait(5)
    if leftovers.ON_LINUX:  # elsewhere the next start ends them
        patience = time.monotonic() + 2
        while any(leftovers.birth_of(pid) for pid in pids.values()) and time.monotonic() < patience:
            time.sleep(0.02)
    else:
        for pid in leftovers.recorded(tmp_path / "running").values():
            leftovers.end(pid, ((signal.SIGKILL, 2.0),), lambda: None)
    assert [leftovers.birth_of(pid) for pid in pids.values()] == [None, None]


def test_a_number_given_to_another_process_is_not_taken_for_ours(tmp_path: Path) -> None:
    leftovers.record(tmp_path, "mine", os.getpid())
    assert leftovers.recorded(tmp_path) == {"mine": os.getpid()}
    (tmp_path / "mine").write_text(f"{os.getpid()} born at another time")
    assert leftovers.recorded(tmp_path) == {}
