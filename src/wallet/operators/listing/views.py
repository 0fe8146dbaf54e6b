"""Entries of the catalogue as operators see them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar
from uuid import UUID

import msgspec

from wallet.catalogue import Catalogue
from wallet.model import Device, Field, Issuer, IssuerSort, Kind, Scenario, Venue
from wallet.onboarding.terms import TermsView
from wallet.predicates import Predicate

PAGE_MAX = 500

Key = TypeVar("Key", str, UUID)
Entry = TypeVar("Entry")


class KindEntry(msgspec.Struct):
    """A kind of certificate as it was put."""

    kind_code: str
    name_zh: str
    name_en: str
    organ_zh: str
    organ_en: str
    fields: Sequence[Field]
    predicates: Sequence[Predicate]
    face: Sequence[str]
    valid_days: int | None
    face_colour: str
    layout: str
    is_offline: bool
    is_printable: bool
    proves_guardianship: bool

    @classmethod
    def of(cls, kind: Kind) -> "KindEntry":
        return cls(
            kind_code=kind.kind_code,
            name_zh=kind.name.zh,
            name_en=kind.name.en,
            organ_zh=kind.organ.zh,
            organ_en=kind.organ.en,
            fields=kind.fields,
            predicates=kind.predicates,
            face=kind.face,
            valid_days=kind.valid_days,
            face_colour=kind.face_colour,
            layout=kind.layout,
            is_offline=kind.is_offline,
            is_printable=kind.is_printable,
            proves_guardianship=kind.proves_guardianship,
        )


class IssuerEntry(msgspec.Struct):
    """Who issues which kinds, and until which day it is accredited to (null: without end)."""

    issuer_code: str
    department_id: UUID
    sort: IssuerSort
    accredited_until: date | None
    name_zh: str
    name_en: str
    kind_codes: list[str]

    @classmethod
    def of(cls, issuer: Issuer) -> "IssuerEntry":
        return cls(
            issuer.issuer_code,
            issuer.department_id,
            issuer.sort,
            issuer.accredited_until,
            issuer.name.zh,
            issuer.name.en,
            sorted(issuer.kind_codes),
        )


class ScenarioEntry(msgspec.Struct):
    """For what a venue may look, and which fields and questions of which kind it sees."""

    scenario_code: str
    edition: int
    name_zh: str
    name_en: str
    purpose_zh: str
    purpose_en: str
    grants: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, one: Scenario) -> "ScenarioEntry":
        name, purpose = one.name, one.purpose
        return cls(one.scenario_code, one.edition, name.zh, name.en, purpose.zh, purpose.en, one.grants)


class VenueEntry(msgspec.Struct):
    """A venue and its scenarios; `terms` has those that were narrowed."""

    venue_id: UUID
    sort: str
    credit_code: str
    name_zh: str
    name_en: str
    district: str
    address: str
    scenario_codes: list[str]
    terms: dict[str, TermsView]

    @classmethod
    def of(cls, venue: Venue) -> "VenueEntry":
        return cls(
            venue.venue_id,
            venue.sort,
            venue.credit_code,
            venue.name.zh,
            venue.name.en,
            venue.district,
            venue.address,
            sorted(venue.scenario_codes),
            {code: TermsView.of(terms) for code, terms in sorted(venue.terms.items())},
        )


class DeviceEntry(msgspec.Struct):
    """A device that is not withdrawn."""

    device_id: UUID
    venue_id: UUID
    name_zh: str
    name_en: str

    @classmethod
    def of(cls, device: Device) -> "DeviceEntry":
        return cls(device.device_id, device.venue.venue_id, device.name.zh, device.name.en)


class KindsPage(msgspec.Struct):
    """Kinds by their codes. `next_cursor` leads on; null: there is no more."""

    kinds: list[KindEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, after: str, limit: int) -> "KindsPage":
        found, cursor = _page(catalogue.kinds, after, limit)
        return cls([KindEntry.of(one) for one in found], cursor)


class IssuersPage(msgspec.Struct):
    """Issuers by their codes. `next_cursor` leads on; null: there is no more."""

    issuers: list[IssuerEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, after: str, limit: int) -> "IssuersPage":
        found, cursor = _page(catalogue.issuers, after, limit)
        return cls([IssuerEntry.of(one) for one in found], cursor)


class ScenariosPage(msgspec.Struct):
    """Scenarios by their codes. `next_cursor` leads on; null: there is no more."""

    scenarios: list[ScenarioEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, after: str, limit: int) -> "ScenariosPage":
        found, cursor = _page(catalogue.scenarios, after, limit)
        return cls([ScenarioEntry.of(one) for one in found], cursor)


class VenuesPage(msgspec.Struct):
    """Venues by their ids. `next_cursor` leads on; null: there is no more."""

    venues: list[VenueEntry]
    next_cursor: UUID | None

    @classmethod
    def of(cls, catalogue: Catalogue, after: UUID, limit: int) -> "VenuesPage":
        venues: dict[UUID, Venue] = {venue.venue_id: venue for venue in catalogue.venues.values()}
        found, cursor = _page(venues, after, limit)
        return cls([VenueEntry.of(one) for one in found], cursor)


class DevicesPage(msgspec.Struct):
    """Devices by their ids. `next_cursor` leads on; null: there is no more."""

    devices: list[DeviceEntry]
    next_cursor: UUID | None

    @classmethod
    def of(cls, catalogue: Catalogue, venue_id: UUID | None, after: UUID, limit: int) -> "DevicesPage":
        """Of one venue, or (None) of all."""
        known = catalogue.devices
        if venue_id is not None:
            known = {device_id: one for device_id, one in known.items() if one.venue.venue_id == venue_id}
        found, cursor = _page(known, after, limit)
        return cls([DeviceEntry.of(one) for one in found], cursor)


def _page(entries: Mapping[Key, Entry], after: Key, limit: int) -> tuple[list[Entry], Key | None]:
    """Some entries in the order of their keys, and the last one's key if there are more."""
    keys = sorted(key for key in entries if key > after)
    taken = keys[:limit]
    return [entries[key] for key in taken], taken[-1] if len(keys) > limit else None
