"""What services are refused."""

from kernel.errors import BadRequest, Conflict, NotFound, TooMany, Unprocessable


class KeyNotFound(NotFound):
    """You have no such key, or it was revoked."""

    code = "services.key_not_found"


class TooManyKeys(Conflict):
    """You have as many keys as a service may have: revoke one first."""

    code = "services.too_many_keys"


class KeyNameTaken(Conflict):
    """Another key of yours that is good has this name."""

    code = "services.key_name_taken"


class TeamFull(Conflict):
    """Your team list is full: take somebody off it first."""

    code = "services.team_full"


class NotInTeam(BadRequest):
    """A team key sends only to those on your team list."""

    code = "services.not_in_team"


class TextNotInUse(NotFound):
    """You have no such text with an approved version."""

    code = "services.text_not_in_use"


class WrongChannel(BadRequest):
    """This text is for another kind of recipient."""

    code = "services.wrong_channel"


class RecipientRefused(BadRequest):
    """This is no number or address that can be sent to."""

    code = "services.recipient_refused"


class ValuesRefused(Unprocessable):
    """The values do not fill this text: `missing` and `wrong` name them."""

    code = "services.values_refused"


class TextTooLong(Unprocessable):
    """With these values the text is longer than a message may be."""

    code = "services.text_too_long"


class SendTimeRefused(BadRequest):
    """A message can be scheduled from now to thirty days ahead."""

    code = "services.send_time_refused"


class TooManyToday(TooMany):
    """Your service has sent as much today as it may: Retry-After says when the next day begins."""

    code = "services.too_many_today"


class TooManyThisMinute(TooMany):
    """Your service sends faster than it may with this kind of key."""

    code = "services.too_many_this_minute"


class TooManyLooking(TooMany):
    """Other lists of yours by state are still being looked for: ask for one after the other."""

    code = "services.too_many_looking"


class NotWithdrawable(Conflict):
    """It is too late: this message was sent, or is being sent."""

    code = "services.not_withdrawable"
