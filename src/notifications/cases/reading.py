"""A department looks at what it told somebody of a case, and how each stands."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import MessageId
from kernel.principal import DepartmentSystem
from notifications.cases import queries
from notifications.cases.errors import CaseNotFound
from notifications.cases.model import CaseKind
from notifications.cases.queries import NoticeRow
from notifications.cases.seals import CaseSeals
from notifications.cases.telling import caller_of
from notifications.model import MessageStage
from notifications.outbox import bucket_in

State = Literal["waiting", "handled", "withdrawn"]
_STATES: dict[MessageStage, State] = {MessageStage.OWED: "waiting", MessageStage.WITHDRAWN: "withdrawn"}


class NoticeStanding(Struct, frozen=True):
    """A notice about a case. It never says whether the person is known, or by which way they were told."""

    kind: CaseKind
    revision: int
    message_id: MessageId
    told_at: datetime
    state: State
    """`handled`: told by every way the person chose, as far as anybody was to be told."""
    is_current: bool
    """Whether it stands; if not, another of its kind took its place."""
    is_renewal: bool
    """Whether it says that something told before is another now."""


async def standing_of(conn: Connection, department: DepartmentSystem, notices: list[NoticeRow]) -> list[NoticeStanding]:
    """How each of these notices of a department stands."""
    ids = [one.message_id for one in notices]
    buckets = sorted({bucket_in(message_id) for message_id in ids})
    stages = await queries.select_stages(conn, buckets, ids, caller_of(department)) if ids else {}
    return [
        NoticeStanding(
            one.kind,
            one.revision,
            one.message_id,
            one.told_at,
            _STATES.get(stages.get(one.message_id, MessageStage.ROUTED), "handled"),
            one.is_current,
            one.told_number is not None,
        )
        for one in notices
    ]


async def read(
    conn: Connection, seals: CaseSeals, department: DepartmentSystem, reference: str
) -> list[NoticeStanding]:
    """Everything told of a case, kind by kind, what was told first first. Raises CaseNotFound."""
    case_digest = await queries.select_case(conn, seals.every_case(department.department_id, reference))
    if case_digest is None:
        raise CaseNotFound
    return await standing_of(conn, department, await queries.select_notices(conn, case_digest))
