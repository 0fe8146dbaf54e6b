"""What we will not do is a refusal: an exception with a permanent code, a title and a status."""

from collections.abc import Iterator
from typing import ClassVar


class Refusal(Exception):
    """Something the caller asked for and will not get.

    A concrete refusal sets `code` (for ever, `package.reason`) and states its title as its docstring's one line.
    `detail` is said to the caller, so it never holds a name, a number, a token or a code. `members` are extra
    members of the problem document (RFC 9457 §3.2).
    """

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int | None = None, **members: object) -> None:
        super().__init__(detail or self.title())
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.members = members

    @classmethod
    def title(cls) -> str:
        assert cls.__doc__, f"{cls.__name__} has no title"
        return cls.__doc__.strip().splitlines()[0]


class BadRequest(Refusal):
    status = 400


class Unauthenticated(Refusal):
    status = 401


class Forbidden(Refusal):
    status = 403


class NotFound(Refusal):
    status = 404


class Conflict(Refusal):
    status = 409


class Gone(Refusal):
    status = 410


class Unprocessable(Refusal):
    status = 422


class TooMany(Refusal):
    status = 429


class UpstreamFailed(Refusal):
    status = 502


class Unavailable(Refusal):
    status = 503


class UpstreamLate(Refusal):
    status = 504


class MalformedRequest(BadRequest):
    """The request is not of the form this operation takes."""

    code = "request.malformed"


class NotSignedIn(Unauthenticated):
    """This operation needs a valid access token."""

    code = "access.not_signed_in"


class TokenExpired(Unauthenticated):
    """The access token has expired: refresh it or sign in again."""

    code = "access.token_expired"


class TokenRevoked(Unauthenticated):
    """The session behind this access token was ended: sign in again."""

    code = "access.token_revoked"


class WrongAudience(Forbidden):
    """This access token was made for another audience."""

    code = "access.wrong_audience"


class RoleMissing(Forbidden):
    """Your role does not cover this operation."""

    code = "access.role_missing"


class RealNameNeeded(Forbidden):
    """This operation needs a real-name checked account (实名认证)."""

    code = "access.real_name_needed"


class NoSuchPath(NotFound):
    """There is nothing at this address."""

    code = "request.no_such_path"


class MethodNotAllowed(Refusal):
    """This address does not take that method."""

    status = 405
    code = "request.method_not_allowed"


class NotAcceptable(Refusal):
    """None of the forms asked for can be given."""

    status = 406
    code = "request.not_acceptable"


class BodyTooLarge(Refusal):
    """The request body is larger than this operation takes."""

    status = 413
    code = "request.body_too_large"


class UnsupportedMedia(Refusal):
    """The request body is not of a media type this operation takes."""

    status = 415
    code = "request.unsupported_media"


class RateLimited(TooMany):
    """Too many requests: wait as long as Retry-After says."""

    code = "limits.rate_limited"


class IdempotencyKeyReused(Unprocessable):
    """This idempotency key was used before with another request."""

    code = "idempotency.key_reused"


class PartAway(Unavailable):
    """A part this operation needs is away for the moment: try again soon."""

    code = "service.part_away"


class Unexpected(Refusal):
    """Something went wrong on our side; it was recorded."""

    status = 500
    code = "service.unexpected"


def every_refusal(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Every concrete refusal that has been imported, kinds left out."""
    for child in kind.__subclasses__():
        if "code" in vars(child):
            yield child
        yield from every_refusal(child)
