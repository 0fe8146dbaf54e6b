"""Joining over HTTP: organisations apply, operators decide, venues keep their devices."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, unless_known
from kernel.errors import IdempotencyKeyReused, MalformedRequest
from kernel.ids import DeviceId
from kernel.principal import Audience, Operator, VenueDevice
from kernel.problems import refuses
from wallet.errors import (
    ApplicationDecided,
    ApplicationKnown,
    ApplicationNotFound,
    CatalogueIncomplete,
    CreditCodeRefused,
    CursorRefused,
    DeviceKeyRefused,
    DeviceNotFound,
    DeviceNotRegistered,
    LastDevice,
    TermsRefused,
    TooManyApplications,
    TooManyDevices,
)
from wallet.onboarding.deciding import CURSOR_MAX, PAGE_MAX
from wallet.onboarding.model import ApplicationState
from wallet.onboarding.views import (
    TOKEN_PATH,
    ApplicationBody,
    ApplicationsView,
    ApplicationView,
    ApprovalBody,
    DeviceBody,
    DevicesView,
    EnrolledView,
    FiledView,
    LookedView,
    OfferedView,
    RejectionBody,
)
from wallet.parts import Wallet

SECRET_MAX = 100
KEY_MAX = 128

Secret = Annotated[
    str,
    HeaderParameter(
        name="Application-Secret", max_length=SECRET_MAX, description="What filing the application was answered with."
    ),
]
InState = Annotated[ApplicationState, QueryParameter(name="state", description="How they stand.")]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=KEY_MAX,
        pattern=r"^[\x21-\x7e]+$(?!\n)",
        description="Chosen by you, one for each device: a retry with the same key and body gets the first answer.",
    ),
]


def _address_of(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else "unknown"


# --- anybody ----------------------------------------------------------------------------------------------------------


@get("/scenarios", operation_id="listOfferedScenarios", summary="For what a venue may look, and what it sees",
     responses=NOT_MODIFIED)  # fmt: skip
async def list_offered(wallet: NamedDependency[Wallet], if_none_match: IfNoneMatch = None) -> Response[OfferedView]:
    """Every scenario there is: what a venue can apply for, and what residents are told it is for."""
    return unless_known(OfferedView.of(wallet.catalogue()), if_none_match)


@put("/venue-applications/{application_id:uuid}", operation_id="fileVenueApplication", status_code=201,
     summary="Apply to verify certificates",
     responses=refuses(MalformedRequest, ApplicationKnown, CatalogueIncomplete, CreditCodeRefused, DeviceKeyRefused,
                       IdempotencyKeyReused, TermsRefused, TooManyApplications))  # fmt: skip
async def file_application(
    application_id: FromPath[UUID],
    data: JSONBody[ApplicationBody],
    request: Request[Any, Any, Any],
    wallet: NamedDependency[Wallet],
) -> FiledView:
    """Choose a random id; send the same again if no answer came: for a day it is answered with the same secret."""
    filed = await wallet.onboarding.applying.file(
        application_id,
        data.organisation.whole(),
        data.contact.whole(),
        tuple(one.whole() for one in data.wanted),
        data.device.whole(),
        address=_address_of(request),
    )
    return FiledView(filed.application_id, filed.secret, filed.filed_at)


@get("/venue-applications/{application_id:uuid}", operation_id="readVenueApplication",
     summary="How an application stands",
     responses=refuses(MalformedRequest, ApplicationNotFound, TooManyApplications))  # fmt: skip
async def read_application(
    application_id: FromPath[UUID],
    application_secret: Secret,
    request: Request[Any, Any, Any],
    wallet: NamedDependency[Wallet],
) -> ApplicationView:
    """Once it is approved: everything your device needs to verify."""
    joined = await wallet.onboarding.applying.read(application_id, application_secret, address=_address_of(request))
    return ApplicationView.of(joined, wallet.public_origin)


@delete("/venue-applications/{application_id:uuid}", operation_id="withdrawVenueApplication", status_code=204,
        summary="Take an application back",
        responses=refuses(MalformedRequest, ApplicationNotFound, ApplicationDecided, TooManyApplications))  # fmt: skip
async def withdraw_application(
    application_id: FromPath[UUID],
    application_secret: Secret,
    request: Request[Any, Any, Any],
    wallet: NamedDependency[Wallet],
) -> None:
    """Before it is decided. Who was to be told is forgotten at once."""
    await wallet.onboarding.applying.withdraw(application_id, application_secret, address=_address_of(request))


# --- operators --------------------------------------------------------------------------------------------------------


@get("/venue-applications", operation_id="listVenueApplications", summary="Who applies to verify",
     responses=refuses(MalformedRequest, CursorRefused))  # fmt: skip
async def list_applications(
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    in_state: InState = ApplicationState.FILED,
    cursor: Annotated[str | None, QueryParameter(max_length=CURSOR_MAX)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> ApplicationsView:
    """Those filed first first."""
    del operator
    return ApplicationsView.of(await wallet.onboarding.deciding.page(in_state, cursor=cursor, limit=limit))


@get("/venue-applications/{application_id:uuid}", operation_id="lookAtVenueApplication",
     summary="An application, and whom to ask about it",
     responses=refuses(MalformedRequest, ApplicationNotFound))  # fmt: skip
async def look_at_application(
    application_id: FromPath[UUID], operator: NamedDependency[Operator], wallet: NamedDependency[Wallet]
) -> LookedView:
    """Shows a person's name and telephone number, and is on record."""
    return LookedView.of(await wallet.onboarding.deciding.look(application_id, by=operator.staff_id))


