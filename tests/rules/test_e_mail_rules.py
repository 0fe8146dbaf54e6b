"""Which addresses we write to, what a relay's codes mean, and what the mini-program's platform takes in a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import templates
from notifications.channels.email.addresses import NotAnEmail, masked_email, read_email
from notifications.channels.email.answers import Step, refused
from notifications.channels.provider import ProviderText
from notifications.channels.subscribe.texts import SubscribeText, SubscribeTexts, TextsRefused
from tests.builders_notifications import VALUES


@pytest.mark.parametrize(
    "text", ["a@b.cn", " Wang.Wei+city@Example.COM ", "o'neil@mail.example.org", "x" * 64 + "@a.io"]
)
def test_an_ordinary_address_is_taken(text: str) -> None:
    local, _, domain = read_email(text).rpartition("@")
    assert local == text.strip().rpartition("@")[0]
    assert domain == domain.lower()
    assert read_email(read_email(text)) == read_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "a@", "@b.cn", "a@b", "a b@c.cn", "a@b..cn", ".a@b.cn", "a.@b.cn", "a@-b.cn", "a@b-.cn",
        "a@[127.0.0.1]",
        '"a b"@c.cn', "a@b.c", "a@1.2.3.4", "x" * 65 + "@b.cn", "a@" + "b" * 64 + ".cn", "王@b.cn",
        "a@b.cn\r\nBcc: c@d.cn",
        "a@b.cn,c@d.cn", "a@b@c.cn", "a@" + "b." * 130 + "cn", "a@b.cn\x00",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NotAnEmail):
        read_email(text)


@given(st.text(max_size=40))
def test_no_text_gets_a_line_or_a_space_into_an_address(text: str) -> None:
    try:
        address = read_email(f"{text}@example.org")
    except NotAnEmail:
        return
    assert address.isascii()
    assert not set(address) & set(' \t\r\n<>,;:"()[]\\')


def test_a_masked_address_shows_its_first_sign_and_its_domain() -> None:
    assert masked_email("wang@example.org") == "w***@example.org"


@pytest.mark.parametrize(
    ("step", "code", "words", "kind"),
    [
        (Step.RECIPIENT, 450, "4.2.0 greylisted", "later"),
        (Step.RECIPIENT, 451, "come back in five minutes", "later"),
        (Step.RECIPIENT, 451, "4.3.0 no room for the queue", "busy"),
        (Step.RECIPIENT, 421, "closing", "busy"),
        (Step.DATA, 452, "4.2.2 full", "later"),
        (Step.DATA, 451, "4.7.1 later", "busy"),
        (Step.RECIPIENT, 550, "5.1.1 <somebody@example.org> unknown", "recipient"),
        (Step.RECIPIENT, 550, "5.7.1 not you", "provider"),
        (Step.RECIPIENT, 550, "5.1.8 bad sender", "provider"),
        (Step.RECIPIENT, 551, "not local", "recipient"),
        (Step.RECIPIENT, 556, "no mail here", "recipient"),
        (Step.RECIPIENT, 503, "bad sequence", "provider"),
        (Step.DATA, 552, "5.2.2 full", "recipient"),
        (Step.DATA, 554, "no", "provider"),
        (Step.SENDER, 550, "5.1.1 who", "provider"),
        (Step.SIGN_IN, 535, "5.7.8 no", "provider"),
        (Step.SIGN_IN, 454, "4.7.0 later", "busy"),
        (Step.CONNECT, 554, "go away", "provider"),
        (Step.CONNECT, 421, "4.3.2 later", "busy"),
    ],
)
def test_a_relays_code_says_whose_no_it_is(step: Step, code: int, words: str, kind: str) -> None:
    said = refused(step, code, words)
    assert said.kind == kind
    assert "example" not in said.reason


def a_text(**changes: object) -> SubscribeText:
    gaps = {"thing1": "service", "thing2": "office", "time3": "when", "phrase4": "office"}
    wanted: dict[str, object] = {"texts": {"booking_confirmed": gaps}, **changes}
    return SubscribeText(provider_template="T1", title_zh="预约", title_en="Booking", **wanted)  # type: ignore[arg-type]


def test_a_text_is_cut_to_what_the_platform_takes_in_each_gap() -> None:
    values = {name: VALUES[name] for name in templates.BOOKING_CONFIRMED.placeholders}
    values["service"] = "很长的服务名称" * 4
    worded = SubscribeTexts([a_text()]).worded(templates.BOOKING_CONFIRMED, values, "zh")
    assert worded == ProviderText(
        "T1",
        "",
        {
            "thing1": ("很长的服务名称" * 4)[:19] + "…",
            "thing2": "浦东新区出入境接待大厅",
            "time3": "2026年3月5日 09:30",
            "phrase4": "浦东新区…",
        },
    )
    assert SubscribeTexts().worded(templates.BOOKING_CONFIRMED, values, "zh") is None


def test_texts_that_contradict_themselves_are_refused() -> None:
    for texts in (
        [a_text(), a_text()],
        [a_text(), SubscribeText("T2", "x", "x", {"booking_confirmed": {"thing1": "service"}})],
        [a_text(texts={"booking_confirmed": {"anything1": "service"}})],
    ):
        with pytest.raises(TextsRefused):
            SubscribeTexts(texts)
