"""What notifications refuse."""

from kernel.errors import BadRequest, NotFound, Unprocessable


class CursorUnknown(BadRequest):
    """This cursor is not one that a page of this inbox returned."""

    code = "notifications.cursor_unknown"


class MessageNotFound(NotFound):
    """There is no such message for you."""

    code = "notifications.message_not_found"


class DaysOutOfRange(Unprocessable):
    """`from` is after `to`, too many days lie between them, or they are not of the years 1900 to 2200."""

    code = "notifications.days_out_of_range"


class PhoneOrEmailNeeded(Unprocessable):
    """Give `phone` or `email`, one of the two."""

    code = "notifications.phone_or_email_needed"
