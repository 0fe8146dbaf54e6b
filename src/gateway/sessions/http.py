"""What every signing in answers with, on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request
from msgspec import Meta

from gateway.sessions.model import SignedIn
from gateway.sessions.refresh_token import TOKEN_CHARACTERS
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience

RefreshTokenText = Annotated[
    str, Meta(min_length=TOKEN_CHARACTERS, max_length=TOKEN_CHARACTERS, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")
]
DeviceName = Annotated[str, Meta(min_length=1, max_length=60, pattern=ONE_LINE)]


class TokensView(msgspec.Struct, kw_only=True):
    """Tokens of a signed-in device. Send `access_token` as `Authorization: Bearer …`."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 -- a scheme, not a secret
    expires_in: int
    """Seconds for which the access token is good."""
    access_token_expires_at: datetime
    refresh_token: str
    """Good once: exchange it for new tokens before or after the access token expires."""
    refresh_token_expires_at: datetime

    @classmethod
    def of(cls, signed_in: SignedIn) -> "TokensView":
        return cls(
            access_token=signed_in.access_token,
            expires_in=signed_in.expires_in_seconds,
            access_token_expires_at=signed_in.access_token_expires_at,
            refresh_token=signed_in.refresh_token,
            refresh_token_expires_at=signed_in.refresh_token_expires_at,
        )


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    refresh_token: RefreshTokenText


class SessionView(msgspec.Struct):
    """A device that is signed in."""

    session_id: UUID
    device: str
    signed_in_at: datetime
    last_used_at: datetime
    is_this: bool
    """Whether it is the device that asks."""


def audience_of(request: Request[Any, Any, Any]) -> Audience:
    """The audience under whose path a request came: handlers that serve several are told apart by it."""
    return Audience(request.scope["path"].split("/", 2)[1])


def address_of(request: Request[Any, Any, Any]) -> str:
    """The address a request came from, as the server saw it."""
    return request.client.host if request.client else "unknown"
