"""The nouns of joining: who applies, for what, with which key, and how it stands."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct
from msgspec.structs import replace
from stdnum.cn import uscc

from kernel.ids import DeviceId, VenueId
from wallet.errors import CreditCodeRefused, DeviceKeyRefused, TermsRefused
from wallet.model import Terms, Words

APPLICATIONS_OPEN_MAX = 5_000
"""Applications that wait for an operator at once, in the whole city."""
DEVICES_MAX = 500
"""Devices of one venue that are not withdrawn."""
SCENARIOS_WANTED_MAX = 20
SECRET_BYTES = 24

_COORDINATE_BYTES = 32


class ApplicationState(StrEnum):
    """An application is filed; then an operator approves or rejects it, or its applicant withdraws it. Once."""

    FILED = "filed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Organisation(Struct, frozen=True):
    """Who asks to verify."""

    sort: str
    credit_code: str
    name: Words
    district: str
    address: str


class Contact(Struct, frozen=True):
    """Who is told of the decision; sealed at rest."""

    name: str
    phone: str
    language: Literal["zh", "en"]


class Wanted(Struct, frozen=True):
    """A scenario asked for: in whose words for what, within which terms, and how many looks a day are expected."""

    scenario_code: str
    purpose: str
    terms: Terms
    looks_per_day: int


class PublicJwk(Struct, frozen=True):
    """The public half of a device's key, EC on P-256 (RFC 7518 §6.2.1); the coordinates base64url, 32 bytes each."""

    x: str
    y: str
    kid: str | None = None
    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"


class NamedKey(Struct, frozen=True):
    """A device to be: what its owner calls it, and the key it will prove itself by."""

    name: Words
    public_key: PublicJwk


class Application(Struct, frozen=True):
    """An application as it lies in the database, its contact still sealed."""

    application_id: UUID
    secret_digest: bytes
    organisation: Organisation
    contact: bytes
    wanted: tuple[Wanted, ...]
    device: NamedKey
    state: ApplicationState
    filed_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    venue_id: VenueId | None = None
    device_id: DeviceId | None = None


def client_id_of(device_id: DeviceId) -> str:
    """The `client_id` under which a device that joined proves itself."""
    return f"device:{device_id}"


def check_credit_code(text: str) -> None:
    """Whether this is a unified social credit code, check digit and all (GB 32100). Raises CreditCodeRefused."""
    if not uscc.is_valid(text):
        raise CreditCodeRefused


def check_key(key: PublicJwk) -> None:
    """Whether the key is a point on the curve. Raises DeviceKeyRefused."""
    x, y = _coordinate(key.x), _coordinate(key.y)
    try:
        ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise DeviceKeyRefused from None


def _coordinate(text: str) -> int:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise DeviceKeyRefused from None
    if len(raw) != _COORDINATE_BYTES or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise DeviceKeyRefused
    return int.from_bytes(raw, "big")


def narrowed(application: Application, granted: Mapping[str, Terms]) -> dict[str, Terms]:
    """The terms that an application is approved under: what was asked for where nothing narrower is said.

    Raises TermsRefused for a scenario, kind or field that was not asked for.
    """
    wanted = {one.scenario_code: one.terms for one in application.wanted}
    found = {}
    for scenario_code, terms in granted.items():
        if scenario_code not in wanted:
            raise TermsRefused(f"the applicant did not ask for {scenario_code}")
        asked = wanted[scenario_code].grants
        if terms.grants is None:
            found[scenario_code] = replace(terms, grants=asked)
        elif asked is not None and any(
            not set(names) <= set(asked.get(kind_code, ())) for kind_code, names in terms.grants.items()
        ):
            raise TermsRefused(f"the applicant asked to see less under {scenario_code}")
        else:
            found[scenario_code] = terms
    return found
