"""The ledger of one's uses, over HTTP."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter
from litestar.response import Stream

from kernel.audience import Handlers
from kernel.clock import SHANGHAI
from kernel.errors import MalformedRequest, RealNameNeeded
from kernel.ids import CertificateId, VenueId
from kernel.principal import Audience, Citizen
from kernel.problems import refuses
from wallet.errors import CursorRefused
from wallet.forms import KIND_CODE, SCENARIO_CODE
from wallet.model import Outcome, Route
from wallet.paging import CURSOR_MAX, PAGE_MAX
from wallet.parts import Wallet
from wallet.queries import Wanted
from wallet.residents.uses.exporting import as_csv, as_json
from wallet.residents.uses.views import UsesView, UseView

CSV = "text/csv"
JSON = "application/json"
OnlyCertificate = Annotated[UUID | None, QueryParameter(description="Only uses of this certificate.")]
OnlyKind = Annotated[str | None, QueryParameter(pattern=KIND_CODE, description="Only certificates of this kind.")]
OnlyVenue = Annotated[UUID | None, QueryParameter(description="Only looks of this venue.")]
OnlyScenario = Annotated[str | None, QueryParameter(pattern=SCENARIO_CODE, description="Only under this scenario.")]
ROUTE = rf"^({'|'.join(Route)})$(?!\n)"
OUTCOME = rf"^({'|'.join(Outcome)})$(?!\n)"
OnlyRoute = Annotated[
    str | None,
    QueryParameter(pattern=ROUTE, description="Only looks that came about in this way: `code`, say, or `ask`."),
]
OnlyOutcome = Annotated[
    str | None,
    QueryParameter(pattern=OUTCOME, description="Only looks that were answered so: `valid`, say, or `revoked`."),
]
Since = Annotated[date | None, QueryParameter(description="Only looks on this day of the city's calendar or later.")]
Until = Annotated[date | None, QueryParameter(description="Only looks on this day of the city's calendar or earlier.")]
AsAgent = Annotated[
    bool, QueryParameter(description="What you showed for others under mandates, in place of who saw what of yours.")
]


class LedgerView(msgspec.Struct):
    """Every use that was asked for, newest first."""

    uses: list[UseView]


@dataclass
class _ExportOperation(Operation):
    """Names the other form in which the ledger can be had."""

    def __post_init__(self) -> None:
        content = getattr((self.responses or {}).get("200"), "content", None)
        if content is not None:
            content["text/csv"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get("/uses", operation_id="listUses", summary="Who saw what of yours, when and for what",
     responses=refuses(MalformedRequest, CursorRefused, RealNameNeeded))  # fmt: skip
async def list_uses(
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
    certificate_id: OnlyCertificate = None,
    kind_code: OnlyKind = None,
    venue_id: OnlyVenue = None,
    scenario_code: OnlyScenario = None,
    route: OnlyRoute = None,
    outcome: OnlyOutcome = None,
    since: Since = None,
    until: Until = None,
    as_agent: AsAgent = False,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> UsesView:
    """Every look at a certificate of yours, newest first, with the fields that left, and who showed it if not you."""
    wanted = _wanted(certificate_id, kind_code, venue_id, scenario_code, route, outcome, since, until)
    read = wallet.ledger_of_uses.list_acted if as_agent else wallet.ledger_of_uses.list_uses
    page = await read(citizen.person_id, wanted, cursor=cursor, limit=limit)
    return UsesView.of(wallet.catalogue(), page)


@get("/uses/export", operation_id="exportUses", operation_class=_ExportOperation, summary="Take your ledger along",
     responses=refuses(MalformedRequest, RealNameNeeded))  # fmt: skip
async def export_uses(
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
    form: Annotated[Literal["json", "csv"], QueryParameter(description="For programs, or for a spreadsheet.")] = "json",
    certificate_id: OnlyCertificate = None,
    kind_code: OnlyKind = None,
    venue_id: OnlyVenue = None,
    scenario_code: OnlyScenario = None,
    route: OnlyRoute = None,
    outcome: OnlyOutcome = None,
    since: Since = None,
    until: Until = None,
    as_agent: AsAgent = False,
) -> Response[LedgerView]:
    """The whole ledger, or what the filters leave of it, in one answer: JSON, or CSV in UTF-8 for a spreadsheet."""
    wanted = _wanted(certificate_id, kind_code, venue_id, scenario_code, route, outcome, since, until)
    write = as_csv if form == "csv" else as_json
    parts = write(wallet.ledger_of_uses, wallet.catalogue(), citizen.person_id, wanted, is_agent=as_agent)
    headers = {"Content-Disposition": f'attachment; filename="suishenban-uses.{form}"', "Cache-Control": "no-store"}
    streamed: Any = Stream(parts, media_type=CSV if form == "csv" else JSON, headers=headers)
    return cast("Response[LedgerView]", streamed)


def _wanted(
    certificate_id: UUID | None,
    kind_code: str | None,
    venue_id: UUID | None,
    scenario_code: str | None,
    route: str | None,
    outcome: str | None,
    since: date | None,
    until: date | None,
) -> Wanted:
    return Wanted(
        None if certificate_id is None else CertificateId(certificate_id),
        kind_code,
        None if venue_id is None else VenueId(venue_id),
        scenario_code,
        None if route is None else Route(route),
        None if outcome is None else Outcome(outcome),
        _begins(since, 0),
        _begins(until, 1),
    )


def _begins(day: date | None, later: int) -> datetime | None:
    """When a day begins in the city, or the day so many days `later`; None for one at the end of all calendars."""
    try:
        return None if day is None else datetime.combine(day + timedelta(days=later), time(), SHANGHAI).astimezone(UTC)
    except OverflowError:
        return None


HANDLERS: Handlers = {Audience.RESIDENT: [list_uses, export_uses], Audience.MINI: [list_uses, export_uses]}
