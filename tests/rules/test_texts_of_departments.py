"""What a department's text may say, what may stand in its gaps, and what it looks like filled in."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import SEGMENTS_MAX, Lane
from notifications.segmenting import Alphabet, segments
from notifications.template import ProviderIds
from notifications.texts.model import TextSort, faults, plain_name
from notifications.texts.of_the_city import with_provider_ids
from notifications.texts.placeholders import Kind, expected, longest, placeholder_of
from notifications.texts.previewing import preview
from tests.builders_texts import MAIL, READY, READY_VALUES, a_text, a_version, content

URL = {"kind": "url", "hosts": ["www.example.org", "example.net"]}
KINDS: list[dict[str, Any]] = [
    {"kind": "text", "most": 20},
    {"kind": "name"},
    {"kind": "digits"},
    {"kind": "digits", "fewest": 1, "most": 12},
    {"kind": "count"},
    {"kind": "day"},
    {"kind": "moment"},
    URL,
    READY["placeholders"]["document"],
]

NO_MOMENTS = ["9999-12-31T23:00:00Z", "0001-01-01T00:00:00+14:00"]
"""Which the city's clock has no name for."""


def a_kind(written: dict[str, Any]) -> Kind:
    return msgspec.convert(written, Kind)


@pytest.mark.parametrize(
    ("written", "good", "bad"),
    [
        (
            {"kind": "text", "most": 5},
            ["a", "五个字符串", "两\n行", ""],
            ["六个字符串吗", "【银行】", "a://b", "www.a", "\x00", "\u202ea"],
        ),
        ({"kind": "name"}, ["闻人静", "a" * 80], ["", "a" * 81, "两\n行", "】", "http://a"]),
        ({"kind": "digits"}, ["1234", "12345678"], ["123", "123456789", "12a4", "１２３４", "1234\n"]),
        ({"kind": "digits", "fewest": 1, "most": 2}, ["1", "99"], ["", "100"]),
        ({"kind": "count"}, ["0", "9999"], ["", "-1", "10000"]),
        (
            {"kind": "day"},
            ["2024-02-29", "1900-01-01", "2200-12-31"],
            ["2023-02-29", "20240229", "2024-2-9", "", "2024-W09-4", "9999-12-31", "1899-12-31"],
        ),
        ({"kind": "moment"}, ["2026-03-05T09:30:00+08:00"], ["2026-03-05T09:30:00", "soon", *NO_MOMENTS]),
        (READY["placeholders"]["document"], ["passport"], ["护照", ""]),
    ],
)
def test_a_gap_takes_what_is_of_its_kind_and_nothing_else(
    written: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    placeholder = placeholder_of(a_kind(written))
    assert [value for value in good if not placeholder.accepts(value)] == []
    assert [value for value in bad if placeholder.accepts(value)] == []


@pytest.mark.parametrize(
    "value",
    ["https://www.example.org", "https://example.net/a?b=c#d", "https://www.example.org/%E4%B8%AD/@me"],
)
def test_a_link_to_a_named_host_may_be_sent(value: str) -> None:
    assert placeholder_of(a_kind(URL)).accepts(value)


@pytest.mark.parametrize(
    "value",
    [
        "http://www.example.org/",
        "https://example.org/",
        "https://evil.www.example.org/",
        "https://www.example.org.evil.net/",
        "https://www.example.org@evil.net/",
        "https://www.example.org:443/",
        "https://www.example.org\\@evil.net/",
        "https://www.example.org\n.evil.net",
        "https://WWW.EXAMPLE.ORG/",
        "https:/www.example.org",
        "https://www.example.org/中",
        "https://www.example.org/ a",
        "https://www.example.org/" + "a" * 500,
        "//www.example.org/",
        "https://",
        "https://www.example.org.",
    ],
)
def test_no_link_leads_anywhere_else(value: str) -> None:
    assert not placeholder_of(a_kind(URL)).accepts(value)


@pytest.mark.parametrize("written", KINDS, ids=lambda written: written["kind"])
def test_the_longest_value_of_a_kind_is_one_of_it(written: dict[str, Any]) -> None:
    kind = a_kind(written)
    value = longest(kind)
    assert expected(kind)
    assert (value is None) == (written["kind"] == "url")
    assert value is None or placeholder_of(kind).accepts(value)


@given(st.text(max_size=8))
def test_no_value_passes_for_a_signature_or_brings_a_link(value: str) -> None:
    for written in KINDS:
        placeholder = placeholder_of(a_kind(written))
        for spoilt in (f"{value}【a】", f"【{value}", f"{value}】", f"{value}http://a.cn"):
            assert not placeholder.accepts(spoilt)


def test_sound_texts_have_no_faults() -> None:
    assert faults(TextSort.SMS, content()) == []
    assert faults(TextSort.EMAIL, content(MAIL)) == []
    assert faults(TextSort.NOTICE, content(zh={"subject": "好了", **READY["zh"]}, en=None)) == []


@pytest.mark.parametrize(
    ("sort", "written", "fault"),
    [
        (TextSort.SMS, READY | {"zh": {"body": "((谁))"}}, "zh: ((谁)) is not listed"),
        (TextSort.SMS, READY | {"en": {"body": "((who))"}}, "en: ((who)) is not listed"),
        (TextSort.SMS, READY | {"zh": {"body": "无"}}, "((hall)) is listed and not used"),
        (TextSort.SMS, READY | {"zh": {"body": READY["zh"]["body"] + "((a"}}, "no gap's"),
        (TextSort.SMS, READY | {"zh": {"body": READY["zh"]["body"] + "((a??b))"}}, "((a??b)) is not listed"),
        (TextSort.SMS, READY | {"zh": {"body": READY["zh"]["body"] + "【银行】"}}, "for the signature alone"),
        (TextSort.SMS, READY | {"zh": {"body": READY["zh"]["body"] + "字" * 640}}, "longer than 670"),
        (TextSort.SMS, READY | {"zh": {"subject": "题", **READY["zh"]}}, "an SMS has no subject"),
        (TextSort.NOTICE, READY, "a subject is needed"),
        (TextSort.EMAIL, MAIL | {"zh": {"body": "((月))((link))"}}, "a subject is needed"),
        (TextSort.EMAIL, MAIL | {"signature": "市人社局"}, "no SMS signature"),
        (
            TextSort.SMS,
            READY | {"placeholders": READY["placeholders"] | {"Hall": {"kind": "name"}}},
            "spelt the same",
        ),
        (
            TextSort.SMS,
            READY | {"placeholders": READY["placeholders"] | {"hall": {"kind": "digits", "fewest": 9, "most": 8}}},
            "fewest is more than most",
        ),
    ],
)
def test_an_unsound_text_is_told_what_is_wrong(sort: TextSort, written: dict[str, Any], fault: str) -> None:
    assert any(fault in said for said in faults(sort, content(written))), faults(sort, content(written))


def test_words_that_alone_are_more_than_ten_sms_are_unsound() -> None:
    said = content(zh={"body": "字" * 670}, en=None, placeholders={})
    assert faults(TextSort.SMS, said) == ["zh: its words alone are more than 10 SMS"]


def test_a_text_is_said_in_the_language_of_who_reads_it() -> None:
    text = a_text()
    text.check(READY_VALUES)
    assert text.sms(READY_VALUES, "zh") == "【市人社局】闻人静，您的护照已办好，请于2026年3月5日前到三号厅领取。"
    assert text.sms(READY_VALUES, "en") == (
        "【市人社局】闻人静, your passport is ready. Collect it at 三号厅 by 5 Mar 2026."
    )
    assert (text.lane, text.channels, text.optional_sms) == (Lane.RESULT, ("sms",), None)


def test_a_text_in_chinese_alone_is_told_in_chinese_values_and_all() -> None:
    text = a_text(content(en=None, signature=None))
    assert text.sms(READY_VALUES, "en") == text.sms(READY_VALUES, "zh")
    assert text.sms(READY_VALUES, "en").startswith("【随申办】")


def test_a_subject_stays_on_one_line_whatever_stands_in_it() -> None:
    written = {
        "name": "a",
        "lane": "bulk",
        "zh": {"subject": "关于((a))", "body": "((a))"},
        "placeholders": {"a": {"kind": "text", "most": 50}},
    }
    shown = a_text(content(written), sort=TextSort.EMAIL).render({"a": "一\nBcc: b"}, "zh")
    assert (shown.title, shown.body) == ("关于一 Bcc: b", "一\nBcc: b")


def test_names_of_values_count_without_case_spaces_and_dashes() -> None:
    text = a_text(content(zh={"body": "((First name))"}, en=None, placeholders={"First name": {"kind": "name"}}))
    for spelt in ("First name", "first_name", "FIRSTNAME", "first-Name"):
        fitted = text.fit({spelt: "静"})
        assert (fitted.values, fitted.is_good) == ({"First name": "静"}, True)
    assert plain_name("First_name -") == "firstname"


def test_values_that_do_not_fit_are_named_and_not_repeated() -> None:
    fitted = a_text().fit({"hall": "字" * 31, "until": "2026-03-05", "colour": "red"})
    assert fitted.missing == ["申请人", "document"]
    assert fitted.unknown == ["colour"]
    assert list(fitted.wrong) == ["hall"]
    assert not fitted.is_good
    assert "字" not in f"{fitted.wrong}{fitted!r}"


def test_a_preview_shows_each_language_with_what_it_costs_and_why() -> None:
    shown = preview(a_version(content(signature=None)), READY_VALUES).shown
    assert [(one.channel, one.language, one.cost.segments if one.cost else 0) for one in shown] == [
        ("sms", "zh", 1),
        ("sms", "en", 1),
    ]
    assert shown[1].cost is not None
    assert shown[1].cost.alphabet is Alphabet.UCS2
    assert "".join(shown[1].cost.forcing_ucs2) == "【随申办】闻人静三号厅"
    assert shown[1].cost.units == len(shown[1].text)
    assert shown[1].cost.segments_most == 3


def test_a_preview_leaves_open_what_is_missing_or_wrong() -> None:
    found = preview(a_version(), {"until": "never", "申请人": "静"})
    assert "静，您的((document))已办好，请于((until))前到((hall))领取" in found.shown[0].text
    assert (found.missing, found.unknown, list(found.wrong)) == (["document", "hall"], [], ["until"])


def test_a_preview_of_a_notice_shows_the_inbox_and_the_sms() -> None:
    said = content(zh={"subject": "好了", **READY["zh"]}, en=None)
    shown = preview(a_version(said, sort=TextSort.NOTICE), READY_VALUES).shown
    assert [(one.channel, one.subject, one.cost is None) for one in shown] == [
        ("inbox", "好了", True),
        ("sms", None, False),
    ]


def test_a_preview_says_when_a_text_is_too_long_and_so_does_the_text() -> None:
    said = content(zh={"body": "字" * 600 + "((a))"}, en=None, placeholders={"a": {"kind": "text", "most": 200}})
    long, short = {"a": "字" * 200}, {"a": "字"}
    assert [preview(a_version(said), values).shown[0].cost.is_too_long for values in (long, short)] == [True, False]  # type: ignore[union-attr]
    assert [a_text(said).is_too_long(values) for values in (long, short)] == [True, False]
    assert segments(a_text(said).sms(long, "zh")) <= SEGMENTS_MAX


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_provider_gets_its_own_id_and_the_values_as_they_are_said(language: Any) -> None:
    known = ProviderIds("SMS_1", "SMS_2", "", {"2": "until", "1": "document"})
    text = a_text(provider_ids={"cloud": known})
    found = text.for_provider("cloud", READY_VALUES, language)
    assert found is not None
    assert (found.provider_template, found.signature) == ("SMS_1" if language == "zh" else "SMS_2", "市人社局")
    assert list(found.parameters.items()) == (
        [("2", "2026年3月5日"), ("1", "护照")] if language == "zh" else [("2", "5 Mar 2026"), ("1", "passport")]
    )
    assert text.for_provider("another", READY_VALUES, language) is None


def test_a_provider_that_knows_the_chinese_words_alone_is_given_them_for_everybody() -> None:
    found = a_text(provider_ids={"cloud": ProviderIds("SMS_1", signature="人社")}).for_provider(
        "cloud", READY_VALUES, "en"
    )
    assert found is not None
    assert (found.provider_template, found.signature) == ("SMS_1", "人社")
    assert found.parameters == {"申请人": "闻人静", "document": "护照", "until": "2026年3月5日", "hall": "三号厅"}


def test_the_citys_own_texts_are_named_to_providers_by_its_settings() -> None:
    known = ProviderIds("SMS_9", parameters={"code": "code", "min": "minutes"})
    [text] = with_provider_ids({("sign_in_code", 1): {"cloud": known}}).values()
    found = text.for_provider("cloud", {"code": "204816", "minutes": "5"}, "zh")
    assert found is not None
    assert (found.signature, found.parameters) == ("随申办", {"code": "204816", "min": "5"})
    for key, wrong in (
        (("sign_in_code", 99), known),
        (("sign_in_code", 1), ProviderIds("SMS_9", parameters={"a": "b"})),
    ):
        with pytest.raises(ValueError, match=key[0]):
            with_provider_ids({key: {"cloud": wrong}})
