"""Who carries a parcel: by weight, by how each does on that network, and by how much each has in hand already.

No provider holds up another: what one may have in hand at once is bounded, and whoever is full is left alone.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from random import random
from typing import Final

import msgspec

from kernel.log import get_logger
from notifications.channels.provider import AT_ONCE_MAX, Provider, SendsMany
from notifications.model import MAY_REPEAT, Channel, Lane, Outcome, Reading
from notifications.routing.hands import MANY_AT_ONCE_MAX, Hands
from notifications.routing.health import Health

GROUPS_MAX: Final = 1_000
"""Networks remembered of each provider: more than there are country codes."""
GOOD_PART: Final = 4
"""Where hands are few, a claim waits for a quarter of them: for all of them, it would wait for the slowest parcel."""

log = get_logger(__name__)


class Full(msgspec.Struct, frozen=True):
    """Somebody may carry it, and has no hand free now."""


FULL: Final = Full()


class Road(msgspec.Struct, frozen=True, gc=False):
    """Where a parcel goes: by which channel, into which network (`prefixes.group_of`; else the channel's name)."""

    channel: Channel
    group: str


class Standing(msgspec.Struct, frozen=True):
    """How a provider does on one network: its share there, and failures among the last hundred attempts."""

    provider: str
    group: str
    share: float
    failures: int


class _Carrier:
    """A provider, how it does, and its hands."""

    __slots__ = ("_health", "hands", "name", "provider", "weight")

    def __init__(self, provider: Provider, weight: float) -> None:
        self.provider = provider
        self.name = provider.name
        self.weight = weight
        usual = MANY_AT_ONCE_MAX if isinstance(provider, SendsMany) else AT_ONCE_MAX
        self.hands = Hands(getattr(provider, "at_once_max", usual))
        self._health: dict[str, Health] = {}

    def room(self, lane: Lane) -> int:
        return self.hands.free(is_urgent=lane in MAY_REPEAT)

    def health(self, group: str) -> Health:
        found = self._health.get(group)
        if found is None:
            if len(self._health) >= GROUPS_MAX:
                self._health.clear()
            found = self._health[group] = Health()
        return found

    def standings(self, now: datetime) -> list[Standing]:
        return [
            Standing(self.provider.name, group, health.share(now), health.failures)
            for group, health in sorted(self._health.items())
        ]


class Carriers:
    """The providers of every channel. Without `weights` the first of a channel carries and the others stand by.

    A provider of weight 0 stands by: it carries what nobody else takes. `chance` is a number from 0 up to 1.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        weights: Mapping[str, float] | None = None,
        *,
        chance: Callable[[], float] = random,
    ) -> None:
        firsts = {one.channel: one.name for one in reversed(providers)}
        weighed = weights or dict.fromkeys(firsts.values(), 1.0)
        self._by_name = {one.name: _Carrier(one, weighed.get(one.name, 0.0)) for one in providers}
        assert len(self._by_name) == len(providers), "a name for each provider"
        self._by_channel: dict[Channel, list[_Carrier]] = {}
        for carrier in self._by_name.values():
            self._by_channel.setdefault(carrier.provider.channel, []).append(carrier)
        self._chance = chance
        self._freed = asyncio.Event()
        self._being_claimed = 0

    @property
    def providers(self) -> list[Provider]:
        return [carrier.provider for carrier in self._by_name.values()]

    def named(self, name: str) -> Provider:
        return self._by_name[name].provider

    def knows(self, name: str) -> bool:
        """Whether a provider of that name is here still."""
        return name in self._by_name

    def choose(
        self, road: Road, lane: Lane, tried: Mapping[str, Outcome | Reading | None], now: datetime
    ) -> Provider | Full | None:
        """Who carries it next, with a hand taken for it: whoever asked gives it back (`let_go`).

        One whose attempt may have succeeded, or arrived nowhere, is never asked again; those that refused go last.
        FULL when who may carry it has no hand free, None when nobody is left.
        """
        fresh = left = self._by_channel.get(road.channel, [])
        if tried:
            left = [one for one in left if tried.get(one.name, Outcome.REJECTED) is Outcome.REJECTED]
            fresh = [one for one in left if one.name not in tried] or left
        if not left:
            return None
        with_room = [one for one in fresh if one.room(lane) > 0]
        if not with_room:
            return FULL
        chosen = with_room[0] if len(with_room) == 1 else self._weigh(with_room, road.group, now)
        chosen.hands.take()
        return chosen.provider

    def _weigh(self, left: list[_Carrier], group: str, now: datetime) -> _Carrier:
        """Ask in an order drawn by weight; each takes it by its share of health. If none does, the best of them."""
        waiting = list(left)
        while waiting:
            one = self._drawn(waiting)
            share = one.health(group).share(now)
            if share >= 1.0 or (share > 0.0 and self._chance() < share):
                return one
            waiting.remove(one)
        return max(left, key=lambda one: (one.health(group).share(now), one.weight))

    def _drawn(self, waiting: list[_Carrier]) -> _Carrier:
        total = sum(one.weight for one in waiting)
        if total <= 0:
            return waiting[0]
        point = self._chance() * total if len(waiting) > 1 else 0.0
        for one in waiting:
            point -= one.weight
            if point < 0:
                return one
        return next(one for one in reversed(waiting) if one.weight > 0)

    def is_another_left(self, channel: Channel, tried: Collection[str]) -> bool:
        """Whether some provider of a channel was never tried."""
        return any(one.provider.name not in tried for one in self._by_channel.get(channel, ()))

    def has_any(self, channel: Channel) -> bool:
        return channel in self._by_channel

    def has_several(self, channel: Channel) -> bool:
        return len(self._by_channel.get(channel, ())) > 1

    def let_go(self, name: str, count: int = 1) -> None:
        """Give back hands that were taken."""
        self._by_name[name].hands.give_back(count)
        self._freed.set()

    def learn(self, name: str, count: int, seconds: float, *, was_busy: bool) -> None:
        """Remember how quick a provider was with parcels it gave back a moment ago."""
        self._by_name[name].hands.learn(count, seconds, was_busy=was_busy)

    def room(self, lane: Lane) -> int:
        """How many parcels of a lane could go out by the channel that has most room, beside all being claimed."""
        return max(self.rooms(lane).values(), default=0) - self._being_claimed

    @contextmanager
    def claiming(self, lane: Lane, most: int) -> Iterator[int]:
        """How many may be claimed in the block, at most `most`: nobody else who claims meanwhile counts on their hands.

        Hands are taken when it is decided who carries what; until then two who claim at once would see the same ones,
        and what found none would have to be written down, to wait.
        """
        count = max(0, min(most, self.room(lane)))
        self._being_claimed += count
        try:
            yield count
        finally:
            self._being_claimed -= count
            self._freed.set()

    def rooms(self, lane: Lane) -> dict[Channel, int]:
        """How many parcels of a lane could go out by each channel."""
        return {channel: sum(max(0, one.room(lane)) for one in ones) for channel, ones in self._by_channel.items()}

    async def wait_for_room(self, lane: Lane, at_least: int) -> None:
        """Return when `at_least` parcels of a lane could go out, or a good part of all that ever could."""
        while self.room(lane) < max(1, min(at_least, self._most(lane) // GOOD_PART)):
            self._freed.clear()
            await self._freed.wait()

    def _most(self, lane: Lane) -> int:
        is_urgent = lane in MAY_REPEAT
        channels = self._by_channel.values()
        return max((sum(one.hands.most_for(is_urgent=is_urgent) for one in ones) for ones in channels), default=0)

    def note(self, name: str, group: str, *, is_failure: bool, now: datetime) -> None:
        """Remember how an attempt went. A refusal of one recipient says nothing about the provider: no failure."""
        health = self._by_name[name].health(group)
        was_well = health.is_well
        health.note(is_failure=is_failure, now=now)
        if health.is_well != was_well:
            event = "a provider is well again" if health.is_well else "a provider fails too often"
            log.warning(event, provider=name, network=group)

    def hands_of(self, name: str) -> Hands:
        """The hands of a provider, to be looked at."""
        return self._by_name[name].hands

    def standings(self, now: datetime) -> list[Standing]:
        """How every provider does, as this process has seen it."""
        return [standing for carrier in self._by_name.values() for standing in carrier.standings(now)]
