"""What people and departments are refused about replies."""

from kernel.errors import Conflict


class NoNumberKnown(Conflict):
    """No telephone number of yours is known, so there is nothing to opt out of."""

    code = "replies.no_number_known"
