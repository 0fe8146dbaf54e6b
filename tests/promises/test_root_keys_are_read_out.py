"""What an operator reads out of the city's root keys is what a device says of those it pinned."""

import io
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from city import embedded
from kernel.sealing import make_key_file
from suishenban_verify import command as device

SRC = str(Path(__file__).parents[2] / "src")


def roots(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`./run keys roots …` in a process of its own."""
    whole = [sys.executable, "-P", "-m", "city", "keys", "roots", *words]
    environ = {**os.environ, "PYTHONPATH": SRC, **variables}
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, env=environ)


def pinned(tmp_path: Path, jwks: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    """What a device answers that is to trust these keys."""
    (tmp_path / "roots.json").write_bytes(jwks)
    words = ["roots", "--pin", str(tmp_path / "roots.json"), "--bundle", str(tmp_path / "device")]
    code = device.main(words, prog="p", clock=lambda: 0, fresh_id=str, source=io.StringIO())
    assert code == 0
    return capsys.readouterr().out


def test_the_operator_reads_out_what_a_device_shows_of_what_it_fetched(
    city_url: str, running_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with urllib.request.urlopen(f"{city_url}/.well-known/trust-roots", timeout=10) as answer:
        shown = pinned(tmp_path, answer.read(), capsys)
    read_out = roots("--data", str(running_data))
    assert read_out.returncode == 0, read_out.stderr
    assert read_out.stdout == shown
    assert shown.count("\n") >= 2  # the root that signs, and the one announced next


def test_a_city_that_has_no_root_keys_yet_says_what_makes_them(
    servers: embedded.Running, database_url: str, tmp_path: Path
) -> None:
    make_key_file(tmp_path / "keys.json")
    at = {
        "SUISHENBAN_DATABASE_URL": database_url,
        "SUISHENBAN_REDIS_URL": servers.redis_url,
        "SUISHENBAN_KEY_FILE": str(tmp_path / "keys.json"),
    }
    none = roots(**at)
    assert (none.returncode, none.stdout) == (1, "")
    assert "no root keys yet" in none.stderr
    rotated = subprocess.run(
        [sys.executable, "-P", "-m", "city", "keys", "signing", "rotate", "trust"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": SRC, **at},
    )  # fmt: skip
    assert rotated.returncode == 0, rotated.stderr
    found = roots(**at)
    assert found.returncode == 0, found.stderr
    assert {line.split()[0].partition("-")[0] for line in found.stdout.splitlines()} == {"trust"}
    assert {len(line.split()[2]) for line in found.stdout.splitlines()} == {43}


def test_the_help_names_what_reads_the_roots_out() -> None:
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "city", "keys", "--help"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": SRC},
    ).stdout  # fmt: skip
    assert "roots" in shown
    assert "thumbprint" in roots("--help").stdout
