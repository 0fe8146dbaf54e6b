"""The shapes of the demo city. Nothing in it is a real person's, office's or venue's."""

from collections.abc import Mapping
from datetime import date, datetime, time
from enum import StrEnum

import msgspec

from wallet.model import IssuerSort, Terms
from wallet.predicates import Predicate

IDENTIFIER_FIELD = "identifier"
"""The field name under which a scenario may permit the GB/T 36904 identifier itself; no kind declares it."""


class Sex(StrEnum):
    MALE = "male"
    FEMALE = "female"


class Language(StrEnum):
    CHINESE = "zh"
    ENGLISH = "en"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """An invented resident. `key` is a stable handle (`p001`); `number` is the same as an integer, from 1."""

    key: str
    number: int
    name: str
    name_latin: str
    sex: Sex
    born: date
    id_number: str
    ethnicity: str
    phone: str | None
    """E.164; small children have none, a parent acts for them."""
    language: Language
    hometown: str
    """Six-digit region code of the household register, as it stood at birth: the start of the ID number."""
    district: str
    """Six-digit code of the district they live in."""
    address: str
    household: str
    """Key of the family they live with (`h01`)."""
    head: bool
    """Whether the household register names this person as its head."""
    spouse: str | None = None
    father: str | None = None
    mother: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the household register is kept in this city."""
        return self.hometown.startswith("31")

    def age_on(self, day: date) -> int:
        """Completed years on `day`."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


class Department(msgspec.Struct, frozen=True, kw_only=True):
    """A department, or another body, that issues certificates. `uscc` is its unified social credit code.

    An association, assessor or school is accredited until a day; a department issues for as long as it stands.
    """

    slug: str
    uscc: str
    name_zh: str
    name_en: str
    duty_zh: str
    duty_en: str
    sort: IssuerSort = IssuerSort.DEPARTMENT
    accredited_until: date | None = None


class Sensitivity(StrEnum):
    """How guarded an attribute is: on the face of a card, about a person, or harmful in the wrong hands."""

    OPEN = "open"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


class FieldType(StrEnum):
    """What a value is; dates are ISO 8601 text, codes are text from a closed list."""

    TEXT = "text"
    DATE = "date"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CODE = "code"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label_zh: str
    label_en: str
    sensitivity: Sensitivity
    type: FieldType


class Layout(StrEnum):
    """How the face of a certificate is drawn."""

    CARD = "card"
    BOOKLET = "booklet"
    SHEET = "sheet"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of certificate. `code` is the department's credit code and three digits; `slug` is for people."""

    code: str
    slug: str
    name_zh: str
    name_en: str
    department: str
    fields: tuple[Field, ...]
    valid_days: int | None
    """Days a certificate is good after `valid_from`; None means until it is revoked."""
    face_colour: str
    layout: Layout
    organ_zh: str
    organ_en: str
    face: tuple[str, ...]
    """The fields on the card's face, in order."""
    predicates: tuple[Predicate, ...] = ()
    is_offline: bool = True
    is_printable: bool = False
    proves_guardianship: bool = False

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def predicate_names(self) -> tuple[str, ...]:
        return tuple(predicate.name for predicate in self.predicates)


class VenueSort(StrEnum):
    HOSPITAL = "hospital"
    SCHOOL = "school"
    STATION = "station"
    MUSEUM = "museum"
    SCENIC_SPOT = "scenic_spot"
    AMUSEMENT_PARK = "amusement_park"


class Grant(msgspec.Struct, frozen=True):
    """Which fields of one kind a scenario may see, and which questions it may ask, and nothing beyond them."""

    kind_code: str
    fields: tuple[str, ...]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for which a sort of venue may look at certificates. `code` reads `station.entry`."""

    code: str
    sort: VenueSort
    name_zh: str
    name_en: str
    purpose_zh: str
    purpose_en: str
    grants: tuple[Grant, ...]


class Device(msgspec.Struct, frozen=True):
    """A scanner, gate or counter of a venue; `slug` is unique in the whole city."""

    slug: str
    name_zh: str
    name_en: str


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    slug: str
    sort: VenueSort
    uscc: str
    name_zh: str
    name_en: str
    district: str
    address: str
    devices: tuple[Device, ...]
    scenarios: tuple[str, ...]
    terms: Mapping[str, Terms] = {}
    """Scenarios that it has under terms of its own."""


class District(msgspec.Struct, frozen=True):
    code: str
    name_zh: str
    name_en: str


class Opening(msgspec.Struct, frozen=True):
    """Hours on one weekday (0 is Monday), local time."""

    weekday: int
    opens: time
    closes: time


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What can be booked at a desk, whichever the office."""

    slug: str
    department: str
    name_zh: str
    name_en: str
    bring_zh: str
    bring_en: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A service at one office: when it is open, how long a slot lasts, how many are served side by side."""

    service: str
    openings: tuple[Opening, ...]
    slot_minutes: int
    places: int


class Office(msgspec.Struct, frozen=True, kw_only=True):
    slug: str
    name_zh: str
    name_en: str
    district: str
    address: str
    phone: str
    latitude: float
    longitude: float
    desks: tuple[Desk, ...]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A time at one desk. `key` names it for ever (`office/service/2026-01-05T09:00+08:00`); times are UTC."""

    key: str
    office: str
    service: str
    starts_at: datetime
    ends_at: datetime
    places: int


Value = str | int | bool


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that a person holds, as its department would issue it.

    `issuer_reference` is the department's own number for it: stable, unique within the department, and
    free of personal data. `serial` is the same for the GB/T 36904 identifier. `values` has every field
    of the kind, in its order. `valid_until` is the last day it is good; None means until it is revoked.
    """

    kind_code: str
    kind_slug: str
    department: str
    issuer_reference: str
    serial: str
    values: dict[str, Value]
    valid_from: date
    valid_until: date | None


class StaffRole(StrEnum):
    DESK = "desk"
    SUPERVISOR = "supervisor"
    ISSUER = "issuer"
    OPERATOR = "operator"


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who works for the city. Desk staff and supervisors have an office, all but operators a department."""

    key: str
    name: str
    name_latin: str
    phone: str
    role: StaffRole
    office: str | None = None
    department: str | None = None
