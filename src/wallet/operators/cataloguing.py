"""An operator says which kinds, issuers, scenarios, venues and devices there are; every process hears of it within 1 s.

Each `put_…` makes or changes one entry and joins the caller's transaction, which should do nothing else: catalogues
are copied to every node of a sharded database. Putting the same thing twice changes nothing.
"""

from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import DeviceId, VenueId
from kernel.snapshots import announce
from wallet.catalogue import NAME
from wallet.errors import CatalogueIncomplete, DeviceNotFound
from wallet.model import IDENTIFIER_FIELD, Issuer, Kind, Scenario, Venue, Words
from wallet.operators import queries

FIRST_EDITION = 1


async def put_kind(conn: Connection, kind: Kind) -> None:
    """Raises CatalogueIncomplete for a field name used twice or kept for the identifier."""
    names = [field.name for field in kind.fields]
    if len(set(names)) < len(names) or IDENTIFIER_FIELD in names:
        raise CatalogueIncomplete("a kind names each field once, and none `identifier`")
    await queries.put_kind(conn, kind)
    await announce(conn, NAME)


async def put_issuer(conn: Connection, issuer: Issuer, *, now: datetime) -> None:
    """Entitle an issuer to exactly `issuer.kind_codes`. Raises CatalogueIncomplete for a kind nobody put."""
    known = {kind.kind_code for kind in await queries.select_kinds(conn)}
    if not issuer.kind_codes <= known:
        raise CatalogueIncomplete("an issuer is entitled to kinds that exist")
    await queries.put_issuer(conn, issuer)
    await queries.withdraw_issuer_kinds(conn, issuer.issuer_code, kept=sorted(issuer.kind_codes), now=now)
    await queries.insert_issuer_kinds(conn, issuer.issuer_code, sorted(issuer.kind_codes))
    await announce(conn, NAME)


async def put_scenario(conn: Connection, scenario: Scenario) -> int:
    """Make or change a scenario; its edition, which grows when the purpose is worded anew.

    Old wordings are kept, so that the ledger says what people were told. Raises CatalogueIncomplete for a kind or field
    nobody put.
    """
    kinds = {kind.kind_code: kind for kind in await queries.select_kinds(conn)}
    for kind_code, fields in scenario.grants.items():
        kind = kinds.get(kind_code)
        if kind is None or not set(fields) <= {field.name for field in kind.fields} | {IDENTIFIER_FIELD}:
            raise CatalogueIncomplete("a scenario grants fields of kinds that exist")
    known = await queries.lock_scenario(conn, scenario.scenario_code)
    edition = FIRST_EDITION if known is None else known[0] + (known[1] != scenario.purpose)
    if known is None or edition != known[0]:
        await queries.insert_scenario_edition(conn, scenario.scenario_code, edition, scenario.purpose)
    await queries.put_scenario(conn, msgspec.structs.replace(scenario, edition=edition))
    await queries.delete_scenario_fields(conn, scenario.scenario_code)
    await queries.insert_scenario_fields(conn, scenario)
    await announce(conn, NAME)
    return edition


async def put_venue(conn: Connection, venue: Venue) -> None:
    """Grant a venue exactly `venue.scenario_codes`. Raises CatalogueIncomplete for a scenario nobody put."""
    known = {scenario.scenario_code for scenario in await queries.select_scenarios(conn, {})}
    if not venue.scenario_codes <= known:
        raise CatalogueIncomplete("a venue is granted scenarios that exist")
    await queries.put_venue(conn, venue)
    await queries.delete_venue_scenarios(conn, venue.venue_id)
    await queries.insert_venue_scenarios(conn, venue)
    await announce(conn, NAME)


async def put_device(conn: Connection, device_id: DeviceId, venue_id: VenueId, name: Words) -> None:
    """Raises CatalogueIncomplete for a venue nobody put."""
    if venue_id not in await queries.select_venue_ids(conn):
        raise CatalogueIncomplete("a device belongs to a venue that exists")
    await queries.put_device(conn, device_id, venue_id, name)
    await announce(conn, NAME)


async def withdraw_device(conn: Connection, device_id: DeviceId, *, now: datetime) -> None:
    """From now on the device may ask nothing. Raises DeviceNotFound."""
    if not await queries.withdraw_device(conn, device_id, now=now):
        raise DeviceNotFound
    await announce(conn, NAME)
