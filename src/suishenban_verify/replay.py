"""Which codes a verifier has accepted already, so that none is accepted twice.

An entry is dropped some time after its code has expired. What has been dropped is remembered as one time, the horizon:
a code that had expired by then could be one of the dropped, and is not accepted even if the clock has been set back
since. Accept at one place: several devices that do not share a cache learn of a second use when they upload.
"""

import heapq
import threading
from enum import Enum
from typing import Protocol

ENTRIES_MAX = 500_000
"""What a cache in memory holds: 72 hours of codes at two a second. A full cache accepts nothing new."""
KEPT_AFTER_EXPIRY_SECONDS = 600
"""How far a clock may be set back before the codes of that time are refused for it."""
DROPPED_AT_ONCE_MAX = 64
"""So that no single scan pays for the many before it."""


class CannotRemember(Exception):
    """A cache that is kept in a file cannot be read or written; the message says why."""


class Claim(Enum):
    """What came of marking a code as used."""

    FIRST = "first"
    SEEN = "seen"
    FORGOTTEN = "forgotten"
    """Entries of codes that old have been dropped: our clock stands earlier than it has stood before."""
    FULL = "full"


_FIRST = Claim.FIRST


class Replay(Protocol):
    """Marks codes as used."""

    def claim(self, cti: bytes, expires_at: int, now: int) -> Claim:
        """Mark the code `cti`, which expires at `expires_at`, as used; it is FIRST exactly once. Unix seconds.

        Raises CannotRemember.
        """
        ...


class ReplayMemory:
    """Codes accepted since this process started; safe to use from several threads."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._expiry_of: dict[bytes, int] = {}
        self._by_expiry: list[tuple[int, bytes]] = []
        self._horizon = 0
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._expiry_of)

    def claim(self, cti: bytes, expires_at: int, now: int) -> Claim:
        with self._turn:
            by_expiry = self._by_expiry
            if by_expiry and by_expiry[0][0] + KEPT_AFTER_EXPIRY_SECONDS <= now:
                self._drop(now)
            if cti in self._expiry_of:
                return Claim.SEEN
            if expires_at <= self._horizon:
                return Claim.FORGOTTEN
            if len(by_expiry) >= self._entries_max:
                return Claim.FULL
            self._expiry_of[cti] = expires_at
            heapq.heappush(by_expiry, (expires_at, cti))
            return _FIRST

    def _drop(self, now: int) -> None:
        for _ in range(DROPPED_AT_ONCE_MAX):
            if not self._by_expiry or self._by_expiry[0][0] + KEPT_AFTER_EXPIRY_SECONDS > now:
                return
            self._horizon, cti = heapq.heappop(self._by_expiry)
            del self._expiry_of[cti]
