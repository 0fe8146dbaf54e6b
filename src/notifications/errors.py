"""What notifications refuse."""

from kernel.errors import BadRequest, NotFound


class CursorUnknown(BadRequest):
    """This cursor is not one that a page of this inbox returned."""

    code = "notifications.cursor_unknown"


class MessageNotFound(NotFound):
    """There is no such message for you."""

    code = "notifications.message_not_found"
