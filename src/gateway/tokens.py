"""Access tokens: what they say, and whom they prove. Signed with the purpose "access" (JWT, ES256).

Claims: `iss`, `sub`, `aud` (an Audience), `iat`, `exp`, `jti`, `sid` (what can be ended: a session, or the grant of a
machine's key). Residents add `acc` and, once their real name was checked, `per`; staff add `role` (`desk`, `supervisor`
or `operator`) and, at a desk, `dep` and `off`; machines add `cid` and either `dev` and `ven`, or `dep`, `slug` and
`name` (the department's registered one, as of the minting).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from kernel.ids import AccountId, DepartmentId, DeviceId, OfficeId, PersonId, SessionId, StaffId, VenueId, uuid7
from kernel.principal import Audience, DepartmentSystem, Operator, Principal, Resident, Staff, VenueDevice

PURPOSE = "access"
"""Which signing keys sign access tokens."""
DEPARTMENT_PURPOSE = "department"
"""Which signing keys sign the tokens that departments' own servers are called with."""
PERSON_LIFETIME = timedelta(minutes=15)
MACHINE_LIFETIME = timedelta(minutes=10)
LIFETIME_MAX = timedelta(minutes=15)
"""No access token lives longer: a session that ended is remembered as ended this long."""
assert max(PERSON_LIFETIME, MACHINE_LIFETIME) <= LIFETIME_MAX

RESIDENTS = (Audience.RESIDENT, Audience.MINI)


class NotOurClaims(Exception):
    """These claims are not in the form our access tokens have."""


@runtime_checkable
class Signs(Protocol):
    """What signs a JWT: `kernel.keys.SigningKeys`."""

    def sign(self, purpose: str, claims: dict[str, Any], *, headers: dict[str, Any] | None = None) -> str: ...


class AccessToken(msgspec.Struct, frozen=True):
    """A token on its way to whom it proves."""

    text: str
    expires_at: datetime
    lifetime_seconds: int

    def __repr__(self) -> str:
        return "AccessToken(…)"


def mint(
    signing_keys: Signs,
    principal: Principal,
    *,
    issuer: str,
    audience: Audience,
    session_id: UUID,
    now: datetime,
    client_id: str | None = None,
) -> AccessToken:
    """An access token that proves `principal` until it expires or `session_id` is ended."""
    lifetime = PERSON_LIFETIME if client_id is None else MACHINE_LIFETIME
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience.value,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": str(uuid7(now)),
        "sid": str(session_id),
    }
    claims |= _claims_of(principal)
    if client_id is not None:
        claims |= {"sub": client_id, "cid": client_id}
    text = signing_keys.sign(PURPOSE, claims)
    return AccessToken(text, now + lifetime, int(lifetime.total_seconds()))


def _claims_of(principal: Principal) -> dict[str, str]:
    match principal:
        case VenueDevice():
            return {"sub": str(principal.device_id), "dev": str(principal.device_id), "ven": str(principal.venue_id)}
        case DepartmentSystem():
            named = {"slug": principal.slug, "name": principal.name}
            return {"sub": principal.slug, "dep": str(principal.department_id)} | named
        case Staff():
            office = {} if principal.office_id is None else {"off": str(principal.office_id)}
            role = "supervisor" if principal.is_supervisor else "desk"
            return {"sub": str(principal.staff_id), "role": role, "dep": str(principal.department_id)} | office
        case Operator():
            return {"sub": str(principal.staff_id), "role": "operator"}
        case _:
            person = {} if principal.person_id is None else {"per": str(principal.person_id)}
            return {"sub": str(principal.account_id), "acc": str(principal.account_id)} | person


def session_of(claims: Mapping[str, Any]) -> SessionId:
    """What has to be looked for among the ended ones. Raises NotOurClaims."""
    try:
        return SessionId(UUID(claims["sid"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise NotOurClaims from None


def audience_of(claims: Mapping[str, Any]) -> Audience:
    """Raises NotOurClaims."""
    try:
        return Audience(claims["aud"])
    except (KeyError, ValueError):
        raise NotOurClaims from None


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Whom verified claims prove; a resident comes back as `Resident`, with their person if it is known.

    Signature, issuer and times were checked before. Raises NotOurClaims.
    """
    audience, session_id = audience_of(claims), session_of(claims)
    try:
        return _principal(audience, session_id, claims)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise NotOurClaims from None


def _principal(audience: Audience, session_id: SessionId, claims: Mapping[str, Any]) -> Principal:
    if audience in RESIDENTS:
        person = claims.get("per")
        return Resident(AccountId(UUID(claims["acc"])), session_id, None if person is None else PersonId(UUID(person)))
    if audience is Audience.VENUE:
        return VenueDevice(DeviceId(UUID(claims["dev"])), VenueId(UUID(claims["ven"])))
    if audience is Audience.OPERATOR and claims["role"] == "operator":
        return Operator(StaffId(UUID(claims["sub"])), session_id)
    if audience is Audience.DEPARTMENT and "cid" in claims:
        return DepartmentSystem(DepartmentId(UUID(claims["dep"])), claims["slug"], claims["name"])
    if audience is Audience.DEPARTMENT and claims["role"] in ("desk", "supervisor"):
        office = claims.get("off")
        department_id, office_id = DepartmentId(UUID(claims["dep"])), None if office is None else OfficeId(UUID(office))
        is_supervisor = claims["role"] == "supervisor"
        return Staff(StaffId(UUID(claims["sub"])), session_id, department_id, office_id, is_supervisor)
    raise NotOurClaims
