"""Batches on the wire, for operators: everybody's are listed, paused, resumed and cancelled."""

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from kernel.audience import Handlers
from kernel.errors import RoleMissing
from kernel.ids import DepartmentId
from kernel.principal import Audience, Operator
from kernel.problems import refuses
from notifications.batches.errors import BatchNotFound, BatchStepNotAllowed
from notifications.batches.http import BatchCursor, before_of, cursor_of
from notifications.batches.model import Act
from notifications.batches.parts import Batches
from notifications.batches.progress import PAGE_MAX
from notifications.batches.views import OperatorBatchesView, OperatorBatchView
from notifications.errors import CursorUnknown
from notifications.services.errors import TextNotInUse


@get("/batches", operation_id="listEverybodysBatches", summary="Batches of all departments, newest first",
     responses=refuses(CursorUnknown, RoleMissing))  # fmt: skip
async def list_everybodys_batches(
    operator: NamedDependency[Operator],
    batches: NamedDependency[Batches],
    cursor: BatchCursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> OperatorBatchesView:
    """How far each is. No row is shown."""
    del operator
    page = await batches.watching.page(None, before=before_of(cursor), limit=limit)
    return OperatorBatchesView([OperatorBatchView.of(one) for one in page.batches], cursor_of(page.next_before))


async def _act(batches: Batches, operator: Operator, service_id: UUID, batch_id: UUID, act: Act) -> OperatorBatchView:
    department_id, actor = DepartmentId(service_id), f"operator:{operator.staff_id}"
    await batches.steering.act(department_id, batch_id, act, actor=actor, why="operator")
    return OperatorBatchView.of(await batches.watching.read(department_id, batch_id))


_REFUSALS = (BatchNotFound, BatchStepNotAllowed, RoleMissing)


@post("/batches/{service_id:uuid}/{batch_id:uuid}/pause", operation_id="pauseBatchOf", status_code=200,
      summary="Pause a department's batch", responses=refuses(*_REFUSALS))  # fmt: skip
async def pause_batch_of(
    service_id: FromPath[UUID],
    batch_id: FromPath[UUID],
    operator: NamedDependency[Operator],
    batches: NamedDependency[Batches],
) -> OperatorBatchView:
    """Nothing more leaves but what is being sent at this moment, until an operator resumes it."""
    return await _act(batches, operator, service_id, batch_id, Act.PAUSE)


@post("/batches/{service_id:uuid}/{batch_id:uuid}/resume", operation_id="resumeBatchOf", status_code=200,
      summary="Resume a department's batch", responses=refuses(TextNotInUse, *_REFUSALS))  # fmt: skip
async def resume_batch_of(
    service_id: FromPath[UUID],
    batch_id: FromPath[UUID],
    operator: NamedDependency[Operator],
    batches: NamedDependency[Batches],
) -> OperatorBatchView:
    """It goes on where it was paused."""
    return await _act(batches, operator, service_id, batch_id, Act.RESUME)


@post("/batches/{service_id:uuid}/{batch_id:uuid}/cancel", operation_id="cancelBatchOf", status_code=200,
      summary="Cancel a department's batch", responses=refuses(*_REFUSALS))  # fmt: skip
async def cancel_batch_of(
    service_id: FromPath[UUID],
    batch_id: FromPath[UUID],
    operator: NamedDependency[Operator],
    batches: NamedDependency[Batches],
) -> OperatorBatchView:
    """What was not sent will not be, and its rows are forgotten. What is sent is sent."""
    return await _act(batches, operator, service_id, batch_id, Act.CANCEL)


HANDLERS: Handlers = {Audience.OPERATOR: [list_everybodys_batches, pause_batch_of, resume_batch_of, cancel_batch_of]}
