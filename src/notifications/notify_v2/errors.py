"""What this entrance refuses besides what services are, and how every refusal is said in its clients' words.

The names of errors and what they mean: GOV.UK Notify, REST API documentation, "Error codes" of each operation. Clients
rely on `status_code` and `error`, and show `message` to people.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kernel import errors
from kernel.errors import BadRequest, NotFound, Refusal
from notifications.errors import MessageNotFound
from notifications.services import errors as services


class NotifyBadRequest(BadRequest):
    """This cannot be done as it was asked."""

    code = "notifications.notify_bad_request"


class NotifyInvalid(BadRequest):
    """The request is not of the form that version 2 of GOV.UK Notify's API takes."""

    code = "notifications.notify_invalid"


class NotifyNoResult(NotFound):
    """No result found."""

    code = "notifications.notify_no_result"


class OneError(msgspec.Struct):
    error: str
    """Permanent."""
    message: str
    """For people; may change."""


class Errors(msgspec.Struct):
    """Why a request was refused."""

    status_code: int
    errors: list[OneError]


_WHY: Final = {
    "absent": (401, "Unauthorized: authentication token must be provided"),
    "invalid": (403, "Invalid token: API key not found"),
    "expired": (403, "Error: Your system clock must be accurate to within 30 seconds"),
    "revoked": (403, "Invalid token: API key revoked"),
}
BROKEN_JSON: Final = "Invalid JSON supplied in POST data"
_NO_BODY: Final = ("data", "'data'")
"""The framework's words for a body that is not there."""
_NO_RESULT: Final = "No result found"
_NAMES: Final[tuple[tuple[tuple[type[Refusal], ...], str, int | None], ...]] = (
    ((NotifyInvalid, services.RecipientRefused, services.SendTimeRefused), "ValidationError", 400),
    ((services.TextNotInUse, services.ValuesRefused, services.TextTooLong), "BadRequestError", 400),
    ((services.TooManyThisMinute, services.TooManyLooking, errors.RateLimited), "RateLimitError", None),
    ((services.TooManyToday,), "TooManyRequestsError", None),
    ((MessageNotFound, NotifyNoResult, errors.NoSuchPath), "NoResultFound", None),
    ((errors.Unavailable,), "ServiceUnavailable", None),
    ((errors.Unexpected,), "Exception", None),
    ((Refusal,), "BadRequestError", None),
)
"""The first that a refusal is one of says what it is called, and its status where that is another than ours."""
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")


def unproved(why: str) -> Errors:
    """What is said to a request whose token proves no key, by why it does not."""
    status, message = _WHY[why]
    return Errors(status, [OneError("AuthError", message)])


def in_their_words(refusal: Refusal, kind: str) -> Errors:
    """A refusal as the clients know it; `kind` is that of the key, for those that name it."""
    for kinds, name, status in _NAMES:
        if isinstance(refusal, kinds):
            return Errors(status or refusal.status, [OneError(name, _message(refusal, kind))])
    raise AssertionError("every refusal has a name")


def _message(refusal: Refusal, kind: str) -> str:
    members = refusal.members
    match refusal:
        case services.NotInTeam():
            return "Can't send to this recipient using a team-only API key"
        case services.TextNotInUse():
            return "Template not found"
        case services.ValuesRefused():
            return _of_values(members)
        case services.TooManyThisMinute():
            return f"Exceeded rate limit for key type {kind.upper()} of {members['per_minute']} requests per 60 seconds"
        case services.TooManyToday():
            return f"Exceeded send limits ({members['limit']}) for today"
        case MessageNotFound() | NotifyNoResult() | errors.NoSuchPath():
            return _NO_RESULT
    return "Internal server error" if refusal.status == 500 else refusal.detail or refusal.title()


def of_form(faults: Sequence[Mapping[str, object]]) -> Errors:
    """Everything that is wrong with the form of a request, each by where it is and what is wrong there."""
    said = [(str(one.get("key", "")), str(one.get("message", ""))) for one in faults]
    if _NO_BODY in said:
        return in_their_words(NotifyBadRequest(BROKEN_JSON), "")
    return Errors(400, [OneError("ValidationError", _of_body(key, message)) for key, message in said])


def _of_body(key: str, message: str) -> str:
    """What is wrong with a body, as a check against its schema would say it."""
    missing, unknown = _MISSING.search(message), _UNKNOWN.search(message)
    if missing is not None:
        return f"{missing[1]} is a required property"
    if unknown is not None:
        return f"Additional properties are not allowed ({unknown[1]} was unexpected)"
    if "uuid" in message.lower():
        return f"{key} is not a valid UUID"
    return message if key == "data" else f"{key} {message}"


def _of_values(members: dict[str, object]) -> str:
    missing, wrong = members.get("missing"), members.get("wrong")
    if isinstance(missing, list) and missing:
        return f"Missing personalisation: {', '.join(map(str, missing))}"
    if isinstance(wrong, dict) and wrong:
        return "; ".join(f"personalisation {name}: {expected}" for name, expected in wrong.items())
    return "personalisation does not fit the template"
