"""Trust over HTTP: what everybody may fetch, what residents take along, and which cities operators recognise."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Schema
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, names
from kernel.errors import MalformedRequest, RealNameNeeded
from kernel.ids import CertificateId
from kernel.principal import Audience, Citizen, Operator
from kernel.problems import refuses
from wallet.errors import CatalogueIncomplete, CertificateNotFound, CertificateNotGood, KindNotFound
from wallet.forms import KIND_CODE, FieldName, KindCode, Name
from wallet.model import Words
from wallet.offline.errors import HolderKeyRefused
from wallet.parts import Wallet
from wallet.trust.cities import Recognition
from wallet.trust.describing import IssuerMetadata, TypeMetadata, type_metadata
from wallet.trust.errors import (
    CityIssuerTaken,
    CityNotFound,
    CityRefused,
    FieldNotOnCertificate,
    TrustListOlder,
    TrustListRefused,
)
from wallet.trust.model import CITIES_MAX, KINDS_MAX, ROOTS_MAX, City
from wallet.trust.pulling import TRUST_LIST_MEDIA

JWKS_MEDIA = "application/jwk-set+json"
CACHED_SECONDS = 10
"""A revoked key is in what is fetched then at the latest, and what the worker publishes within five seconds more."""
DESCRIBED_SECONDS = 300
FIELDS_MAX = 100
TOKEN_MAX = 1_000_000
REGION_CODE = r"^[0-9]{6}$(?!\n)"
_END = r"$(?!\n)"
_Coordinate = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_-]{{43}}{_END}")]
_Word = Annotated[str, Meta(min_length=1, max_length=100, pattern=rf"^[\x21-\x7e]+{_END}")]
_Address = Annotated[str, Meta(min_length=1, max_length=200, pattern=rf"^[\x21-\x7e]+{_END}")]
Region = Annotated[str, PathParameter(pattern=REGION_CODE, description="The city's region code (GB/T 2260).")]


class PublicJwk(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A public key for signatures (RFC 7517): on P-256, or Ed25519, which has no `y`."""

    kty: Annotated[str, Meta(pattern=rf"^(EC|OKP){_END}", examples=["EC"])]
    crv: Annotated[str, Meta(pattern=rf"^(P-256|Ed25519){_END}", examples=["P-256"])]
    x: _Coordinate
    y: _Coordinate | None = None
    kid: _Word | None = None
    alg: Annotated[str, Meta(pattern=rf"^(ES256|EdDSA){_END}")] | None = None
    use: Annotated[str, Meta(pattern=rf"^sig{_END}")] | None = None
    low_s: bool | None = None
    """Whether it signs with the lower half of s only, so that the twin of a signature is refused."""

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class ExportRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What to take along: `fields` fewer than all, and the key of the wallet that alone shall be able to show it."""

    holder_jwk: PublicJwk | None = None
    fields: Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)] | None = None


class ExportView(msgspec.Struct):
    """An SD-JWT VC (`dc+sd-jwt`) with all its disclosures, ending in `~`."""

    sd_jwt: str
    expires_at: datetime
    vct: str
    issuer: str


class RecognitionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A city: its web origin, its names, the keys that sign its trust list, and which of its kinds are which of ours.

    With `list_url` its list and status lists are fetched every minute; without it, hand its list in.
    """

    issuer: Annotated[_Address, Meta(examples=["https://hangzhou.example"])]
    name_zh: Name
    name_en: Name
    roots: Annotated[list[PublicJwk], Meta(min_length=1, max_length=ROOTS_MAX)]
    kinds: Annotated[dict[_Word, KindCode], Meta(max_length=KINDS_MAX)]
    list_url: _Address | None = None

    def whole(self, region_code: str) -> Recognition:
        roots = [root.members() for root in self.roots]
        name = Words(self.name_zh, self.name_en)
        return Recognition(region_code, self.issuer, name, roots, self.kinds, self.list_url)


class TrustListBody(msgspec.Struct, forbid_unknown_fields=True):
    """A trust list as it was signed: a JWS of the type `trust-list+jwt`."""

    token: Annotated[str, Meta(min_length=1, max_length=TOKEN_MAX, pattern=rf"^[A-Za-z0-9_.-]+{_END}")]


