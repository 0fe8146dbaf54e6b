"""Every refusal of a machine's token request, in the terms of OAuth 2.0 (RFC 6749 §5.2) beside our own."""

from typing import ClassVar

from kernel.errors import BadRequest, Conflict, Refusal, Unauthenticated


class OAuthRefusal(Refusal):
    """A refusal that an OAuth client understands by its `error` member."""

    error: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, error=self.error, error_description=detail or self.title())


class TokenRequestMalformed(OAuthRefusal, BadRequest):
    """The token request lacks a parameter, repeats one, or has one of the wrong form."""

    code = "clients.invalid_request"
    error = "invalid_request"


class GrantTypeUnsupported(OAuthRefusal, BadRequest):
    """Only the grant type client_credentials is offered here."""

    code = "clients.unsupported_grant_type"
    error = "unsupported_grant_type"


class ClientNotProved(OAuthRefusal, Unauthenticated):
    """The client assertion does not prove a client we know."""

    code = "clients.invalid_client"
    error = "invalid_client"


class PublicKeyRefused(Conflict):
    """This is not a public key that a client may have: EC, P-256, without its private half."""

    code = "clients.public_key_refused"
