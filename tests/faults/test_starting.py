"""What can stand in the way of a start is said in a sentence with its remedy, and nothing is changed."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from city.accounts import server_account
from city.data_directory import FORMAT, POSTGRES_MAJOR, CityRecord, DataDirectory, claimed, empty
from city.embedded import throwaway_folder
from city.environment import PORTS, SOURCES
from city.errors import CannotStart


def city(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command of the program, in a bare environment."""
    bare = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(SOURCES), **environ}
    return subprocess.run(
        [sys.executable, "-P", "-m", "city", *words], capture_output=True, text=True, env=bare, timeout=60, check=False
    )


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    """The sentence and the remedy of a refusal; fails if it is anything else, above all a trace-back."""
    assert answer.returncode == 1, answer
    sentence, remedy = answer.stderr.strip().rsplit("\n", 1)
    assert remedy.startswith("  → "), answer.stderr
    assert "Traceback" not in answer.stderr
    return sentence + remedy


@pytest.fixture
def at() -> Iterator[DataDirectory]:
    """A directory that the servers' account can enter."""
    folder = throwaway_folder(server_account(None, os.environ))
    yield DataDirectory(folder / "data")
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def a_record(at: DataDirectory, **differs: object) -> None:
    at.path.mkdir(mode=0o700)
    record = {"suishenban": FORMAT, "postgres_major": POSTGRES_MAJOR, "uid": os.geteuid(), **differs}
    at.record_file.write_bytes(msgspec.json.encode(record))


def free_ports() -> int:
    """The first of as many free ports as a city needs."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return min(int(tried.getsockname()[1]), 60000)


def test_a_taken_port_is_named(at: DataDirectory) -> None:
    port = free_ports()
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", port + PORTS - 1))
        taker.listen()
        said = refused(city("up", "--data", str(at.path), "--port", str(port)))
    assert f"Port {port + PORTS - 1} is taken by another program" in said
    assert "--port" in said


def test_a_second_start_on_the_same_data_names_the_first(at: DataDirectory) -> None:
    with claimed(at):
        said = refused(city("up", "--data", str(at.path), "--port", str(free_ports())))
    assert f"A city already runs on {at.path}: process {os.getpid()}" in said


def test_data_of_another_user_is_refused_and_left_as_it_is(at: DataDirectory) -> None:
    a_record(at, uid=os.geteuid() + 1)
    for words in (["up"], ["up", "--fresh"]):
        assert "was last used by" in refused(city(*words, "--data", str(at.path)))
    assert [entry.name for entry in at.path.iterdir()] == ["city.json"]


@pytest.mark.parametrize(
    "differs, sentence",
    [
        ({"postgres_major": 17}, "was made with PostgreSQL 17; this version brings"),
        ({"suishenban": FORMAT + 1}, "was made by another version of this program"),
    ],
)
def test_data_of_another_version_is_refused(at: DataDirectory, differs: dict[str, object], sentence: str) -> None:
    a_record(at, **differs)
    said = refused(city("up", "--data", str(at.path), "--port", str(free_ports())))
    assert sentence in said
    assert "--fresh" in said


@pytest.mark.parametrize("words", [["up"], ["up", "--fresh"]])
def test_a_folder_that_is_no_citys_is_neither_used_nor_removed(at: DataDirectory, words: list[str]) -> None:
    at.path.mkdir()
    letter = at.path / "letter.txt"
    letter.write_text("dear reader")
    assert "is not empty and not a city's data" in refused(city(*words, "--data", str(at.path)))
    assert letter.read_text() == "dear reader"


def test_a_record_that_cannot_be_read_is_refused(at: DataDirectory) -> None:
    at.path.mkdir()
    at.record_file.write_text("{")
    assert "is not a record" in refused(city("up", "--data", str(at.path)))


def test_a_misspelt_setting_stops_the_start(at: DataDirectory) -> None:
    set_so = {"SUISHENBAN_DATABASE_URL": "x", "SUISHENBAN_REDIS_URL": "y", "SUISHENBAN_KEY_FIEL": "z"}
    assert "SUISHENBAN_KEY_FIEL" in refused(city("serve", **set_so, SUISHENBAN_KEY_FILE="/none"))


def test_a_part_alone_says_which_servers_it_lacks() -> None:
    assert "SUISHENBAN_DATABASE_URL and SUISHENBAN_REDIS_URL must be set" in refused(city("serve"))


def test_a_user_nobody_knows_is_refused(at: DataDirectory) -> None:
    said = refused(city("up", "--data", str(at.path), "--user", "nobody-of-that-name"))
    assert "no such user" in said or "Only root" in said


def test_a_misspelt_command_is_recognised() -> None:
    assert "Did you mean ./run journey?" in refused(city("jurney"))


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    words = "import sys; from city.cli import main; main(['--help']); print('litestar' in sys.modules)"
    environ = {"PYTHONPATH": str(SOURCES)}
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, env=environ, check=True).stdout
    assert said.endswith("False\n")
    assert all(f"  {name} " in said for name in ("up", "journey", "check", "bench", "test", "migrate", "seed"))


def test_a_claim_ends_with_the_process_that_held_it(at: DataDirectory) -> None:
    at.path.mkdir()
    holds = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True)"
    words = [sys.executable, "-c", holds + "; time.sleep(60)", str(at.lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(CannotStart), claimed(at):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with claimed(at), at.lock.open() as looked, pytest.raises(BlockingIOError):
        fcntl.flock(looked, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_starting_over_removes_a_citys_data_and_only_that(at: DataDirectory, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    with claimed(at):
        at.write_record(CityRecord(uid=os.geteuid()))
        at.postgres.mkdir()
        (at.postgres / "PG_VERSION").touch()
        (at.path / "link").symlink_to(elsewhere)
        empty(at)
        assert [entry.name for entry in at.path.iterdir()] == ["lock"]
        assert at.record() is None
    assert (elsewhere / "kept").exists()
