"""Departments' texts on the wire: departments write them, operators approve them."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from kernel.audience import Handlers
from kernel.errors import IdempotencyKeyReused, MalformedRequest, RoleMissing
from kernel.idempotency import KEY_MAX
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications import templates
from notifications.parts import Notifications
from notifications.texts import deciding, writing
from notifications.texts.errors import (
    OtpNeedsLeave,
    TextArchived,
    TextDecided,
    TextNotFound,
    TextUnderReview,
    TextUnsound,
    TooManyTexts,
)
from notifications.texts.model import TextState
from notifications.texts.views import (
    ApprovalBody,
    CityTextView,
    ContentBody,
    NewTextBody,
    PreviewView,
    ProvidersBody,
    ReasonBody,
    ReviewedView,
    ReviewView,
    TextsView,
    TextView,
    ValuesBody,
    VersionView,
    WrittenView,
)

IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=KEY_MAX,
        pattern=r"^[\x21-\x7e]+$(?!\n)",
        description="Chosen by you, one for each text: a retry with the same key and body gets the first answer.",
    ),
]
After = Annotated[UUID | None, QueryParameter(description="`next_after` of the page before.")]


# --- departments ------------------------------------------------------------------------------------------------------


@post("/texts", operation_id="writeText", summary="Write a text", status_code=201,
      responses=refuses(MalformedRequest, RoleMissing, TextUnsound, TooManyTexts, IdempotencyKeyReused))  # fmt: skip
async def write_text(
    data: JSONBody[NewTextBody],
    idempotency_key: IdempotencyKey,
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> WrittenView:
    """Its first version is a draft: preview it, then hand it in."""
    async with notifications.db.transaction() as conn:
        written = await writing.write(
            conn,
            notifications.answers,
            department.department_id,
            idempotency_key,
            data.sort,
            data.content,
            body=msgspec.json.encode(data),
            now=notifications.clock.now(),
        )
    return WrittenView.of(written)


@get("/texts", operation_id="listTexts", summary="Your texts", responses=refuses(MalformedRequest, RoleMissing))
async def list_texts(
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
    archived: Annotated[bool, QueryParameter(description="Those put away, or the others.")] = False,
    after: After = None,
    limit: Annotated[int, QueryParameter(ge=1, le=writing.PAGE_MAX)] = 50,
) -> TextsView:
    """Those written first first."""
    async with notifications.db.connection() as conn:
        page = await writing.page(conn, department.department_id, is_archived=archived, after=after, limit=limit)
    return TextsView.of(page)


@get("/texts/{text_id:uuid}", operation_id="readText", summary="One of your texts",
     responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def read_text(
    text_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> TextView:
    """What its newest version says and what the one in use says, and how far each version has come."""
    async with notifications.db.connection() as conn:
        return TextView.of(await writing.read(conn, department.department_id, text_id))


@put("/texts/{text_id:uuid}", operation_id="rewriteText", summary="Write a text anew",
     responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextUnsound, TextArchived, TextUnderReview,
                       TooManyTexts))  # fmt: skip
async def rewrite_text(
    text_id: FromPath[UUID],
    data: JSONBody[ContentBody],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> VersionView:
    """Writes over the draft, or begins a new version beside the one in use. The same words again change nothing."""
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        version = await writing.rewrite(conn, department.department_id, text_id, data.content, now=now)
    return VersionView.of(version)


@get("/texts/{text_id:uuid}/versions/{version:int}", operation_id="readTextVersion",
     summary="One version of a text", responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def read_version(
    text_id: FromPath[UUID],
    version: FromPath[int],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> VersionView:
    """As it was written; from when it is handed in it stays as it is."""
    async with notifications.db.connection() as conn:
        return VersionView.of(await writing.read_version(conn, department.department_id, text_id, version))


@post("/texts/{text_id:uuid}/versions/{version:int}/preview", operation_id="previewText", status_code=200,
      summary="What a version looks like", responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def preview_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    data: JSONBody[ValuesBody],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> PreviewView:
    """Nothing is sent or kept. What is wrong with the values is named, and what an SMS costs is told."""
    async with notifications.db.connection() as conn:
        shown = await writing.look(conn, department.department_id, text_id, version, data.values)
    return PreviewView.of(shown)


@post("/texts/{text_id:uuid}/versions/{version:int}/submit", operation_id="submitText", status_code=200,
      summary="Hand a version in",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextArchived, TextDecided))  # fmt: skip
async def submit_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> VersionView:
    """An operator approves it or says why not; the one in use stays in use until then."""
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return VersionView.of(await writing.submit(conn, department.department_id, text_id, version, now=now))


@post("/texts/{text_id:uuid}/versions/{version:int}/withdraw", operation_id="withdrawText", status_code=200,
      summary="Take a version back",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextDecided))  # fmt: skip
async def withdraw_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> VersionView:
    """Nothing more is owed in it, and the one approved before it is in use again; what is owed already is told."""
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return VersionView.of(await writing.withdraw(conn, department.department_id, text_id, version, now=now))


@post("/texts/{text_id:uuid}/archive", operation_id="archiveText", status_code=200, summary="Put a text away",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def archive_text(
    text_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> TextView:
    """Nothing more is owed in it; what is owed already is told."""
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return TextView.of(await writing.archive(conn, department.department_id, text_id, is_archived=True, now=now))


@post("/texts/{text_id:uuid}/restore", operation_id="restoreText", status_code=200,
      summary="Take a text out again", responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def restore_text(
    text_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> TextView:
    """The version that was in use is in use again."""
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return TextView.of(await writing.archive(conn, department.department_id, text_id, is_archived=False, now=now))


# --- operators --------------------------------------------------------------------------------------------------------


@get("/texts", operation_id="listTextsToApprove", summary="Texts that wait for approval, and the city's own",
     responses=refuses(MalformedRequest, RoleMissing))  # fmt: skip
async def list_texts_to_approve(
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
    in_state: Annotated[TextState, QueryParameter(name="state", description="How they stand.")] = TextState.SUBMITTED,
    after: After = None,
    limit: Annotated[int, QueryParameter(ge=1, le=deciding.PAGE_MAX)] = 50,
) -> ReviewView:
    """Of each text the newest version in that state, those written first first."""
    del operator
    async with notifications.db.connection() as conn:
        waiting = await deciding.page(conn, in_state, after=after, limit=limit)
    return ReviewView.of(waiting, [CityTextView.of(one) for one in templates.ALL] if after is None else [])


@get("/texts/{text_id:uuid}/versions/{version:int}", operation_id="lookAtText",
     summary="A version of a department's text",
     responses=refuses(MalformedRequest, RoleMissing, TextNotFound))  # fmt: skip
async def look_at_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
) -> ReviewedView:
    """As the department wrote it, and what providers know it by."""
    del operator
    async with notifications.db.connection() as conn:
        return ReviewedView.of(await deciding.look(conn, text_id, version))


@post("/texts/{text_id:uuid}/versions/{version:int}/approve", operation_id="approveText", status_code=200,
      summary="Let a text be sent",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextDecided, OtpNeedsLeave))  # fmt: skip
async def approve_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    data: JSONBody[ApprovalBody],
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
) -> ReviewedView:
    """From now on in place of the version in use. One for one-time codes only when that is said expressly."""
    actor, now = deciding.actor_of(operator.staff_id), notifications.clock.now()
    async with notifications.db.transaction() as conn:
        found = await deciding.approve(conn, text_id, version, is_otp_meant=data.otp, actor=actor, now=now)
    return ReviewedView.of(found)


@post("/texts/{text_id:uuid}/versions/{version:int}/reject", operation_id="rejectText", status_code=200,
      summary="Do not let a text be sent",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextDecided))  # fmt: skip
async def reject_text(
    text_id: FromPath[UUID],
    version: FromPath[int],
    data: JSONBody[ReasonBody],
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
) -> ReviewedView:
    """The department reads why, and may write it anew."""
    actor, now = deciding.actor_of(operator.staff_id), notifications.clock.now()
    async with notifications.db.transaction() as conn:
        return ReviewedView.of(await deciding.reject(conn, text_id, version, data.reason, actor=actor, now=now))


@post("/texts/{text_id:uuid}/versions/{version:int}/withdraw", operation_id="withdrawTextOfDepartment",
      status_code=200, summary="Take a text out of use",
      responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextDecided))  # fmt: skip
async def withdraw_text_of_department(
    text_id: FromPath[UUID],
    version: FromPath[int],
    data: JSONBody[ReasonBody],
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
) -> ReviewedView:
    """Nothing more is owed in it; the department reads why."""
    actor, now = deciding.actor_of(operator.staff_id), notifications.clock.now()
    async with notifications.db.transaction() as conn:
        return ReviewedView.of(await deciding.withdraw(conn, text_id, version, data.reason, actor=actor, now=now))


@put("/texts/{text_id:uuid}/versions/{version:int}/providers", operation_id="nameTextToProviders",
     summary="Say what providers know a text by",
     responses=refuses(MalformedRequest, RoleMissing, TextNotFound, TextDecided, TextUnsound))  # fmt: skip
async def name_text_to_providers(
    text_id: FromPath[UUID],
    version: FromPath[int],
    data: JSONBody[ProvidersBody],
    operator: NamedDependency[Operator],
    notifications: NamedDependency[Notifications],
) -> ReviewedView:
    """In place of what was said before. Providers that take no free words send only what they know."""
    actor, now = deciding.actor_of(operator.staff_id), notifications.clock.now()
    ids = {name: one.whole() for name, one in data.providers.items()}
    async with notifications.db.transaction() as conn:
        found = await deciding.name_to_providers(conn, text_id, version, ids, actor=actor, now=now)
    return ReviewedView.of(found)


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [
        write_text,
        list_texts,
        read_text,
        rewrite_text,
        read_version,
        preview_text,
        submit_text,
        withdraw_text,
        archive_text,
        restore_text,
    ],
    Audience.OPERATOR: [
        list_texts_to_approve,
        look_at_text,
        approve_text,
        reject_text,
        withdraw_text_of_department,
        name_text_to_providers,
    ],
}