class AcceptedView(msgspec.Struct):
    """The number of the list that is believed now, and until when."""

    sequence: int
    issued_at: datetime
    expires_at: datetime


class CityView(msgspec.Struct):
    """A recognised city, or one that was.

    `sequence` and `read_at` are those of its last list; the keys `root_ids` may sign the next. `failure` is the code of
    why it was not read as it should be when that was last tried, and null while all is well; `failing_since` is when
    that began, whatever it was then. What was read before serves until it expires.
    """

    region_code: str
    issuer: str
    name_zh: str
    name_en: str
    root_ids: list[str]
    kinds: dict[str, str]
    list_url: str | None
    sequence: int | None
    read_at: datetime | None
    withdrawn_at: datetime | None
    failure: Annotated[str | None, Meta(examples=["wallet.trust_list_refused"])]
    failing_since: datetime | None

    @classmethod
    def of(cls, city: City) -> "CityView":
        return cls(
            city.region_code, city.issuer, city.name.zh, city.name.en,
            [root.key_id for root in city.accepted_roots], dict(city.kinds), city.list_url, city.sequence,
            city.read_at, city.withdrawn_at, city.failure, city.failing_since,
        )  # fmt: skip


class CitiesView(msgspec.Struct):
    cities: Annotated[list[CityView], Meta(max_length=CITIES_MAX)]


def _answering(media: str, kind: OpenAPIType) -> type[Operation]:
    """An operation whose answer is of this one form."""

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            answer = (self.responses or {}).get("200")
            if getattr(answer, "content", None) is not None:
                answer.content = {media: OpenAPIMediaType(schema=Schema(type=kind))}  # type: ignore[union-attr]

    return Described


@get("/.well-known/trust-list", operation_id="readTrustList", summary="Whose keys to believe, signed",
     operation_class=_answering(TRUST_LIST_MEDIA, OpenAPIType.STRING),
     responses=NOT_MODIFIED)  # fmt: skip
