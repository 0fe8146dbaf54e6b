"""What a notice about a case says: what changed is what a person has to know, and nothing of it is lost."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from notifications.cases.model import CONTENTS, Changes, Needed, Supplement, Words, changes_between, faults_of
from notifications.cases.placeholders import CHANGES, packed
from notifications.cases.texts import ALL
from notifications.cases.wording import last_moment_of, text_of, values_of

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
papers = st.lists(st.sampled_from("甲乙丙丁戊己"), min_size=1, max_size=6, unique=True)


def a_list(
    names: list[str], *, why: str = "未提供", until: date = date(2026, 3, 20), place: str = "一号窗口"
) -> Supplement:
    items = tuple(Needed(Words(name), Words(why)) for name in names)
    return Supplement(matter=Words("居住证办理"), items=items, place=Words(place), until=until)


@given(before=papers, after=papers)
def test_the_old_list_and_what_changed_make_the_new_list(before: list[str], after: list[str]) -> None:
    changes = changes_between(a_list(before), a_list(after))
    added, dropped = ({one.zh for one in words} for words in (changes.added, changes.dropped))
    assert (set(before) - dropped) | added == set(after)
    assert not added & set(before)
    assert dropped <= set(before)
    assert (changes.reworded, changes.until, changes.place) == ((), None, None)


@given(names=papers)
def test_the_same_list_has_no_changes(names: list[str]) -> None:
    assert changes_between(a_list(names), a_list(names[::-1])) == Changes()


def test_another_reason_day_and_place_are_changes() -> None:
    before, after = a_list(["甲", "乙"]), a_list(["甲", "乙"], why="缺页", until=date(2026, 3, 21), place="二号窗口")
    changes = packed(changes_between(before, after))
    assert CHANGES.say(changes, "zh") == "要求有变：甲、乙；期限改为2026-03-21；地点有变"
    assert CHANGES.say(changes, "en") == "asked for another reason: 甲, 乙; by 2026-03-21; at another place: 二号窗口"


def test_what_was_forgotten_leaves_the_whole_list() -> None:
    assert CHANGES.say(packed(changes_between(None, a_list(["甲"]))), "zh") == "见清单"


def test_a_list_may_be_handed_in_to_the_end_of_its_last_day() -> None:
    end = last_moment_of(a_list(["甲"], until=date(2026, 3, 2)))
    assert end == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert faults_of(a_list(["甲"], until=date(2026, 3, 2)), datetime(2026, 3, 2, 15, 59, tzinfo=UTC)) == []
    assert faults_of(a_list(["甲"], until=date(2026, 3, 2)), datetime(2026, 3, 2, 16, tzinfo=UTC)) == [
        "`until` is over"
    ]


def test_a_link_in_any_words_is_a_fault() -> None:
    for name in ("WWW.example", "见https://a.example"):
        assert faults_of(a_list([name]), NOW) == ["links belong in `links`"]


def test_every_kind_has_its_text_and_every_text_its_kind() -> None:
    said = {text_of(kind, is_renewed=is_renewed).id for kind in CONTENTS for is_renewed in (False, True)}
    assert said == {text.id for text in ALL}


@given(names=papers, is_renewed=st.booleans())
def test_the_sms_names_every_paper_and_the_inbox_says_why(names: list[str], is_renewed: bool) -> None:
    content = a_list(names, why="因为")
    text = text_of(next(iter(CONTENTS)), is_renewed=is_renewed)
    values = values_of(content, "市公安局", None, is_renewed=is_renewed)
    text.check(values)
    sms, body = text.sms(values, "zh"), text.render(values, "zh").body
    assert all(f"{nth}.{name}" in sms and f"{nth}.{name}（因为）" in body for nth, name in enumerate(names, start=1))
    assert [line.text for line in text.lines(values, "zh")] == names


def test_nothing_of_it_shows_where_a_notice_is_printed() -> None:
    whole = a_list(["甲"])
    changes = changes_between(whole, a_list(["乙"], place="二号窗口"))
    for printed in (repr(whole), repr(whole.items), repr(changes), repr(CHANGES)):
        assert not any(word in printed for word in ("甲", "乙", "窗口", "居住证"))
