"""Every refusal of status lists."""

from kernel.errors import NotFound


class StatusListNotFound(NotFound):
    """There is no such status list."""

    code = "wallet.status_list_not_found"
