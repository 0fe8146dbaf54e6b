"""The cast of the demo city: who can be played, and with which keys. A real city has none."""

from typing import Any, Literal

import msgspec


class Role(msgspec.Struct, frozen=True):
    """Somebody the demo lets you be. `how` says how to sign in, `what` what to try."""

    role: Literal["resident", "venue", "desk", "operator", "department"]
    who: str
    how: str
    what: str


class PlayedPerson(msgspec.Struct, frozen=True):
    """An invented resident, with all that signing in and the real-name check need."""

    name: str
    id_number: str
    phone: str


class PlayedStaff(msgspec.Struct, frozen=True):
    """An invented member of staff, who signs in with the code of an SMS."""

    name: str
    phone: str
    role: Literal["desk", "supervisor", "issuer", "operator"]
    office: str
    """The Chinese name of the office whose desk it is; empty for who has none."""


class PlayedClient(msgspec.Struct, frozen=True):
    """An invented machine client with its private key (a JWK), as its owner would hold it."""

    client_id: str
    audience: Literal["venue", "department"]
    owner: str
    sort: str
    """Which sort of venue (`station`), or the department's slug."""
    private_jwk: dict[str, Any]
    scenarios: list[str] = []
    kinds: list[str] = []


class PlayedKey(msgspec.Struct, frozen=True):
    """An API key of an invented department, for programs that send messages: also those written for GOV.UK Notify."""

    key: str
    kind: Literal["live", "team", "test"]
    owner: str
    sort: str
    """The department's slug."""


class Cast(msgspec.Struct, frozen=True):
    """Everybody the demo can play, and where the stand-ins for the outside world are."""

    roles: list[Role]
    issuer: str
    """The city's name for itself: what machines' assertions are addressed to."""
    residents: list[PlayedPerson]
    staff: list[PlayedStaff]
    clients: list[PlayedClient]
    chat_platform_url: str
    apps: list[str]
    """Slugs of the department apps that run beside the demo."""
    service_keys: list[PlayedKey] = []
