"""What departments tell people of their cases, on the wire."""

from typing import Annotated

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, RoleMissing
from kernel.principal import Audience, DepartmentSystem
from kernel.problems import refuses
from notifications.cases import reading
from notifications.cases.errors import (
    CaseNotFound,
    CaseOfAnother,
    NoticeOutdated,
    NoticeTooLong,
    NoticeUnsound,
    TooManyNotices,
)
from notifications.cases.model import (
    REVISION_MAX,
    Approval,
    CaseKind,
    Content,
    InspectionOverdue,
    Progress,
    Supplement,
    Violation,
)
from notifications.cases.parts import Cases
from notifications.cases.reading import NoticeStanding
from notifications.cases.telling import Said
from notifications.services.errors import TooManyThisMinute, TooManyToday
from notifications.services.parts import Services

CaseReference = Annotated[
    str,
    PathParameter(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        description="Your own number of the case (办件编号): never a name or an ID number.",
    ),
]
_REFUSES = refuses(
    MalformedRequest, RoleMissing, NoticeUnsound, NoticeTooLong, CaseOfAnother, NoticeOutdated, TooManyNotices,
    TooManyThisMinute, TooManyToday,
)  # fmt: skip


class Named(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose case it is, by their resident identity number; and a count of your own, higher whenever you say it anew."""

    id_number: Annotated[str, Meta(pattern=r"^[0-9]{17}[0-9X]$(?!\n)", examples=["310107198110069973"])]
    revision: Annotated[int, Meta(ge=1, le=REVISION_MAX)] = 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class SupplementRequest(Named, kw_only=True, forbid_unknown_fields=True):
    """The whole list of what is missing."""

    notice: Supplement


class ApprovalRequest(Named, kw_only=True, forbid_unknown_fields=True):
    """That it is done."""

    notice: Approval


class ProgressRequest(Named, kw_only=True, forbid_unknown_fields=True):
    """How far it is."""

    notice: Progress


class InspectionOverdueRequest(Named, kw_only=True, forbid_unknown_fields=True):
    """That an inspection is overdue."""

    notice: InspectionOverdue


class ViolationRequest(Named, kw_only=True, forbid_unknown_fields=True):
    """That a violation is on record."""

    notice: Violation


class NoticesView(msgspec.Struct):
    """What was told of a case."""

    notices: list[NoticeStanding]


@put("/cases/{reference:str}/notices/supplement", operation_id="tellSupplement", status_code=200,
     summary="Tell somebody what is missing, once and whole", responses=_REFUSES)  # fmt: skip
async def tell_supplement(
    reference: CaseReference,
    data: JSONBody[SupplementRequest],
    department: NamedDependency[DepartmentSystem],
    cases: NamedDependency[Cases],
    services: NamedDependency[Services],
) -> NoticeStanding:
    """The same list again is the same notice. Another one takes its place if nobody has been told yet; else the person
    is told the whole new list, and what changed. An SMS names the papers, the inbox why each is asked for."""
    return await _told(cases, services, department, reference, CaseKind.SUPPLEMENT, data, data.notice)


@put("/cases/{reference:str}/notices/approval", operation_id="tellApproval", status_code=200,
     summary="Tell somebody that it is done, and when and where to collect it", responses=_REFUSES)  # fmt: skip
async def tell_approval(
    reference: CaseReference,
    data: JSONBody[ApprovalRequest],
    department: NamedDependency[DepartmentSystem],
    cases: NamedDependency[Cases],
    services: NamedDependency[Services],
) -> NoticeStanding:
    """The same again is the same notice; another hour or place takes its place, and says so if the first was told."""
    return await _told(cases, services, department, reference, CaseKind.APPROVAL, data, data.notice)


@put("/cases/{reference:str}/notices/progress", operation_id="tellProgress", status_code=200,
     summary="Tell somebody how far it is", responses=_REFUSES)  # fmt: skip
async def tell_progress(
    reference: CaseReference,
    data: JSONBody[ProgressRequest],
    department: NamedDependency[DepartmentSystem],
    cases: NamedDependency[Cases],
    services: NamedDependency[Services],
) -> NoticeStanding:
    """The same again is the same notice; a stage that nobody was told of yet gives way to the next."""
    return await _told(cases, services, department, reference, CaseKind.PROGRESS, data, data.notice)


@put("/cases/{reference:str}/notices/inspection_overdue", operation_id="tellInspectionOverdue", status_code=200,
     summary="Tell somebody that an inspection is overdue", responses=_REFUSES)  # fmt: skip
async def tell_overdue_inspection(
    reference: CaseReference,
    data: JSONBody[InspectionOverdueRequest],
    department: NamedDependency[DepartmentSystem],
    cases: NamedDependency[Cases],
    services: NamedDependency[Services],
) -> NoticeStanding:
    """The same again is the same notice."""
    return await _told(cases, services, department, reference, CaseKind.INSPECTION_OVERDUE, data, data.notice)


@put("/cases/{reference:str}/notices/violation", operation_id="tellViolation", status_code=200,
     summary="Tell somebody that a violation is on record", responses=_REFUSES)  # fmt: skip
async def tell_violation(
    reference: CaseReference,
    data: JSONBody[ViolationRequest],
    department: NamedDependency[DepartmentSystem],
    cases: NamedDependency[Cases],
    services: NamedDependency[Services],
) -> NoticeStanding:
    """The same again is the same notice."""
    return await _told(cases, services, department, reference, CaseKind.VIOLATION, data, data.notice)


@get("/cases/{reference:str}/notices", operation_id="readCaseNotices", summary="What you told somebody of a case",
     responses=refuses(MalformedRequest, RoleMissing, CaseNotFound))  # fmt: skip
async def read_case_notices(
    reference: CaseReference, department: NamedDependency[DepartmentSystem], cases: NamedDependency[Cases]
) -> NoticesView:
    """Every notice, kind by kind, and how each stands."""
    async with cases.db.connection() as conn:
        return NoticesView(await reading.read(conn, cases.seals, department, reference))


async def _told(
    cases: Cases,
    services: Services,
    department: DepartmentSystem,
    reference: str,
    kind: CaseKind,
    data: Named,
    content: Content,
) -> NoticeStanding:
    said = Said(kind, reference, data.id_number, data.revision, content)
    async with services.counting.one(department.department_id) as count:
        notice = await cases.telling.tell(department, said, count)
    async with cases.db.connection() as conn:
        [standing] = await reading.standing_of(conn, department, [notice])
    return standing


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [
        tell_supplement,
        tell_approval,
        tell_progress,
        tell_overdue_inspection,
        tell_violation,
        read_case_notices,
    ],
}
