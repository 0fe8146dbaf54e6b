"""How staff sign in, over HTTP: desks and issuers under /department, operators under /operator."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from gateway.residents.errors import CodeNotAccepted, PhoneNotValid, TooManyCodes
from gateway.residents.http import ChallengeView, CodeRequest, CodeText, PhoneText
from gateway.sessions.errors import SessionOver
from gateway.sessions.http import RefreshRequest, TokensView, address_of, audience_of
from gateway.staff.parts import Workforce
from gateway.staff.staffing import StaffIdentity
from kernel.audience import OPEN
from kernel.errors import MalformedRequest, RoleMissing
from kernel.principal import Audience, Operator, Staff
from kernel.problems import refuses


class StaffSignInRequest(msgspec.Struct, forbid_unknown_fields=True):
    challenge_id: UUID
    phone: PhoneText
    code: CodeText


class StaffView(msgspec.Struct):
    """Who is signed in. An operator has no department; an issuer has no office; a supervisor answers for theirs."""

    staff_id: UUID
    name: str
    department_id: UUID | None
    office_id: UUID | None
    is_supervisor: bool

    @classmethod
    def of(cls, who: Staff | Operator, identity: StaffIdentity) -> "StaffView":
        if isinstance(who, Operator):
            return cls(who.staff_id, identity.name, None, None, False)
        return cls(who.staff_id, identity.name, who.department_id, who.office_id, who.is_supervisor)


@post(
    "/sign-in/codes",
    operation_id="askForStaffCode",
    summary="Ask for a sign-in code by SMS",
    status_code=202,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, PhoneNotValid, TooManyCodes),
)
async def ask_for_staff_code(
    data: JSONBody[CodeRequest], request: Request[Any, Any, Any], workforce: NamedDependency[Workforce]
) -> ChallengeView:
    """The answer is the same whether or not somebody with this phone works here; only who does is sent a code."""
    challenge = await workforce.ask(
        audience_of(request), data.phone, language=data.language, address=address_of(request)
    )
    return ChallengeView.of(challenge)


@post(
    "/sign-in",
    operation_id="signInStaff",
    summary="Sign in with the code of the SMS",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, PhoneNotValid, CodeNotAccepted, TooManyCodes),
)
async def sign_in_staff(
    data: JSONBody[StaffSignInRequest], request: Request[Any, Any, Any], workforce: NamedDependency[Workforce]
) -> TokensView:
    """For a shift of twelve hours. Recorded."""
    signed_in = await workforce.sign_in(
        audience_of(request), data.challenge_id, data.phone, data.code, address=address_of(request)
    )
    return TokensView.of(signed_in)


@post(
    "/sign-in/refresh",
    operation_id="refreshStaffSession",
    summary="Exchange a refresh token for new tokens",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, SessionOver),
)
async def refresh_staff_session(
    data: JSONBody[RefreshRequest], request: Request[Any, Any, Any], workforce: NamedDependency[Workforce]
) -> TokensView:
    """A refresh token is good once. Used again after half a minute, it ends the session: somebody has a copy."""
    return TokensView.of(await workforce.refresh(data.refresh_token, audience_of(request)))


@post(
    "/sign-out",
    operation_id="signOutStaff",
    summary="End this session",
    status_code=204,
    responses=refuses(RoleMissing),
)
async def sign_out_desk(staff: NamedDependency[Staff], workforce: NamedDependency[Workforce]) -> None:
    """Its tokens are refused everywhere within a second."""
    await workforce.sign_out(staff.staff_id, staff.session_id)


@post("/sign-out", operation_id="signOutStaff", summary="End this session", status_code=204)
async def sign_out_operator(operator: NamedDependency[Operator], workforce: NamedDependency[Workforce]) -> None:
    """Its tokens are refused everywhere within a second."""
    await workforce.sign_out(operator.staff_id, operator.session_id)


@get("/me", operation_id="readStaffMe", summary="Who is signed in", status_code=200, responses=refuses(RoleMissing))
async def read_me_at_desk(staff: NamedDependency[Staff], workforce: NamedDependency[Workforce]) -> StaffView:
    """The member of staff behind the access token."""
    return StaffView.of(staff, await workforce.identity(staff.staff_id))


@get("/me", operation_id="readStaffMe", summary="Who is signed in", status_code=200)
async def read_me_as_operator(operator: NamedDependency[Operator], workforce: NamedDependency[Workforce]) -> StaffView:
    """The operator behind the access token."""
    return StaffView.of(operator, await workforce.identity(operator.staff_id))


_SIGNING_IN: list[HTTPRouteHandler] = [ask_for_staff_code, sign_in_staff, refresh_staff_session]

HANDLERS: dict[Audience, list[HTTPRouteHandler]] = {
    Audience.DEPARTMENT: [*_SIGNING_IN, sign_out_desk, read_me_at_desk],
    Audience.OPERATOR: [*_SIGNING_IN, sign_out_operator, read_me_as_operator],
}
