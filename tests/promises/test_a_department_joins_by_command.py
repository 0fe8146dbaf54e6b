"""A department joins the entrance from the command line, by its manifest alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from city.departments.serving import MANIFEST

SRC = str(Path(__file__).parents[2] / "src")


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`./run department …` in a process of its own."""
    whole = [sys.executable, "-P", "-m", "city", "department", *words]
    environ = {**os.environ, "PYTHONPATH": SRC, **variables}
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, env=environ)


def test_a_manifest_is_read_without_a_city_and_says_what_it_asks_for() -> None:
    read = command("read", str(MANIFEST), SUISHENBAN_DEMO_DEPARTMENT_PORT="8702")
    assert read.returncode == 0, read.stderr
    assert "parks: served at" in read.stdout
    assert "/me/visits" in read.stdout


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [('slug = "parks"', 'slug = "Parks!"', "slug"), ("[timeouts]", "[timeout]", "timeout")],
)
def test_a_mistake_in_a_manifest_is_told_by_line_and_field(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    assert wrong in text
    file = tmp_path / "parks.toml"
    file.write_text(text.replace(wrong, right), encoding="utf-8")
    read = command("read", str(file), SUISHENBAN_DEMO_DEPARTMENT_PORT="8702")
    assert read.returncode == 1
    assert said in read.stderr
    assert "Traceback" not in read.stderr


def test_an_app_is_taken_away_and_brought_back_in_a_running_city(running_data: Path) -> None:
    at = ("--data", str(running_data))
    assert "live" in command("list", *at).stdout
    assert command("suspend", "parks", *at).returncode == 0
    assert "suspended" in command("list", *at).stdout
    brought_back = command("go-live", "parks", *at)
    assert brought_back.returncode == 0, brought_back.stderr
    unknown = command("go-live", "nobody", *at)
    assert unknown.returncode == 1
    assert "no department app of this name" in unknown.stderr
