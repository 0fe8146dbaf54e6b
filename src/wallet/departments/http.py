"""What departments' systems do, over HTTP: issue certificates, suspend, restore, revoke and supersede them."""

from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, unless_known
from kernel.errors import MalformedRequest
from kernel.ids import CertificateId
from kernel.principal import Audience, DepartmentSystem
from kernel.problems import refuses
from wallet.departments.requests import CertificateRequest
from wallet.departments.revoking import Reason
from wallet.departments.views import IssuedView, KindsView, KindView
from wallet.errors import (
    CertificateNotFound,
    HolderRefused,
    IdentifierTaken,
    KindNotEntitled,
    KindNotFound,
    ReferenceReused,
    StepNotAllowed,
    ValidityRefused,
    ValueRefused,
    VersionsExhausted,
)
from wallet.forms import KindCode, Reference
from wallet.model import today_in_city
from wallet.parts import Wallet


class StepRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why the state changes, from a closed list."""

    reason: Reason


class ReferenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Your own number for a certificate, and its kind."""

    reference: Reference
    kind_code: KindCode


_STEP = refuses(MalformedRequest, CertificateNotFound, StepNotAllowed)


def _actor(department: DepartmentSystem) -> str:
    return f"department:{department.department_id}"


@get("/kinds", operation_id="listIssuableKinds", summary="Kinds of certificates you may issue",
     responses=NOT_MODIFIED | refuses(MalformedRequest))  # fmt: skip
async def list_kinds(
    department: NamedDependency[DepartmentSystem], wallet: NamedDependency[Wallet], if_none_match: IfNoneMatch = None
) -> Response[KindsView]:
    """The kinds this department is entitled to, with the fields each takes."""
    catalogue = wallet.catalogue()
    mine = [issuer for issuer in catalogue.issuers.values() if issuer.department_id == department.department_id]
    codes = sorted({code for issuer in mine for code in issuer.kind_codes})
    view = KindsView([KindView.of(catalogue.kinds[code]) for code in codes if code in catalogue.kinds])
    return unless_known(view, if_none_match)


@post("/certificates", operation_id="issueCertificate", summary="Issue a certificate", status_code=201,
      responses=refuses(MalformedRequest, KindNotEntitled, KindNotFound, IdentifierTaken, HolderRefused, ValueRefused,
                        ValidityRefused, ReferenceReused))  # fmt: skip
async def issue(
    data: JSONBody[CertificateRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> IssuedView:
    """Issue a certificate to a person, who need not have signed in yet; they are told.

    Idempotent by `reference`: the same request again returns the same certificate as it is now.
    """
    catalogue = wallet.catalogue()
    certificate = await wallet.issuing.issue(
        wallet.db,
        wallet.clock,
        catalogue.issuer_of(department.department_id, data.kind_code, today_in_city(wallet.clock.now())),
        catalogue.kinds.get(data.kind_code),
        data.fit(),
        actor=_actor(department),
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@post("/certificates/find", operation_id="findCertificate", summary="A certificate by your own reference",
      status_code=200, responses=refuses(MalformedRequest, CertificateNotFound))  # fmt: skip
async def find(
    data: JSONBody[ReferenceRequest], department: NamedDependency[DepartmentSystem], wallet: NamedDependency[Wallet]
) -> IssuedView:
    """What was issued under your reference, and how it stands."""
    issuer = wallet.catalogue().issuer_of(department.department_id, data.kind_code)
    if issuer is None:
        raise CertificateNotFound
    certificate = await wallet.issuing.find(wallet.db, issuer, data.reference)
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@post("/certificates/{certificate_id:uuid}/suspend", operation_id="suspendCertificate", status_code=200,
      summary="Suspend a certificate", responses=_STEP)  # fmt: skip
async def suspend(
    certificate_id: FromPath[UUID],
    data: JSONBody[StepRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> IssuedView:
    """Nobody may rely on it until it is restored. The very next scan hears so."""
    certificate = await wallet.revoking.suspend(
        department.department_id, CertificateId(certificate_id), data.reason, actor=_actor(department)
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@post("/certificates/{certificate_id:uuid}/restore", operation_id="restoreCertificate", status_code=200,
      summary="Restore a suspended certificate", responses=_STEP)  # fmt: skip
async def restore(
    certificate_id: FromPath[UUID],
    data: JSONBody[StepRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> IssuedView:
    """It is good again."""
    certificate = await wallet.revoking.restore(
        department.department_id, CertificateId(certificate_id), data.reason, actor=_actor(department)
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@post("/certificates/{certificate_id:uuid}/revoke", operation_id="revokeCertificate", status_code=200,
      summary="Revoke a certificate for ever", responses=_STEP)  # fmt: skip
async def revoke(
    certificate_id: FromPath[UUID],
    data: JSONBody[StepRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> IssuedView:
    """It is good no more, and cannot be restored. The very next scan hears so."""
    certificate = await wallet.revoking.revoke(
        department.department_id, CertificateId(certificate_id), data.reason, actor=_actor(department)
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@post("/certificates/{certificate_id:uuid}/supersede", operation_id="supersedeCertificate", status_code=201,
      summary="Issue the next version of a certificate",
      responses=refuses(MalformedRequest, KindNotEntitled, KindNotFound, CertificateNotFound, StepNotAllowed,
                        VersionsExhausted, IdentifierTaken, HolderRefused, ValueRefused, ValidityRefused,
                        ReferenceReused))  # fmt: skip
async def supersede(
    certificate_id: FromPath[UUID],
    data: JSONBody[CertificateRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> IssuedView:
    """The new version takes the old one's serial, and ends it; both or neither. Kind and holder stay."""
    certificate = await wallet.revoking.supersede(
        department.department_id, CertificateId(certificate_id), data.fit(), actor=_actor(department)
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


HANDLERS: Handlers = {Audience.DEPARTMENT: [list_kinds, issue, find, suspend, restore, revoke, supersede]}
