"""Who may take a place: when the slot is open, what its lane asks for, and how much one person may have before them."""

from datetime import date, datetime
from typing import Final

import msgspec

from appointments import answering
from appointments.asking import Particulars
from appointments.errors import (
    GroundNeeded,
    NotForOthers,
    NotReleased,
    ReasonNeeded,
    SlotPast,
    SlotWithdrawn,
    Suspended,
    TooManyActive,
)
from appointments.model import Hold, Lane, Service, Slot
from appointments.offices.catalogue import Catalogues
from appointments.queries import BookingKey
from appointments.seals import Seals
from kernel.clock import in_shanghai
from kernel.db import Database
from kernel.errors import Refusal
from kernel.ids import PersonId
from kernel.people import People

ACTIVE_MAX: Final = 8
"""Bookings one person may have before them. The database keeps it: each has a number of its own from 1 to this."""
ELDERLY_YEARS: Final = 60
"""Law on the Protection of the Rights and Interests of the Elderly, article 2: whoever has completed sixty years."""


class Standing(msgspec.Struct, frozen=True):
    """What is known of people who ask for a place of one service, read in the transaction that books."""

    suspended: dict[PersonId, datetime] = {}
    holds: dict[PersonId, Hold] = {}
    active: dict[PersonId, list[int | None]] = {}
    """The numbers of the bookings that each has before them; None: from before there were numbers."""

    def refusal(self, person_id: PersonId) -> Refusal | None:
        """Why a person may take no place at all: Suspended, TooManyActive."""
        until = self.suspended.get(person_id)
        if until is not None:
            return Suspended(until=in_shanghai(until).isoformat())
        if len(self.active.get(person_id, ())) >= ACTIVE_MAX:
            return TooManyActive(most=ACTIVE_MAX)
        return None

    def number_for(self, person_id: PersonId) -> int:
        """The lowest number that none of their bookings has. Whoever takes it first keeps it: the other asks again."""
        taken = self.active.get(person_id)
        if not taken:
            return 1
        return next(number for number in range(1, ACTIVE_MAX + 1) if number not in taken)


def why_closed(slot: Slot, now: datetime) -> Refusal | None:
    """Why nobody can take a place of this slot now, full or not."""
    if slot.withdrawn_at is not None:
        return SlotWithdrawn()
    if now >= slot.bookable_until:
        return SlotPast()
    if slot.opens_at is not None and now < slot.opens_at:
        return NotReleased(opens_at=in_shanghai(slot.opens_at).isoformat())
    return None


class Entitling:
    """Decides whether what was asked is complete, before anything is tried."""

    def __init__(self, db: Database, people: People, seals: Seals, catalogues: Catalogues) -> None:
        self._db = db
        self._people = people
        self._seals = seals
        self._catalogues = catalogues

    async def service_of(self, slot: Slot) -> Service:
        return (await self._catalogues.knowing(slot.office_id, slot.service_id)).services[slot.service_id]

    async def checked(self, slot: Slot, key: BookingKey, particulars: Particulars, *, now: datetime) -> bytes | None:
        """What was told with the request, sealed to the booking; None where nothing was.

        Raises NotForOthers, AnswersWrong, and what `check_lane` raises.
        """
        service = await self.check_for_others(slot, particulars)
        await self.check_lane(slot.lane, key[0], particulars, now=now)
        if not service.questions and particulars.is_silent:
            return None
        return answering.sealed(self._seals, key, service.questions, particulars, is_urgent=slot.lane is Lane.URGENT)

    async def check_for_others(self, slot: Slot, particulars: Particulars) -> Service:
        """The slot's service. Raises NotForOthers for one that nobody books but the person."""
        service = await self.service_of(slot)
        if particulars.agent_id is not None and not service.is_for_others:
            raise NotForOthers
        return service

    async def check_lane(self, lane: Lane, person_id: PersonId, particulars: Particulars, *, now: datetime) -> None:
        """Raises ReasonNeeded for the urgent lane; GroundNeeded for the special one, without a ground or the age."""
        if lane is Lane.URGENT and not (particulars.reason or "").strip():
            raise ReasonNeeded
        if lane is Lane.SPECIAL and particulars.ground is None:
            async with self._db.connection() as conn:
                identity = await self._people.identity(conn, person_id)
            if not is_elderly(identity.id_number, in_shanghai(now).date()):
                raise GroundNeeded


def is_elderly(id_number: str, today: date) -> bool:
    """Whether whoever has this ID number (GB 11643: the birth date from the seventh digit on) has completed sixty."""
    year, month_and_day = int(id_number[6:10]), (int(id_number[10:12]), int(id_number[12:14]))
    return today.year - year - ((today.month, today.day) < month_and_day) >= ELDERLY_YEARS
