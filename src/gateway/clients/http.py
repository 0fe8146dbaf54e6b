"""The token endpoints of machines: OAuth 2.0 client credentials with a signed assertion, nothing else."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import URLEncodedBody
from msgspec import Meta

from gateway.clients.errors import ClientNotProved, GrantTypeUnsupported, TokenRequestMalformed
from gateway.clients.model import ASSERTION_CHARACTERS_MAX
from gateway.clients.parts import Clients
from gateway.sessions.http import audience_of
from kernel import problems
from kernel.audience import OPEN
from kernel.principal import Audience
from kernel.problems import refuses

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT_TYPE = "client_credentials"
JWT = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
"""Described, not demanded: what is no JWT does not prove a client, and is refused as such (RFC 6749 §5.2)."""


class TokenRequest(msgspec.Struct):
    """Form-encoded (RFC 6749 §4.4, RFC 7523 §2.2). What we do not know is ignored, as RFC 6749 §3.2 says.

    `client_assertion` is a JWT signed ES256 with your key: `iss` and `sub` your client id, `aud` the address of this
    endpoint or its origin, `jti` fresh, `exp` at most five minutes ahead.
    """

    grant_type: Annotated[str, Meta(max_length=100, extra_json_schema={"const": GRANT_TYPE})]
    client_assertion_type: Annotated[str, Meta(max_length=100, extra_json_schema={"const": ASSERTION_TYPE})]
    client_assertion: Annotated[str, Meta(max_length=ASSERTION_CHARACTERS_MAX, extra_json_schema={"pattern": JWT})]
    client_id: Annotated[str, Meta(max_length=64)] | None = None


class MachineTokenView(msgspec.Struct):
    """Send it as `Authorization: Bearer …`; ask for another when it is about to expire."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    """Seconds."""


def _of_framework(request: Request[Any, Any, Any], problem: HTTPException) -> Response[bytes]:
    """What does not decode is refused in OAuth's words too."""
    if problem.status_code == 400:
        return problems.answer(TokenRequestMalformed())
    return problems.of_framework(request, problem)


@post(
    "/token",
    operation_id="giveMachineToken",
    summary="Get an access token with a signed assertion (private_key_jwt)",
    status_code=200,
    opt={OPEN: True},
    security=[{}],
    exception_handlers={HTTPException: _of_framework},
    responses=refuses(TokenRequestMalformed, GrantTypeUnsupported, ClientNotProved),
)
async def give_machine_token(
    data: URLEncodedBody[TokenRequest], request: Request[Any, Any, Any], clients: NamedDependency[Clients]
) -> MachineTokenView:
    """Any OAuth 2.0 client library that knows `private_key_jwt` can ask here. Good for ten minutes."""
    if data.grant_type != GRANT_TYPE:
        raise GrantTypeUnsupported
    if data.client_assertion_type != ASSERTION_TYPE:
        raise TokenRequestMalformed(f"`client_assertion_type` is not {ASSERTION_TYPE}")
    token = await clients.token(audience_of(request), data.client_assertion, data.client_id)
    return MachineTokenView(token.text, "Bearer", token.lifetime_seconds)


_BOTH: list[HTTPRouteHandler] = [give_machine_token]

HANDLERS: dict[Audience, list[HTTPRouteHandler]] = {Audience.VENUE: _BOTH, Audience.DEPARTMENT: _BOTH}
