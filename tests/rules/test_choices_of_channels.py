"""What a person chose decides where a notice goes, and nothing else does."""

import pytest

from notifications import templates
from notifications.contacts import OUTSIDE, SORTS, Choices, with_sms
from notifications.model import Lane
from notifications.reaching.choosing import Wish

ALL_WAYS = Choices(results=("subscribe", "sms", "email"), reminders=(), notices=("email",), shown=("subscribe",))


def test_a_notice_goes_where_it_was_chosen_to_in_that_order_and_to_the_inbox() -> None:
    template = templates.BOOKING_CONFIRMED
    assert ALL_WAYS.channels(template, template.lane) == ("inbox", "subscribe", "sms", "email")
    template = templates.BOOKING_REMINDER
    assert ALL_WAYS.channels(template, template.lane) == ("inbox",)
    template = templates.DEPARTMENT_NOTICE
    assert ALL_WAYS.channels(template, template.lane) == ("inbox", "email")


def test_codes_and_changes_of_what_is_yours_go_where_their_text_says() -> None:
    nothing = Choices(results=(), reminders=(), notices=(), shown=())
    assert nothing.channels(templates.SIGN_IN_CODE, Lane.OTP) == ("sms",)
    assert nothing.channels(templates.BOOKING_CANCELLED, Lane.CHANGE) == ("inbox", "sms")
    assert ALL_WAYS.channels(templates.NEW_SIGN_IN, Lane.CHANGE) == ("inbox",)
    assert nothing.channels(templates.DEPARTMENT_NOTICE, Lane.CHANGE) == ("inbox", "sms")


def test_who_chose_nothing_is_told_by_sms_as_ever() -> None:
    for template in templates.ALL:
        chosen = Choices().channels(template, template.lane)
        if template.optional_sms == "shown":
            assert chosen == (), template.id  # off until somebody wants it
        elif "sms" in template.channels:
            assert chosen == template.channels, template.id


def test_a_text_without_sms_never_goes_by_sms() -> None:
    everything = Choices(results=OUTSIDE, reminders=OUTSIDE, notices=OUTSIDE, shown=OUTSIDE)
    for template in templates.ALL:
        if "sms" not in template.channels:
            assert "sms" not in everything.channels(template, template.lane), template.id


def test_the_plain_switch_leaves_the_order_alone() -> None:
    assert with_sms(("subscribe", "sms", "email"), is_wanted=True) == ("subscribe", "sms", "email")
    assert with_sms(("subscribe",), is_wanted=True) == ("subscribe", "sms")
    assert with_sms(("subscribe", "sms"), is_wanted=False) == ("subscribe",)


def test_what_a_wish_does_not_name_stays() -> None:
    assert Wish().applied(ALL_WAYS) == ALL_WAYS
    wish = Wish(language="en", sms={"reminders": True}, by={"notices": ["sms", "sms", "email"]}, has_quiet_hours=False)
    after = wish.applied(ALL_WAYS)
    assert (after.language, after.reminders, after.notices) == ("en", ("sms",), ("sms", "email"))
    assert (after.results, after.shown, after.has_quiet_hours) == (ALL_WAYS.results, ALL_WAYS.shown, False)


@pytest.mark.parametrize("template", templates.ALL)
def test_every_optional_text_is_of_a_sort_that_can_be_chosen(template: templates.Template) -> None:
    assert template.optional_sms is None or template.optional_sms in SORTS
