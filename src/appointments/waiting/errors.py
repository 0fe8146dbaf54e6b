"""What waiting lists refuse."""

from kernel.errors import Conflict, NotFound


class WaitingNotFound(NotFound):
    """This person has no such wait."""

    code = "appointments.waiting_not_found"


class WaitingIdTaken(Conflict):
    """This waiting id was used before for another wish: choose a fresh one."""

    code = "appointments.waiting_id_taken"


class AlreadyWaiting(Conflict):
    """This person waits for this service already: leave that line first."""

    code = "appointments.already_waiting"


class TooManyWaits(Conflict):
    """This person waits for as many services as one may: leave a line first."""

    code = "appointments.too_many_waits"


class WaitingEnded(Conflict):
    """This wait has lapsed: its days are over, or too many offers were let pass."""

    code = "appointments.waiting_ended"


class WaitingTaken(Conflict):
    """The place that was waited for is taken, which ended the wait: cancel `booking_id` to give it back."""

    code = "appointments.waiting_taken"


class NothingOffered(Conflict):
    """Nothing is offered to this person now, or the offer was not taken in time."""

    code = "appointments.nothing_offered"
