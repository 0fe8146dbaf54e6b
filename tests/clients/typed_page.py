"""Pages of the documentation whose blocks are typed at a shell, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TYPED_WITHIN_SECONDS = 90
BLOCKS_MIN = 6
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def typed(page: str, city_url: str, desk: Path) -> list[str]:
    """What a page's blocks print, typed one after the other into one shell that stops at the first failure."""
    blocks = _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(blocks) >= BLOCKS_MIN
    environ = {**os.environ, "CITY": city_url, "PYTHON": sys.executable, "DESK": str(desk)}
    done = subprocess.run(
        ["sh", "-eu"], input="\n".join(blocks), capture_output=True, text=True, timeout=TYPED_WITHIN_SECONDS,
        cwd=ROOT, env=environ, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.splitlines()
