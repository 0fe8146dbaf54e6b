"""What is wrong in a manifest is said with its line, its field and the remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.departments.serving import MANIFEST, PORT_VARIABLE
from gateway.departments import onboarding
from gateway.departments.manifest import REMEDIES, Manifest, ManifestRefused, Named, Route, Timeouts, read

GOOD = """\
slug = "parks"
department = "parks"
contact = "parks-app@suishenban.example"
home = "http://127.0.0.1:${SUISHENBAN_DEMO_DEPARTMENT_PORT}"   # where the server is
audience = ["resident", "mini"]
issues = ["park_annual_pass"]

[name]
zh = "公园与景区"
en = "Parks and scenic spots"

[about]
zh = "查公园"
en = "Find a park"

[timeouts]
connect_seconds = 1.0

[[routes]]
method = "GET"
path = "/parks"
zh = "公园名录"
en = "The parks of the city"

[[routes]]
method = "GET"
path = "/me/visits"
zh = "我的游览"
en = "Where I have been"

[[routes]]
method = "POST"
path = "/me/visits"
zh = "记一次游览"
en = "Note a visit"
timeout_seconds = 5.0

[[routes]]
method = "GET"
path = "/slow"
zh = "慢应答演示"
en = "Answers late"

[[routes]]
method = "GET"
path = "/fail"
zh = "故障演示"
en = "Fails"
"""
VARIABLES = {PORT_VARIABLE: "8702"}


def refusal_of(text: str, **variables: str) -> str:
    with pytest.raises(ManifestRefused) as refused:
        read(text, variables=variables or VARIABLES)
    return str(refused.value)


def line_with(text: str, piece: str) -> int:
    return next(at for at, line in enumerate(text.splitlines(), start=1) if piece in line)


def test_the_demo_departments_manifest_is_taken() -> None:
    manifest = onboarding.read_file(MANIFEST, variables=VARIABLES)
    assert manifest.home == "http://127.0.0.1:8702"
    assert (manifest.slug, manifest.department) == ("parks", "parks")


@pytest.mark.parametrize(
    ("was", "becomes", "field"),
    [
        ('slug = "parks"', 'slug = "Parks!"', "slug"),
        ('department = "parks"', 'department = "parks and gardens"', "department"),
        ('contact = "parks-app@suishenban.example"', 'contact = "nobody"', "contact"),
        ('audience = ["resident", "mini"]', 'audience = ["everybody"]', "audience[0]"),
        ("connect_seconds = 1.0", "connect_seconds = 60", "timeouts.connect_seconds"),
        ('path = "/slow"', 'path = "slow"', "routes[3].path"),
        ('path = "/slow"', 'path = "/a/../b"', "routes[3].path"),
        ('path = "/slow"', 'path = "/a/%2e"', "routes[3].path"),
        ('path = "/slow"', 'path = "/a b"', "routes[3].path"),
        ('path = "/slow"', 'path = "/suishenban/health"', "routes[3].path"),
        ("timeout_seconds = 5.0", "timeout_seconds = 0", "routes[2].timeout_seconds"),
        ('zh = "故障演示"', 'zh = ""', "routes[4].zh"),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_the_remedy(was: str, becomes: str, field: str) -> None:
    text = GOOD.replace(was, becomes)
    said = refusal_of(text)
    assert said.startswith(f"line {line_with(text, becomes)}, {field}: ")
    assert "expected" in said or "choose" in said or "remove" in said


@pytest.mark.parametrize(
    "home",
    [
        "http://parks.example",
        "ftp://127.0.0.1",
        "https://user:secret@parks.example",
        "https://parks.example/app",
        "https://parks.example?x=1",
        "https://",
        "https://parks.example:0",
        "https://parks.example:port",
        "//parks.example",
        "http://127.0.0.1.example",
        "http://[::1",
        "",
    ],
)
def test_a_home_we_do_not_call_is_refused(home: str) -> None:
    text = GOOD.replace("http://127.0.0.1:${SUISHENBAN_DEMO_DEPARTMENT_PORT}", home)
    assert "home" in refusal_of(text)


def test_a_route_that_stands_twice_is_named_with_both_its_lines() -> None:
    said = refusal_of(GOOD.replace('path = "/slow"', 'path = "/parks"'))
    here, there = line_with(GOOD, 'path = "/slow"'), line_with(GOOD, 'path = "/parks"')
    assert said.startswith(f"line {here}, routes[3].path: the same route stands at line {there}")


def test_a_variable_that_is_not_set_is_named() -> None:
    assert PORT_VARIABLE in refusal_of(GOOD, OTHER="1")


def test_unknown_and_missing_fields_are_named() -> None:
    assert "`colour`" in refusal_of('colour = "green"\n' + GOOD)
    assert refusal_of(GOOD.replace('slug = "parks"', "")).startswith(
        "slug: there is no required field `slug`; expected"
    )
    missing = GOOD.replace('method = "POST"\n', "")
    header = line_with(missing, "记一次游览") - 2
    assert refusal_of(missing).startswith(f"line {header}, routes[2].method")
    assert refusal_of(GOOD + "\nmethod_of_payment = 1\n").startswith("line ")


def test_what_is_no_toml_says_where() -> None:
    assert "line 3" in refusal_of("a = 1\nb = 2\nc = = 3\n")
    assert "larger" in refusal_of("#" * 200_000)


def test_a_route_is_for_no_wider_an_audience_than_its_app() -> None:
    text = GOOD.replace('audience = ["resident", "mini"]', 'audience = ["mini"]').replace(
        'path = "/slow"', 'path = "/slow"\naudience = ["resident"]'
    )
    assert "routes[3].audience" in refusal_of(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused, match=r"parks\.toml: cannot be read"):
        onboarding.read_file(tmp_path / "parks.toml", variables={})
    (tmp_path / "parks.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestRefused, match="cannot be read"):
        onboarding.read_file(tmp_path / "parks.toml", variables={})


def test_every_field_has_a_remedy() -> None:
    fields = {name for kind in (Manifest, Route, Named, Timeouts) for name in kind.__struct_fields__}
    assert fields == REMEDIES.keys()


@given(st.text(max_size=300), st.integers(0, len(GOOD)))
def test_any_other_text_is_taken_or_refused_with_words(noise: str, at: int) -> None:
    said = None
    try:
        read(GOOD[:at] + noise + GOOD[at:], variables=VARIABLES)
    except ManifestRefused as refused:
        said = str(refused)
    assert said != ""
