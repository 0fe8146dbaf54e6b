"""What is refused about where and when things are offered."""

from kernel.errors import Forbidden, Unprocessable


class NearUnusable(Unprocessable):
    """A search by distance needs a place on Earth to start from."""

    code = "appointments.near_unusable"


class NotYourOffice(Forbidden):
    """What holds for a whole office is for its supervisor, or for the department of every service there."""

    code = "appointments.not_your_office"
