"""Builders for appointments: an office, a service, slots and whoever books them; and what must always agree."""

from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.types import Receive, Scope, Send

from appointments.acting import Mandates
from appointments.http import HANDLERS
from appointments.model import (
    Desk,
    Lane,
    Office,
    Opening,
    Service,
    Slot,
    office_id_of,
    service_id_of,
    slot_id_of,
)
from appointments.offices import offering
from appointments.parts import Appointments
from appointments.rush.gate import Gate
from kernel import problems
from kernel.audience import Signed, router_of
from kernel.clock import Clock, StoppedClock
from kernel.db import Database
from kernel.ids import (
    BUCKETS,
    AccountId,
    BookingId,
    DepartmentId,
    OfficeId,
    PersonId,
    ServiceId,
    SessionId,
    SlotId,
    StaffId,
)
from kernel.limits import Limits
from kernel.people import People
from kernel.principal import Audience, Principal, Resident, Staff
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.outbox import Outbox

THURSDAY_TEN = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
"""Thursday 5 March 2026, ten in the morning in Shanghai: three days after the stopped clock's Monday."""
HALF_AN_HOUR = timedelta(minutes=30)


def a_person() -> PersonId:
    return PersonId(uuid4())


def an_id() -> BookingId:
    return BookingId(uuid4())


async def an_office(db: Database, slug: str = "xuhui", *, district: str = "310104") -> OfficeId:
    office = Office(
        office_id=office_id_of(slug), slug=slug, name_zh="徐汇区政务服务中心", name_en="Xuhui Service Centre",
        district=district, address="上海市徐汇区样板路20号", phone="021-00008002",
    )  # fmt: skip
    await offering.plant(db, offices=[office])
    return office.office_id


async def a_service(db: Database, slug: str = "passport") -> ServiceId:
    service = Service(
        service_id=service_id_of(slug), slug=slug, department="police", name_zh="普通护照换发",
        name_en="Passport renewal", bring_zh="身份证、旧护照", bring_en="ID card, old passport",
    )  # fmt: skip
    await offering.plant(db, services=[service])
    return service.service_id


async def a_slot(
    db: Database,
    *,
    places: int = 3,
    starts_at: datetime = THURSDAY_TEN,
    lasts: timedelta = HALF_AN_HOUR,
    service: str = "passport",
    office: str = "xuhui",
    district: str = "310104",
    lane: Lane = Lane.NORMAL,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> SlotId:
    office_id, service_id = await an_office(db, office, district=district), await a_service(db, service)
    slot = Slot(
        slot_id=slot_id_of(office_id, service_id, starts_at, lane), office_id=office_id, service_id=service_id,
        district=district, starts_at=starts_at, ends_at=starts_at + lasts, places=places, lane=lane,
        opens_at=opens_at, closes_at=closes_at,
    )  # fmt: skip
    await offering.offer(db, [slot])
    return slot.slot_id


def a_desk(office_id: OfficeId, service_id: ServiceId, *, places: int = 2, weekdays: range = range(5)) -> Desk:
    openings = tuple(Opening(day, time(9), time(11, 30)) for day in weekdays)
    return Desk(office_id=office_id, service_id=service_id, slot_minutes=30, places=places, openings=openings)


async def open_appointments(
    db: Database, clock: Clock, keys: Keys, redis: Redis | None = None, mandates: Mandates | None = None
) -> Appointments:
    """Those of one process; with `redis`, it counts what people change together with the others."""
    limits = Limits(redis, clock, subject_key=keys.derived("kernel.limits"))
    gate = Gate(db, redis, clock, keys, limits, chance=lambda: 0.5)
    return await Appointments.open(
        db, clock, Outbox(keys), limits, gate=gate, keys=keys, people=people_of(keys), mandates=mandates,
        public_origin="https://city.example",
    )  # fmt: skip


def people_of(keys: Keys) -> People:
    return People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))


