"""Every refusal of sessions."""

from kernel.errors import Unauthenticated


class SessionOver(Unauthenticated):
    """This refresh token is not good, or no longer: sign in again."""

    code = "sessions.over"
