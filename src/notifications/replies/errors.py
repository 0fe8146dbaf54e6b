"""What people and departments are refused about replies."""

from kernel.errors import Conflict, NotFound, TooMany


class NoNumberKnown(Conflict):
    """No telephone number of yours is known, so there is nothing to opt out of."""

    code = "replies.no_number_known"


class SenderUnknown(NotFound):
    """There is no department of this id."""

    code = "replies.sender_unknown"


class TooManyOptOuts(Conflict):
    """You have opted out of as many senders as can be kept: opt out of everybody, or of one fewer."""

    code = "replies.too_many_opt_outs"


class ChangedTooOften(TooMany):
    """You have changed whose SMS you want too often today: try again tomorrow, or reply T to an SMS."""

    code = "replies.changed_too_often"
