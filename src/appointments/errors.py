"""What appointments refuses."""

from kernel.errors import BadRequest, Conflict, Forbidden, NotFound, TooMany


class SlotNotFound(NotFound):
    """There is no such slot."""

    code = "appointments.slot_not_found"


class SlotPast(Conflict):
    """This slot has begun: choose a later one."""

    code = "appointments.slot_past"


class SlotFull(Conflict):
    """Every place in this slot has been taken."""

    code = "appointments.slot_full"


class AlreadyBooked(Conflict):
    """This person already has a booking of this service: move or cancel that one."""

    code = "appointments.already_booked"


class TimesOverlap(Conflict):
    """This person is booked elsewhere at that time."""

    code = "appointments.times_overlap"


class BookingIdTaken(Conflict):
    """This booking id was used before for another slot: choose a fresh one."""

    code = "appointments.booking_id_taken"


class BookingNotFound(NotFound):
    """This person has no such booking."""

    code = "appointments.booking_not_found"


class NotBooked(Conflict):
    """This booking was cancelled, used or missed, so it can no longer be changed."""

    code = "appointments.not_booked"


class CancellationClosed(Conflict):
    """It is too late to cancel this booking."""

    code = "appointments.cancellation_closed"


class ReschedulingClosed(Conflict):
    """It is too late to move this booking."""

    code = "appointments.rescheduling_closed"


class OtherService(Conflict):
    """A booking can only be moved to a slot of its own service."""

    code = "appointments.other_service"


class TooManyChanges(TooMany):
    """This person booked and moved too often today: wait as long as Retry-After says; cancelling is always possible."""

    code = "appointments.too_many_changes"


class NotExpected(NotFound):
    """No such booking is expected at this office today."""

    code = "appointments.not_expected"


class SeveralExpected(Conflict):
    """Several people are expected under this booking id: find them in the day's list."""

    code = "appointments.several_expected"


class NoOffice(Forbidden):
    """You are not assigned to an office."""

    code = "appointments.no_office"


class CursorUnknown(BadRequest):
    """This cursor is not one that a page of this list returned."""

    code = "appointments.cursor_unknown"


class DaysOutOfRange(BadRequest):
    """The days asked for are too many, too far away or the wrong way round."""

    code = "appointments.days_out_of_range"
