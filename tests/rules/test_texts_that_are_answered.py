"""Where a "Y" is understood people are told so, in the SMS alone; and what was owed before stays as it was promised."""

from typing import Any, cast

import pytest

from appointments.replying.confirming import Confirming
from notifications import templates
from notifications.replies.handlers import ReplyHandlers
from notifications.template import Template
from tests.builders_notifications import VALUES

handlers = ReplyHandlers()
Confirming(*cast("tuple[Any, Any, Any]", (None, None, None))).listen(handlers)
ANSWERED = [one for one in templates.ALL if one.id in handlers]
newest = {one.id: one for one in sorted(ANSWERED, key=lambda one: one.version)}


def values_of(template: Template) -> dict[str, str]:
    return {name: VALUES[name] for name in template.placeholders}


@pytest.mark.parametrize("template", newest.values(), ids=list(newest))
def test_the_sms_says_that_it_may_be_answered(template: Template) -> None:
    values = values_of(template)
    assert "回复Y" in template.sms(values, "zh")
    assert "Reply Y" in template.sms(values, "en")


@pytest.mark.parametrize("template", newest.values(), ids=list(newest))
def test_the_inbox_does_not_say_so(template: Template) -> None:
    for language in ("zh", "en"):
        assert "Y" not in template.render(values_of(template), language).body


@pytest.mark.parametrize("template", templates.ALL, ids=lambda one: f"{one.id}-{one.version}")
def test_no_other_text_asks_for_a_y(template: Template) -> None:
    asks = "回复Y" in template.sms(values_of(template), "zh")
    assert asks == (newest.get(template.id) is template)


def test_what_was_owed_before_is_said_as_it_was_promised() -> None:
    for template in newest.values():
        first = templates.find(template.id, 1)
        assert first is not None
        assert first.sms(values_of(first), "zh") == first.signature + first.render(values_of(first), "zh").body
