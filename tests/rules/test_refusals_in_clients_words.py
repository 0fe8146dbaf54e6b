"""Every refusal that a program written for GOV.UK Notify may meet, in the words that its client knows."""

from typing import Any

import pytest

from kernel import errors
from kernel.errors import Refusal, every_refusal
from notifications.errors import MessageNotFound
from notifications.notify_v2.errors import NotifyBadRequest, NotifyInvalid, NotifyNoResult, in_their_words, unproved
from notifications.services import errors as services

NAMES = {"ValidationError", "BadRequestError", "RateLimitError", "TooManyRequestsError", "NoResultFound", "AuthError",
         "ServiceUnavailable", "Exception"}  # fmt: skip
SAID: dict[type[Refusal], tuple[dict[str, Any], int, str, str]] = {
    services.TextNotInUse: ({}, 400, "BadRequestError", "Template not found"),
    services.NotInTeam: ({}, 400, "BadRequestError", "Can't send to this recipient using a team-only API key"),
    services.ValuesRefused: ({"missing": ["a", "b"]}, 400, "BadRequestError", "Missing personalisation: a, b"),
    services.TextTooLong: ({}, 400, "BadRequestError", services.TextTooLong.title()),
    services.SendTimeRefused: ({}, 400, "ValidationError", services.SendTimeRefused.title()),
    services.RecipientRefused: ({}, 400, "ValidationError", services.RecipientRefused.title()),
    services.WrongChannel: ({}, 400, "BadRequestError", services.WrongChannel.title()),
    services.TooManyToday: ({"limit": 5}, 429, "TooManyRequestsError", "Exceeded send limits (5) for today"),
    services.TooManyThisMinute: (
        {"per_minute": 3}, 429, "RateLimitError", "Exceeded rate limit for key type TEAM of 3 requests per 60 seconds",
    ),
    services.TooManyLooking: ({}, 429, "RateLimitError", services.TooManyLooking.title()),
    errors.RateLimited: ({}, 429, "RateLimitError", errors.RateLimited.title()),
    errors.NoSuchPath: ({}, 404, "NoResultFound", "No result found"),
    errors.PartAway: ({}, 503, "ServiceUnavailable", errors.PartAway.title()),
    errors.Unexpected: ({}, 500, "Exception", "Internal server error"),
    MessageNotFound: ({}, 404, "NoResultFound", "No result found"),
    NotifyNoResult: ({}, 404, "NoResultFound", "No result found"),
    NotifyBadRequest: ({}, 400, "BadRequestError", NotifyBadRequest.title()),
    NotifyInvalid: ({}, 400, "ValidationError", NotifyInvalid.title()),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAID)
def test_a_refusal_is_said_as_the_clients_know_it(kind: type[Refusal]) -> None:
    members, status, name, message = SAID[kind]
    said = in_their_words(kind(**members), "team")
    assert (said.status_code, [(one.error, one.message) for one in said.errors]) == (status, [(name, message)])


def test_there_is_no_refusal_that_could_not_be_said() -> None:
    for kind in every_refusal():
        if not kind.__module__.startswith(("kernel.", "notifications.")):
            continue
        said = in_their_words(kind(per_minute=1, limit=1, retry_after_seconds=1), "live")
        assert {one.error for one in said.errors} <= NAMES
        assert 400 <= said.status_code < 600
        assert all(one.message for one in said.errors)


def test_who_proves_no_key_is_told_why() -> None:
    said = {why: unproved(why) for why in ("absent", "invalid", "expired", "revoked")}
    assert {why: one.status_code for why, one in said.items()} == {
        "absent": 401, "invalid": 403, "expired": 403, "revoked": 403,
    }  # fmt: skip
    assert {error.error for one in said.values() for error in one.errors} == {"AuthError"}
    assert len({error.message for one in said.values() for error in one.errors}) == len(said)
