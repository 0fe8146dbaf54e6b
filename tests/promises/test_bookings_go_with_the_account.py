"""A resident takes along what they booked and told; whoever closes their account gives back what they have ahead."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import uuid4

import msgspec
import pytest

from appointments.asking import Particulars
from appointments.model import Lane, Stage
from appointments.parts import Appointments
from appointments.queries import mark_missed
from city.demo.people import PEOPLE
from gateway.residents.http import ExportView
from gateway.residents.parts import Residents
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import AccountId, PersonId, SessionId, uuid7
from kernel.limits import Limits
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_service,
    a_slot,
    an_id,
    disagreements,
    messages,
    people_of,
)
from tests.builders_gateway import ORIGIN, Entrance, an_entrance

RESIDENT = next(person for person in PEOPLE if person.phone)
NEXT_DAY = THURSDAY_TEN + timedelta(days=1)


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock) as opened:
        yield opened


@pytest.fixture
async def residents(
    entrance: Entrance, appointments: Appointments, db: Database, clock: StoppedClock, keys: Keys
) -> AsyncIterator[Residents]:
    limits = Limits(None, clock, subject_key=keys.derived("kernel.limits"))
    opened = await Residents.open(
        db, clock, keys, limits, Outbox(keys), people_of(keys), Contacts(keys), entrance.signing_keys,
        issuer=ORIGIN, real_name_url=entrance.platform_url, appointments=appointments,
    )  # fmt: skip
    yield opened
    await opened.close()


@pytest.fixture
async def somebody(entrance: Entrance, residents: Residents, db: Database) -> tuple[AccountId, PersonId]:
    await entrance.a_citizen(RESIDENT)
    [row] = await db.fetch("SELECT account_id, person_id FROM gateway.account WHERE person_id IS NOT NULL")
    return AccountId(row[0]), PersonId(row[1])


async def a_wait(db: Database, person_id: PersonId, clock: StoppedClock, service: str = "marriage") -> None:
    service_id = await a_service(db, service)
    async with db.connection() as conn:
        await conn.execute(
            """
            INSERT INTO appointments.waiting (service_id, waiting_id, person_id, first_day, last_day, stage, joined_at,
                                              changed_at)
            VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6)
            """,
            service_id, uuid4(), person_id, date(2026, 3, 3), date(2026, 3, 20), clock.now(),
        )  # fmt: skip


async def test_the_export_has_what_was_booked_told_held_and_waited_for(
    db, appointments, residents, somebody, clock, keys
):
    account_id, person_id = somebody
    urgent, later = await a_slot(db, lane=Lane.URGENT), await a_slot(db, service="licence", starts_at=NEXT_DAY)
    booking = await appointments.book(an_id(), urgent, person_id, Particulars(reason="航班明日起飞"))
    hold = await appointments.hold(an_id(), later, person_id)
    await a_wait(db, person_id, clock)
    await appointments.book(an_id(), urgent, a_person(), Particulars(reason="别人的理由"))
    view = ExportView.of(await residents.showing.held(account_id), SessionId(uuid7(clock.now())))
    written = msgspec.json.encode(view)
    assert "别人的理由".encode() not in written
    kept = msgspec.json.decode(written, type=ExportView).appointments
    assert kept is not None
    [one] = kept.bookings
    assert (one.booking.booking_id, one.booking.lane) == (booking.booking_id, Lane.URGENT)
    assert one.told is not None
    assert one.told.reason == "航班明日起飞"
    assert [held.booking_id for held in kept.holds] == [hold.booking_id]
    assert [wait.stage for wait in kept.waiting] == ["waiting"]
    assert (kept.strikes, kept.suspension, kept.results, kept.ratings, kept.feeds) == ([], None, [], [], [])
    assert kept.tickets == []


async def test_closing_an_account_gives_back_what_lies_ahead_and_leaves_what_was(
    db, appointments, residents, somebody, clock
):
    account_id, person_id = somebody
    slot = await a_slot(db, places=1)
    other = await a_slot(db, places=1, service="licence", starts_at=NEXT_DAY)
    gone = await a_slot(db, places=1, service="vaccination", starts_at=NEXT_DAY + timedelta(days=1))
    await appointments.book(an_id(), slot, person_id)
    missed = await appointments.book(an_id(), gone, person_id)
    async with db.transaction() as conn:
        await mark_missed(conn, [(person_id, missed.booking_id)], now=clock.now())
    await appointments.hold(an_id(), other, person_id)
    await a_wait(db, person_id, clock)
    async with db.connection() as conn:
        await conn.execute(
            "INSERT INTO appointments.feed (feed_digest, person_id, made_at) VALUES ($1, $2, $3)",
            b"x" * 32, person_id, clock.now(),
        )  # fmt: skip
    for _ in range(2):
        await residents.close_account(account_id)
    stages = await db.fetch("SELECT stage FROM appointments.booking ORDER BY stage")
    assert [row[0] for row in stages] == [Stage.CANCELLED, Stage.MISSED]
    assert await db.fetchval("SELECT count(*) FROM appointments.hold") == 0
    assert await db.fetchval("SELECT stage FROM appointments.waiting") == "left"
    assert await db.fetchval("SELECT ended_at FROM appointments.feed") == clock.now()
    assert await messages(db, "booking_cancelled") == 1
    assert await appointments.book(an_id(), slot, a_person())
    assert await appointments.book(an_id(), other, a_person())
    assert await disagreements(db, now=clock.now()) == []


async def test_an_account_that_fails_to_close_keeps_its_bookings(db, appointments, residents, somebody, clock):
    account_id, person_id = somebody
    await appointments.book(an_id(), await a_slot(db, places=1), person_id)
    async with db.connection() as conn:
        await conn.execute("ALTER TABLE kernel.audit ADD CHECK (act <> 'residents.close_account')")
    with pytest.raises(Exception, match="check constraint"):
        await residents.close_account(account_id)
    assert await db.fetchval("SELECT stage FROM appointments.booking") == Stage.BOOKED
    assert await db.fetchval("SELECT count(*) FROM gateway.account WHERE account_id = $1", account_id) == 1
    assert await disagreements(db) == []
