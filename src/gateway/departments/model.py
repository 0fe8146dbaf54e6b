"""A department's app as the entrance knows it, and the finding of routes. Pure."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

import msgspec

from gateway.departments.manifest import AppAudience, Manifest, Route
from kernel.ids import DepartmentId
from kernel.principal import Audience

SEGMENT_CHARACTERS_MAX = 200
QUERY_BYTES_MAX = 4_096

_RAW_SEGMENT = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")
_RAW_QUERY = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\%]")


class State(StrEnum):
    """Registered: filed, seen by nobody. Live: residents see it. Suspended: taken away for a while."""

    REGISTERED = "registered"
    LIVE = "live"
    SUSPENDED = "suspended"


class Registered(msgspec.Struct, frozen=True):
    """An app as it lies in the database."""

    department_id: DepartmentId
    manifest: Manifest
    state: State
    version: int


class Found(msgspec.Struct, frozen=True):
    """A route that a request matches, and the path to ask the department's server for."""

    route: Route
    path: str


class Unmatched(msgspec.Struct, frozen=True):
    """No route; `allowed` are the methods that the path is declared with."""

    allowed: tuple[str, ...]


class App:
    """One app, its routes ready to be found."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered
        self.manifest = registered.manifest
        self.slug = registered.manifest.slug
        self.state = registered.state
        self.home = registered.manifest.home.rstrip("/")
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        for route in self.manifest.routes:
            segments = route.segments()
            self._by_length.setdefault(len(segments), []).append((segments, route))
        for routes in self._by_length.values():  # a literal segment wins over a parameter
            routes.sort(key=lambda found: [one.startswith("{") for one in found[0]])

    def serves(self, audience: Audience, route: Route | None = None) -> bool:
        """Whether the app, or one route of it, is for this audience."""
        declared: Sequence[AppAudience] = self.manifest.audience
        if route is not None and route.audience is not None:
            declared = route.audience
        return audience.value in declared

    def find(self, method: str, segments: Sequence[str], audience: Audience) -> Found | Unmatched:
        allowed: list[str] = []
        for template, route in self._by_length.get(len(segments), ()):
            if _fits(template, segments) and self.serves(audience, route):
                if route.method == method:
                    return Found(route, "/" + "/".join(quote(one, safe="~") for one in segments))
                allowed.append(route.method)
        return Unmatched(tuple(sorted(set(allowed))))


def _fits(template: Sequence[str], segments: Sequence[str]) -> bool:
    return all(
        declared.startswith("{") or declared == asked for declared, asked in zip(template, segments, strict=True)
    )


class Apps:
    """Every app of the city, never half old, half new."""

    def __init__(self, registered: Sequence[Registered]) -> None:
        self.by_slug: Mapping[str, App] = {one.manifest.slug: App(one) for one in registered}
        versions = sorted((one.manifest.slug, one.version, one.state.value) for one in registered)
        self.etag = f'"{sha256(repr(versions).encode()).hexdigest()[:32]}"'

    def live(self, audience: Audience) -> list[App]:
        """The apps that an audience sees, by name."""
        found = [app for app in self.by_slug.values() if app.state is State.LIVE and app.serves(audience)]
        return sorted(found, key=lambda app: app.slug)


def segments_of(raw_path: bytes, *, above: Sequence[str]) -> list[str] | None:
    """The decoded segments of a request's raw path below `above`, or None for a path we pass on to nobody.

    Decoded once, here, and encoded again for the department: nothing that could be another path there gets through,
    neither dots, slashes and backslashes in disguise, nor anything encoded twice.
    """
    raw = raw_path.split(b"?", 1)[0].split(b"/")
    depth = len(above) + 1
    if len(raw) <= depth or raw[0] or [one.decode("latin-1") for one in raw[1:depth]] != list(above):
        return None
    decoded = [_decoded(one) for one in raw[depth:]]
    return None if None in decoded else [one for one in decoded if one is not None]


def _decoded(raw: bytes) -> str | None:
    if not _RAW_SEGMENT.fullmatch(raw):
        return None
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
    is_safe = text not in (".", "..") and len(text) <= SEGMENT_CHARACTERS_MAX and not _UNSAFE.search(text)
    return text if is_safe else None


def query_of(raw_query: bytes) -> str | None:
    """The query to pass on, or None for one that is too long or not encoded."""
    is_query = len(raw_query) <= QUERY_BYTES_MAX and _RAW_QUERY.fullmatch(raw_query)
    return raw_query.decode("ascii") if is_query else None
