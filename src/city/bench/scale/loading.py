"""One of the processes that load a city: `python -m city.bench.scale.loading CERTIFICATES DAY PLACE OF`.

It loads every OF-th chunk, by the path on which departments load their registers, and prints after each batch how many
certificates it found and how many it issued. What is issued already is told by the last certificate of a chunk, which
is loaded in order.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import date

from city.bench.scale.population import Population
from city.demo.departments import DEPARTMENT_BY_SLUG
from city.demo.ids import department_id_of
from city.reading_settings import read_settings
from gateway.parts import CityParts
from kernel.settings import Settings
from wallet.departments.issue_policy import IssueRequest
from wallet.departments.issuing import BATCH_MAX
from wallet.errors import CertificateNotFound

ACTOR = "system:bench"
LANES = 2
"""Chunks under way in one process: while PostgreSQL writes one batch, the next is made."""


class Loader:
    """Loads chunks, and counts."""

    def __init__(self, parts: CityParts, population: Population) -> None:
        self._parts = parts
        self._population = population
        self._found = 0
        self._issued = 0

    async def load(self, chunks: Iterator[int]) -> None:
        """Load these chunks, several at once."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(self._lane(chunks))

    async def _lane(self, chunks: Iterator[int]) -> None:
        for chunk in chunks:
            if await self._is_loaded(chunk):
                self._found += self._population.in_chunk(chunk)
                self._tell()
                continue
            for slug, requests in self._population.registers(chunk):
                await self._issue(slug, requests)

    async def _is_loaded(self, chunk: int) -> bool:
        slug, request = self._population.last(chunk)
        issuer = self._parts.wallet.catalogue().issuers[DEPARTMENT_BY_SLUG[slug].uscc]
        try:
            await self._parts.wallet.issuing.find(self._parts.db, issuer, request.reference)
        except CertificateNotFound:
            return False
        return True

    async def _issue(self, slug: str, requests: list[IssueRequest]) -> None:
        parts, department_id = self._parts, department_id_of(slug)
        for start in range(0, len(requests), BATCH_MAX):
            batch = requests[start : start + BATCH_MAX]
            await parts.wallet.issuing.issue_many(
                parts.db, parts.clock, parts.wallet.catalogue(), department_id, batch, actor=ACTOR
            )
            self._issued += len(batch)
            self._tell()

    def _tell(self) -> None:
        sys.stdout.write(f"{self._found} {self._issued}\n")
        sys.stdout.flush()


async def load(settings: Settings, population: Population, place: int, processes: int) -> None:
    """Load the share of one of several processes."""
    parts = await CityParts.open(settings, process="loader")
    try:
        await Loader(parts, population).load(iter(range(place, population.chunks, processes)))
    finally:
        await parts.close()


def main(arguments: list[str]) -> int:
    certificates, day, place, processes = arguments
    population = Population(int(certificates), date.fromisoformat(day))
    asyncio.run(load(read_settings(os.environ), population, int(place), int(processes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
