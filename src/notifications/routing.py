"""Which provider carries an SMS: the first of the list that is well and was not tried before."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from notifications.channels.provider import SmsProvider
from notifications.model import Outcome

UNWELL_AFTER = 20
"""Failures in a row that make a provider unwell: one says nothing, a run does."""
UNWELL_FOR = timedelta(seconds=30)
"""How long others go first; then it is tried again, and one success makes it well."""


class Carriers:
    """The providers in order of preference, and how each is."""

    def __init__(self, providers: Sequence[SmsProvider]) -> None:
        self._providers = {provider.name: provider for provider in providers}
        assert len(self._providers) == len(providers), "a name for each provider"
        self._failures_in_a_row = dict.fromkeys(self._providers, 0)
        self._unwell_until: dict[str, datetime] = {}

    @property
    def providers(self) -> list[SmsProvider]:
        return list(self._providers.values())

    def named(self, name: str) -> SmsProvider:
        return self._providers[name]

    def choose(self, tried: Mapping[str, Outcome | None], now: datetime) -> SmsProvider | None:
        """Who carries it next. One whose attempt may have succeeded is never asked again; None when nobody is left.

        `tried` is what attempts through each provider came to. Unwell providers and those that refused go last.
        """
        free = [one for one in self._providers.values() if tried.get(one.name, Outcome.REJECTED) is Outcome.REJECTED]
        return min(free, key=lambda one: (one.name in tried, not self.is_well(one.name, now)), default=None)

    def is_another_left(self, tried: Collection[str]) -> bool:
        """Whether some provider was never tried."""
        return any(name not in tried for name in self._providers)

    def is_well(self, name: str, now: datetime) -> bool:
        return name not in self._unwell_until or self._unwell_until[name] <= now

    def note(self, name: str, *, is_failure: bool, now: datetime) -> None:
        """Remember how an attempt went. A refusal of one recipient says nothing about the provider: no failure."""
        if not is_failure:
            self._failures_in_a_row[name] = 0
            self._unwell_until.pop(name, None)
            return
        self._failures_in_a_row[name] += 1
        if self._failures_in_a_row[name] >= UNWELL_AFTER:
            self._unwell_until[name] = now + UNWELL_FOR
