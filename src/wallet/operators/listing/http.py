"""What there is, for operators, over HTTP: as this process knows it, which is at most 5 s behind. A page is not sent
again while it is the one you have."""

from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, unless_known
from kernel.errors import MalformedRequest
from kernel.principal import Audience, Operator
from kernel.problems import refuses
from wallet.operators.listing.views import (
    PAGE_MAX,
    DevicesPage,
    IssuersPage,
    KindsPage,
    ScenariosPage,
    VenuesPage,
)
from wallet.parts import Wallet

CODE_MAX = 200
_NO_ID = UUID(int=0)
_MAY_ANSWER = NOT_MODIFIED | refuses(MalformedRequest)

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX, description="How many at most.")]
CodeCursor = Annotated[str, QueryParameter(max_length=CODE_MAX, description="`next_cursor` of the page before.")]
IdCursor = Annotated[UUID | None, QueryParameter(description="`next_cursor` of the page before.")]


@get("/kinds", operation_id="listKinds", summary="Kinds of certificates", responses=_MAY_ANSWER)
async def list_kinds(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    cursor: CodeCursor = "",
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[KindsPage]:
    """With their fields, questions and faces, as they were put."""
    del operator
    return unless_known(KindsPage.of(wallet.catalogue(), cursor, limit), if_none_match)


@get("/issuers", operation_id="listIssuers", summary="Who issues certificates", responses=_MAY_ANSWER)
async def list_issuers(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    cursor: CodeCursor = "",
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[IssuersPage]:
    """Departments, and accredited associations, assessors and schools."""
    del operator
    return unless_known(IssuersPage.of(wallet.catalogue(), cursor, limit), if_none_match)


@get("/scenarios", operation_id="listScenarios", summary="For what venues may look", responses=_MAY_ANSWER)
async def list_scenarios(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    cursor: CodeCursor = "",
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[ScenariosPage]:
    """With what each sees, and the edition of its purpose."""
    del operator
    return unless_known(ScenariosPage.of(wallet.catalogue(), cursor, limit), if_none_match)


@get("/venues", operation_id="listVenues", summary="Who verifies certificates", responses=_MAY_ANSWER)
async def list_venues(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    cursor: IdCursor = None,
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[VenuesPage]:
    """With their scenarios, and the terms of those that were narrowed."""
    del operator
    return unless_known(VenuesPage.of(wallet.catalogue(), cursor or _NO_ID, limit), if_none_match)


@get("/devices", operation_id="listVenueDevices", summary="The devices of venues", responses=_MAY_ANSWER)
async def list_devices(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    venue_id: Annotated[UUID | None, QueryParameter(description="Of this venue alone.")] = None,
    cursor: IdCursor = None,
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[DevicesPage]:
    """Those that are not withdrawn."""
    del operator
    return unless_known(DevicesPage.of(wallet.catalogue(), venue_id, cursor or _NO_ID, limit), if_none_match)


HANDLERS: Handlers = {Audience.OPERATOR: [list_kinds, list_issuers, list_scenarios, list_venues, list_devices]}
