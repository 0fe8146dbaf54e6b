"""The one file by which a department joins: who it is, where its server is, which routes residents may call.

Read from TOML; what is wrong is said with its line, its field and the remedy.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from kernel.plain_text import ONE_LINE

MANIFEST_BYTES_MAX = 128 * 1024
ROUTES_MAX = 200
SEGMENTS_MAX = 12
BODY_BYTES_MAX = 1024 * 1024
"""The largest body a route may take: what the entrance takes at all."""
ANSWER_BYTES_MAX = 32 * 1024 * 1024
TIMEOUT_SECONDS_MAX = 15.0
RESERVED = "suishenban"
"""The first segment of paths that are the entrance's own on a department's server, such as its health."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
KindCode = Annotated[str, Meta(pattern=r"^[0-9A-Z]{18}[0-9]{3}$(?!\n)")]
DepartmentSlug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Words = Annotated[str, Meta(min_length=1, max_length=120, pattern=ONE_LINE)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
AppAudience = Literal["resident", "mini"]
Seconds = Annotated[float, Meta(ge=0.1, le=TIMEOUT_SECONDS_MAX)]

_LITERAL = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,79}")
_PARAMETER = re.compile(r"\{[a-z][a-z0-9_]{0,39}\}")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class ManifestRefused(Exception):
    """The manifest cannot be taken; the text says where, what is wrong, and what would be right."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages of the city."""

    zh: Words
    en: Words


class Timeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    connect_seconds: Seconds = 1.0
    request_seconds: Seconds = 3.0


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One route of the department's server. `path` may hold `{parameters}`, one segment each."""

    method: Method
    path: Annotated[str, Meta(max_length=200)]
    zh: Words
    en: Words
    timeout_seconds: Seconds | None = None
    audience: Annotated[list[AppAudience], Meta(min_length=1, max_length=2)] | None = None
    needs: Literal["real_name", "phone"] = "real_name"
    body_bytes_max: Annotated[int, Meta(ge=0, le=BODY_BYTES_MAX)] = 64 * 1024
    answer_bytes_max: Annotated[int, Meta(ge=1024, le=ANSWER_BYTES_MAX)] = 4 * 1024 * 1024

    def segments(self) -> list[str]:
        return self.path.split("/")[1:]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a department says of its app."""

    slug: Slug
    department: DepartmentSlug
    contact: Annotated[str, Meta(max_length=120, pattern=r"^[^@\s]+@[^@\s]+$")]
    home: Annotated[str, Meta(max_length=300)]
    audience: Annotated[list[AppAudience], Meta(min_length=1, max_length=2)]
    issues: Annotated[list[DepartmentSlug], Meta(max_length=100)] = []
    registers: Annotated[list[KindCode], Meta(max_length=100)] = []
    """Kinds whose register can be asked for what it has about one person (openapi/department-app.yaml, `lookUp`)."""
    concurrency_max: Annotated[int, Meta(ge=1, le=256)] = 32
    name: Named
    about: Named
    timeouts: Timeouts = Timeouts()
    routes: Annotated[list[Route], Meta(min_length=1, max_length=ROUTES_MAX)]


REMEDIES = {
    "slug": "2 to 40 lower-case letters, digits and hyphens, a letter first: it is the `aud` of your tokens",
    "department": "the slug of your department in the city, such as `parks` or `human_resources`",
    "contact": "an e-mail address that somebody reads",
    "home": "the origin of your server, such as `https://app.parks.example`: https, or http on a loopback address",
    "audience": 'a list of `"resident"`, `"mini"` or both',
    "issues": "a list of the slugs of the kinds of certificate you issue",
    "registers": "a list of the codes of kinds, 21 digits and capitals each, that residents collect from your register",
    "concurrency_max": "how many of our requests your server takes at once, 1 to 256",
    "name": "a table with `zh` and `en`, 1 to 120 characters each",
    "about": "a table with `zh` and `en`, 1 to 120 characters each",
    "zh": "1 to 120 characters",
    "en": "1 to 120 characters",
    "timeouts": "a table with `connect_seconds` and `request_seconds`, 0.1 to 15",
    "connect_seconds": "0.1 to 15",
    "request_seconds": "0.1 to 15",
    "timeout_seconds": "0.1 to 15",
    "routes": f"1 to {ROUTES_MAX} tables [[routes]], each with `method`, `path`, `zh` and `en`",
    "method": "GET, POST, PUT, PATCH or DELETE",
    "path": f"`/` and up to {SEGMENTS_MAX} segments of letters, digits, `.`, `_`, `~`, `-`, or `{{a_name}}`",
    "needs": "`real_name` or `phone`",
    "body_bytes_max": f"0 to {BODY_BYTES_MAX}",
    "answer_bytes_max": f"1024 to {ANSWER_BYTES_MAX}",
}


def read(text: str, *, variables: Mapping[str, str]) -> Manifest:
    """A manifest from TOML. `${NAME}` in `home` is filled in from `variables`. Raises ManifestRefused."""
    if len(text.encode()) > MANIFEST_BYTES_MAX:
        raise ManifestRefused(f"the manifest is larger than {MANIFEST_BYTES_MAX} bytes")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ManifestRefused(f"this is not TOML: {problem}") from None
    if isinstance(raw.get("home"), str):
        raw["home"] = _filled_in(raw["home"], variables, text)
    try:
        manifest = msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as problem:
        raise _refused(text, str(problem)) from None
    _check_home(manifest, text)
    _check_routes(manifest, text)
    return manifest


def _filled_in(home: str, variables: Mapping[str, str], text: str) -> str:
    for name in _VARIABLE.findall(home):
        if name not in variables:
            raise ManifestRefused(f"{_where(text, ['home'])}: {name} is not set; set it, or write the address itself")
    return _VARIABLE.sub(lambda found: variables[found[1]], home)


def _check_home(manifest: Manifest, text: str) -> None:
    if not _is_home(manifest.home):
        raise ManifestRefused(f"{_where(text, ['home'])}: not an address we call; expected {REMEDIES['home']}")


def _is_home(home: str) -> bool:
    try:
        parts = urlsplit(home)
        is_origin = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    is_guarded = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_origin and is_guarded and not (parts.path.strip("/") or parts.query or parts.fragment)


def _check_routes(manifest: Manifest, text: str) -> None:
    taken: dict[tuple[str, ...], int] = {}
    for number, route in enumerate(manifest.routes):
        place = ["routes", str(number), "path"]
        segments = route.segments()
        is_path = route.path.startswith("/") and 1 <= len(segments) <= SEGMENTS_MAX
        if not is_path or not all(_LITERAL.fullmatch(one) or _PARAMETER.fullmatch(one) for one in segments):
            raise ManifestRefused(f"{_where(text, place)}: not a path we call; expected {REMEDIES['path']}")
        if segments[0] == RESERVED:
            raise ManifestRefused(f"{_where(text, place)}: /{RESERVED} is the entrance's own; choose another path")
        shape = (route.method, *("{}" if _PARAMETER.fullmatch(one) else one for one in segments))
        if shape in taken:
            other = _where(text, ["routes", str(taken[shape]), "path"])
            raise ManifestRefused(f"{_where(text, place)}: the same route stands at {other}; remove one")
        taken[shape] = number
        if route.audience is not None and not set(route.audience) <= set(manifest.audience):
            place[-1] = "audience"
            raise ManifestRefused(f"{_where(text, place)}: wider than the app's own; widen that, or narrow this")


def _refused(text: str, problem: str) -> ManifestRefused:
    """msgspec says `Expected …, got … - at `$.routes[2].path``; people need a line and a remedy."""
    said, _, location = problem.partition(" - at `")
    place = [part for part in re.split(r"[\[\]$`.]+", location) if part]  # `[...]` is an item of a list: dropped
    known = re.search(r"field `(\w+)`", said)
    field = known[1] if known else next((part for part in reversed(place) if not part.isdigit()), "")
    if known:
        place = [*place, known[1]]
    remedy = REMEDIES.get(field)
    said = said.replace("Object contains", "there is an").replace("Object missing", "there is no")
    tail = f"; expected {remedy}" if remedy else "; remove it, or see the example manifest"
    return ManifestRefused(f"{_where(text, place)}: {said}{tail}")


def _where(text: str, place: list[str]) -> str:
    """`line 12, routes[0].path`: the nearest line that can be found for a field."""
    line = _line_of(text, place)
    name = re.sub(r"\.(\d+)", r"[\1]", ".".join(place)) or "the manifest"
    return f"line {line}, {name}" if line else name


def _line_of(text: str, place: list[str]) -> int | None:
    lines = text.splitlines()
    name = next((part for part in reversed(place) if not part.isdigit()), "")
    begin = 0
    if place and place[0] in ("routes", "name", "about", "timeouts"):
        header = "[[routes]]" if place[0] == "routes" else f"[{place[0]}]"
        nth = int(place[1]) if place[0] == "routes" and len(place) > 1 and place[1].isdigit() else 0
        found = [at for at, line in enumerate(lines) if line.split("#")[0].strip() == header]
        if nth < len(found):
            begin = found[nth]
    for at in range(begin + (begin > 0), len(lines)):
        if begin and lines[at].startswith("["):
            break
        if name and re.match(rf"\s*{re.escape(name)}\s*=", lines[at]):
            return at + 1
    return begin + 1 if begin else None
