"""What an audit found, and the marks it makes on leaves; nothing personal is in either."""

from collections.abc import Iterator

from msgspec import Struct

FINDINGS_MAX = 1_000
"""Findings that are named one by one; the rest are counted."""
_EIGHT = 0xFF


class Finding(Struct, frozen=True):
    """Something that is not as it was logged. `sort` is a permanent word, `place` names what by its id."""

    sort: str
    place: str
    said: str


class Findings:
    """Collects findings, in the order found."""

    def __init__(self) -> None:
        self.named: list[Finding] = []
        self.beyond = 0

    def add(self, sort: str, place: str, said: str) -> None:
        if len(self.named) < FINDINGS_MAX:
            self.named.append(Finding(sort, place, said))
        else:
            self.beyond += 1


class Marks:
    """One bit for each leaf: twelve megabytes for a hundred million."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bits = bytearray(-(-size // 8))

    def mark(self, log_index: int) -> bool:
        """Mark a leaf; whether it was not marked before."""
        byte, bit = log_index >> 3, 1 << (log_index & 7)
        was = self._bits[byte] & bit
        self._bits[byte] |= bit
        return not was

    def unmarked(self) -> Iterator[int]:
        """The leaves without a mark, in order."""
        for byte, bits in enumerate(self._bits):
            if bits != _EIGHT:
                for log_index in range(byte << 3, min((byte + 1) << 3, self.size)):
                    if not bits & 1 << (log_index & 7):
                        yield log_index
