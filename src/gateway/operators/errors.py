"""What operators are refused."""

from kernel.errors import NotFound


class NoSuchKey(NotFound):
    """There is no signing key of that id, or it was revoked before."""

    code = "operators.no_such_key"
