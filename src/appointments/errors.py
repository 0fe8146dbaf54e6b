"""What appointments refuses."""

from kernel.errors import BadRequest, Conflict, Forbidden, NotFound, TooMany, Unavailable, Unprocessable


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
    """No such booking is expected at this office today: look in the day's list, or give a number for a walk-in."""

    code = "appointments.not_expected"


class SeveralExpected(Conflict):
    """More than one booking fits: check in by the booking's own id, from the day's list."""

    code = "appointments.several_expected"


class NoOffice(Forbidden):
    """You are not assigned to an office: an operator does that."""

    code = "appointments.no_office"


class CursorUnknown(BadRequest):
    """This cursor is not one that a page of this list returned."""

    code = "appointments.cursor_unknown"


class DaysOutOfRange(BadRequest):
    """The days asked for are too many, too far away or the wrong way round."""

    code = "appointments.days_out_of_range"


class NotReleased(Conflict):
    """This slot cannot be booked yet: `opens_at` says from when."""

    code = "appointments.not_released"


class HoldNotFound(NotFound):
    """This person holds no such place: it was given back, confirmed, or its minutes are over."""

    code = "appointments.hold_not_found"


class AnswersWrong(Unprocessable):
    """What the service asks was not answered, or not in the form it asks for; `questions` names which."""

    code = "appointments.answers_wrong"


class ReasonNeeded(Unprocessable):
    """The urgent lane (加急办) needs a stated reason."""

    code = "appointments.reason_needed"


class GroundNeeded(Forbidden):
    """The special lane (特殊办) is for people of 60 and more, or with a stated ground."""

    code = "appointments.ground_needed"


class Suspended(Forbidden):
    """This person may not book until `until`: too many bookings were not come to (爽约)."""

    code = "appointments.suspended"


class TooManyActive(Conflict):
    """This person has as many bookings before them as one may: cancel one or let it pass."""

    code = "appointments.too_many_active"


class NotForOthers(Forbidden):
    """This service is booked by the person alone, not under a mandate."""

    code = "appointments.not_for_others"


class AdmissionNeeded(Conflict):
    """This release stands behind a gate: get in line, and book when you are admitted."""

    code = "appointments.admission_needed"


class YearUnknown(NotFound):
    """The library does not know the holidays of this year: say them yourself."""

    code = "appointments.year_unknown"


class DayUnsound(Unprocessable):
    """A make-up workday keeps the hours of a weekday and no other day does; each day lies in the year, once."""

    code = "appointments.day_unsound"


class NotYourService(Forbidden):
    """Another department answers for this service, or another office for this desk."""

    code = "appointments.not_your_service"


class ServiceNotFound(NotFound):
    """There is no such service."""

    code = "appointments.service_not_found"


class DeskNotFound(NotFound):
    """This office has no desk for that service."""

    code = "appointments.desk_not_found"


class OfficeNotFound(NotFound):
    """There is no such office."""

    code = "appointments.office_not_found"


class RuleNotFound(NotFound):
    """There is no such rule, or it was withdrawn."""

    code = "appointments.rule_not_found"


class RuleIdTaken(Conflict):
    """This rule id was used before for another rule: choose a fresh one."""

    code = "appointments.rule_id_taken"


class OfferUnsound(Unprocessable):
    """What is to be offered contradicts itself; `detail` says where."""

    code = "appointments.offer_unsound"


class NoLivePosition(NotFound):
    """This slot is no trip, or nobody tells where its vehicle is."""

    code = "appointments.no_live_position"


class PositionAway(Unavailable):
    """The department that runs this trip does not say where it is for the moment: try again soon."""

    code = "appointments.position_away"


class SlotWithdrawn(Conflict):
    """This slot is no longer offered: choose another one."""

    code = "appointments.slot_withdrawn"


class CounterNotFound(NotFound):
    """This office has no such counter: `GET /department/desk/counters` lists those it has; opening one makes it."""

    code = "appointments.counter_not_found"


class CounterTaken(Conflict):
    """Somebody else sits at this counter: open another, or have them or the supervisor close it."""

    code = "appointments.counter_taken"


class AtAnotherCounter(Conflict):
    """You sit at another counter of this office: close that one first."""

    code = "appointments.at_another_counter"


class CounterBusy(Conflict):
    """This counter has called a number: finish, miss, transfer or put it back first."""

    code = "appointments.counter_busy"


class CounterChanged(Conflict):
    """This counter has called a number since you looked: `version` says how it stands now."""

    code = "appointments.counter_changed"


class NotAtCounter(Forbidden):
    """You do not sit at this counter: open it first; while somebody else does, it is theirs and the supervisor's."""

    code = "appointments.not_at_counter"


class NotASupervisor(Forbidden):
    """This is for the supervisor of the office: ask them."""

    code = "appointments.not_a_supervisor"


class ServiceNotHere(Unprocessable):
    """This office does not offer this service: `GET /resident/offices` says what it does."""

    code = "appointments.service_not_here"


class TicketNotFound(NotFound):
    """There is no such queue number today."""

    code = "appointments.ticket_not_found"


class TicketIdTaken(Conflict):
    """This ticket id was used before for another number: choose a fresh one."""

    code = "appointments.ticket_id_taken"


class TicketChanged(Conflict):
    """Something became of this number since you looked: `version` and `stage` say how it stands now."""

    code = "appointments.ticket_changed"


class TicketNotThere(Conflict):
    """A number at this `stage` cannot have this done to it; `possible` says what can be."""

    code = "appointments.ticket_not_there"


class CodeNotGood(Unprocessable):
    """The shown code does not tell who is here (`verdict` says why): ask for a fresh one made for checking in."""

    code = "appointments.code_not_good"


class CodesNotRead(Conflict):
    """This office has no reader for codes: find the booking by its id or by phone."""

    code = "appointments.codes_not_read"


class TooManyWatching(TooMany):
    """As many displays as can be served are being watched: ask now and then instead, or wait as Retry-After says."""

    code = "appointments.too_many_watching"


class TooManyLooks(TooMany):
    """You looked people up by phone too often: wait as long as Retry-After says."""

    code = "appointments.too_many_looks"


class ReleaseNotFound(NotFound):
    """There is no such release."""

    code = "appointments.release_not_found"


class NotInLine(NotFound):
    """This person is not in line for this release: get in line, or again if you were."""

    code = "appointments.not_in_line"


class TooManyJoins(TooMany):
    """Too many got in line from here within a minute: wait as long as Retry-After says."""

    code = "appointments.too_many_joins"


class TooManyStreams(TooMany):
    """This process follows as many lines as it can: ask for the place itself, as often as it says."""

    code = "appointments.too_many_streams"


class PhoneNotUnderstood(Unprocessable):
    """This is not a phone number that can be reached by SMS."""

    code = "appointments.phone_not_understood"


class IdentityNotUnderstood(Unprocessable):
    """This cannot be a name with a resident identity number: check both on the card."""

    code = "appointments.identity_not_understood"


class MandateRefused(NotFound):
    """You hold no such mandate, or it does not stand, or it does not let you book: `why` says which."""

    code = "appointments.mandate_refused"
