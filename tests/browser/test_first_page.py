"""The first page in a real browser, at the size of a phone: it draws, renews itself, and asks nobody elsewhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def browse(url: str, folder: Path, *, milliseconds: int = 7_000) -> tuple[str, list[str]]:
    """The page after its scripts have run for a while, and what the browser complained about."""
    program = next(found for name in BROWSERS if (found := shutil.which(name)))
    words = [program, *QUIET, f"--user-data-dir={folder}", "--window-size=390,844"]
    words += ["--no-sandbox"] if os.geteuid() == 0 else []
    words += [f"--virtual-time-budget={milliseconds}", "--dump-dom", url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_first_page_draws_and_renews_the_state_of_the_parts(city_url: str, tmp_path: Path) -> None:
    page, complaints = browse(f"{city_url}/", tmp_path)
    assert complaints == []
    assert "Asked at" in page
    assert 'class="pill good" id="ready">ready' in page
    assert page.count("<h3>Resident 市民</h3>") >= 3


@pytest.mark.parametrize("audience", ["resident", "venue", "department", "operator", "mini", "public", "notify"])
def test_the_api_reference_draws_without_asking_anybody_elsewhere(city_url: str, tmp_path: Path, audience: str) -> None:
    page, complaints = browse(f"{city_url}/reference/{audience}", tmp_path, milliseconds=4_000)
    assert complaints == []
    assert "opblock-summary-path" in page
