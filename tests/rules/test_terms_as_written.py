"""Terms are read as they were written, and a list of tags names exactly the tags in it."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kernel.conditional import names
from wallet.model import EVERY_DAY, NO_TERMS, Terms
from wallet.onboarding.terms import WEEKDAYS, TermsBody, TermsView

clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
terms_bodies = st.builds(
    TermsBody,
    grants=st.none() | st.just({"11310000DEMA00013T001": ["name", "sex"]}),
    days=st.none() | st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7),
    opens=st.none() | clocks,
    closes=st.none() | clocks | st.just("24:00"),
    quota_per_day=st.none() | st.integers(1, 10_000),
    granted_until=st.none() | st.dates(),
)


def written(view: TermsView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in TermsView.__struct_fields__}


@given(terms_bodies)
def test_terms_are_shown_as_they_were_written(body: TermsBody) -> None:
    shown = written(TermsView.of(body.whole()))
    assert shown["opens"] == body.opens
    assert shown["closes"] == ("24:00" if body.closes == "00:00" else body.closes)
    assert set(shown["days"]) == set(WEEKDAYS if body.days is None else body.days)
    assert (shown["grants"], shown["quota_per_day"]) == (body.grants, body.quota_per_day)
    assert TermsBody(**shown).whole() == body.whole()


def test_terms_that_say_nothing_narrow_nothing() -> None:
    assert TermsBody().whole() == NO_TERMS
    assert TermsBody(days=list(WEEKDAYS)).whole() == NO_TERMS
    assert TermsBody(days=["sun", "sun"], granted_until=date(2030, 1, 1)).whole() == Terms(
        days=1 << 6, granted_until=date(2030, 1, 1)
    )
    assert EVERY_DAY.bit_count() == len(WEEKDAYS)


tags = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=20).map(
    '"{}"'.format
)


@given(st.lists(tags, max_size=5), tags, st.booleans())
def test_a_list_of_tags_names_those_in_it_and_no_others(listed: list[str], tag: str, is_weak: bool) -> None:
    text = ", ".join(("W/" if is_weak else "") + one for one in listed)
    assert names(text, tag) == (tag in listed)


@given(tags)
def test_a_star_names_every_tag_and_noise_none(tag: str) -> None:
    assert names(" * ", tag)
    assert not names("", tag)
    assert not names("W/" + tag[:-1], tag)
