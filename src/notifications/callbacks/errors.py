"""What departments are refused about their callbacks."""

from kernel.errors import BadRequest, Conflict, NotFound, Unprocessable


class CallbackNotFound(NotFound):
    """You have no such callback."""

    code = "callbacks.not_found"


class CallbackEventNotFound(NotFound):
    """There is no such event of this callback, or it is kept no longer."""

    code = "callbacks.event_not_found"


class CallbackIdTaken(Conflict):
    """This id was used before for a callback that was removed, or is another's: choose a fresh one."""

    code = "callbacks.id_taken"


class TooManyCallbacks(Conflict):
    """You have as many callbacks as one department may: remove one first."""

    code = "callbacks.too_many"


class CallbackDisabled(Conflict):
    """This callback is disabled: enable it first."""

    code = "callbacks.disabled"


class AddressNotCalled(Unprocessable):
    """This is not an address we call."""

    code = "callbacks.address_not_called"


class CallbackCursorUnknown(BadRequest):
    """This cursor is not one that a page of these events returned."""

    code = "callbacks.cursor_unknown"
