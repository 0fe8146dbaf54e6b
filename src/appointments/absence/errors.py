"""What is refused about strikes and appeals."""

from kernel.errors import Conflict, NotFound


class StrikeNotFound(NotFound):
    """This person has no strike for such a booking."""

    code = "appointments.strike_not_found"


class AppealTwice(Conflict):
    """This strike was appealed against before, or was waived already."""

    code = "appointments.appeal_twice"


class AppealNotFound(NotFound):
    """There is no such appeal at this office."""

    code = "appointments.appeal_not_found"


class AppealDecided(Conflict):
    """This appeal was decided otherwise before."""

    code = "appointments.appeal_decided"
