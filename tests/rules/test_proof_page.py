"""The pages behind a printed proof: one heading, labelled inputs, no script, and nothing from elsewhere unescaped."""

import re
from base64 import b64encode
from datetime import UTC, date, datetime
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.model import Words
from wallet.proof_page import (
    CONTENT_SECURITY_POLICY,
    LAST_INPUT,
    NAME_INPUT,
    Finding,
    MaskedField,
    RegisteredProof,
    answer_page,
    ask_page,
)

NOW = datetime(2025, 3, 1, 18, 30, 12, tzinfo=UTC)
VOID = {"meta", "input"}
MATCHING = [finding for finding in Finding if finding.is_match]


def a_proof(text: str = "林••") -> RegisteredProof:
    words = Words(text, text)
    return RegisteredProof(
        title=words, organ=words, issued_at=NOW, valid_until=date(2025, 5, 31), fields=(MaskedField(words, text),)
    )


def an_answer(finding: Finding, text: str = "林••") -> str:
    return answer_page(finding, checked_at=NOW, proof=a_proof(text) if finding.is_match else None)


class Reader(HTMLParser):
    """The tags and the text of a page; every tag is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PAGES = [ask_page(), ask_page(is_incomplete=True), *map(an_answer, Finding)]


@pytest.mark.parametrize("page", PAGES)
def test_each_page_is_one_document_without_scripts_or_other_files(page: str) -> None:
    read = Reader(page)
    tags = [tag for tag, _ in read.tags]
    assert tags.count("h1") == 1
    assert {"script", "img", "link", "iframe", "object"} & set(tags) == set()
    attributes = {name for _, attributes in read.tags for name in attributes}
    assert {name for name in attributes if name.startswith("on") or name in ("src", "style", "action")} == set()
    assert read.tags[0] == ("html", {"lang": "zh-CN"})
    assert "http" not in page


@pytest.mark.parametrize("page", PAGES)
def test_the_one_style_is_the_one_the_policy_allows(page: str) -> None:
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("page", [ask_page(), ask_page(is_incomplete=True)])
def test_every_input_has_a_label_in_both_languages(page: str) -> None:
    read = Reader(page)
    inputs = {attributes["id"] for tag, attributes in read.tags if tag == "input"}
    assert inputs == {attributes["for"] for tag, attributes in read.tags if tag == "label"} == {NAME_INPUT, LAST_INPUT}
    for label in re.findall("<label.*?</label>", page):
        assert re.search("[一-鿿]", label)
        assert '<span lang="en">' in label


def test_what_was_left_out_is_said_to_whoever_cannot_see_it() -> None:
    page = ask_page(is_incomplete=True)
    assert 'role="alert" id="problem"' in page
    assert page.count('aria-describedby="problem"') == 2
    assert "problem" not in re.sub("<style>.*?</style>", "", ask_page(), flags=re.DOTALL)


def test_the_form_goes_back_to_where_it_came_from() -> None:
    (form,) = [attributes for tag, attributes in Reader(ask_page()).tags if tag == "form"]
    assert form == {"method": "post", "autocomplete": "off"}


def test_only_a_valid_proof_looks_like_a_yes() -> None:
    assert [finding for finding in Finding if '<section class="said good"' in an_answer(finding)] == [Finding.VALID]


def test_each_finding_is_said_in_words_of_its_own() -> None:
    headings = [re.findall("<h1>.*?</h1>", an_answer(finding)) for finding in Finding]
    assert len({heading for (heading,) in headings}) == len(Finding)


@pytest.mark.parametrize("finding", [finding for finding in Finding if not finding.is_match])
def test_without_a_match_nothing_of_the_proof_is_told(finding: Finding) -> None:
    assert "<dl>" not in an_answer(finding)
    with pytest.raises(AssertionError):
        answer_page(finding, checked_at=NOW, proof=a_proof())


@given(st.sampled_from(MATCHING), st.text(max_size=40))
def test_what_comes_from_elsewhere_is_text_and_nothing_else(finding: Finding, text: str) -> None:
    read, plain = Reader(an_answer(finding, f'<b a="{text}">&amp;{text}')), Reader(an_answer(finding))
    assert read.tags == plain.tags
    assert f'<b a="{text}">&amp;{text}' in read.text


def test_the_hours_are_those_of_the_city() -> None:
    text = Reader(an_answer(Finding.VALID)).text
    assert "2025-03-02 02:30:12" in text
    assert "2025-05-31" in text


def test_after_too_many_tries_it_says_when_to_come_back() -> None:
    page = answer_page(Finding.TOO_MANY_TRIES, checked_at=NOW, retry_minutes=15)
    assert "请在 15 分钟后重试" in page
    assert "Try again in 15 minutes." in page
