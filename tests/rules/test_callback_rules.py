"""Pauses, ids and rests of callbacks, and what the words of a text mean."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.callbacks.model import GIVEN_UP_AFTER, EventType, KeptSecret, Target, event_id_of, next_try
from notifications.callbacks.resting import FAILURES_MAX, REST, REST_MAX, Rest
from notifications.replies.model import Meaning, meaning_of, number_of

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_ten_tries_are_made_within_a_day():
    pauses = [next_try(tries, now=NOW, chance=0.0) for tries in range(1, 10)]
    assert [(at - NOW).total_seconds() for at in pauses if at] == [
        5, 60, 300, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800,
    ]  # fmt: skip
    assert next_try(10, now=NOW, chance=0.0) is None
    latest = sum((at - NOW for tries in range(1, 10) if (at := next_try(tries, now=NOW, chance=1.0))), timedelta())
    assert latest < GIVEN_UP_AFTER


def test_an_endpoint_is_left_alone_as_long_as_it_asks_but_not_for_ever():
    assert next_try(1, now=NOW, chance=0.0, asked=timedelta(minutes=3)) == NOW + timedelta(minutes=3)
    assert next_try(1, now=NOW, chance=0.0, asked=timedelta(days=3)) == NOW + timedelta(hours=1)
    assert next_try(9, now=NOW, chance=0.0, asked=SECOND) == NOW + timedelta(hours=8)


def test_what_happened_has_one_id_and_everything_else_another():
    about = uuid4()
    ids = {event_id_of(kind, one, detail) for kind in EventType for one in (about, uuid4()) for detail in ("", "sms")}
    assert len(ids) == len(EventType) * 4
    assert event_id_of(EventType.FAILED, about, "sms") == event_id_of(EventType.FAILED, about, "sms")
    found = event_id_of(EventType.FAILED, about)
    assert (found.version, found.bytes[:6]) == (8, about.bytes[:6])


def test_three_secrets_sign_at_most_and_none_beyond_its_hour():
    target = Target("https://app.example/", (KeptSecret(b"0", None),))
    for nth in range(1, 5):
        target = target.rotated(b"%d" % nth, now=NOW, overlap=timedelta(hours=1))
    assert target.signing(NOW) == [b"4", b"3", b"2"]
    assert target.signing(NOW + timedelta(hours=1)) == [b"4"]
    assert target.rotated(b"5", now=NOW, overlap=timedelta()).signing(NOW) == [b"5"]


def test_who_fails_is_asked_ever_more_seldom_and_who_takes_at_once_again():
    rest, now, pauses = Rest(), NOW, []
    for _ in range(FAILURES_MAX + 12):
        rest.note(is_taken=False, now=now)
        began = now
        while rest.is_resting(now):
            now += SECOND
        pauses.append(now - began)
    assert pauses[: FAILURES_MAX - 1] == [timedelta()] * (FAILURES_MAX - 1)
    assert pauses[FAILURES_MAX - 1] == REST
    assert pauses[-1] == REST_MAX
    rest.note(is_taken=True, now=now)
    assert not rest.is_probing


@given(st.text(max_size=300))
def test_whatever_somebody_writes_means_something_and_no_sentence_is_a_word(text: str):
    found = meaning_of(text)
    assert found is meaning_of(text.upper()) or found is Meaning.OTHER or text.upper().casefold() != text.casefold()
    assert meaning_of(f"{text} 我想问一下") is Meaning.OTHER


@pytest.mark.parametrize("text", ["", "。", "不", "不要退订", "T恤到了吗", "Yes please", "是吗", "1", "好"])
def test_words_that_mean_nothing_of_ours_are_left_to_be_read(text: str):
    assert meaning_of(text) is Meaning.OTHER


@pytest.mark.parametrize(("said", "found"), [("+12025550123", "+12025550123"), ("106912345", "106912345")])
def test_numbers_of_elsewhere_and_of_services_stay_as_they_are(said: str, found: str):
    assert number_of(said) == found
