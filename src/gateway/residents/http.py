"""What residents do at the entrance, over HTTP: for the app under /resident, for the mini-program under /mini."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from appointments.accounts.exporting import AppointmentsExport
from gateway.residents.errors import (
    CodeNotAccepted,
    IdNumberNotValid,
    NameNotValid,
    PersonHasAccount,
    PhoneNotValid,
    RealNameAway,
    RealNameBusy,
    RealNameLate,
    RealNameMismatch,
    RealNameOff,
    RealNameSettled,
    TooManyCodes,
)
from gateway.residents.model import (
    CODE_DIGITS,
    ID_NUMBER_LENGTH,
    NAME_MAX,
    PHONE_TEXT_MAX,
    RESEND_AFTER_SECONDS,
    Challenge,
    Language,
)
from gateway.residents.parts import Residents
from gateway.residents.showing_account import Held, HeldSession, Me
from gateway.sessions.errors import SessionOver
from gateway.sessions.http import (
    DeviceName,
    RefreshRequest,
    SessionView,
    TokensView,
    address_of,
    audience_of,
)
from kernel.audience import OPEN
from kernel.errors import MalformedRequest, NoSuchPath, PartAway, TokenRevoked
from kernel.ids import SessionId
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience, Resident
from kernel.problems import refuses
from notifications.reaching.exporting import NotificationsExport
from wallet.exporting import WalletExport

PhoneText = Annotated[
    str,
    Meta(min_length=5, max_length=PHONE_TEXT_MAX, pattern=r"^\+?[0-9][0-9 -]*$(?!\n)", examples=["+8613490000003"]),
]
CodeText = Annotated[str, Meta(pattern=rf"^[0-9]{{{CODE_DIGITS}}}$(?!\n)", examples=["246810"])]
NameText = Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern=ONE_LINE)]
IdNumberText = Annotated[
    str, Meta(pattern=rf"^[0-9]{{{ID_NUMBER_LENGTH - 1}}}[0-9Xx]$(?!\n)", examples=["310107198110069973"])
]


class CodeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`phone` is E.164, or an 11-digit mainland number. `language` is that of the SMS."""

    phone: PhoneText
    language: Language = "zh"


class ChallengeView(msgspec.Struct):
    """Answer the challenge with the code of the SMS, if that phone was sent one."""

    challenge_id: UUID
    expires_at: datetime
    resend_after_seconds: int = RESEND_AFTER_SECONDS

    @classmethod
    def of(cls, challenge: Challenge) -> "ChallengeView":
        return cls(challenge.challenge_id, challenge.expires_at, challenge.resend_after_seconds)


class SignInRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`device` is what its owner will recognise the device by among those signed in."""

    challenge_id: UUID
    phone: PhoneText
    code: CodeText
    device: DeviceName = "手机"


class RealNameRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Name and number as they stand on the resident identity card."""

    name: NameText
    id_number: IdNumberText


class RealNameView(msgspec.Struct):
    person_id: UUID
    name: str
    id_number_masked: str
    checked_at: datetime


class MeView(msgspec.Struct):
    """The account that is signed in. `real_name` is null until it was checked."""

    account_id: UUID
    phone_masked: str
    language: Language
    real_name: RealNameView | None

    @classmethod
    def of(cls, me: Me) -> "MeView":
        real = me.real_name
        shown = None
        if real is not None:
            shown = RealNameView(real.person_id, real.name, real.id_number_masked, real.checked_at)
        return cls(me.account_id, me.phone_masked, me.language, shown)


class SessionsView(msgspec.Struct):
    sessions: list[SessionView]

    @classmethod
    def of(cls, sessions: list[HeldSession], this: SessionId) -> "SessionsView":
        return cls(
            [
                SessionView(one.session_id, one.device, one.signed_in_at, one.last_used_at, one.session_id == this)
                for one in sessions
            ]
        )


class ExportView(msgspec.Struct):
    """Everything the city holds about a resident, unmasked.

    `wallet`, `appointments` and `notifications` are null until the real name was checked.
    """

    account_id: UUID
    phone: str
    language: Language
    created_at: datetime
    real_name: str | None
    id_number: str | None
    real_name_checked_at: datetime | None
    chat_linked_at: list[datetime]
    sessions: list[SessionView]
    wallet: WalletExport | None
    appointments: AppointmentsExport | None
    notifications: NotificationsExport | None

    @classmethod
    def of(cls, held: Held, this: SessionId) -> "ExportView":
        return cls(
            account_id=held.account_id,
            phone=held.phone,
            language=held.language,
            created_at=held.created_at,
            real_name=held.real_name,
            id_number=held.id_number,
            real_name_checked_at=held.real_name_checked_at,
            chat_linked_at=held.chat_linked_at,
            sessions=SessionsView.of(held.sessions, this).sessions,
            wallet=held.wallet,
            appointments=held.appointments,
            notifications=held.notifications,
        )


@post(
    "/sign-in/codes",
    operation_id="askForCode",
    summary="Ask for a sign-in code by SMS",
    status_code=202,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, PhoneNotValid, TooManyCodes),
)
async def ask_for_code(
    data: JSONBody[CodeRequest], request: Request[Any, Any, Any], residents: NamedDependency[Residents]
) -> ChallengeView:
    """The answer is the same whether or not the phone is known."""
    challenge = await residents.challenges.ask(
        Audience.RESIDENT, data.phone, language=data.language, address=address_of(request)
    )
    return ChallengeView.of(challenge)


