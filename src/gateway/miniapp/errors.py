"""Every refusal of signing in through the chat platform."""

from kernel.errors import Conflict, TooMany, Unavailable, Unprocessable, UpstreamFailed, UpstreamLate


class PhoneNeeded(Conflict):
    """This chat user is not linked to an account yet: send a phone code, with a fresh js_code."""

    code = "miniapp.phone_needed"


class CodeRefused(Unprocessable):
    """The chat platform does not accept this code, or not any more: get a fresh one."""

    code = "miniapp.code_refused"


class UserBlocked(Unprocessable):
    """The chat platform has blocked this user for risk."""

    code = "miniapp.user_blocked"


class PhoneNotUsable(Unprocessable):
    """The phone that the chat platform told cannot be reached by SMS."""

    code = "miniapp.phone_not_usable"


class TooManySignIns(TooMany):
    """Too many sign-ins: wait as long as Retry-After says."""

    code = "miniapp.too_many_sign_ins"


class PlatformOff(Unavailable):
    """Signing in through the chat platform is not set up in this city."""

    code = "miniapp.platform_off"


class PlatformBusy(Unavailable):
    """The chat platform is busy: try again soon."""

    code = "miniapp.platform_busy"


class PlatformAway(UpstreamFailed):
    """The chat platform did not answer properly."""

    code = "miniapp.platform_away"


class PlatformLate(UpstreamLate):
    """The chat platform did not answer in time."""

    code = "miniapp.platform_late"
