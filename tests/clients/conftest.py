"""The served city, and everybody who uses it, once for all tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.clients.everybody import Everybody
from tests.clients.served_city import ServedCity, served_city


@pytest.fixture(scope="package")
async def served() -> AsyncIterator[ServedCity]:
    """A demo city under its own address."""
    async with served_city() as city:
        yield city


@pytest.fixture(scope="package")
def everybody(served: ServedCity) -> Everybody:
    return Everybody(served)
