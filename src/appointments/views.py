"""Bookings, slots and offices as people see them: hours in Shanghai time, names in both languages."""

from datetime import datetime
from uuid import UUID

import msgspec

from appointments.model import Booking, Catalogue, Office, Opening, Service, Slot, Stage
from appointments.offices.searching import Offer
from kernel.clock import in_shanghai


class OfficeView(msgspec.Struct):
    """Where to go. `district` is the six-digit code of GB/T 2260."""

    office_id: UUID
    name_zh: str
    name_en: str
    district: str
    address: str
    phone: str

    @classmethod
    def of(cls, office: Office) -> "OfficeView":
        return cls(office.office_id, office.name_zh, office.name_en, office.district, office.address, office.phone)


class ServiceView(msgspec.Struct):
    """What can be booked, and what to bring."""

    service_id: UUID
    slug: str
    department: str
    name_zh: str
    name_en: str
    bring_zh: str
    bring_en: str

    @classmethod
    def of(cls, service: Service) -> "ServiceView":
        return cls(
            service.service_id, service.slug, service.department,
            service.name_zh, service.name_en, service.bring_zh, service.bring_en,
        )  # fmt: skip


class OpeningView(msgspec.Struct):
    """Hours on one weekday (0 is Monday), `HH:MM` in Shanghai."""

    weekday: int
    opens: str
    closes: str

    @classmethod
    def of(cls, opening: Opening) -> "OpeningView":
        return cls(opening.weekday, f"{opening.opens:%H:%M}", f"{opening.closes:%H:%M}")


class DeskView(msgspec.Struct):
    """A service at an office, and when it is open."""

    service_id: UUID
    slot_minutes: int
    openings: list[OpeningView]


class OfficeWithDesks(msgspec.Struct):
    office: OfficeView
    desks: list[DeskView]


class OfficesView(msgspec.Struct):
    offices: list[OfficeWithDesks]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "OfficesView":
        desks: dict[UUID, list[DeskView]] = {}
        for desk in catalogue.desks:
            openings = [OpeningView.of(opening) for opening in sorted(desk.openings)]
            desks.setdefault(desk.office_id, []).append(DeskView(desk.service_id, desk.slot_minutes, openings))
        return cls([OfficeWithDesks(OfficeView.of(o), desks.get(o.office_id, [])) for o in catalogue.offices.values()])


class ServicesView(msgspec.Struct):
    services: list[ServiceView]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "ServicesView":
        return cls([ServiceView.of(service) for service in catalogue.services.values()])


class SlotView(msgspec.Struct):
    """An hour that can be booked. `free` of `places` were free a moment ago."""

    slot_id: UUID
    office_id: UUID
    service_id: UUID
    district: str
    starts_at: datetime
    ends_at: datetime
    places: int
    free: int

    @classmethod
    def of(cls, offer: Offer) -> "SlotView":
        slot: Slot = offer.slot
        return cls(
            slot.slot_id, slot.office_id, slot.service_id, slot.district,
            in_shanghai(slot.starts_at), in_shanghai(slot.ends_at), slot.places, offer.free,
        )  # fmt: skip


class SlotsView(msgspec.Struct):
    """A page of slots; `next` is the cursor of the page after it, null at the end."""

    slots: list[SlotView]
    next: str | None


class BookingView(msgspec.Struct):
    """A booking: where to be and when, with what. `number` is the place within the slot; `version` counts its hours."""

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
            checked_in_at=in_shanghai(booking.checked_in_at) if booking.checked_in_at else None,
            office=OfficeView.of(catalogue.offices[booking.office_id]),
            service=ServiceView.of(catalogue.services[booking.service_id]),
        )


class BookingsView(msgspec.Struct):
    """A page of bookings, latest hour first; `next` is the cursor of the page after it, null at the end."""

    bookings: list[BookingView]
    next: str | None
