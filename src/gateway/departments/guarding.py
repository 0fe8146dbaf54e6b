"""A department's faults stay its own: a bound on what it is asked at once, and a rest after it went wrong too often."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from uuid import UUID

from gateway.departments.errors import AppAway, AppBusy

FAILURES_MAX = 5
"""Failures in a row after which an app is left alone."""
REST_SECONDS = 5.0
REST_SECONDS_MAX = 60.0
"""The rest doubles each time the first call after it fails too."""
assert REST_SECONDS <= REST_SECONDS_MAX
SHARE_OF_ONE = 4
"""One resident has at most a quarter of an app's calls under way, so that nobody keeps everybody else out of it,"""
CALLS_OF_ONE_MIN = 4
"""but as many as one screen asks for at once."""


class Guard:
    """Stands before one app in this process."""

    def __init__(self, concurrency_max: int, now: Callable[[], float]) -> None:
        self.concurrency_max = concurrency_max
        self._now = now
        self._under_way = 0
        self._of_one: Counter[UUID] = Counter()
        self._failures = 0
        self._rest_seconds = REST_SECONDS
        self._closed_until = 0.0
        self._is_probing = False

    @property
    def is_resting(self) -> bool:
        return self._failures >= FAILURES_MAX

    def admit(self, caller: UUID) -> "Permit":
        """The right to call once; leave it when the answer has been passed on. Raises AppBusy, AppAway."""
        share = max(CALLS_OF_ONE_MIN, self.concurrency_max // SHARE_OF_ONE)
        if self._under_way >= self.concurrency_max or self._of_one[caller] >= share:
            raise AppBusy(retry_after_seconds=1)
        is_probe = self.is_resting
        if is_probe:
            wait_seconds = self._closed_until - self._now()
            if wait_seconds > 0 or self._is_probing:
                raise AppAway(retry_after_seconds=max(1, int(wait_seconds) + 1))
            self._is_probing = True
        self._under_way += 1
        self._of_one[caller] += 1
        return Permit(self, caller, is_probe=is_probe)

    def leave(self, permit: "Permit") -> None:
        self._under_way -= 1
        self._of_one[permit.caller] -= 1
        if not self._of_one[permit.caller]:
            del self._of_one[permit.caller]
        if permit.is_probe:
            self._is_probing = False

    def succeeded(self) -> None:
        self._failures = 0
        self._rest_seconds = REST_SECONDS

    def failed(self, *, was_probe: bool) -> None:
        self._failures += 1
        if not self.is_resting:
            return
        if was_probe:
            self._rest_seconds = min(self._rest_seconds * 2, REST_SECONDS_MAX)
        elif self._failures > FAILURES_MAX:  # calls that were already under way when the rest began
            return
        self._closed_until = self._now() + self._rest_seconds


class Permit:
    """One call under way. What is neither success nor failure, such as a caller who left, changes nothing."""

    __slots__ = ("_guard", "_is_left", "caller", "is_probe")

    def __init__(self, guard: Guard, caller: UUID, *, is_probe: bool) -> None:
        self._guard = guard
        self.caller = caller
        self._is_left = False
        self.is_probe = is_probe

    def succeeded(self) -> None:
        self._guard.succeeded()

    def failed(self) -> None:
        self._guard.failed(was_probe=self.is_probe)

    def leave(self) -> None:
        if not self._is_left:
            self._is_left = True
            self._guard.leave(self)

    def __enter__(self) -> "Permit":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
