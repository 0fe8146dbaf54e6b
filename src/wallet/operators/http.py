"""What operators do with the catalogue, over HTTP. Every act is recorded."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import delete, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from kernel import audit
from kernel.audience import Handlers
from kernel.db import Connection
from kernel.errors import MalformedRequest, NoSuchPath
from kernel.ids import DepartmentId, DeviceId, VenueId
from kernel.plain_text import ONE_LINE_OR_NONE
from kernel.principal import Audience, Operator
from kernel.problems import refuses
from wallet.errors import CatalogueIncomplete, DeviceNotFound, PredicateUnsound, TermsRefused, VenueNotFound
from wallet.forms import (
    ISSUER_CODE,
    KIND_CODE,
    SCENARIO_CODE,
    Colour,
    CreditCode,
    District,
    FieldName,
    KindCode,
    Line,
    Name,
    ScenarioCode,
)
from wallet.model import Field, FieldType, Issuer, IssuerSort, Kind, Scenario, Sensitivity, Venue, Words
from wallet.onboarding.terms import TermsBody
from wallet.operators import cataloguing
from wallet.parts import Wallet
from wallet.predicates import OPERANDS_MAX, Predicate, Test

FIELDS_MAX = 60
KINDS_MAX = 1_000
SCENARIOS_MAX = 100
VALID_DAYS_MAX = 36_525
NUMBER_MAX = 2**53 - 1
"""Every number that JSON readers agree on (RFC 8259 §6)."""
Organ = Annotated[str, Meta(max_length=80, pattern=ONE_LINE_OR_NONE)]


class FieldBody(msgspec.Struct, forbid_unknown_fields=True):
    """One attribute of a kind."""

    name: FieldName
    label_zh: Name
    label_en: Name
    type: FieldType
    sensitivity: Sensitivity
    codes: Annotated[list[Name], Meta(max_length=200)] = []
    is_required: bool = True

    def whole(self) -> Field:
        return Field(
            self.name,
            self.label_zh,
            self.label_en,
            self.type,
            self.sensitivity,
            tuple(self.codes),
            self.is_required,
        )


class PredicateBody(msgspec.Struct, forbid_unknown_fields=True):
    """A question about one field that is answered yes or no, the value untold.

    `age_at_least` and `at_least` compare with `number`, `one_of` and `starts_with` with `texts`, `is_true` with none.
    """

    name: FieldName
    label_zh: Name
    label_en: Name
    field: FieldName
    test: Test
    number: Annotated[int, Meta(ge=-NUMBER_MAX, le=NUMBER_MAX)] | None = None
    texts: Annotated[list[Name], Meta(max_length=OPERANDS_MAX)] = []

    def whole(self) -> Predicate:
        return Predicate(self.name, self.label_zh, self.label_en, self.field, self.test, self.number, tuple(self.texts))


class KindBody(msgspec.Struct, forbid_unknown_fields=True):
    """A kind of certificate: its names, its fields, how long it is good, how its face is drawn.

    `face` names the fields on the card's face, in order (none: all of them); `predicates` are the questions that
    scenarios may be granted instead of fields; `organ_zh` and `organ_en` name the issuing organ.
    """

    name_zh: Name
    name_en: Name
    fields: Annotated[list[FieldBody], Meta(min_length=1, max_length=FIELDS_MAX)]
    face_colour: Colour
    layout: Literal["card", "booklet", "sheet"]
    valid_days: Annotated[int, Meta(ge=1, le=VALID_DAYS_MAX)] | None = None
    organ_zh: Organ = ""
    organ_en: Organ = ""
    face: Annotated[list[FieldName], Meta(max_length=FIELDS_MAX)] = []
    predicates: Annotated[list[PredicateBody], Meta(max_length=FIELDS_MAX)] = []
    is_offline: bool = True
    """Whether it may be shown where there is no network."""
    is_printable: bool = False
    """Whether it may be printed as a proof."""
    proves_guardianship: bool = False
    """Whether whoever may issue it may tell us who is whose guardian."""

    def whole(self, kind_code: str) -> Kind:
        return Kind(
            kind_code,
            Words(self.name_zh, self.name_en),
            tuple(field.whole() for field in self.fields),
            self.valid_days,
            self.face_colour,
            self.layout,
            Words(self.organ_zh, self.organ_en),
            tuple(self.face),
            tuple(predicate.whole() for predicate in self.predicates),
            self.is_offline,
            self.is_printable,
            self.proves_guardianship,
        )


class IssuerBody(msgspec.Struct, forbid_unknown_fields=True):
    """An issuer, the department or body that acts for it, and exactly the kinds it is entitled to.

    Associations, assessors and schools are accredited: after `accredited_until` they issue nothing new.
    """

    department_id: UUID
    name_zh: Name
    name_en: Name
    kind_codes: Annotated[list[KindCode], Meta(max_length=KINDS_MAX)]
    sort: IssuerSort = IssuerSort.DEPARTMENT
    accredited_until: date | None = None


class ScenarioBody(msgspec.Struct, forbid_unknown_fields=True):
    """A scenario: what people are told it is for, and exactly the fields it sees of each kind."""

    name_zh: Name
    name_en: Name
    purpose_zh: Line
    purpose_en: Line
    grants: Annotated[
        dict[KindCode, Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)]],
        Meta(max_length=KINDS_MAX),
    ]


class VenueBody(msgspec.Struct, forbid_unknown_fields=True):
    """A venue and exactly the scenarios it is granted."""

    sort: Literal["hospital", "school", "station", "museum", "scenic_spot", "amusement_park"]
    credit_code: CreditCode
    name_zh: Name
    name_en: Name
    district: District
    address: Line
    scenario_codes: Annotated[list[ScenarioCode], Meta(max_length=SCENARIOS_MAX)]


class DeviceBody(msgspec.Struct, forbid_unknown_fields=True):
    """A scanner and its venue."""

    venue_id: UUID
    name_zh: Name
    name_en: Name


async def _record(
    wallet: Wallet, operator: Operator, act: str, subject: str, put_it: Callable[[Connection], Awaitable[object]]
) -> None:
    """Do an act on the catalogue and write down who did it; a transaction of its own."""
    async with wallet.db.transaction() as conn:
        await put_it(conn)
        actor = f"operator:{operator.staff_id}"
        await audit.record(conn, actor=actor, act=act, subject=subject, now=wallet.clock.now())


@put("/kinds/{kind_code:str}", operation_id="putKind", summary="Make or change a kind of certificate", status_code=204,
     responses=refuses(MalformedRequest, CatalogueIncomplete, PredicateUnsound))  # fmt: skip
async def put_kind(
    kind_code: Annotated[str, PathParameter(pattern=KIND_CODE)],
    data: JSONBody[KindBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """What was issued keeps the values it has; new certificates follow the new fields.

    What a scenario is granted is not taken away here, nor turned from a question into a field.
    """
    kind = data.whole(kind_code)
    await _record(
        wallet, operator, "wallet.put_kind", f"kind:{kind_code}", lambda conn: cataloguing.put_kind(conn, kind)
    )


@put("/issuers/{issuer_code:str}", operation_id="putIssuer", summary="Make or change an issuer", status_code=204,
     responses=refuses(MalformedRequest, CatalogueIncomplete))  # fmt: skip
async def put_issuer(
    issuer_code: Annotated[str, PathParameter(pattern=ISSUER_CODE)],
    data: JSONBody[IssuerBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """Entitles it to exactly these kinds; what it issued before stays good.

    To accredit it again, put it with a later day; to end that, with a day that has passed or without kinds.
    """
    name, kind_codes = Words(data.name_zh, data.name_en), frozenset(data.kind_codes)
    department_id = DepartmentId(data.department_id)
    issuer = Issuer(issuer_code, department_id, name, kind_codes, data.sort, data.accredited_until)
    now = wallet.clock.now()
    await _record(
        wallet,
        operator,
        "wallet.put_issuer",
        f"issuer:{issuer_code}",
        lambda conn: cataloguing.put_issuer(conn, issuer, now=now),
    )


@put("/scenarios/{scenario_code:str}", operation_id="putScenario", summary="Make or change a scenario", status_code=204,
     responses=refuses(MalformedRequest, CatalogueIncomplete))  # fmt: skip
async def put_scenario(
    scenario_code: Annotated[str, PathParameter(pattern=SCENARIO_CODE)],
    data: JSONBody[ScenarioBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """A purpose worded anew starts a new edition; records made before keep the words people were told."""
    scenario = Scenario(
        scenario_code,
        cataloguing.FIRST_EDITION,
        Words(data.name_zh, data.name_en),
        Words(data.purpose_zh, data.purpose_en),
        {kind_code: tuple(dict.fromkeys(fields)) for kind_code, fields in data.grants.items()},
    )
    subject = f"scenario:{scenario_code}"
    await _record(
        wallet, operator, "wallet.put_scenario", subject, lambda conn: cataloguing.put_scenario(conn, scenario)
    )


@put("/venues/{venue_id:uuid}", operation_id="putVenue", summary="Make or change a venue", status_code=204,
     responses=refuses(MalformedRequest, NoSuchPath, CatalogueIncomplete))  # fmt: skip
async def put_venue(
    venue_id: FromPath[UUID],
    data: JSONBody[VenueBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """Grants it exactly these scenarios, from the next scan on; one that it had under terms stays under them."""
    venue = Venue(
        VenueId(venue_id),
        data.sort,
        data.credit_code,
        Words(data.name_zh, data.name_en),
        data.district,
        data.address,
        frozenset(data.scenario_codes),
    )
    await _record(
        wallet, operator, "wallet.put_venue", f"venue:{venue_id}", lambda conn: cataloguing.put_venue(conn, venue)
    )


@put("/venues/{venue_id:uuid}/scenarios/{scenario_code:str}", operation_id="putTerms", status_code=204,
     summary="Grant a venue a scenario under terms",
     responses=refuses(MalformedRequest, VenueNotFound, CatalogueIncomplete, TermsRefused))  # fmt: skip
async def put_terms(
    venue_id: FromPath[UUID],
    scenario_code: Annotated[str, PathParameter(pattern=SCENARIO_CODE)],
    data: JSONBody[TermsBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """Exactly these terms, from the next scan on: which fields, which days, which hours, how often, until when."""
    terms = data.whole()
    await _record(
        wallet,
        operator,
        "wallet.put_terms",
        f"venue:{venue_id}",
        lambda conn: cataloguing.put_terms(conn, VenueId(venue_id), scenario_code, terms),
    )


@put("/devices/{device_id:uuid}", operation_id="putDevice", summary="Make or change a device", status_code=204,
     responses=refuses(MalformedRequest, NoSuchPath, CatalogueIncomplete))  # fmt: skip
async def put_device(
    device_id: FromPath[UUID],
    data: JSONBody[DeviceBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """A withdrawn device that is put again may ask again."""
    ids, name = (DeviceId(device_id), VenueId(data.venue_id)), Words(data.name_zh, data.name_en)
    await _record(
        wallet,
        operator,
        "wallet.put_device",
        f"device:{device_id}",
        lambda conn: cataloguing.put_device(conn, *ids, name),
    )


@delete("/devices/{device_id:uuid}", operation_id="withdrawDevice", summary="Withdraw a device", status_code=204,
        responses=refuses(MalformedRequest, DeviceNotFound))  # fmt: skip
async def withdraw_device(
    device_id: FromPath[UUID], operator: NamedDependency[Operator], wallet: NamedDependency[Wallet]
) -> None:
    """It may ask nothing any more, and its tokens end: lost or stolen."""

    async def withdraw(conn: Connection) -> None:
        await wallet.onboarding.end_device(conn, DeviceId(device_id))

    await _record(wallet, operator, "wallet.withdraw_device", f"device:{device_id}", withdraw)


HANDLERS: Handlers = {
    Audience.OPERATOR: [put_kind, put_issuer, put_scenario, put_venue, put_terms, put_device, withdraw_device],
}
