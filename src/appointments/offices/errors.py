"""What is refused about where and when things are offered."""

from kernel.errors import Unprocessable


class NearUnusable(Unprocessable):
    """A search by distance needs a place on Earth to start from."""

    code = "appointments.near_unusable"
