"""What the proof owes: codes, changes, results, long texts, e-mails, a department's bulk, each to somebody of its own.

Recipients are people of the city who signed in and want no quiet hours, so that the proof runs at any hour.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from city.planting_texts import plant_text
from city.proving.model import CALLER, CALLERS, DEPARTMENT, address_of, key_of, phone_of
from gateway.parts import CityParts
from kernel.db import DatabaseAway, OutcomeUnknown
from kernel.ids import DepartmentId, PersonId
from notifications import templates
from notifications.outbox import Owed, ToPhone
from notifications.reaching.seals import ReachSeals
from notifications.seals import Seals
from notifications.template import Template
from notifications.texts.model import Content, TextSort

ROUND: Final = 100
"""The mix of every hundred messages: so many of each sort, up to here."""
CODES, LONG_CHANGES, CHANGES, RESULTS, LONG_RESULTS, E_MAILS = 10, 13, 30, 50, 55, 65
DROPPED_EVERY: Final = 2_000
"""One e-mail in so many messages is taken by the relay without a word."""
PEOPLE_TOGETHER: Final = 10_000
OWED_TOGETHER: Final = 1_000
AWAY_SECONDS: Final = 0.3
AWAY_TRIES_MAX: Final = 200
BULK_TEXT: Final = UUID(int=78)
_BULK: Final = msgspec.convert(
    {
        "name": "Reminder",
        "lane": "bulk",
        "zh": {"body": "((name))您好，您的居住证将于((day))到期，请携带身份证件到就近的服务中心办理延期。"},
        "placeholders": {"name": {"kind": "name"}, "day": {"kind": "day"}},
    },
    Content,
)
_LONG: Final = "请携带原件和复印件各一份，逾期未补正的，按撤回申请处理。" * 9
_COLUMNS: Final = (
    "person_id", "phone", "language", "sms_results", "sms_reminders", "sms_notices", "email", "email_confirmed_at",
    "results_by", "has_quiet_hours", "updated_at",
)  # fmt: skip


def person_of(nth: int) -> PersonId:
    return PersonId(UUID(int=79 << 64 | nth))


def is_mailed(nth: int) -> bool:
    return LONG_RESULTS <= nth % ROUND < E_MAILS


def is_dropped(nth: int) -> bool:
    """Whether the relay says nothing of it."""
    return nth % DROPPED_EVERY == LONG_RESULTS


class Owing:
    """Owes the proof's messages, number by number; a promise that was made twice is one."""

    def __init__(self, parts: CityParts) -> None:
        self._parts = parts
        self._seals = Seals(parts.keys)
        self._reach_seals = ReachSeals(parts.keys)
        self._bulk: Template | None = None

    async def prepare(self, count: int) -> None:
        """Make the people and the department's text."""
        department, actor = DepartmentId(DEPARTMENT), CALLERS[1]
        await plant_text(self._parts, department, BULK_TEXT, TextSort.SMS, _BULK, actor=actor)
        texts = self._parts.notifications.texts
        await texts.refresh()
        self._bulk = texts.find(str(BULK_TEXT), 1)
        for start in range(0, count, PEOPLE_TOGETHER):
            now = self._parts.clock.now()
            rows = [self._person(nth, now) for nth in range(start, min(count, start + PEOPLE_TOGETHER))]
            async with self._parts.db.transaction() as conn:
                await conn.copy_records_to_table("contact", schema_name="notifications", columns=_COLUMNS, records=rows)

    async def owe(self, numbers: Sequence[int]) -> None:
        """Owe these. A database that is away is waited for; what it may have taken is owed again, by the same key."""
        for start in range(0, len(numbers), OWED_TOGETHER):
            await self._owe_together(numbers[start : start + OWED_TOGETHER])

    async def _owe_together(self, numbers: Sequence[int]) -> None:
        for _ in range(AWAY_TRIES_MAX):
            now = self._parts.clock.now()
            rows = [self._owed(nth, now) for nth in numbers]
            try:
                async with self._parts.db.transaction() as conn:
                    await self._parts.notifications.outbox.owe_many(conn, rows, now=now)
            except (DatabaseAway, OutcomeUnknown):
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return
        raise DatabaseAway("the database did not come back")

    def _person(self, nth: int, now: datetime) -> tuple[object, ...]:
        person = person_of(nth)
        mailed = is_mailed(nth)
        email = self._reach_seals.email(person, address_of(nth, is_dropped=is_dropped(nth))) if mailed else None
        return (
            person, self._seals.phone(person, phone_of(nth)), "zh", not mailed, True, True, email,
            now if mailed else None, ["email"] if mailed else ["sms"], False, now,
        )  # fmt: skip

    def _owed(self, nth: int, now: datetime) -> Owed:
        place = nth % ROUND
        key = key_of(nth)
        if place < CODES:
            values = {"code": f"{nth % 1_000_000:06d}", "minutes": "5"}
            to = ToPhone(phone_of(nth))
            return Owed(caller=CALLER, key=key, to=to, template=templates.SIGN_IN_CODE, values=values, due_at=now)
        template, values, caller = self._of_sort(nth, place, now)
        return Owed(caller=caller, key=key, to=person_of(nth), template=template, values=values, due_at=now)

    def _of_sort(self, nth: int, place: int, now: datetime) -> tuple[Template, dict[str, str], str]:
        if place < LONG_CHANGES:
            when = (now + timedelta(days=3)).isoformat()
            values = {"service": f"第{nth}号业务", "office": "服务中心", "when": when, "bring": _LONG[:150]}
            return templates.BOOKING_CHANGED, values, CALLER
        if place < CHANGES:
            return templates.CERTIFICATE_STATE_CHANGED, {"kind": f"证照{nth}", "state": "suspended"}, CALLER
        if RESULTS <= place < LONG_RESULTS:
            values = {"department": "主管部门", "title": f"第{nth}号申请请补正材料", "body": _LONG}
            return templates.DEPARTMENT_NOTICE, values, CALLER
        if place < E_MAILS:
            return templates.CERTIFICATE_ISSUED, {"kind": f"证照{nth}"}, CALLER
        assert self._bulk is not None
        return self._bulk, {"name": f"第{nth}位市民", "day": "2027-03-05"}, CALLERS[1]
