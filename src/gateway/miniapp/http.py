"""Signing in from the mini-program, over HTTP. The rest of its account is the residents' (gateway.residents.http)."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import Meta

from gateway.miniapp.errors import (
    CodeRefused,
    PhoneNeeded,
    PhoneNotUsable,
    PlatformAway,
    PlatformBusy,
    PlatformLate,
    PlatformOff,
    TooManySignIns,
    UserBlocked,
)
from gateway.miniapp.parts import Miniapp
from gateway.residents.model import Language
from gateway.sessions.http import TokensView, address_of
from kernel.audience import OPEN
from kernel.errors import MalformedRequest
from kernel.principal import Audience
from kernel.problems import refuses

PlatformCode = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class MiniSignInRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`js_code` is what `wx.login` gives; `phone_code` what the phone-number button gives. Each is good once."""

    js_code: PlatformCode
    phone_code: PlatformCode | None = None
    language: Language = "zh"


@post(
    "/sign-in",
    operation_id="signInFromChat",
    summary="Sign in with the chat app's codes",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    responses=refuses(
        MalformedRequest,
        PhoneNeeded,
        CodeRefused,
        UserBlocked,
        PhoneNotUsable,
        TooManySignIns,
        PlatformOff,
        PlatformBusy,
        PlatformAway,
        PlatformLate,
    ),
)
async def sign_in_from_chat(
    data: JSONBody[MiniSignInRequest], request: Request[Any, Any, Any], miniapp: NamedDependency[Miniapp]
) -> TokensView:
    """No second registration: whoever has an account under their phone is in it. Once linked, `js_code` is enough."""
    signed_in = await miniapp.signing_in.sign_in(
        data.js_code, data.phone_code, language=data.language, address=address_of(request)
    )
    return TokensView.of(signed_in)


_HERE: list[HTTPRouteHandler] = [sign_in_from_chat]

HANDLERS: dict[Audience, list[HTTPRouteHandler]] = {Audience.MINI: _HERE}
