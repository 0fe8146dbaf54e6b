"""What others need to understand our credentials: whose keys they are signed with, and what their claims mean.

Members as draft-ietf-oauth-sd-jwt-vc-19 names them: "JWT VC Issuer Metadata", "SD-JWT VC Type Metadata", "Display
Metadata" and "Claim Metadata".
"""

from typing import Any

from msgspec import Struct

from wallet.model import IDENTIFIER_FIELD, Kind
from wallet.trust.exporting import BESIDE_FIELDS, claim_of, vct_of

LOCALES = ("zh-CN", "en")
_BESIDE_LABELS = {
    IDENTIFIER_FIELD: ("证照标识", "Certificate identifier"),
    "issuer_code": ("颁发机构代码", "Issuer code"),
    "valid_from": ("有效期起", "Valid from"),
    "valid_until": ("有效期止", "Valid until"),
}
assert tuple(_BESIDE_LABELS) == BESIDE_FIELDS


class IssuerMetadata(Struct, frozen=True):
    """Who issues our credentials, and the keys to check them with (RFC 7517)."""

    issuer: str
    jwks: dict[str, list[dict[str, Any]]]


class SimpleRendering(Struct, frozen=True):
    background_color: str


class Rendering(Struct, frozen=True):
    simple: SimpleRendering


class TypeDisplay(Struct, frozen=True):
    """What people call credentials of this type."""

    locale: str
    name: str
    rendering: Rendering


class ClaimDisplay(Struct, frozen=True):
    locale: str
    label: str


class ClaimMetadata(Struct, frozen=True):
    """One claim: where it stands, what people call it; every one can be withheld by its holder."""

    path: list[str]
    display: list[ClaimDisplay]
    mandatory: bool
    sd: str = "always"


class TypeMetadata(Struct, frozen=True):
    """A type of credentials, and what its claims are called."""

    vct: str
    name: str
    description: str
    display: list[TypeDisplay]
    claims: list[ClaimMetadata]


def type_metadata(kind: Kind, origin: str) -> TypeMetadata:
    """The metadata of the credentials of a kind."""
    rendering = Rendering(SimpleRendering(kind.face_colour))
    names = zip(LOCALES, (kind.name.zh, kind.name.en), strict=True)
    own = {field.name: (field.label_zh, field.label_en) for field in kind.fields}
    claims = [_claim(name, labels) for name, labels in {**_BESIDE_LABELS, **own}.items()]
    return TypeMetadata(
        vct=vct_of(origin, kind.kind_code),
        name=kind.name.en,
        description=f"{kind.name.zh} ({kind.kind_code})",
        display=[TypeDisplay(locale, name, rendering) for locale, name in names],
        claims=claims,
    )


def _claim(name: str, labels: tuple[str, str]) -> ClaimMetadata:
    """No claim is mandatory: a holder may have asked for fewer."""
    display = [ClaimDisplay(locale, label) for locale, label in zip(LOCALES, labels, strict=True)]
    return ClaimMetadata([claim_of(name)], display, mandatory=False)
