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
from wallet.errors import CatalogueIncomplete, DeviceNotFound, VenueNotFound
from wallet.model import Issuer, Kind, Scenario, Terms, Venue, Words
from wallet.operators import queries
from wallet.operators.soundness import check_change, check_grants, check_kind, check_terms

FIRST_EDITION = 1


async def put_kind(conn: Connection, kind: Kind) -> None:
    """Make or change a kind.

    Raises CatalogueIncomplete for a name used twice or kept for the identifier, a face of fields that there are not,
    and a name taken away or turned into something else while a scenario is granted it; PredicateUnsound.
    """
    check_kind(kind)
    grants = await queries.select_grants(conn)
    granted = {code: seen[kind.kind_code] for code, seen in grants.items() if kind.kind_code in seen}
    if granted:
        before = next((one for one in await queries.select_kinds(conn) if one.kind_code == kind.kind_code), None)
        check_change(before, kind, granted)
    await queries.put_kind(conn, kind)
    await announce(conn, NAME)


async def put_issuer(conn: Connection, issuer: Issuer, *, now: datetime) -> None:
    """Entitle an issuer to exactly `issuer.kind_codes`, until the day it is accredited to.

    What it issued stays good, whatever it is no longer entitled to. Raises CatalogueIncomplete for a kind nobody put.
    """
    known = {kind.kind_code for kind in await queries.select_kinds(conn)}
    if not issuer.kind_codes <= known:
        raise CatalogueIncomplete("an issuer is entitled to kinds that exist")
    await queries.put_issuer(conn, issuer)
    await queries.withdraw_issuer_kinds(conn, issuer.issuer_code, kept=sorted(issuer.kind_codes), now=now)
    await queries.insert_issuer_kinds(conn, issuer.issuer_code, sorted(issuer.kind_codes))
    await announce(conn, NAME)


async def put_scenario(conn: Connection, scenario: Scenario) -> int:
    """Make or change a scenario; its edition, which grows when the purpose is worded anew.

    Old wordings are kept, so that the ledger says what people were told. Raises CatalogueIncomplete for a kind, field
    or question nobody put.
    """
    check_grants({kind.kind_code: kind for kind in await queries.select_kinds(conn)}, scenario)
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
    """Grant a venue exactly `venue.scenario_codes`, those in `venue.terms` under these terms.

    A scenario that it had under terms and keeps without a word stays under them. Raises CatalogueIncomplete for a
    scenario nobody put, TermsRefused.
    """
    assert venue.terms.keys() <= venue.scenario_codes
    scenarios = await read_scenarios(conn)
    if not venue.scenario_codes <= scenarios.keys():
        raise CatalogueIncomplete("a venue is granted scenarios that exist")
    for scenario_code, terms in venue.terms.items():
        check_terms(scenarios[scenario_code], terms)
    await queries.put_venue(conn, venue)
    await queries.delete_venue_scenarios(conn, venue.venue_id, kept=sorted(venue.scenario_codes))
    await queries.insert_venue_scenarios(conn, venue)
    for scenario_code, terms in sorted(venue.terms.items()):
        await queries.put_terms(conn, venue.venue_id, scenario_code, terms)
    await announce(conn, NAME)


async def put_terms(conn: Connection, venue_id: VenueId, scenario_code: str, terms: Terms) -> None:
    """Grant a venue one scenario under exactly these terms, whether or not it had it.

    Raises VenueNotFound, CatalogueIncomplete for a scenario nobody put, TermsRefused.
    """
    if venue_id not in await queries.select_venue_ids(conn):
        raise VenueNotFound
    scenario = (await read_scenarios(conn)).get(scenario_code)
    if scenario is None:
        raise CatalogueIncomplete("a venue is granted scenarios that exist")
    check_terms(scenario, terms)
    await queries.put_terms(conn, venue_id, scenario_code, terms)
    await announce(conn, NAME)


async def read_scenarios(conn: Connection) -> dict[str, Scenario]:
    """Every scenario as the database has it now."""
    grants = await queries.select_grants(conn)
    return {scenario.scenario_code: scenario for scenario in await queries.select_scenarios(conn, grants)}


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