async def messages(db: Database, template: str) -> int:
    """How many messages of a text are owed, withdrawn ones left out."""
    return await db.fetchval(
        "SELECT count(*) FROM notifications.message WHERE template = $1 AND stage <> 'withdrawn'", template
    )


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""For `disagreements` where nothing is held, or nobody cares whether what is held still stands."""


async def disagreements(db: Database, *, now: datetime = NEVER) -> list[tuple[str, object]]:
    """Everything that must never be: what places, holds, offers and bookings say of each other, and people booked
    twice. `now` tells a hold that stands from one whose minutes are over."""
    wrong: list[tuple[str, object]] = []
    for rule, statement in DISAGREEMENTS:
        wrong += [(rule, row[0]) for row in await db.fetch(statement)]
    for rule, statement in DISAGREEMENTS_ABOUT_HOLDS:
        wrong += [(rule, row[0]) for row in await db.fetch(statement, now)]
    return wrong


DISAGREEMENTS = (
    (
        "a booking without its place",
        """SELECT b.booking_id FROM appointments.booking b LEFT JOIN appointments.place p
             ON (p.slot_id, p.seq, p.person_id, p.booking_id) = (b.slot_id, b.seq, b.person_id, b.booking_id)
                AND p.hold_until IS NULL
            WHERE b.stage <> 'cancelled' AND p.seq IS NULL""",
    ),
    (
        "a taken place without its booking",
        """SELECT p.slot_id FROM appointments.place p LEFT JOIN appointments.booking b
             ON (p.slot_id, p.seq, p.person_id, p.booking_id) = (b.slot_id, b.seq, b.person_id, b.booking_id)
            WHERE p.booking_id IS NOT NULL AND p.hold_until IS NULL AND (b.seq IS NULL OR b.stage = 'cancelled')""",
    ),
    (
        "more or fewer places than the slot has",
        """SELECT s.slot_id FROM appointments.slot s LEFT JOIN appointments.place p USING (slot_id)
            GROUP BY s.slot_id, s.places HAVING count(p.seq) <> s.places""",
    ),
    (
        "a booking made in a slot that was withdrawn",
        """SELECT b.booking_id FROM appointments.booking b JOIN appointments.slot s USING (slot_id)
            WHERE b.stage = 'booked'
              AND s.withdrawn_at < CASE b.version WHEN 1 THEN b.booked_at ELSE b.changed_at END""",
    ),
    (
        "a free place in a slot that was withdrawn",
        """SELECT s.slot_id FROM appointments.slot s JOIN appointments.place p USING (slot_id)
            WHERE s.withdrawn_at IS NOT NULL AND p.booking_id IS NULL""",
    ),
    (
        "a person booked twice at one time, or twice for one service",
        """SELECT a.person_id FROM appointments.booking a JOIN appointments.booking b USING (person_id)
            WHERE a.booking_id < b.booking_id AND a.stage = 'booked' AND b.stage = 'booked'
              AND (a.service_id = b.service_id OR (a.starts_at < b.ends_at AND b.starts_at < a.ends_at))""",
    ),
    (
        "a booking without exactly one confirmation",
        """SELECT b.booking_id FROM appointments.booking b LEFT JOIN notifications.message m
             ON m.key = 'booking_confirmed/' || b.person_id || '/' || b.booking_id || '/1'
            GROUP BY b.person_id, b.booking_id HAVING count(m.key) <> 1""",
    ),
    (
        "a confirmation of no booking",
        """SELECT m.key FROM notifications.message m LEFT JOIN appointments.booking b
             ON m.key = 'booking_confirmed/' || b.person_id || '/' || b.booking_id || '/1'
            WHERE m.template = 'booking_confirmed' AND b.booking_id IS NULL""",
    ),
    (
        "an offer that its person was not told of",
        """SELECT w.waiting_id FROM appointments.waiting w LEFT JOIN notifications.message m
             ON m.key = 'waiting_offer/' || w.person_id || '/' || w.booking_id
            WHERE w.stage = 'offered' AND m.key IS NULL""",
    ),
)
# A held place of a slot that was withdrawn is gone, and who holds it is told when they confirm it.
DISAGREEMENTS_ABOUT_HOLDS = (
    (
        "a held place that nobody knows to hold",
        """SELECT p.slot_id FROM appointments.place p LEFT JOIN appointments.hold h
             ON (h.slot_id, h.seq, h.person_id, h.booking_id) = (p.slot_id, p.seq, p.person_id, p.booking_id)
            WHERE p.hold_until >= $1 AND h.seq IS NULL""",
    ),
    (
        "a hold without its place",
        """SELECT h.booking_id FROM appointments.hold h LEFT JOIN appointments.place p
             ON (p.slot_id, p.seq, p.person_id, p.booking_id) = (h.slot_id, h.seq, h.person_id, h.booking_id)
                AND p.hold_until >= $1
            JOIN appointments.slot s ON s.slot_id = h.slot_id
            WHERE h.hold_until >= $1 AND p.seq IS NULL AND s.withdrawn_at IS NULL""",
    ),
    (
        "a person who holds two places of one service",
        """SELECT p.person_id FROM appointments.place p JOIN appointments.slot s USING (slot_id)
            WHERE p.hold_until >= $1 GROUP BY p.person_id, s.service_id HAVING count(*) > 1""",
    ),
    (
        "an offer without its place",
        """SELECT w.waiting_id FROM appointments.waiting w LEFT JOIN appointments.place p
             ON (p.slot_id, p.seq, p.person_id, p.booking_id) = (w.slot_id, w.seq, w.person_id, w.booking_id)
                AND (p.hold_until >= $1 OR p.hold_until IS NULL)
            JOIN appointments.slot s ON s.slot_id = w.slot_id
            WHERE w.stage = 'offered' AND w.offered_until >= $1 AND p.seq IS NULL AND s.withdrawn_at IS NULL""",
    ),
)


async def remind_everybody(appointments: Appointments) -> int:
    """One round of the worker's reminding beat over every bucket."""
    return sum([await appointments.remind_due(bucket) for bucket in range(BUCKETS)])


async def close_the_day(appointments: Appointments) -> int:
    return sum([await appointments.close_due(bucket) for bucket in range(BUCKETS)])


def at(clock: StoppedClock, moment: datetime) -> None:
    """Move the clock on to a moment."""
    assert moment >= clock.now()
    clock.advance(moment - clock.now())


class Wire:
    """Appointments over HTTP as one principal, behind the routers of their audiences; the edge is tested elsewhere."""

    def __init__(self, appointments: Appointments) -> None:
        self._appointments = appointments

    def signed_in(self, audience: Audience, principal: Principal) -> httpx.AsyncClient:
        app = Litestar(
            [router_of(of, handlers) for of, handlers in HANDLERS.items()],
            dependencies={"appointments": Provide(lambda: self._appointments, sync_to_thread=False)},
            exception_handlers=problems.HANDLERS,
            openapi_config=None,
        )

        async def with_user(scope: Scope, receive: Receive, send: Send) -> None:
            scope["user"] = Signed(principal, audience)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_user)  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url=f"http://city/{audience}")

    def resident(self, person_id: PersonId | None) -> httpx.AsyncClient:
        return self.signed_in(Audience.RESIDENT, Resident(AccountId(uuid4()), SessionId(uuid4()), person_id))

    def staff(self, office_id: OfficeId | None) -> httpx.AsyncClient:
        principal = Staff(StaffId(uuid4()), SessionId(uuid4()), DepartmentId(uuid4()), office_id)
        return self.signed_in(Audience.DEPARTMENT, principal)
