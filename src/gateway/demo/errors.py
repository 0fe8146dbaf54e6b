"""What the demo's short cuts refuse."""

from kernel.errors import NotFound, Unprocessable


class HourOutOfReach(Unprocessable):
    """The hour to play lies in the past, or more than 60 days ahead."""

    code = "demo.hour_out_of_reach"


class NobodyToPlay(NotFound):
    """This city has no cast: it was not started as a demo."""

    code = "demo.nobody_to_play"


class CodeUnknown(Unprocessable):
    """This text is no code that was shown in the last day."""

    code = "demo.code_unknown"


class VisitOutOfReach(Unprocessable):
    """The hour of the visit lies more than two days back, or more than an hour ahead."""

    code = "demo.visit_out_of_reach"
