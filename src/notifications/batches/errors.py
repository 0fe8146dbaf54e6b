"""What batches refuse."""

from kernel.errors import Conflict, NotFound, Unavailable, Unprocessable


class BatchNotFound(NotFound):
    """There is no such batch of yours."""

    code = "notifications.batch_not_found"


class BatchReused(Conflict):
    """This id is that of a batch opened with other words: choose another id."""

    code = "notifications.batch_reused"


class BatchClosed(Conflict):
    """This batch was started or cancelled and takes no more rows: open another."""

    code = "notifications.batch_closed"


class BatchIncomplete(Conflict):
    """Rows are missing: send them, or start without them and say so."""

    code = "notifications.batch_incomplete"


class BatchStepNotAllowed(Conflict):
    """A batch in this state cannot do that."""

    code = "notifications.batch_step_not_allowed"


class BatchScattered(Conflict):
    """There are too many gaps between the rows sent: fill some of them first."""

    code = "notifications.batch_scattered"


class BatchRefusedTooOften(Conflict):
    """Too many rows of this batch were refused: mend them and open another."""

    code = "notifications.batch_refused_too_often"


class TooManyBatches(Conflict):
    """You have as many batches under way as can be: let one of them end, or cancel it."""

    code = "notifications.too_many_batches"


class TooManyRows(Conflict):
    """So many rows of your batches wait to be sent that no more are taken: start some of them, or cancel them."""

    code = "notifications.too_many_rows"


class BatchLaneRefused(Unprocessable):
    """A batch goes by the lane of results or of bulk, and by none that is faster than its text's."""

    code = "notifications.batch_lane_refused"


class BatchesBusy(Unavailable):
    """As many batches are being read as can be: try again soon."""

    code = "notifications.batches_busy"


class RowTooLong(Unprocessable):
    """This row is longer than a row may be."""

    code = "notifications.row_too_long"
