"""What operators do at the entrance, over HTTP."""

from datetime import datetime
from typing import Annotated, Literal, get_args
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from appointments.errors import OfficeNotFound
from appointments.parts import Appointments
from gateway import recognising
from gateway.operators.errors import NoSuchKey
from kernel import audit
from kernel.audience import Handlers
from kernel.db import Database
from kernel.errors import MalformedRequest
from kernel.ids import OfficeId
from kernel.keys import SigningKeys
from kernel.principal import Audience, Operator
from kernel.problems import refuses
from kernel.purposes import PURPOSES
from wallet.errors import CatalogueIncomplete
from wallet.forms import CreditCode, KindCode

ENTRIES_MAX = 200
KEY_ID_MAX = 60
KINDS_MAX = 20

EntriesWanted = Annotated[int, QueryParameter(ge=1, le=ENTRIES_MAX, description="How many at most.")]
KeyId = Annotated[str, PathParameter(max_length=KEY_ID_MAX, pattern=r"^[a-z0-9-]+$(?!\n)")]


class AuditView(msgspec.Struct):
    """Acts of departments, staff and operators, newest first."""

    entries: list[audit.Entry]


class KeyView(msgspec.Struct):
    """A signing key and its hours: published from `announced_at`, trusted until `trusted_until`."""

    key_id: str
    purpose: str
    announced_at: datetime
    signs_from: datetime
    signs_until: datetime
    trusted_until: datetime
    revoked_at: datetime | None


class KeysView(msgspec.Struct):
    keys: list[KeyView]


RotatedPurpose = Literal["access", "department", "offline", "status", "vc", "trust", "ledger"]
assert set(get_args(RotatedPurpose)) == set(PURPOSES), "operators rotate every key there is"


class RotationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which keys to rotate: those of `access` tokens, those that `department` servers trust, those that sign `offline`
    codes, `status` lists, exported certificates (`vc`), the `trust` list itself, or the `ledger`'s checkpoints.
    """

    purpose: RotatedPurpose


class RotationView(msgspec.Struct):
    """The key that was announced. It takes over once everybody has had time to hear of it: for tokens after an hour,
    for what the trust list names after 30 days, as `signs_from` among the signing keys says.
    """

    key_id: str


class RevocationView(msgspec.Struct):
    key_id: str
    revoked: bool


class CodeReaderRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The office as an organisation, and which kinds of certificates tell who has come: the same at every office."""

    credit_code: CreditCode
    kind_codes: Annotated[list[KindCode], Meta(min_length=1, max_length=KINDS_MAX)]


class CodeReaderView(msgspec.Struct):
    """The venue that an office is for people's ledgers, and its reader."""

    office_id: UUID
    venue_id: UUID
    device_id: UUID


@get("/audit", operation_id="readAudit", summary="The newest acts on record", status_code=200)
async def read_audit(
    operator: NamedDependency[Operator], db: NamedDependency[Database], limit: EntriesWanted = 50
) -> AuditView:
    """Who did what to what. Holds ids and reasons, never a person's values."""
    del operator
    async with db.connection() as conn:
        return AuditView(await audit.newest(conn, limit=limit))


@get("/signing-keys", operation_id="listSigningKeys", summary="The signing keys and their hours", status_code=200)
async def list_signing_keys(
    operator: NamedDependency[Operator], signing_keys: NamedDependency[SigningKeys]
) -> KeysView:
    """Oldest first; those that were revoked too."""
    del operator
    keys = [
        KeyView(k.key_id, k.purpose, k.announced_at, k.signs_from, k.signs_until, k.trusted_until, k.revoked_at)
        for k in signing_keys.snapshot.current
    ]
    return KeysView(keys)


@post("/signing-keys", operation_id="rotateSigningKey", summary="Announce a new signing key", status_code=201)
async def rotate_signing_key(
    data: JSONBody[RotationRequest], operator: NamedDependency[Operator], signing_keys: NamedDependency[SigningKeys]
) -> RotationView:
    """Published at once, signing later: nobody with an older key set or trust list meets a key they do not know."""
    return RotationView(await signing_keys.rotate(data.purpose, actor=f"operator:{operator.staff_id}"))


@post(
    "/signing-keys/{key_id:str}/revoke",
    operation_id="revokeSigningKey",
    summary="A signing key leaked: trust nothing it signed",
    status_code=200,
    responses=refuses(NoSuchKey),
)
async def revoke_signing_key(
    key_id: KeyId, operator: NamedDependency[Operator], signing_keys: NamedDependency[SigningKeys]
) -> RevocationView:
    """What it signed is refused from now on, and whose token it signed signs in again. Another key takes its place at
    once: the one that was announced next, where there is one.
    """
    if not await signing_keys.revoke(key_id, actor=f"operator:{operator.staff_id}"):
        raise NoSuchKey
    return RevocationView(key_id, revoked=True)


@put(
    "/offices/{office_id:uuid}/code-reader",
    operation_id="putCodeReader",
    summary="Let an office check people in by their codes",
    responses=refuses(MalformedRequest, OfficeNotFound, CatalogueIncomplete),
)
async def put_code_reader(
    office_id: FromPath[UUID],
    data: JSONBody[CodeReaderRequest],
    operator: NamedDependency[Operator],
    db: NamedDependency[Database],
    appointments: NamedDependency[Appointments],
) -> CodeReaderView:
    """Its staff read codes at check-in; each look is in the resident's ledger under the office's name. Recorded."""
    catalogue = await appointments.catalogues.knowing_office(OfficeId(office_id))
    office = catalogue.offices.get(OfficeId(office_id))
    if office is None:
        raise OfficeNotFound
    now, reader = appointments.clock.now(), recognising.reader_of(office.office_id)
    async with db.transaction() as conn:
        await recognising.open_reader(conn, office, credit_code=data.credit_code, kind_codes=data.kind_codes)
        await audit.record(
            conn, actor=f"operator:{operator.staff_id}", act="gateway.put_code_reader", subject=f"office:{office_id}",
            now=now,
        )  # fmt: skip
    return CodeReaderView(office_id, reader.venue_id, reader.device_id)


HANDLERS: Handlers = {
    Audience.OPERATOR: [read_audit, list_signing_keys, rotate_signing_key, revoke_signing_key, put_code_reader],
}
