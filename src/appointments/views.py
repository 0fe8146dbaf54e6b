"""Bookings as people see them: hours in Shanghai time, names in both languages."""

from datetime import datetime
from uuid import UUID

import msgspec

from appointments import moments
from appointments.answering import Told
from appointments.asking import AnswerValue, Ground
from appointments.model import Booking, Catalogue, Channel, Hold, Lane, Stage
from appointments.offices.views import OfficeView, ServiceView
from kernel.clock import in_shanghai


class BookingView(msgspec.Struct):
    """A booking: where to be and when, with what. `number` is the place within the slot; `version` counts its hours.

    `mandate_id` is the one under which somebody booked it for the person.
    """

    booking_id: UUID
    slot_id: UUID
    number: int
    stage: Stage
    version: int
    starts_at: datetime
    ends_at: datetime
    cancellable_until: datetime
    booked_at: datetime
    checked_in_at: datetime | None
    lane: Lane
    channel: Channel
    mandate_id: UUID | None
    office: OfficeView
    service: ServiceView

    @classmethod
    def of(cls, booking: Booking, catalogue: Catalogue) -> "BookingView":
        return cls(
            booking_id=booking.booking_id,
            slot_id=booking.slot_id,
            number=booking.seq,
            stage=booking.stage,
            version=booking.version,
            starts_at=in_shanghai(booking.starts_at),
            ends_at=in_shanghai(booking.ends_at),
            cancellable_until=in_shanghai(booking.cancellable_until),
            booked_at=in_shanghai(booking.booked_at),
            checked_in_at=moments.shown(booking.checked_in_at),
            lane=booking.lane,
            channel=booking.channel,
            mandate_id=booking.mandate_id,
            office=OfficeView.of(catalogue.offices[booking.office_id]),
            service=ServiceView.of(catalogue.services[booking.service_id]),
        )


class BookingsView(msgspec.Struct):
    """A page of bookings, latest hour first; `next` is the cursor of the page after it, null at the end."""

    bookings: list[BookingView]
    next: str | None


class HoldView(msgspec.Struct):
    """A place kept until `hold_until`; booking under `booking_id` confirms it. `number` is its place in the slot."""

    booking_id: UUID
    slot_id: UUID
    service_id: UUID
    number: int
    hold_until: datetime
    is_offered: bool
    """From the waiting list."""

    @classmethod
    def of(cls, hold: Hold) -> "HoldView":
        return cls(
            hold.booking_id, hold.slot_id, hold.service_id, hold.seq, in_shanghai(hold.hold_until),
            hold.waiting_id is not None,
        )  # fmt: skip


class HoldsView(msgspec.Struct):
    holds: list[HoldView]


class ToldView(msgspec.Struct):
    """What was told with a booking: answers by the question's code, and why its lane is needed."""

    answers: dict[str, AnswerValue]
    reason: str | None
    ground: Ground | None

    @classmethod
    def of(cls, told: Told) -> "ToldView":
        return cls(told.answers, told.reason, told.ground)
