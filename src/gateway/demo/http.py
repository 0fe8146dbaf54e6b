"""The demo's short cuts: SMS as the demo carrier shows them, and an hour that has not come. Never in a real city."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from appointments import reminding
from appointments.parts import Appointments
from appointments.telling import Telling
from gateway.demo.errors import HourOutOfReach
from kernel.audience import Handlers
from kernel.clock import StoppedClock
from kernel.ids import BUCKETS
from kernel.principal import Audience
from kernel.problems import refuses
from notifications.channels.demo_outbox import ShownSms
from notifications.model import Lane
from notifications.parts import Notifications

AHEAD_MAX = timedelta(days=60)
BATCHES_MAX = 100


class OutboxSearch(msgspec.Struct, forbid_unknown_fields=True):
    """Whose SMS to show."""

    phone: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$(?!\n)")]
    """In international form, e.g. `+8613800138000`."""


class ShownView(msgspec.Struct):
    """SMS the demo carrier showed instead of sending, newest first."""

    messages: list[ShownSms]


@post(
    "/demo/outbox/search",
    operation_id="searchDemoOutbox",
    summary="SMS shown to a number",
    status_code=200,
)
async def search_demo_outbox(data: JSONBody[OutboxSearch], notifications: NamedDependency[Notifications]) -> ShownView:
    """The newest SMS to a number, sign-in codes included. In a demo the number's owner is whoever plays them."""
    async with notifications.db.connection() as conn:
        return ShownView(await notifications.demo_outbox.shown_to(conn, data.phone))


@get("/demo/outbox", operation_id="readDemoOutbox", summary="The newest SMS shown to anybody")
async def read_demo_outbox(notifications: NamedDependency[Notifications]) -> ShownView:
    """The newest 50 SMS, the numbers masked."""
    async with notifications.db.connection() as conn:
        return ShownView(await notifications.demo_outbox.newest(conn))


class RemindersRequest(msgspec.Struct, forbid_unknown_fields=True):
    as_of: Annotated[datetime, Meta(tz=True)]
    """The hour to play, at most 60 days ahead."""


class RemindersView(msgspec.Struct):
    """How many queue entries of bookings had come to their hour."""

    looked_at: int


@post(
    "/demo/reminders",
    operation_id="playReminders",
    summary="Remind as if it were another hour",
    status_code=200,
    responses=refuses(HourOutOfReach),
)
async def play_reminders(
    data: JSONBody[RemindersRequest],
    appointments: NamedDependency[Appointments],
    notifications: NamedDependency[Notifications],
) -> RemindersView:
    """Owe the reminders that would be owed at `as_of`, and send them now: nobody is reminded of the same hour twice."""
    now = notifications.clock.now()
    if not now <= data.as_of <= now + AHEAD_MAX:
        raise HourOutOfReach
    telling = Telling(notifications.outbox, appointments.catalogues)
    looked_at = 0
    for bucket in range(BUCKETS):
        for _ in range(BATCHES_MAX):
            found = await reminding.remind_due(appointments.db, StoppedClock(data.as_of), telling, bucket)
            if not found:
                break
            looked_at += found
    async with notifications.db.transaction() as conn:
        await notifications.outbox.hasten(conn, Lane.REMINDER, until=data.as_of, now=now)
    return RemindersView(looked_at)


HANDLERS: Handlers = {Audience.PUBLIC: [search_demo_outbox, read_demo_outbox, play_reminders]}
