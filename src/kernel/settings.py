"""Every setting of the city, read once, at the top. Parts receive the values they need, never `Settings`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PREFIX = "SUISHENBAN_"


class Secret:
    """A text that never shows itself: `reveal()` is the only way out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SettingsRefused(Exception):
    """The environment does not make valid settings; the text says which variable and why."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each field is one environment variable: `SUISHENBAN_` and its name in capitals."""

    database_url: Secret
    """Where PostgreSQL is, e.g. `postgresql://user@/suishenban?host=/run/postgresql`."""
    redis_url: Secret
    """Where Redis or Valkey is, e.g. `unix:///run/redis.sock` or `redis://host:6379/0`."""
    key_file: Path
    """The file of sealing and digest keys; `./run` makes one at its first start. Keep it as safe as the database."""
    host: str = "127.0.0.1"
    """The address the web process listens on."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8700
    """The port the web process listens on."""
    public_host: Annotated[str, Meta(max_length=24, pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$")] = "127.0.0.1:8700"
    """Host and port printed in codes; at most 24 characters, so that a code stays a version 3 QR."""
    public_origin: str = "http://127.0.0.1:8700"
    """Scheme, host and port under which people and departments reach the city; the issuer of its tokens."""
    code_lifetime_seconds: Annotated[int, Meta(ge=15, le=300)] = 60
    """How long a shown QR is good. Longer eases old phones; shorter stops screenshots."""
    connections_max: Annotated[int, Meta(ge=2, le=200)] = 16
    """How many database connections one process opens."""
    chat_platform_url: str = "https://api.weixin.qq.com"
    """The mini-program platform's server API."""
    chat_platform_app_id: str = ""
    """Our mini-program's appid there; empty turns mini-program sign-in off."""
    chat_platform_secret: Secret = Secret("")
    """Our mini-program's secret there."""
    real_name_url: str = ""
    """The three-element check (三要素核验: name, ID number, phone); empty turns real-name checks off."""
    carriers: Path | None = None
    """The file, by its whole path, that says who carries SMS, e-mail and subscribe messages (docs/CARRIERS.md). Unset,
    the demo outbox shows them and no phone hears of them, which is said at start."""
    requests_per_minute: Annotated[int, Meta(ge=1)] = 1200
    """How many requests a minute one token, or one address without a token, may make."""
    proxies: Annotated[int, Meta(ge=0, le=5)] = 0
    """How many reverse proxies of yours stand before the web process, each adding the address it saw to
    X-Forwarded-For. 0 believes no such header: then all who come through a proxy count as one address."""
    messages_kept_days: Annotated[int, Meta(ge=5, le=3650)] = 90
    """For how many days after it was due what a message said, to whom, and what carriers said of it is kept. A
    department may choose fewer for its own; that it was sent, and how it ended, is kept."""
    demo: bool = False
    """Opens the demo outbox and the demo's short cuts under /demo. Never in a real city."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""
    trace_file: Path | None = None
    """Where OpenTelemetry spans go, as JSON lines; unset turns tracing off."""
    trace_share: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Which share of requests is traced."""


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(str(value))
    if kind is Path or issubclass(kind, Path):
        return Path(value)
    raise NotImplementedError(kind)


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from `SUISHENBAN_…` variables. Raises SettingsRefused, also for a variable nobody knows."""
    values = {name.removeprefix(PREFIX).lower(): text for name, text in environ.items() if name.startswith(PREFIX)}
    for ours in ("standin_port", "demo_department_port"):  # read by the demo's own processes
        values.pop(ours, None)
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as problem:
        raise SettingsRefused(_in_words(str(problem))) from problem


def _in_words(problem: str) -> str:
    for field in Settings.__struct_fields__:
        problem = problem.replace(f"$.{field}", PREFIX + field.upper()).replace(f"`{field}`", PREFIX + field.upper())
    return problem.replace("Object contains unknown field", "no such setting:").replace(
        "Object missing required field", "missing:"
    )
