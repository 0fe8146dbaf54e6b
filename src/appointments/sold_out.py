"""What is sold out is remembered for a moment, so that a no is cheap."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from time import monotonic
from typing import Final

from appointments.queries import BookingKey
from kernel.ids import SlotId

REMEMBERED_SECONDS: Final = 1.0
SLOTS_MAX: Final = 10_000
KEYS_MAX: Final = 20_000
"""Bookings of one slot that are remembered with it; of a slot with more, the database is asked."""
KEPT_MAX: Final = 200_000
"""Bookings remembered of all slots together."""
assert KEYS_MAX <= KEPT_MAX


class Finding:
    """That a slot was found full, once."""

    __slots__ = ("keys", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.keys: Collection[BookingKey] | None = None


class SoldOut:
    """The slots that this process found full less than `REMEMBERED_SECONDS` ago, and whose bookings had to do with
    them then: everybody else can be told no without a look."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._found: OrderedDict[SlotId, Finding] = OrderedDict()
        self._kept = 0

    def remember(self, slot_id: SlotId) -> Finding:
        """It was full just now."""
        self.forget(slot_id)
        finding = self._found[slot_id] = Finding(self._seconds() + REMEMBERED_SECONDS)
        if len(self._found) > SLOTS_MAX:
            self.forget(next(iter(self._found)))
        return finding

    def learn(self, slot_id: SlotId, finding: Finding, keys: Collection[BookingKey]) -> None:
        """Who has, or had, a booking or a hold that asked for this slot: read after that finding."""
        if len(keys) > KEYS_MAX or self._found.get(slot_id) is not finding:
            return
        while self._kept + len(keys) > KEPT_MAX:
            self.forget(next(iter(self._found)))
        if self._found.get(slot_id) is finding:
            finding.keys = keys
            self._kept += len(keys)

    def forget(self, slot_id: SlotId) -> None:
        """A place came free."""
        finding = self._found.pop(slot_id, None)
        if finding is not None and finding.keys is not None:
            self._kept -= len(finding.keys)

    def remembers(self, slot_id: SlotId) -> bool:
        finding = self._found.get(slot_id)
        if finding is None:
            return False
        if finding.until > self._seconds():
            return True
        self.forget(slot_id)
        return False

    def is_strange(self, slot_id: SlotId, key: BookingKey) -> bool:
        """Whether this slot is remembered full, and this very request is known never to have been answered yes.

        A booking made in the last moment in another process, of a place given back since, is not known: who lost that
        answer and asks again within `REMEMBERED_SECONDS` hears no, and finds the booking in their list.
        """
        if not self.remembers(slot_id):
            return False
        keys = self._found[slot_id].keys
        return keys is not None and key not in keys
