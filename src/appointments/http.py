"""What appointments answer over HTTP, by audience: every part's handlers together."""

from appointments import http_bookings
from appointments.absence import http as absence
from appointments.after import http as after
from appointments.calendars import http as calendars
from appointments.desk import http as desk
from appointments.ics import http as ics
from appointments.offices import http as offices
from appointments.offices import http_searching as searching
from appointments.rush import http as rush
from appointments.waiting import http as waiting
from kernel.audience import Handlers, merged

HANDLERS: Handlers = merged(
    searching.HANDLERS,
    http_bookings.HANDLERS,
    desk.HANDLERS,
    calendars.HANDLERS,
    offices.HANDLERS,
    waiting.HANDLERS,
    absence.HANDLERS,
    rush.HANDLERS,
    ics.HANDLERS,
    after.HANDLERS,
)
