"""Who has few before them is told by SMS too, once, while it still helps."""

from datetime import timedelta

import pytest

from appointments.desk.hall.calling import NEARLY_GOOD_FOR
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.sealing import Keys
from notifications.parts import Notifications
from tests.builders_appointments import THURSDAY_TEN, a_person, a_slot, an_id, at
from tests.builders_desk import PASSPORT, Hall
from tests.builders_notifications import PHONE, notifications_over

MINUTE = timedelta(minutes=1)


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys) -> Notifications:
    return notifications_over(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


async def waiting(hall: Hall, clock: StoppedClock, people: int) -> list[PersonId]:
    """So many who booked and are here, in the order of their numbers."""
    slot, found = await a_slot(hall.db, service=PASSPORT, starts_at=THURSDAY_TEN, places=people), []
    booked = [(a_person(), an_id()) for _ in range(people)]
    for person, booking_id in booked:
        await hall.appointments.book(booking_id, slot, person)
    at(clock, THURSDAY_TEN - 15 * MINUTE)
    for person, booking_id in booked:
        await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking_id)
        clock.advance(timedelta(seconds=1))
        found.append(person)
    return found


async def sms(notifications: Notifications) -> list[str]:
    await notifications.settle()
    async with notifications.db.connection() as conn:
        shown = await notifications.demo_outbox.shown_to(conn, PHONE)
    return [one.text for one in shown if "请留意叫号" in one.text]


async def test_it_comes_by_sms_once(hall: Hall, notifications: Notifications, clock: StoppedClock) -> None:
    people = await waiting(hall, clock, 4)
    async with notifications.db.transaction() as conn:
        await notifications.contacts.remember(conn, people[3], PHONE, "zh", clock.now())
    at(clock, THURSDAY_TEN)
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    for _ in range(3):
        counter, _ = await hall.serve(clerk, counter)
        [text] = await sms(notifications)
    assert "号前面还有2人，请留意叫号" in text


async def test_it_does_not_come_when_they_have_long_been_called(
    hall: Hall, notifications: Notifications, clock: StoppedClock
) -> None:
    people = await waiting(hall, clock, 3)
    async with notifications.db.transaction() as conn:
        await notifications.contacts.remember(conn, people[2], PHONE, "zh", clock.now())
    at(clock, THURSDAY_TEN)
    clerk = hall.clerk()
    await hall.serve(clerk, await hall.counter(clerk))
    clock.advance(NEARLY_GOOD_FOR)
    assert await sms(notifications) == []