@post(
    "/sign-in",
    operation_id="signIn",
    summary="Sign in with the code of the SMS",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, PhoneNotValid, CodeNotAccepted, TooManyCodes),
)
async def sign_in(
    data: JSONBody[SignInRequest], request: Request[Any, Any, Any], residents: NamedDependency[Residents]
) -> TokensView:
    """The first time makes the account. Five wrong codes spend a challenge."""
    signed_in = await residents.signing_in.sign_in(
        data.challenge_id, data.phone, data.code, device=data.device, address=address_of(request)
    )
    return TokensView.of(signed_in)


@post(
    "/sign-in/refresh",
    operation_id="refreshSession",
    summary="Exchange a refresh token for new tokens",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(MalformedRequest, SessionOver),
)
async def refresh_session(
    data: JSONBody[RefreshRequest], request: Request[Any, Any, Any], residents: NamedDependency[Residents]
) -> TokensView:
    """A refresh token is good once. Used again after half a minute, it ends the session: somebody has a copy."""
    return TokensView.of(await residents.signing_in.refresh(data.refresh_token, audience_of(request)))


@post("/sign-out", operation_id="signOut", summary="End this session", status_code=204)
async def sign_out(resident: NamedDependency[Resident], residents: NamedDependency[Residents]) -> None:
    """Its tokens are refused everywhere within a second."""
    await residents.sessions.leave(resident.account_id, resident.session_id)


@get("/sessions", operation_id="listSessions", summary="The devices that are signed in", status_code=200)
async def list_sessions(resident: NamedDependency[Resident], residents: NamedDependency[Residents]) -> SessionsView:
    """Newest first."""
    return SessionsView.of(await residents.showing.sessions(resident.account_id), resident.session_id)


@delete(
    "/sessions/{session_id:uuid}",
    operation_id="endSession",
    summary="Sign a device out",
    status_code=204,
    responses=refuses(NoSuchPath),
)
async def end_session(
    session_id: FromPath[UUID], resident: NamedDependency[Resident], residents: NamedDependency[Residents]
) -> None:
    """One that is not signed in, or not yours, stays as it is."""
    await residents.sessions.leave(resident.account_id, SessionId(session_id))


@post(
    "/real-name",
    operation_id="checkRealName",
    summary="Have your real name checked (实名认证)",
    status_code=200,
    responses=refuses(
        MalformedRequest,
        NameNotValid,
        IdNumberNotValid,
        RealNameMismatch,
        RealNameSettled,
        PersonHasAccount,
        RealNameBusy,
        RealNameOff,
        RealNameAway,
        RealNameLate,
    ),
)
async def check_real_name(
    data: JSONBody[RealNameRequest],
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    residents: NamedDependency[Residents],
) -> TokensView:
    """Name, number and phone must belong together. The tokens returned replace those of this session, which ends."""
    signed_in = await residents.real_names.check(resident, data.name, data.id_number, audience_of(request))
    return TokensView.of(signed_in)


@get("/me", operation_id="readMe", summary="Who is signed in", status_code=200, responses=refuses(TokenRevoked))
async def read_me(resident: NamedDependency[Resident], residents: NamedDependency[Residents]) -> MeView:
    """The account behind the access token, with what is personal masked."""
    return MeView.of(await residents.showing.me(resident.account_id))


@get(
    "/export",
    operation_id="exportAccount",
    summary="Take along what the city holds about you",
    status_code=200,
    responses=refuses(TokenRevoked),
)
async def export_account(resident: NamedDependency[Resident], residents: NamedDependency[Residents]) -> ExportView:
    """Account, sessions and links to other apps; certificates, who looked at them, mandates and printed proofs; what
    you booked, told, waited for, missed and rated; how you are reached, what you agreed to, and your inbox.
    """
    return ExportView.of(await residents.showing.held(resident.account_id), resident.session_id)


@delete("/account", operation_id="closeAccount", summary="Close your account", status_code=204,
        responses=refuses(PartAway))  # fmt: skip
async def close_account(resident: NamedDependency[Resident], residents: NamedDependency[Residents]) -> None:
    """Every device is signed out, what the entrance holds is deleted, and the mandates you granted end.

    What you have booked ahead is cancelled, what is held for you given back, and you wait for nothing any more.
    Your inbox is emptied, and number, e-mail address, choices and subscriptions are forgotten; that you agreed to
    something, and took it back by leaving, stays on record. Certificates, the records of their use, mandates you hold,
    proofs you printed and visits that were stay.
    """
    await residents.close_account(resident.account_id)


_SHARED: list[HTTPRouteHandler] = [refresh_session, sign_out, check_real_name, read_me]

HANDLERS: dict[Audience, list[HTTPRouteHandler]] = {
    Audience.RESIDENT: [
        ask_for_code,
        sign_in,
        *_SHARED,
        list_sessions,
        end_session,
        export_account,
        close_account,
    ],
    Audience.MINI: _SHARED,
}
