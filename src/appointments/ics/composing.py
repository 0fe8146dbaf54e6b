"""Bookings written as RFC 5545 has it, so that any calendar reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from icalendar import Alarm, Calendar, Component, Event, Timezone, TimezoneStandard

from appointments.model import Booking, Catalogue, Office, Service, Stage
from kernel.clock import in_shanghai

PRODUCT: Final = "-//Suishenban//Appointments//ZH"
ZONE: Final = "Asia/Shanghai"
ALARMS: Final = (timedelta(days=1), timedelta(hours=2))
"""How long before its hour a calendar is to remind: as our own reminders do."""
READ_AGAIN: Final = timedelta(hours=1)
"""How often a calendar should read a feed again (RFC 7986 §5.7)."""
_NAMES: Final = UUID("0b8f5a0e-55d3-5f0e-9d52-6c0c9f6a7c11")
_CHINESE: Final = {"LANGUAGE": "zh-CN"}


def calendar_of(bookings: Sequence[Booking], catalogue: Catalogue, *, is_feed: bool = False) -> bytes:
    """A calendar of these bookings. The same bookings are the same bytes: nothing in it tells when it was written.

    The catalogue knows their offices and services.
    """
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    if is_feed:
        calendar.add("name", "随申办预约", parameters=_CHINESE)
        calendar.add("x-wr-calname", "随申办预约")
        calendar.add("refresh-interval", READ_AGAIN, parameters={"VALUE": "DURATION"})
        calendar.add("x-published-ttl", READ_AGAIN)
    calendar.add_component(_shanghai())
    for booking in bookings:
        calendar.add_component(
            _event(booking, catalogue.offices[booking.office_id], catalogue.services[booking.service_id])
        )
    written: bytes = calendar.to_ical(sorted=False)
    return written


def uid_of(booking: Booking) -> str:
    """The name of a booking in everybody's calendars: its own for ever, and telling nobody whose it is.

    Two people may have chosen one booking id, so the person's, which is random, is hashed in (RFC 7986 §5.3).
    """
    return str(uuid5(_NAMES, f"{booking.person_id}/{booking.booking_id}"))


def sequence_of(booking: Booking) -> int:
    """How often it was changed in what counts to a calendar (RFC 5545 §3.8.7.4): moved, or cancelled."""
    return booking.version - 1 + (booking.stage is Stage.CANCELLED)


def _event(booking: Booking, office: Office, service: Service) -> Event:
    event = Event()
    event.add("uid", uid_of(booking))
    event.add("sequence", sequence_of(booking))
    event.add("dtstamp", booking.changed_at.astimezone(UTC))
    event.add("created", booking.booked_at.astimezone(UTC))
    event.add("last-modified", booking.changed_at.astimezone(UTC))
    _add_hour(event, "dtstart", booking.starts_at)
    _add_hour(event, "dtend", booking.ends_at)
    event.add("status", "CANCELLED" if booking.stage is Stage.CANCELLED else "CONFIRMED")
    event.add("summary", service.name_zh, parameters=_CHINESE)
    event.add("location", f"{office.name_zh}，{office.address}", parameters=_CHINESE)
    if office.latitude is not None and office.longitude is not None:
        event.add("geo", (office.latitude, office.longitude))
    event.add("description", _told(booking, office, service), parameters=_CHINESE)
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT" if booking.stage is Stage.CANCELLED else "OPAQUE")
    if booking.stage is Stage.BOOKED:
        for before in ALARMS:
            event.add_component(_alarm(before, service))
    return event


def _add_hour(event: Component, name: str, moment: datetime) -> None:
    """The hour on Shanghai's clocks, by the zone that the calendar defines."""
    event.add(name, in_shanghai(moment).replace(tzinfo=None), parameters={"TZID": ZONE})


def _told(booking: Booking, office: Office, service: Service) -> str:
    return "\n".join(
        (
            f"{service.name_zh} · {service.name_en}",
            f"{office.name_zh} · {office.name_en}",
            f"序号 Number: {booking.seq}",
            f"请携带：{service.bring_zh or '无'}",
            f"Please bring: {service.bring_en or 'nothing'}",
            f"电话 Phone: {office.phone}",
        )
    )


def _alarm(before: timedelta, service: Service) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -before)
    alarm.add("description", service.name_zh, parameters=_CHINESE)
    return alarm


def _shanghai() -> Timezone:
    """China Standard Time, as it is since the last daylight saving ended on 15 September 1991 (tz database, PRC)."""
    zone = Timezone()
    zone.add("tzid", ZONE)
    standard = TimezoneStandard()
    standard.add("dtstart", datetime(1991, 9, 15, 2))  # noqa: DTZ001 -- local by definition (RFC 5545 §3.6.5)
    standard.add("tzoffsetfrom", timedelta(hours=9))
    standard.add("tzoffsetto", timedelta(hours=8))
    standard.add("tzname", "CST")
    zone.add_component(standard)
    return zone
