"""A path passed on to a department is one it declared, whatever it looked like on its way."""

from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.departments.model import App, Apps, Found, Registered, State, Unmatched, query_of, segments_of
from kernel.ids import DepartmentId
from kernel.principal import Audience
from tests.builders_gateway import a_manifest

ABOVE = ("resident", "apps", "parks")
MANIFEST = a_manifest(
    "https://parks.example",
    ("GET", "/parks", ""),
    ("GET", "/parks/{park_id}", ""),
    ("GET", "/parks/latest", ""),
    ("PUT", "/parks/{park_id}", 'audience = ["mini"]'),
)
APP = App(Registered(DepartmentId(UUID(int=1)), MANIFEST, State.LIVE, 1))


def find(method: str, *segments: str, audience: Audience = Audience.RESIDENT) -> Found | Unmatched:
    return APP.find(method, segments, audience)


def test_a_literal_segment_wins_over_a_parameter() -> None:
    latest, other = find("GET", "parks", "latest"), find("GET", "parks", "a b")
    assert isinstance(latest, Found)
    assert latest.route.path == "/parks/latest"
    assert isinstance(other, Found)
    assert (other.route.path, other.path) == ("/parks/{park_id}", "/parks/a%20b")


def test_a_route_for_another_audience_is_not_there() -> None:
    assert find("PUT", "parks", "1") == Unmatched(("GET",))
    assert isinstance(find("PUT", "parks", "1", audience=Audience.MINI), Found)
    assert find("GET", "gardens") == Unmatched(())


def test_the_list_of_apps_has_a_tag_that_changes_with_it() -> None:
    first = Apps([APP.registered])
    assert first.etag == Apps([APP.registered]).etag
    second = Registered(APP.registered.department_id, MANIFEST, State.SUSPENDED, 1)
    assert first.etag != Apps([second]).etag


@given(st.binary(max_size=60))
@example(b"..")
@example(b"%2e%2E/x")
@example(b"a%2fb")
@example(b"a%5Cb")
@example(b"%252e")
@example(b"a?b")
@example(b"")
def test_what_is_passed_on_is_what_was_asked_and_never_another_path(tail: bytes) -> None:
    segments = segments_of(b"/resident/apps/parks/" + tail, above=ABOVE)
    if segments is None:
        return
    asked = tail.split(b"?")[0]
    assert [unquote_to_bytes(one).decode() for one in asked.split(b"/")] == segments
    for one in segments:
        assert one not in ("", ".", "..")
        assert not set(one) & set("/\\%\0\r\n")
        passed_on = quote(one, safe="~")
        assert unquote_to_bytes(passed_on).decode() == one
        assert passed_on not in (".", "..")


_ORDINARY = st.text(
    st.characters(exclude_characters="/\\%\x7f", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20
).filter(lambda one: one not in (".", ".."))


@given(st.lists(_ORDINARY, min_size=1, max_size=5))
def test_an_ordinary_path_comes_through(segments: list[str]) -> None:
    raw = "/resident/apps/parks/" + "/".join(quote(one, safe="") for one in segments)
    assert segments_of(raw.encode(), above=ABOVE) == segments


def test_only_below_its_own_path() -> None:
    elsewhere = (b"/resident/apps/ponds/x", b"/resident%2Fapps/parks/x", b"resident/apps/parks/x")
    for raw in (*elsewhere, b"//resident/apps/parks/x", b"/resident/apps/parks"):
        assert segments_of(raw, above=ABOVE) is None


@given(st.binary(max_size=100))
def test_a_query_is_plain_or_refused(raw: bytes) -> None:
    query = query_of(raw)
    assert query is None or (query.isascii() and query.isprintable() and not set(query) & set(' "#<>\\^`{|}'))
