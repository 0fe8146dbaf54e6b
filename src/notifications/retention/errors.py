"""What is refused about how long messages are kept."""

from kernel.errors import Unprocessable


class KeptTooLong(Unprocessable):
    """Messages are kept for fewer days than that, or for more."""

    code = "notifications.kept_too_long"