async def read_trust_list(wallet: NamedDependency[Wallet], if_none_match: IfNoneMatch = None) -> Response[bytes]:
    """Our keys and those of recognised cities, with their hours; good for a month. 304 while it is the one you have."""
    found = await wallet.trust.listing.published()
    tag = f'"{found.sequence}-{int(found.issued_at.timestamp()):x}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={CACHED_SECONDS}"}
    if if_none_match is not None and names(if_none_match, tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(found.token.encode(), media_type=TRUST_LIST_MEDIA, headers=headers)


@get("/.well-known/trust-roots", operation_id="readTrustRoots", summary="The keys that sign the trust list",
     operation_class=_answering(JWKS_MEDIA, OpenAPIType.OBJECT),
     sync_to_thread=False)  # fmt: skip
def read_trust_roots(wallet: NamedDependency[Wallet]) -> Response[bytes]:
    """A JWK set for setting a device up. Compare each thumbprint (RFC 7638) with what the city's operator tells you."""
    keys = [{**root.jwk, "kid": root.key_id} for root in wallet.trust.listing.roots()]
    headers = {"Cache-Control": f"public, max-age={CACHED_SECONDS}"}
    return Response(msgspec.json.encode({"keys": keys}), media_type=JWKS_MEDIA, headers=headers)


@get("/.well-known/jwt-vc-issuer", operation_id="readCredentialIssuer", summary="Who issues our credentials",
     sync_to_thread=False)  # fmt: skip
def read_credential_issuer(wallet: NamedDependency[Wallet]) -> Response[IssuerMetadata]:
    """The keys that SD-JWT VCs of this city are signed with (draft-ietf-oauth-sd-jwt-vc, JWT VC Issuer Metadata)."""
    found = IssuerMetadata(wallet.public_origin, wallet.signing_keys.jwks("vc"))
    return Response(found, headers={"Cache-Control": f"public, max-age={CACHED_SECONDS}"})


@get("/types/{kind_code:str}", operation_id="readCredentialType", summary="What a credential of a kind says",
     sync_to_thread=False, responses=refuses(MalformedRequest, KindNotFound))  # fmt: skip
def read_credential_type(
    kind_code: Annotated[str, PathParameter(pattern=KIND_CODE)], wallet: NamedDependency[Wallet]
) -> Response[TypeMetadata]:
    """Its claims and what people call them (draft-ietf-oauth-sd-jwt-vc, Type Metadata)."""
    kind = wallet.catalogue().kinds.get(kind_code)
    if kind is None:
        raise KindNotFound
    found = type_metadata(kind, wallet.public_origin)
    return Response(found, headers={"Cache-Control": f"public, max-age={DESCRIBED_SECONDS}"})


@post("/certificates/{certificate_id:uuid}/sd-jwt", operation_id="exportCertificate", status_code=201,
      summary="Take a certificate along for another wallet",
      responses=refuses(MalformedRequest, RealNameNeeded, CertificateNotFound, CertificateNotGood, HolderKeyRefused,
                        FieldNotOnCertificate))  # fmt: skip
async def export_certificate(
    certificate_id: FromPath[UUID],
    data: JSONBody[ExportRequest],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> ExportView:
    """An SD-JWT VC, good for 90 days at most. Each value can be withheld; it ends when the certificate does."""
    made = await wallet.trust.exporter.export(
        citizen.person_id,
        CertificateId(certificate_id),
        fields=data.fields,
        holder_jwk=None if data.holder_jwk is None else data.holder_jwk.members(),
    )
    return ExportView(made.sd_jwt, made.expires_at, made.vct, made.issuer)


@get("/trusted-cities", operation_id="listTrustedCities", summary="Whose certificates are recognised here")
async def list_cities(operator: NamedDependency[Operator], wallet: NamedDependency[Wallet]) -> CitiesView:
    """By region, those withdrawn included."""
    del operator
    return CitiesView([CityView.of(city) for city in await wallet.trust.cities.every()])


@put("/trusted-cities/{region_code:str}", operation_id="putTrustedCity", summary="Recognise a city", status_code=204,
     responses=refuses(MalformedRequest, CityRefused, CityIssuerTaken, CatalogueIncomplete))  # fmt: skip
async def put_city(
    region_code: Region,
    data: JSONBody[RecognitionBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> None:
    """Exactly these kinds of it. With another origin or other roots than before, its list is to be read anew."""
    await wallet.trust.cities.put(data.whole(region_code), actor=f"operator:{operator.staff_id}")


@delete("/trusted-cities/{region_code:str}", operation_id="withdrawTrustedCity", status_code=204,
        summary="Recognise a city no longer", responses=refuses(MalformedRequest, CityNotFound))  # fmt: skip
async def withdraw_city(
    region_code: Region, operator: NamedDependency[Operator], wallet: NamedDependency[Wallet]
) -> None:
    """Its codes are nobody's here within seconds, and it leaves the trust list."""
    await wallet.trust.cities.withdraw(region_code, actor=f"operator:{operator.staff_id}")


@put("/trusted-cities/{region_code:str}/trust-list", operation_id="putTrustListOfCity", status_code=200,
     summary="Hand in a city's signed trust list",
     responses=refuses(MalformedRequest, CityNotFound, TrustListRefused, TrustListOlder))  # fmt: skip
async def put_trust_list(
    region_code: Region,
    data: JSONBody[TrustListBody],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
) -> AcceptedView:
    """Believed for the signature of its accepted roots; never goes back to an older one."""
    found = await wallet.trust.cities.accept_list(region_code, data.token, actor=f"operator:{operator.staff_id}")
    issued_at, expires_at = (datetime.fromtimestamp(at, UTC) for at in (found.issued_at, found.expires_at))
    return AcceptedView(found.sequence, issued_at, expires_at)


_RESIDENT = [export_certificate]
HANDLERS: Handlers = {
    Audience.PUBLIC: [read_trust_list, read_trust_roots, read_credential_issuer, read_credential_type],
    Audience.RESIDENT: _RESIDENT,
    Audience.MINI: _RESIDENT,
    Audience.OPERATOR: [list_cities, put_city, withdraw_city, put_trust_list],
}
