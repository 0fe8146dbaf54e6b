"""What is refused of departments' texts."""

from kernel.errors import Conflict, NotFound, Unprocessable


class TextNotFound(NotFound):
    """There is no such text of yours, or no such version of it."""

    code = "texts.not_found"


class TextUnsound(Unprocessable):
    """This text cannot be what it says: `faults` tells why."""

    code = "texts.unsound"


class TextUnderReview(Conflict):
    """The newest version waits for an operator: withdraw it first."""

    code = "texts.under_review"


class TextDecided(Conflict):
    """This version is past that: it was approved, rejected or withdrawn before."""

    code = "texts.decided"


class TextArchived(Conflict):
    """This text was put away: restore it first."""

    code = "texts.archived"


class TooManyTexts(Unprocessable):
    """A department has at most 1000 texts, and a text at most 200 versions."""

    code = "texts.too_many"


class OtpNeedsLeave(Unprocessable):
    """A text on the lane of one-time codes is approved only with `otp` said expressly."""

    code = "texts.otp_needs_leave"
