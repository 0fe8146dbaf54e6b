"""The page for venues can be typed as it stands: whoever follows it has a venue that verifies, at its end."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "VENUES.md"
TYPED_WITHIN_SECONDS = 90
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def typed(city_url: str, desk: Path) -> list[str]:
    """What the page's blocks print, typed one after the other into one shell that stops at the first failure."""
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 6
    environ = {**os.environ, "CITY": city_url, "PYTHON": sys.executable, "DESK": str(desk)}
    done = subprocess.run(
        ["sh", "-eu"], input="\n".join(blocks), capture_output=True, text=True, timeout=TYPED_WITHIN_SECONDS,
        cwd=ROOT, env=environ, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.splitlines()


def test_whoever_follows_the_page_for_venues_has_a_venue_that_verifies(city_url: str, tmp_path: Path) -> None:
    said = typed(city_url, tmp_path)
    assert said[-2:] == ["not_ours", "Ticket desk"]
    assert (tmp_path / "gate.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "desk.token").read_text().count(".") == 2
