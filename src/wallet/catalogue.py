"""What there is: kinds, issuers, scenarios, venues and devices, as one immutable snapshot in memory."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from msgspec import Struct

from kernel.db import Database
from kernel.ids import DepartmentId, VenueId
from kernel.snapshots import Snapshot
from wallet.model import Device, Issuer, Kind, Scenario, Use, Venue, Words
from wallet.operators import queries

NAME = "wallet.catalogue"
_UNNAMED = Words("（已撤销）", "(withdrawn)")


class Catalogue(Struct, frozen=True):
    """The catalogue at one moment. `purposes` has every wording, by scenario and edition."""

    kinds: Mapping[str, Kind]
    issuers: Mapping[str, Issuer]
    scenarios: Mapping[str, Scenario]
    purposes: Mapping[tuple[str, int], Words]
    venues: Mapping[VenueId, Venue]
    devices: Mapping[UUID, Device]

    def issuer_of(self, department_id: DepartmentId, kind_code: str, today: date | None = None) -> Issuer | None:
        """In whose name a department may issue a kind; with `today`, only while that issuer is accredited.

        `today` is a day of the city's calendar. Without it: in whose name it issued the kind, accredited still or not.
        """
        return next(
            (
                issuer
                for issuer in self.issuers.values()
                if issuer.department_id == department_id
                and kind_code in issuer.kind_codes
                and (today is None or is_accredited(issuer, today))
            ),
            None,
        )

    def issuer_codes_of(self, department_id: DepartmentId) -> frozenset[str]:
        """In whose names a department may act on what was issued."""
        return frozenset(code for code, issuer in self.issuers.items() if issuer.department_id == department_id)

    def venue_name(self, venue_id: VenueId) -> Words:
        venue = self.venues.get(venue_id)
        return _UNNAMED if venue is None else venue.name

    def kind_name(self, kind_code: str) -> Words:
        kind = self.kinds.get(kind_code)
        return _UNNAMED if kind is None else kind.name

    def scenario_name(self, scenario_code: str) -> Words:
        scenario = self.scenarios.get(scenario_code)
        return _UNNAMED if scenario is None else scenario.name

    def purpose_of(self, use: Use) -> Words:
        """What people were told the scenario is for when this use was made."""
        return self.purposes.get((use.scenario_code, use.scenario_edition), _UNNAMED)


def is_accredited(issuer: Issuer, today: date) -> bool:
    """Whether an issuer may issue on a day of the city's calendar; through its last day, and what it issued stays."""
    return issuer.accredited_until is None or today <= issuer.accredited_until


async def read_catalogue(db: Database) -> Catalogue:
    """The whole catalogue. What names other things is read before what it names, so that no name leads nowhere."""
    async with db.connection() as conn:
        devices = await queries.select_devices(conn)
        venues = {venue.venue_id: venue for venue in await queries.select_venues(conn)}
        grants = await queries.select_grants(conn)
        scenarios = await queries.select_scenarios(conn, grants)
        purposes = await queries.select_purposes(conn)
        issuers = await queries.select_issuers(conn)
        kinds = await queries.select_kinds(conn)
    return Catalogue(
        kinds={kind.kind_code: kind for kind in kinds},
        issuers={issuer.issuer_code: issuer for issuer in issuers},
        scenarios={scenario.scenario_code: scenario for scenario in scenarios},
        purposes=purposes,
        venues=venues,
        devices={device_id: Device(device_id, venues[venue_id], name) for device_id, venue_id, name in devices},
    )


def snapshot_of(db: Database) -> Snapshot[Catalogue]:
    """The catalogue of one process, to be kept fresh by `kernel.snapshots`."""

    async def read() -> Catalogue:
        return await read_catalogue(db)

    return Snapshot(NAME, read)
