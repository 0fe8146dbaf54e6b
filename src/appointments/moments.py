"""Moments as people are shown them, where there may be none."""

from datetime import datetime

from kernel.clock import in_shanghai


def shown(moment: datetime | None) -> datetime | None:
    """The same moment on the clock of the city's people; None for none."""
    return None if moment is None else in_shanghai(moment)
