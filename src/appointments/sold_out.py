"""What is sold out is remembered for a moment, so that a no is cheap."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from kernel.ids import SlotId

REMEMBERED_SECONDS: Final = 1.0
SLOTS_MAX: Final = 10_000


class SoldOut:
    """The slots that this process found full less than `REMEMBERED_SECONDS` ago."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._until: OrderedDict[SlotId, float] = OrderedDict()

    def remember(self, slot_id: SlotId) -> None:
        self._until[slot_id] = self._seconds() + REMEMBERED_SECONDS
        self._until.move_to_end(slot_id)
        if len(self._until) > SLOTS_MAX:
            self._until.popitem(last=False)

    def forget(self, slot_id: SlotId) -> None:
        """A place came free."""
        self._until.pop(slot_id, None)

    def remembers(self, slot_id: SlotId) -> bool:
        until = self._until.get(slot_id)
        if until is None:
            return False
        if until > self._seconds():
            return True
        del self._until[slot_id]
        return False
