"""A resident takes a certificate along as an SD-JWT VC (RFC 9901, draft-ietf-oauth-sd-jwt-vc-19), for any wallet.

Every value in it can be withheld when it is shown. It holds for 90 days at most and never longer than the certificate,
and names the certificate's place in our status lists, so that it ends when the certificate does. Asking again makes
another one, which costs nobody anything, as with codes.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from msgspec import Struct

from kernel import audit
from kernel.clock import SHANGHAI, Clock
from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from suishenban_verify import sd_jwt
from suishenban_verify.disclosures import NEVER_DISCLOSED
from suishenban_verify.signatures import NotAKey, PublicKey, Signer, public_key
from wallet.errors import CertificateNotFound, CertificateNotGood
from wallet.model import IDENTIFIER_FIELD, Attributes, Outcome, Standing, State, Value, how_it_stands, today_in_city
from wallet.offline.errors import HolderKeyRefused
from wallet.offline.queries import OfflineRow, select_to_show
from wallet.seals import Seals
from wallet.status.placing import Placing
from wallet.trust.errors import FieldNotOnCertificate

EXPORTED_FOR_MAX = timedelta(days=90)
BESIDE_FIELDS = (IDENTIFIER_FIELD, "issuer_code", "valid_from", "valid_until")
"""What an export can tell beside the values of the kind's fields."""
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "vct", "status"}) | NEVER_DISCLOSED
_JWK_MEMBERS = ("kty", "crv", "x", "y", "alg")


class Exported(Struct, frozen=True):
    """The credential, until when it holds, its type and who issued it."""

    sd_jwt: str
    expires_at: datetime
    vct: str
    issuer: str


class Exporter:
    """Makes SD-JWT VCs in the name of the city at `origin`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        placing: Placing,
        signer: Callable[[], Signer],
        list_uri: Callable[[int], str],
        *,
        origin: str,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._placing = placing
        self._signer = signer
        self._list_uri = list_uri
        self._origin = origin

    async def export(
        self,
        person_id: PersonId,
        certificate_id: CertificateId,
        *,
        fields: Sequence[str] | None,
        holder_jwk: Mapping[str, Any] | None,
    ) -> Exported:
        """An SD-JWT VC of one's own certificate with these of its fields (None: all), bound to a holder's key if given.

        Raises CertificateNotFound, CertificateNotGood, FieldNotOnCertificate, HolderKeyRefused.
        """
        holder = None if holder_jwk is None else _holder_key(holder_jwk)
        now = self._clock.now()
        async with self._db.connection() as conn:
            found = await select_to_show(conn, person_id, [certificate_id])
        row = found.get(certificate_id)
        if row is None:
            raise CertificateNotFound
        standing = Standing(row.kind_code, State(row.state), row.valid_from, row.valid_until)
        stands = how_it_stands(standing, today=today_in_city(now))
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        values = _chosen(
            _values_of(row, self._seals.open_attributes(person_id, certificate_id, row.attributes)), fields
        )
        held = (row.status_list, row.status_index)
        place = await self._placing.place_of(person_id, certificate_id, held, now=now)
        issued_at = now.replace(microsecond=0)
        expires_at = min(issued_at + EXPORTED_FOR_MAX, _end_of(row.valid_until) or issued_at + EXPORTED_FOR_MAX)
        vct = vct_of(self._origin, row.kind_code)
        claims = {
            "iss": self._origin,
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            "vct": vct,
            "status": {"status_list": {"idx": place.idx, "uri": self._list_uri(place.list_id)}},
        }
        shown = {claim_of(name): value for name, value in values.items()}
        made = sd_jwt.issue(
            claims | shown, self._signer(), disclosable=shown, random_bytes=secrets.token_bytes, holder=holder
        )
        async with self._db.transaction() as conn:
            subject = f"certificate:{certificate_id}"
            await audit.record(conn, actor=f"person:{person_id}", act="wallet.export", subject=subject, now=now)
        return Exported(made, expires_at, vct, self._origin)


def vct_of(origin: str, kind_code: str) -> str:
    """The type of a kind's credentials: the address under which its metadata are found."""
    return f"{origin}/types/{kind_code}"


def claim_of(field_name: str) -> str:
    """Under which name a field stands in a credential: its own, unless that says something else in a JWT."""
    return f"field_{field_name}" if field_name in _REGISTERED else field_name


def _values_of(row: OfflineRow, attributes: Attributes) -> dict[str, Value]:
    """Everything that can be told of a certificate; a field of its kind goes before what we say under the same name."""
    valid_until = {} if row.valid_until is None else {"valid_until": row.valid_until.isoformat()}
    beside: dict[str, Value] = {
        IDENTIFIER_FIELD: attributes.identifier,
        "issuer_code": row.issuer_code,
        "valid_from": row.valid_from.isoformat(),
        **valid_until,
    }
    return {**beside, **attributes.values}


def _chosen(values: Mapping[str, Value], fields: Sequence[str] | None) -> Mapping[str, Value]:
    """Raises FieldNotOnCertificate."""
    if fields is None:
        return values
    if not set(fields) <= values.keys():
        raise FieldNotOnCertificate
    return {name: value for name, value in values.items() if name in fields}


def _end_of(valid_until: date | None) -> datetime | None:
    """When a certificate's last day is over, on the city's clock."""
    if valid_until is None or valid_until == date.max:
        return None
    return datetime.combine(valid_until + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)


def _holder_key(jwk: Mapping[str, Any]) -> PublicKey:
    try:
        return public_key({name: jwk[name] for name in _JWK_MEMBERS if name in jwk})
    except NotAKey as problem:
        raise HolderKeyRefused(str(problem)) from None
