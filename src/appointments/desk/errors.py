"""What the desk refuses."""

from kernel.errors import Conflict, Unprocessable


class BookedHere(Conflict):
    """This person is booked here for this service today: check in `booking_id`, which gives them their number."""

    code = "appointments.booked_here"


class CounterClosed(Conflict):
    """Nobody sits at this counter now: name one that is open, or leave `counter` out, and any that serves it calls."""

    code = "appointments.counter_closed"


class TransferNowhere(Unprocessable):
    """A transfer says where to: a service, a counter, or both. Putting a number back leaves it where it was."""

    code = "appointments.transfer_nowhere"
