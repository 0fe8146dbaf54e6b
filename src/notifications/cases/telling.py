"""A department says something of a case: told once, and where the person was told otherwise before, that it is new.

Of each kind a case has one notice that stands. What comes in its place while nobody has read it yet is told instead of
it; later it is told as what changed. The same notice again, while it stands, is the same one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.people import People
from kernel.principal import DepartmentSystem
from notifications.cases import queries
from notifications.cases.errors import CaseOfAnother, NoticeOutdated, NoticeTooLong, NoticeUnsound, TooManyNotices
from notifications.cases.model import NOTICES_MAX, CaseKind, Content, faults_of
from notifications.cases.queries import NoticeRow
from notifications.cases.seals import CaseSeals
from notifications.cases.wording import Values, last_moment_of, text_of, values_of
from notifications.model import SEGMENTS_MAX
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import GOOD_FOR, Outbox, Owed, ToNobody
from notifications.segmenting import segments
from notifications.services.counting import Count
from notifications.statistics.tallying import Taken, tally_taken, tally_withdrawn
from notifications.template import Template

FILED_TRIES_MAX: Final = 3
"""A case that is forgotten while something is told of it is filed anew."""


class Said(Struct, frozen=True):
    """What a department says of a case, of whom (an ID number), and the how-manieth version of it that is."""

    kind: CaseKind
    reference: str
    id_number: str
    revision: int
    content: Content

    def __repr__(self) -> str:
        return f"Said({self.kind})"


class Telling:
    """Tells people of their cases."""

    def __init__(self, db: Database, clock: Clock, seals: CaseSeals, people: People, outbox: Outbox) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._outbox = outbox

    async def tell(self, department: DepartmentSystem, said: Said, count: Count) -> NoticeRow:
        """Owe the notice, or find the one that says the same and stands.

        What stands and has not been told to anybody is taken back first. Whether the person is known is not told.
        Raises NoticeUnsound, NoticeTooLong, CaseOfAnother, NoticeOutdated, TooManyNotices, and what `count` raises.
        """
        now = self._clock.now()
        faults = faults_of(said.content, now)
        if faults:
            raise NoticeUnsound(faults=faults)
        async with self._db.transaction() as conn:
            case_digest = await self._held(conn, department, said, now)
            notices = [one for one in await queries.select_notices(conn, case_digest) if one.kind is said.kind]
            current = next((one for one in notices if one.is_current), None)
            digests = self._seals.every_content(said.kind, said.revision, said.content)
            same = next((one for one in notices if one.content_digest in digests), None)
            if same is not None and same.is_current:
                return same
            if current is not None and (same is not None or said.revision < current.revision):
                raise NoticeOutdated(revision=current.revision)
            if len(notices) >= NOTICES_MAX:
                raise TooManyNotices
            count()
            told = await self._replaced(conn, department, case_digest, notices, current, now)
            return await self._owe(conn, department, case_digest, said, len(notices) + 1, told, digests[0], now)

    async def _held(self, conn: Connection, department: DepartmentSystem, said: Said, now: datetime) -> bytes:
        """The case, filed and locked. Raises CaseOfAnother."""
        digests = self._seals.every_case(department.department_id, said.reference)
        holders = self._seals.every_holder(said.id_number)
        for _ in range(FILED_TRIES_MAX):
            case_digest = await queries.select_case(conn, digests) or digests[0]
            await queries.insert_case(conn, case_digest, holders[0], now=now)
            held = await queries.lock_case(conn, case_digest)
            if held is not None:
                if held[0] not in holders:
                    raise CaseOfAnother
                return case_digest
        raise AssertionError("a case is forgotten long after it was filed")

    async def _replaced(
        self,
        conn: Connection,
        department: DepartmentSystem,
        case_digest: bytes,
        notices: Sequence[NoticeRow],
        current: NoticeRow | None,
        now: datetime,
    ) -> NoticeRow | None:
        """End the notice that stands; the one that the person has been told, if any."""
        if current is None:
            return None
        key = _key(case_digest, current.kind, current.number)
        is_untold = await self._outbox.withdraw(conn, caller_of(department), key, now=now)
        await queries.end_notice(conn, case_digest, current.kind, current.number)
        if not is_untold:
            return current
        text = text_of(current.kind, is_renewed=current.told_number is not None)
        await tally_withdrawn(conn, _counted(caller_of(department), text), taken_at=current.told_at)
        return next((one for one in notices if one.number == current.told_number), None)

    async def _owe(
        self,
        conn: Connection,
        department: DepartmentSystem,
        case_digest: bytes,
        said: Said,
        number: int,
        told: NoticeRow | None,
        content_digest: bytes,
        now: datetime,
    ) -> NoticeRow:
        kind, content, caller = said.kind, said.content, caller_of(department)
        before = None
        if told is not None and told.sealed_content:
            before = self._seals.open(case_digest, kind, told.number, told.sealed_content)
        template = text_of(kind, is_renewed=told is not None)
        values = values_of(content, department.name, before, is_renewed=told is not None)
        _check_length(template, values)
        last = last_moment_of(content)
        expires_at = None if last is None else min(last, now + GOOD_FOR[template.lane])
        person_id = await self._people.find(conn, said.id_number)
        owed = Owed(
            caller=caller,
            key=_key(case_digest, kind, number),
            to=ToNobody() if person_id is None else person_id,
            template=template,
            values=values,
            due_at=now,
            expires_at=expires_at,
        )
        message_id = await self._outbox.owe(conn, owed, now=now)
        await tally_taken(conn, [_counted(caller, template)], now=now)
        sealed = self._seals.seal(case_digest, kind, number, content)
        told_number = None if told is None else told.number
        row = NoticeRow(
            kind, number, said.revision, content_digest, message_id, sealed, told_number, is_current=True, told_at=now
        )
        await queries.insert_notice(conn, case_digest, row)
        await queries.touch_case(conn, case_digest, now=now)
        act, subject = f"notifications.tell_{kind}", f"message:{message_id}"
        await audit.record(conn, actor=caller, act=act, subject=subject, now=now)
        return row


def caller_of(department: DepartmentSystem) -> str:
    """In whose name a message about a case is owed."""
    return f"{CALLER_PREFIX}{department.department_id}"


def _key(case_digest: bytes, kind: CaseKind, number: int) -> str:
    """The name of the promise."""
    return f"case/{case_digest.hex()}/{kind}/{number}"


def _counted(caller: str, text: Template) -> Taken:
    """A notice, as the statistics count it."""
    return Taken(caller, text.id, text.version, text.channels[0], is_direct=False, count=1)


def _check_length(template: Template, values: Values) -> None:
    """Whether an SMS says it whole in either language. Raises NoticeTooLong."""
    counted = max(segments(template.whole_sms(values, "zh")), segments(template.whole_sms(values, "en")))
    if counted > SEGMENTS_MAX:
        raise NoticeTooLong(segments=counted, segments_max=SEGMENTS_MAX)
