"""The journey is played by a stranger over HTTP alone, and ends at the first promise that a city does not keep."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from city.journey.telling import Broken
from city.journey.throwaway import throwaway_city
from tests import worse_cities
from tests.worse_cities import WORSE

SRC = str(Path(__file__).parents[2] / "src")
ENVIRON = {**os.environ, "PYTHONPATH": SRC}
ALONE = """
import sys
from city.cli import main
code = main(["journey", *sys.argv[1:]])
known = {"asyncpg", "redis", "litestar", "kernel.db", "kernel.settings"} & set(sys.modules)
sys.exit(code if not known else f"the journey knows {known}")
"""
PROMISES_MIN = 390
"""A few more the first time somebody plays it: their real name is checked then."""
ACTS = 29


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A whole city, brought up by the ordinary command."""
    with throwaway_city(ENVIRON, None, lambda: None) as address:
        yield address


def journey(*words: str) -> subprocess.CompletedProcess[str]:
    """The journey in a process of its own, which must not know how to speak to a database."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *words], env=ENVIRON, capture_output=True, text=True, timeout=120
    )


def test_a_city_keeps_every_promise_of_the_journey(url: str):
    played = journey("--url", url, "--json")
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    *steps, end = map(json.loads, played.stdout.splitlines())
    assert len({step["act"] for step in steps}) == ACTS
    assert all(step["promises"] or step["exchanges"] for step in steps)
    assert end["broken"] is None
    assert end["promises_kept"] == sum(len(step["promises"]) for step in steps) + 1 >= PROMISES_MIN


def test_played_again_in_the_same_city_it_tells_people_what_was_sent_and_seen_and_no_secret(url: str):
    played = journey("--url", url)
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    acts = re.findall(r"^\d+\. ", played.stdout, re.MULTILINE)
    assert len(acts) == ACTS
    assert re.search(r"→ POST /venue/verifications .*\n +← 200 .*\"verdict\": \"valid\"", played.stdout)
    assert "✓ a second device is told that it was used already, and nothing else" in played.stdout
    assert re.search(r"eyJ[\w-]+\.[\w-]+", played.stdout) is None


def test_a_city_that_is_not_there_is_a_plain_sentence():
    played = journey("--url", "http://127.0.0.1:9")
    assert played.returncode == 1
    assert played.stderr.startswith("The city does not answer")
    assert "Traceback" not in played.stderr


@pytest.fixture(scope="module")
def ends(url: str) -> dict[str, BaseException | None]:
    return asyncio.run(worse_cities.play_all(url))


@pytest.mark.parametrize("promise", [worse.promise for worse in WORSE])
def test_a_city_that_breaks_a_promise_is_found_out(ends: dict[str, BaseException | None], promise: str):
    ended = ends[promise]
    assert isinstance(ended, Broken), ended
    assert ended.promise == promise
