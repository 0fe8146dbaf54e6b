"""Every operation, called as whom it is for, answers whatever it is sent as its description says (Schemathesis).

Over loopback, against a whole city. For a longer run: `SCHEMATHESIS_EXAMPLES=300 ./test tests/clients`.
"""

from typing import Any, Final

import pytest
import schemathesis
from schemathesis import Case

from gateway import describing
from kernel.principal import Audience
from tests.clients import (
    known_good_appointments_after,
    known_good_appointments_bookings,
    known_good_appointments_desk,
    known_good_appointments_offering,
    known_good_appointments_rush,
    known_good_appointments_waiting,
    known_good_callbacks,
    known_good_cases,
    known_good_family,
    known_good_institutions,
    known_good_joining,
    known_good_loading,
    known_good_offline,
    known_good_proofs,
    known_good_reaching,
    known_good_residents,
    known_good_sending,
    known_good_signing_in,
    known_good_texts,
    known_good_trust,
)
from tests.clients.calling import Calling, as_everybody
from tests.clients.described import Described, audience_of, operation_id
from tests.clients.everybody import Everybody
from tests.clients.known_good import known_good

ANSWERED_WELL_MIN: Final = 0.95
DESCRIBED: Final = {name: Described(document) for name, document in describing.documents().items()}
TOLD_ABOUT: Final = (
    known_good_appointments_after,
    known_good_appointments_bookings,
    known_good_appointments_desk,
    known_good_appointments_offering,
    known_good_appointments_rush,
    known_good_appointments_waiting,
    known_good_callbacks,
    known_good_cases,
    known_good_family,
    known_good_institutions,
    known_good_joining,
    known_good_loading,
    known_good_offline,
    known_good_proofs,
    known_good_reaching,
    known_good_residents,
    known_good_sending,
    known_good_signing_in,
    known_good_texts,
    known_good_trust,
)
"""Modules that register good requests."""


@pytest.fixture(scope="module")
def calling(everybody: Everybody) -> Calling:
    for name, described in DESCRIBED.items():
        described.known.update(everybody.known_to(Audience(name)))
    return Calling(everybody.city.url, as_everybody(everybody))


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_operation_succeeds_when_it_is_asked_well(
    name: str, calling: Calling, everybody: Everybody, subtests: pytest.Subtests
) -> None:
    for operation in DESCRIBED[name].operations():
        with subtests.test(operation.label):
            make = known_good(audience_of(operation), operation_id(operation))
            assert make is not None, (
                f"nobody has said how to ask for it well: see {[one.__name__ for one in TOLD_ABOUT]}"
            )
            answer = calling.send_good(operation, make(everybody))
            assert answer.status_code // 100 == 2, answer.text


@schemathesis.pytest.parametrize(**{name: described.schema for name, described in DESCRIBED.items()})
def test_every_operation_answers_as_described_whatever_it_is_sent(case: Case[Any], calling: Calling) -> None:
    calling.send(case)


def test_nearly_every_operation_was_answered_well_in_this_run(calling: Calling) -> None:
    described = {operation.label for one in DESCRIBED.values() for operation in one.operations()}
    never = calling.never_well()
    assert calling.answers.keys() == described
    assert len(never) <= len(described) * (1 - ANSWERED_WELL_MIN), never


def test_after_all_that_the_city_is_as_well_as_before(
    calling: Calling, everybody: Everybody, subtests: pytest.Subtests
) -> None:
    everybody.open_apps_again()
    for name, described in DESCRIBED.items():
        for operation in described.operations():
            make = known_good(Audience(name), operation_id(operation))
            if make is not None and make.__module__ != known_good_signing_in.__name__:
                with subtests.test(operation.label):
                    assert calling.send_good(operation, make(everybody)).status_code // 100 == 2
    assert "unexpected failure" not in everybody.city.said_by_web()
