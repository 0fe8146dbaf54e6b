"""For how long a department's messages are kept, on the wire."""

from typing import Annotated

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import RoleMissing
from kernel.principal import Audience, DepartmentSystem
from kernel.problems import refuses
from notifications.retention.errors import KeptTooLong
from notifications.retention.model import DAYS_MAX, DAYS_MIN
from notifications.retention.parts import Retention


class RetentionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """For how many days after it was due a message is kept."""

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]


class RetentionView(msgspec.Struct):
    """For how many days yours are kept, and between which numbers you may choose."""

    days: int
    days_min: int
    days_max: int


@get("/retention", operation_id="readRetention", summary="How long your messages are kept",
     responses=refuses(RoleMissing))  # fmt: skip
async def read_retention(
    department: NamedDependency[DepartmentSystem], retention: NamedDependency[Retention]
) -> RetentionView:
    """So many days after it was due, what a message said, to whom, and what carriers said of it is forgotten."""
    days = await retention.keeping.days_of(department.department_id)
    return RetentionView(days, DAYS_MIN, retention.keeping.days_max)


@put("/retention", operation_id="chooseRetention", summary="Choose how long your messages are kept",
     responses=refuses(KeptTooLong, RoleMissing))  # fmt: skip
async def choose_retention(
    data: JSONBody[RetentionRequest],
    department: NamedDependency[DepartmentSystem],
    retention: NamedDependency[Retention],
) -> RetentionView:
    """At most as long as the city keeps anything. How each ended, and how many there were, is told for ever."""
    actor = f"department:{department.department_id}"
    days = await retention.keeping.choose(department.department_id, data.days, actor=actor)
    return RetentionView(days, DAYS_MIN, retention.keeping.days_max)


HANDLERS: Handlers = {Audience.DEPARTMENT: [read_retention, choose_retention]}
