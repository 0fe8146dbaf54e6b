"""An SMSC of another author's for each test, with a log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from city.standins import smsc


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[smsc.Smsc]:
    with smsc.running(tmp_path / "smsc.ndjson") as running:
        yield running
