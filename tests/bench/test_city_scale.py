"""`bench wallet-scale`, measured small: its shape, that a killed load goes on, and floors far below what is reached."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from stdnum.cn import ric

from city import embedded, seeds
from city.accounts import server_account
from city.bench.scale import caches, population, room
from city.bench.scale.population import PEOPLE_MAX, Population, certificates_before, people_of, somebody
from city.cli import main
from city.data_directory import DataDirectory
from city.demo.kinds import KIND_BY_CODE, KINDS
from city.errors import CannotStart
from wallet.departments.issue_policy import check_values, is_id_number

SRC = str(Path(__file__).parents[2] / "src")
TODAY = date(2026, 3, 2)
BYTES_OF_A_CERTIFICATE_MAX = 1_800
PER_SECOND_MIN = 500
RATIO_MAX = 3.0
"""Loose: with thousands of certificates instead of millions a busy neighbour is all there is to see."""
KILLED_AFTER = 6_000
WAITED_MAX_SECONDS = 60.0


def words(*more: str) -> list[str]:
    return [sys.executable, "-P", "-m", "city", "bench", "wallet-scale", "--json", *more]


def run(*more: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": SRC}
    return subprocess.run(words(*more), capture_output=True, text=True, timeout=240, env=environ, check=False)


def found_by(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode in (0, 1), done.stderr
    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert (done.returncode == 0) == (found["holds"] and not found["violations"])
    assert found["violations"] == 0, found["checked"]
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' account can enter."""
    made = embedded.throwaway_folder(server_account(None, os.environ))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_cities_of_two_sizes_are_measured_side_by_side_and_cleared_away(folder: Path) -> None:
    found = found_by(run("--sizes", "300,900", "--seconds", "1", "--data", str(folder)))
    assert [(size["certificates"], size["people"]) for size in found["sizes"]] == [(300, 82), (900, 245)]
    for size in found["sizes"]:
        assert size["kinds"] == len(KINDS)
        assert size["loading"]["issued"] == size["certificates"]
        assert size["room"]["total"] > 0
        assert set(size["operations"]) == {"show", "verify"}
        for figures in size["operations"].values():
            assert 0 < figures["latency"]["p50_ms"] <= figures["latency"]["p99_ms"]
            assert figures["per_second"] > 0
    assert set(found["ratios"]) == {"show", "verify"}
    whole = found["whole_city"]
    assert (whole["certificates"], whole["kinds"], whole["calls_a_day"]) == (92_000_000, 345, 300_000)
    assert whole["seconds_for_a_days_calls"] > 0
    assert not folder.exists()


def test_a_load_that_was_killed_goes_on_where_it_stopped_and_the_city_keeps_its_floors(folder: Path) -> None:
    sizes = ("--sizes", "3000,20000", "--seconds", "8", "--data", str(folder))
    killed = subprocess.Popen(
        words(*sizes), env={**os.environ, "PYTHONPATH": SRC}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: issued_of_the_second(folder) > KILLED_AFTER)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    found = found_by(run(*sizes))
    first, second = found["sizes"]
    assert (first["loading"]["found"], first["loading"]["issued"]) == (3_000, 0)
    assert second["loading"]["found"] > 0
    assert second["loading"]["found"] + second["loading"]["issued"] == 20_000
    assert second["loading"]["per_second"] > PER_SECOND_MIN
    assert second["room"]["bytes_of_a_certificate"] < BYTES_OF_A_CERTIFICATE_MAX
    assert all(ratio["p50"] < RATIO_MAX for ratio in found["ratios"].values()), found["ratios"]


def issued_of_the_second(folder: Path) -> int:
    """How many certificates of the second city the loaders have issued so far."""
    issued = 0
    for log in (folder / "logs").glob("loader-*.log"):
        counts = [line.split() for line in log.read_text().splitlines()]
        issued += max((int(count[1]) for count in counts if len(count) == 2), default=0)
    return issued


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAITED_MAX_SECONDS
    while not is_so():
        assert time.monotonic() < end, "nothing was loaded"
        time.sleep(0.05)


def test_the_data_of_a_city_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "city.json").write_text(json.dumps({"uid": os.geteuid()}))
    (folder / "keys.json").write_text("precious")
    assert main(["bench", "wallet-scale", "--sizes", "300", "--data", str(folder)]) == 1
    assert "did not make" in capsys.readouterr().err
    assert (folder / "keys.json").read_text() == "precious"


@pytest.mark.parametrize("sizes", ["", "0", "900,300", "300,300", "1,2,3,4,5", "300,many", "99999999999"])
def test_what_are_no_sizes_is_said_before_anything_is_made(sizes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "wallet-scale", "--sizes", sizes]) == 1
    assert "no sizes" in capsys.readouterr().err


def test_a_disk_that_is_too_small_is_said_before_anything_is_loaded(folder: Path) -> None:
    with pytest.raises(CannotStart, match="GiB left; these sizes need"):
        room.check(DataDirectory(folder), [10**12])
    room.check(DataDirectory(folder), [10])


def test_files_that_postgresql_took_away_meanwhile_are_neither_counted_nor_missed(tmp_path: Path) -> None:
    (tmp_path / "16384").write_bytes(b"12345")
    (tmp_path / "16385").symlink_to(tmp_path / "gone")
    assert len(room.files_below(tmp_path)) == 2
    assert room.bytes_below(tmp_path) == 5
    caches.read_in(tmp_path / "1638")
    if caches.can_let_go():
        caches.let_go(tmp_path)


def test_everybody_invented_has_a_number_of_their_own_that_validators_accept_and_nobody_living_has() -> None:
    numbers = [somebody(at).identity.id_number for at in range(0, PEOPLE_MAX, 211)]
    assert len(set(numbers)) == len(numbers)
    for number in numbers[::7]:
        assert is_id_number(number)
        assert ric.is_valid(number)
        assert "996" <= number[14:17] <= "999"
    assert people_of(10_000_000) <= PEOPLE_MAX


@pytest.mark.parametrize("certificates", [1, 37, 38, 900, 5_000, 123_457])
def test_a_city_has_as_many_certificates_as_it_should_whatever_the_chunks(certificates: int) -> None:
    city = Population(certificates, TODAY)
    assert sum(city.in_chunk(chunk) for chunk in range(city.chunks)) == certificates
    assert certificates_before(city.people - 1) < certificates <= certificates_before(city.people)


def test_what_is_loaded_is_the_same_each_time_and_fits_its_kind() -> None:
    kinds = {code: seeds.wallet_kind(kind) for code, kind in KIND_BY_CODE.items()}
    city, again = Population(5_000, TODAY), Population(5_000, TODAY)
    references, seen = set(), set()
    for chunk in range(city.chunks):
        registers = dict(city.registers(chunk))
        slug, last = city.last(chunk)
        assert list(registers.items())[-1][1][-1] == last == registers[slug][-1]
        assert registers == dict(again.registers(chunk))
        assert sum(len(requests) for requests in registers.values()) == city.in_chunk(chunk)
        for slug, requests in registers.items():
            for request in requests:
                check_values(kinds[request.kind_code], request.values)
                references.add((slug, request.reference))
                seen.add(request.kind_code)
    assert len(references) == 5_000
    assert len(seen) > 0.9 * len(KINDS)
    assert population.HELD_BY_TEN == 37
