"""An SMSC for each test: of another author's, with a log, or on a bare socket."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from city.standins import smsc
from tests.raw_smsc import RawSmsc, listening


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[smsc.Smsc]:
    with smsc.running(tmp_path / "smsc.ndjson") as running:
        yield running


@pytest.fixture
async def raw() -> AsyncIterator[RawSmsc]:
    async with listening() as peer:
        yield peer
