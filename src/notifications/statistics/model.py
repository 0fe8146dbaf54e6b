"""How endings are counted. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from notifications.model import DeliveryStage

DELIVERED = frozenset({DeliveryStage.DELIVERED})
FAILED = frozenset({DeliveryStage.UNDELIVERABLE, DeliveryStage.EXPIRED})
UNKNOWN = frozenset({DeliveryStage.UNKNOWN})
WITHDRAWN = frozenset({DeliveryStage.WITHDRAWN})


class Change(Struct, frozen=True):
    """By how much a count changes."""

    delivered: int = 0
    failed: int = 0
    unknown: int = 0
    withdrawn: int = 0
    segments: int = 0


def change_of(ended: Mapping[DeliveryStage, int], segments: int = 0) -> Change:
    """What so many endings add; a negative number of them takes back what was counted before."""

    def of(stages: frozenset[DeliveryStage]) -> int:
        return sum(count for stage, count in ended.items() if stage in stages)

    return Change(of(DELIVERED), of(FAILED), of(UNKNOWN), of(WITHDRAWN), segments)
