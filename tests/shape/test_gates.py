"""The gates of `.ci/run` are all there, and each goes red for what it is there to stop."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shape.tree import ROOT

STAGES = ("ruff check .", "ruff format --check .", "mypy", "lint-imports", "./test tests/shape", "./test")


def answer(*command: str, given: str = "") -> int:
    """The exit code of a tool of the environment, run as `.ci/run` runs it."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, input=given, capture_output=True, text=True, check=False
    ).returncode


@pytest.mark.parametrize("stage", STAGES)
def test_every_gate_is_in_the_run_of_a_change(stage: str) -> None:
    assert stage in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_commands_of_the_readme_can_be_run() -> None:
    assert [name for name in ("run", "test", ".ci/run") if not (ROOT / name).stat().st_mode & 0o111] == []


def test_lint_goes_red() -> None:
    at = ("--stdin-filename", "src/wallet/planted.py", "-")
    assert answer("ruff", "check", *at, given='"""Planted."""\n') == 0
    for bad in (
        "import os\n",
        "try:\n    f()\nexcept:\n    pass\n",
        "from datetime import datetime\n\nprint(datetime.now())\n",
    ):
        assert answer("ruff", "check", *at, given=bad) == 1
    assert answer("ruff", "format", "--check", *at, given="x = {'a':1}\n") == 1


def test_types_go_red(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    for body, code in (
        ("def count(of: str) -> int:\n    return len(of)\n", 0),
        ("def count(of):\n    return len(of)\n", 1),
        ("def count(of: str) -> str:\n    return len(of)\n", 1),
    ):
        planted.write_text(body, encoding="utf-8")
        assert answer("mypy", str(planted)) == code
