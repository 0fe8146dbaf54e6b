"""What is refused of departments that tell people about their cases."""

from kernel.errors import Conflict, NotFound, Unprocessable


class CaseNotFound(NotFound):
    """Nothing was told under this reference."""

    code = "cases.not_found"


class CaseOfAnother(Conflict):
    """A case is one person's: this reference was given for another ID number."""

    code = "cases.of_another"


class NoticeOutdated(Conflict):
    """Something else was said since: to say this, give a higher `revision` than the current one."""

    code = "cases.outdated"


class NoticeUnsound(Unprocessable):
    """This notice cannot be told: `faults` tells why."""

    code = "cases.unsound"


class NoticeTooLong(Unprocessable):
    """This is more than an SMS can say whole: shorten names, places and reasons, or list fewer papers."""

    code = "cases.too_long"


class TooManyNotices(Unprocessable):
    """At most 50 notices of one kind are told about a case."""

    code = "cases.too_many"
