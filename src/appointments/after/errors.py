"""What is refused after a visit."""

from kernel.errors import Conflict, NotFound


class NotServed(Conflict):
    """Only a visit that took place can be rated."""

    code = "appointments.not_served"


class RatingClosed(Conflict):
    """This rating was given too long ago to be changed."""

    code = "appointments.rating_closed"


class RatingNotFound(NotFound):
    """This visit was not rated."""

    code = "appointments.rating_not_found"


class NotHere(Conflict):
    """Nobody has come with this booking: check them in first."""

    code = "appointments.not_here"


class ResultTold(Conflict):
    """Another result of this visit was told before."""

    code = "appointments.result_told"


class ResultNotFound(NotFound):
    """No result of this visit was told."""

    code = "appointments.result_not_found"
