"""Pure rules of the wallet: when a code is good, what may be issued, what is masked."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from kernel.ids import CertificateId, PersonId
from tests.builders_wallet import ID_CARD, KINDS, SCENARIOS
from wallet.departments.issue_policy import check_values, is_id_number
from wallet.errors import FieldNotInScenario, KindNotInScenario, ValueRefused
from wallet.model import (
    ALLOWED_STEPS,
    Field,
    FieldType,
    OpenedCode,
    Outcome,
    Sensitivity,
    Standing,
    State,
    judge,
)
from wallet.residents.codes.forms import best_form
from wallet.residents.holding import masked
from wallet.residents.showing import chosen_fields
from wallet.venues.asking import ask_id_of

SHOWN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
CODE = OpenedCode(CertificateId(UUID(int=1)), PersonId(UUID(int=2)), ID_CARD, "station.entry", ("name",), SHOWN)
ACCEPTED = timedelta(seconds=90)
days = st.integers(-3, 3).map(lambda offset: TODAY + timedelta(days=offset))


@given(st.sampled_from(State), days, st.none() | days, st.integers(-10, 200_000))
def test_a_yes_needs_everything_at_once(state: State, since: date, until: date | None, milliseconds: int) -> None:
    at = SHOWN + timedelta(milliseconds=milliseconds)
    outcome = judge(CODE, Standing(ID_CARD, state, since, until), now=at, accepted_for=ACCEPTED)
    is_good = at - SHOWN < ACCEPTED and state is State.ISSUED and since <= TODAY and (until is None or until >= TODAY)
    assert (outcome is Outcome.VALID) == is_good
    assert (outcome is Outcome.EXPIRED) == (at - SHOWN >= ACCEPTED)


def test_an_unknown_certificate_or_one_of_another_kind_is_not_ours() -> None:
    other = Standing("9" * 21, State.ISSUED, TODAY, None)
    for standing in (None, other):
        assert judge(CODE, standing, now=SHOWN, accepted_for=ACCEPTED) is Outcome.NOT_OURS


def test_revoked_and_superseded_are_final() -> None:
    assert {state for state, steps in ALLOWED_STEPS.items() if not steps} == {State.REVOKED, State.SUPERSEDED}


@given(st.from_regex(r"[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}[0-9X]", fullmatch=True))
def test_the_check_digit_of_an_id_number_is_that_of_the_standard(text: str) -> None:
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        assert not is_id_number(text)
    else:
        assert is_id_number(text) == (ric.calc_check_digit(text) == text[17])


@pytest.mark.parametrize("text", ["", "1" * 18, "31010119900101996１", "310101199001019961\n", "310101900101996"])
def test_what_is_no_id_number_is_refused(text: str) -> None:
    assert not is_id_number(text)


@given(st.dictionaries(st.sampled_from(["name", "sex", "birth_date", "id_number", "other"]), st.integers() | st.text()))
def test_values_that_do_not_fit_are_refused_by_name_and_never_repeated(values: dict[str, int | str]) -> None:
    refused = refusal_of(values)
    if refused is None:
        assert set(values) >= {"name", "sex", "birth_date", "id_number"}
    else:
        assert refused.members["field"] in {field.name for field in KINDS[0].fields} | {"other"}
        said = str(refused.detail)
        assert all(value not in said for value in values.values() if isinstance(value, str) and len(value) > 12)


def refusal_of(values: dict[str, int | str]) -> ValueRefused | None:
    try:
        check_values(KINDS[0], values)
    except ValueRefused as refused:
        return refused
    return None


def test_a_choice_is_within_the_scenario_and_in_its_order() -> None:
    station = SCENARIOS[0]
    assert chosen_fields(station, ID_CARD, None) == ("name", "id_number")
    assert chosen_fields(station, ID_CARD, ["id_number", "name", "name"]) == ("name", "id_number")
    with pytest.raises(FieldNotInScenario):
        chosen_fields(station, ID_CARD, ["address"])
    with pytest.raises(KindNotInScenario):
        chosen_fields(station, "9" * 21, None)


@given(st.text(min_size=1, max_size=60))
def test_a_masked_value_shows_its_ends_at_most(value: str) -> None:
    shown = masked(Field("f", "字段", "f", FieldType.TEXT, Sensitivity.SENSITIVE), value)
    assert isinstance(shown, str)
    assert "＊" in shown
    assert sum(1 for sign in shown if sign != "＊") <= min(5, max(1, len(value) - 3))


@pytest.mark.parametrize(
    "accept, form",
    [
        ("*/*", "application/json"),
        ("text/html, application/json", "application/json"),
        ("image/png", "image/png"),
        ("image/*;q=0.5, text/plain;q=0.9", "text/plain"),
        ("IMAGE/SVG+XML; charset=utf-8", "image/svg+xml"),
        ("image/png;q=oops, */*;q=0.1", "application/json"),
    ],
)
def test_the_form_is_chosen_by_what_is_accepted_first(accept: str, form: str) -> None:
    assert best_form(accept) == form


@given(st.binary(min_size=32, max_size=32))
def test_the_id_of_an_ask_is_a_uuid_made_of_its_hash(code_hash: bytes) -> None:
    ask_id = ask_id_of(code_hash)
    assert (ask_id.version, ask_id.variant) == (8, "specified in RFC 4122")
    assert ask_id == ask_id_of(code_hash)
