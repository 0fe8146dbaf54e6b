"""The platform's access token: fetched once for however many wait, kept until shortly before its end.

Source: developers.weixin.qq.com, getStableAccessToken. The same token is given to everybody who asks in one mode, and
a renewed one leaves the old one good for five minutes, so that processes need not agree.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from kernel.clock import Clock
from kernel.settings import Secret

PATH: Final = "/cgi-bin/stable_token"
RENEWED_BEFORE: Final = timedelta(minutes=5)
"""The platform gives a new token in the last five minutes of the old one, and both are good meanwhile."""
STALE: Final = frozenset({40001, 40014, 42001})
"""Errcodes that say: not with this token."""

Ask = Callable[[str, dict[str, str], dict[str, Any]], Awaitable[bytes]]
"""Posts a body to a path with a query; the answer's bytes."""


class TokenRefused(Exception):
    """The platform gives no token: its errcode."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


class _Told(msgspec.Struct, frozen=True):
    errcode: int = 0
    access_token: Annotated[str, Meta(max_length=1024, pattern=r"^[\x21-\x7e]*$(?!\n)")] = ""
    expires_in: Annotated[int, Meta(ge=0, le=86_400)] = 0


class AccessToken:
    """Holds the token that calls of our server carry."""

    def __init__(self, clock: Clock, ask: Ask, app_id: str, secret: Secret) -> None:
        self._clock = clock
        self._ask = ask
        self._app_id = app_id
        self._secret = secret
        self._text = ""
        self._until: datetime | None = None
        self._renewing = asyncio.Lock()

    async def current(self, *, instead_of: str | None = None) -> str:
        """The token; another one than `instead_of`, which the platform did not take.

        Raises TokenRefused, and what asking raises: nothing was sent with it in either case.
        """
        async with self._renewing:
            is_fresh = self._until is not None and self._clock.now() < self._until
            if is_fresh and self._text != instead_of:
                return self._text
            asked = {
                "grant_type": "client_credential",
                "appid": self._app_id,
                "secret": self._secret.reveal(),
                "force_refresh": instead_of is not None and self._text == instead_of,
            }
            told = msgspec.json.decode(await self._ask(PATH, {}, asked), type=_Told)
            if told.errcode != 0 or not told.access_token:
                raise TokenRefused(told.errcode)
            lifetime = timedelta(seconds=told.expires_in) - RENEWED_BEFORE
            self._text, self._until = told.access_token, self._clock.now() + max(lifetime, timedelta(0))
            return self._text
