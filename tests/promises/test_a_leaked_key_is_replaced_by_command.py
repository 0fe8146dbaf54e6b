"""A signing key leaked: one command gives it up and says what follows, in a city that goes on running."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from city import embedded
from city.replacing_keys import FOLLOWS
from kernel.purposes import PURPOSES
from kernel.sealing import make_key_file

HEARD_WITHIN_SECONDS = 5.0
SRC = str(Path(__file__).parents[2] / "src")


def command(*words: str, said: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`./run keys …` in a process of its own, nobody at its terminal."""
    whole = [sys.executable, "-P", "-m", "city", "keys", *words]
    environ = {**os.environ, "PYTHONPATH": SRC, **variables}
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, env=environ, input=said)


@pytest.fixture
def at(servers: embedded.Running, database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a city that does not run just now, on a database of its own."""
    key_file = tmp_path / "keys.json"
    make_key_file(key_file)
    return {
        "SUISHENBAN_DATABASE_URL": database_url,
        "SUISHENBAN_REDIS_URL": servers.redis_url,
        "SUISHENBAN_KEY_FILE": str(key_file),
    }


def keys_listed(**variables: str) -> dict[str, str]:
    """Stage by key id."""
    listed = command("signing", **variables)
    assert listed.returncode == 0, listed.stderr
    return {line.split()[0]: line.split()[2] for line in listed.stdout.splitlines()[1:]}


def announced(at: dict[str, str], purpose: str) -> str:
    rotated = command("signing", "rotate", purpose, **at)
    assert rotated.returncode == 0, rotated.stderr
    assert "is announced and signs from" in rotated.stdout
    return rotated.stdout.split()[0]


@pytest.mark.parametrize("purpose", ["access", "offline", "status", "vc", "trust", "ledger"])
def test_giving_up_a_key_replaces_it_and_says_what_the_operator_must_do(at: dict[str, str], purpose: str) -> None:
    key_id = announced(at, purpose)
    leaked = command("leaked", "--yes", key_id, **at)
    assert leaked.returncode == 0, leaked.stderr
    said = " ".join(leaked.stdout.split())
    assert f"{key_id} is revoked." in said
    assert FOLLOWS[purpose].by_itself in said
    assert FOLLOWS[purpose].to_do in said
    stages = keys_listed(**at)
    assert stages[key_id] == "revoked"
    assert [stage for listed, stage in stages.items() if listed.startswith(f"{purpose}-")].count("signs") == 1


def test_every_purpose_has_its_own_words() -> None:
    assert len({text for follows in FOLLOWS.values() for text in follows}) == 2 * len(PURPOSES)


def test_a_key_is_given_up_once_and_only_if_there_is_such_a_key(at: dict[str, str]) -> None:
    key_id = announced(at, "status")
    assert command("leaked", key_id, "--yes", **at).returncode == 0
    again = command("leaked", key_id, "--yes", **at)
    assert (again.returncode, "was revoked before" in again.stderr) == (1, True)
    unknown = command("leaked", "status-20260101-00000000", "--yes", **at)
    assert (unknown.returncode, "There is no signing key" in unknown.stderr) == (1, True)


def test_nothing_is_given_up_by_a_command_that_nobody_answers(at: dict[str, str]) -> None:
    key_id = announced(at, "trust")
    unasked = command("leaked", key_id, said="yes\n", **at)
    assert (unasked.returncode, "say --yes" in unasked.stderr) == (1, True)
    assert keys_listed(**at)[key_id] != "revoked"


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("y", 1), ("", 1)])
def test_whoever_is_asked_must_say_yes_in_full(at: dict[str, str], typed: str, code: int) -> None:
    key_id = announced(at, "vc")
    ours, theirs = os.openpty()
    os.write(ours, f"{typed}\n".encode())
    environ = {**os.environ, "PYTHONPATH": SRC, **at}
    whole = [sys.executable, "-P", "-m", "city", "keys", "leaked", key_id]
    asked = subprocess.run(whole, stdin=theirs, capture_output=True, text=True, timeout=60, env=environ)
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == code
    assert "Type yes" in asked.stdout
    assert (keys_listed(**at)[key_id] == "revoked") is (code == 0)


def test_without_a_database_a_sentence_says_so(at: dict[str, str]) -> None:
    away = {**at, "SUISHENBAN_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    refused = command("leaked", "access-20260101-00000000", "--yes", **away)
    assert refused.returncode == 1
    assert "does not answer" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_purpose_there_is_not_is_a_mistake_in_typing(at: dict[str, str]) -> None:
    assert command("signing", "rotate", **at).returncode == 2
    assert command("signing", "rotate", "everything", **at).returncode == 2


def test_the_help_says_what_the_exit_codes_mean() -> None:
    for words in (["--help"], ["signing", "--help"], ["leaked", "--help"]):
        shown = command(*words)
        assert shown.returncode == 0
        assert "Exit 0" in shown.stdout


def test_the_file_of_sealing_keys_is_made_and_rotated_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    assert command(str(file)).returncode == 0
    [first] = json.loads(file.read_text())["sealing"]
    assert command(str(file)).returncode == 1
    assert command(str(file), "--rotate").returncode == 0
    assert command("--rotate-digest", str(file)).returncode == 0
    rotated = json.loads(file.read_text())
    assert rotated["sealing"][1] == first
    assert [len(rotated[part]) for part in ("sealing", "digest")] == [2, 2]


def test_in_a_city_that_runs_a_leaked_key_is_out_of_the_key_set_within_seconds(
    city_url: str, running_data: Path
) -> None:
    at = ("--data", str(running_data))
    listed = command("signing", *at).stdout.splitlines()[1:]
    [leaked] = [line.split()[0] for line in listed if line.startswith("department-") and " signs " in line]
    assert command("leaked", leaked, "--yes", *at).returncode == 0
    stages = command("signing", *at).stdout
    assert f"{leaked} " in stages
    end = time.monotonic() + HEARD_WITHIN_SECONDS
    while leaked in (published := key_set(city_url)):
        assert time.monotonic() < end, "the web process did not hear of it"
        time.sleep(0.05)
    assert published


def key_set(city_url: str) -> set[str]:
    with urllib.request.urlopen(f"{city_url}/.well-known/jwks.json", timeout=10) as answer:
        return {key["kid"] for key in json.load(answer)["keys"]}
