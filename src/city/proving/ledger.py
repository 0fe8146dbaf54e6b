"""Our ledger of the proof, read whole."""

from city.proving import queries
from city.proving.model import Ledger
from gateway.parts import CityParts
from notifications.ending import alerting


async def read(parts: CityParts) -> Ledger:
    """Every row there is, and what operators are shown."""
    async with parts.db.connection() as conn:
        alerts = await alerting.read(conn, now=parts.clock.now())
        return Ledger(
            await queries.select_owed(conn),
            await queries.select_deliveries(conn),
            await queries.select_attempts(conn),
            await queries.select_carried(conn),
            await queries.count_items(conn),
            sum(one.count for one in alerts.counts),
        )
