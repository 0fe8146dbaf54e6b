"""Every refusal of the ledger's log."""

from kernel.errors import Conflict, NotFound, Unprocessable


class UseNotFound(NotFound):
    """There is no such use of yours in the ledger."""

    code = "ledger.use_not_found"


class NotInLogYet(Conflict):
    """This use is recorded, and will be in the log shortly: ask again as Retry-After says."""

    code = "ledger.not_in_log_yet"


class NoCheckpointYet(NotFound):
    """The log has no checkpoint of this size."""

    code = "ledger.no_checkpoint"


class SizesRefused(Unprocessable):
    """A log grows from the smaller size to the larger, and no further than its latest checkpoint."""

    code = "ledger.sizes_refused"