@post("/venue-applications/{application_id:uuid}/approve", operation_id="approveVenueApplication", status_code=200,
      summary="Let an organisation verify",
      responses=refuses(MalformedRequest, ApplicationNotFound, ApplicationDecided, CatalogueIncomplete,
                        TermsRefused))  # fmt: skip
async def approve_application(
    application_id: FromPath[UUID],
    data: JSONBody[ApprovalBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> LookedView:
    """Makes the venue and its first device; the same approval again changes nothing. The contact is told."""
    granted = {one.scenario_code: one.whole() for one in data.scenarios}
    return LookedView.of(await wallet.onboarding.deciding.approve(application_id, granted, by=operator.staff_id))


@post("/venue-applications/{application_id:uuid}/reject", operation_id="rejectVenueApplication", status_code=200,
      summary="Do not let an organisation verify",
      responses=refuses(MalformedRequest, ApplicationNotFound, ApplicationDecided))  # fmt: skip
async def reject_application(
    application_id: FromPath[UUID],
    data: JSONBody[RejectionBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> LookedView:
    """The applicant reads the reason with the secret, and may apply anew. The contact is told."""
    return LookedView.of(await wallet.onboarding.deciding.reject(application_id, data.reason, by=operator.staff_id))


# --- venues -----------------------------------------------------------------------------------------------------------


@post("/devices", operation_id="enrolDevice", summary="Register one more device of this venue", status_code=201,
      responses=refuses(MalformedRequest, DeviceNotRegistered, DeviceKeyRefused, TooManyDevices,
                        IdempotencyKeyReused))  # fmt: skip
async def enrol_device(
    data: JSONBody[DeviceBody],
    idempotency_key: IdempotencyKey,
    device: NamedDependency[VenueDevice],
    wallet: NamedDependency[Wallet],
) -> EnrolledView:
    """Each device makes a key of its own and keeps the private half; it may ask within 5 seconds."""
    enrolled = await wallet.onboarding.enrolling.register(device, data.whole(), key=idempotency_key)
    token_url = wallet.public_origin + TOKEN_PATH
    return EnrolledView(enrolled.device_id, enrolled.client_id, token_url, token_url)


@get("/devices", operation_id="listDevices", summary="The devices of this venue",
     responses=refuses(DeviceNotRegistered))  # fmt: skip
async def list_devices(device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]) -> DevicesView:
    """Those that are not withdrawn, in the order they came."""
    return DevicesView.of(await wallet.onboarding.enrolling.list_devices(device), device.device_id)


@delete("/devices/{device_id:uuid}", operation_id="withdrawOwnDevice", status_code=204,
        summary="Withdraw a device of this venue",
        responses=refuses(MalformedRequest, DeviceNotRegistered, DeviceNotFound, LastDevice))  # fmt: skip
async def withdraw_own_device(
    device_id: FromPath[UUID], device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]
) -> None:
    """Lost, stolen or out of use: its tokens end. The last one stays, or nobody could register the next."""
    await wallet.onboarding.enrolling.withdraw(device, DeviceId(device_id))


HANDLERS: Handlers = {
    Audience.PUBLIC: [list_offered, file_application, read_application, withdraw_application],
    Audience.OPERATOR: [list_applications, look_at_application, approve_application, reject_application],
    Audience.VENUE: [enrol_device, list_devices, withdraw_own_device],
}
