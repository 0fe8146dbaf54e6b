"""Every text of the city: complete in both languages, never longer than carriers take, checked when it is owed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import templates
from notifications.model import SEGMENTS_MAX
from notifications.segmenting import segments
from notifications.template import Template
from tests.builders_notifications import VALUES

every_template = pytest.mark.parametrize(
    "template", templates.ALL, ids=lambda template: f"{template.id}-{template.version}"
)


def values_of(template: Template) -> dict[str, str]:
    return {name: VALUES[name] for name in template.placeholders}


@every_template
def test_every_text_says_all_it_was_given_in_both_languages(template: Template) -> None:
    values = values_of(template)
    template.check(values)
    for language in ("zh", "en"):
        shown = template.render(values, language)
        assert shown.title
        assert "{" not in shown.title + shown.body


@every_template
def test_a_missing_or_an_unknown_value_is_our_fault_and_found_at_once(template: Template) -> None:
    values = values_of(template)
    without_one = [dict(list(values.items())[1:])] if values else []
    for wrong in ({**values, "surprise": "1"}, *without_one):
        with pytest.raises(ValueError, match=template.id):
            template.check(wrong)


@every_template
@given(noise=st.text(max_size=500))
def test_whatever_is_accepted_can_be_rendered_and_is_not_too_long(template: Template, noise: str) -> None:
    for name in template.placeholders:
        values = {**values_of(template), name: noise}
        if all(kind.accepts(values[gap]) for gap, kind in template.placeholders.items()):
            template.check(values)
            for language in ("zh", "en"):
                assert segments(template.sms(values, language)) <= SEGMENTS_MAX
        else:
            with pytest.raises(ValueError, match=name) as refused:
                template.check(values)
            assert str(refused.value) == f"{template.id}: not of their form: {name}"  # values are not told


def test_a_moment_is_said_on_the_city_s_clock() -> None:
    values = values_of(templates.BOOKING_REMINDER) | {"when": "2026-03-05T01:30:00+00:00"}
    assert "3月5日（周四）09:30" in templates.BOOKING_REMINDER.render(values, "zh").body
    assert "Thu 5 Mar, 09:30" in templates.BOOKING_REMINDER.render(values, "en").body


@pytest.mark.parametrize("value", ["2026-03-05T01:30:00", "tomorrow", "", "2026-03-05"])
def test_a_moment_without_its_offset_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="when"):
        templates.BOOKING_REMINDER.check(values_of(templates.BOOKING_REMINDER) | {"when": value})


def test_a_value_that_looks_like_a_placeholder_stays_what_it_is() -> None:
    values = values_of(templates.DEPARTMENT_NOTICE) | {"title": "{body}", "body": "{department}"}
    assert templates.DEPARTMENT_NOTICE.render(values, "en").body == "市人社局: {body}. {department}"


@pytest.mark.parametrize("value", ["a\x00b", "a\x1bb", "\ud800", "", "字" * 81])
def test_what_no_phone_can_show_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        templates.CERTIFICATE_ISSUED.check({"kind": value})


def test_every_version_of_a_text_is_found_again() -> None:
    assert [templates.find(template.id, template.version) for template in templates.ALL] == list(templates.ALL)
    assert templates.find("sign_in_code", 999) is None


def test_a_code_needs_one_sms_in_either_language() -> None:
    values = {"code": "20481632", "minutes": "10"}
    assert [segments(templates.SIGN_IN_CODE.sms(values, language)) for language in ("zh", "en")] == [1, 1]


@pytest.mark.parametrize("template", [templates.MANDATE_GIVEN, templates.MANDATE_RECEIVED], ids=["given", "received"])
def test_a_mandate_s_text_says_whether_it_covers_bookings_too(template: Template) -> None:
    shows, books = (values_of(template) | {"covers": covers} for covers in ("show", "show_and_book"))
    for language, certificates, bookings in (("zh", "出示证照", "预约"), ("en", "show certificates", "bookings")):
        assert certificates in template.render(shows, language).body
        assert bookings not in template.render(shows, language).body
        assert certificates in template.render(books, language).body
        assert bookings in template.render(books, language).body
    first = templates.find(template.id, 1)
    assert first is not None
    assert "证照" in first.render(values_of(first), "zh").body  # what is still owed in it is said as it was promised
