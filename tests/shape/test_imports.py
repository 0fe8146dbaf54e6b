"""Who may import whom: the contracts in pyproject.toml hold, and each goes red when one line breaks it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.shape.tree import INSTALLED_ALONE, PACKAGES, ROOT

BREACHES = {
    "Imports point down": ("kernel/clock.py", "import wallet.model"),
    "Nouns and pure rules know no wire and no store": ("wallet/model.py", "import asyncpg"),
    "What a venue installs stands on little": ("suishenban_verify/signatures.py", "import msgspec"),
    "The framework is for the wire": ("notifications/outbox.py", "import litestar"),
    "Inside the gateway, imports point down": ("gateway/tokens.py", "import gateway.app"),
}
"""One line that breaks each contract, and the module it is planted in."""


def verdicts(src: Path) -> dict[str, str]:
    """What import-linter says of each contract, for the packages in this folder."""
    code = "from importlinter.cli import lint_imports_command as lint; lint()"
    answered = subprocess.run(
        [sys.executable, "-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=src, env={"PYTHONPATH": str(src), "COLUMNS": "200", "PYTHONUTF8": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = dict(re.findall(r"^(\S.*) (KEPT|BROKEN)\b", answered.stdout, re.MULTILINE))
    assert found, answered.stdout + answered.stderr
    return found


@pytest.fixture(scope="module")
def contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_imports_keep_every_contract(contracts: list[str]) -> None:
    assert verdicts(ROOT / "src") == dict.fromkeys(contracts, "KEPT")


def test_one_import_breaks_each_contract(contracts: list[str], tmp_path: Path) -> None:
    python_only = shutil.ignore_patterns("static", "__pycache__", "*.sql")
    for package in (*PACKAGES, INSTALLED_ALONE):
        shutil.copytree(ROOT / "src" / package, tmp_path / package, ignore=python_only)
    for module, line in BREACHES.values():
        file = tmp_path / module
        file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert verdicts(tmp_path) == dict.fromkeys(contracts, "BROKEN")
    assert set(BREACHES) == set(contracts)
