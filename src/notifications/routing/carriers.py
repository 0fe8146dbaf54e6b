"""Who carries a parcel: by weight, by how each does on that network, and by how much each has in hand already.

No provider holds up another: what one may have in hand at once is bounded, and whoever is full is left alone.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
LOOKED_PAST_SECONDS: Final = 2.0
LOOKED_PAST_AFTER: Final = 100
"""Claims of a lane, or a time without a hand for it: then it claims once for whichever channel has most hands, since
what went by one channel so far may stand before what goes by another."""

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

    __slots__ = ("_health", "hands", "name", "overall", "provider", "takes_kept_texts", "weight")

    def __init__(self, provider: Provider, weight: float) -> None:
        self.provider = provider
        self.name = provider.name
        self.weight = weight
        usual = MANY_AT_ONCE_MAX if isinstance(provider, SendsMany) else AT_ONCE_MAX
        self.hands = Hands(getattr(provider, "at_once_max", usual))
        self.takes_kept_texts: bool = getattr(provider, "takes_kept_texts", False)
        self.overall = Health()
        """On every network together."""
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
        self._some_take_kept_texts = any(one.takes_kept_texts for one in self._by_name.values())
        self._freed = asyncio.Event()
        self._being_claimed = 0
        self._went_by: dict[Lane, set[Channel]] = {lane: set() for lane in Lane}
        """By which channels what was claimed of each lane went lately; none: nobody knows. No code waits for one."""
        self._claims = dict.fromkeys(Lane, 0)

    @property
    def providers(self) -> list[Provider]:
        return [carrier.provider for carrier in self._by_name.values()]

    def named(self, name: str) -> Provider:
        return self._by_name[name].provider

    def knows(self, name: str) -> bool:
        """Whether a provider of that name is here still."""
        return name in self._by_name

    def choose(
        self,
        road: Road,
        lane: Lane,
        tried: Mapping[str, Outcome | Reading | None],
        now: datetime,
        kept_by: Collection[str] = (),
    ) -> Provider | Full | None:
        """Who carries it next, with a hand taken for it: whoever asked gives it back (`let_go`).

        One whose attempt may have succeeded, or arrived nowhere, is never asked again; those that refused go last. One
        that takes no words but those it keeps is asked only if it is among `kept_by`. FULL when who may carry it has no
        hand free, None when nobody is left.
        """
        fresh = left = self._by_channel.get(road.channel, [])
        if self._some_take_kept_texts:
            fresh = left = [one for one in left if not one.takes_kept_texts or one.name in kept_by]
        if tried:
            left = [one for one in left if tried.get(one.name, Outcome.REJECTED) is Outcome.REJECTED]
            fresh = [one for one in left if one.name not in tried] or left
        if not left:
            return None
        is_urgent = lane in MAY_REPEAT
        if not is_urgent:
            self._went_by[lane].add(road.channel)
        free = [one for one in fresh if one.hands.free(is_urgent=is_urgent) > 0]
        if not free:
            return FULL
        chosen = free[0] if len(fresh) == 1 else self._weigh(free, fresh, road.group, now)
        if chosen is None:
            return FULL
        chosen.hands.take(is_urgent=is_urgent)
        return chosen.provider

    def _weigh(self, free: list[_Carrier], every: list[_Carrier], group: str, now: datetime) -> _Carrier | None:
        """Ask those with a hand free in an order drawn by weight; each takes it by its share of health.

        If none does, the best of all takes it: None if that one has no hand free, for what a well one will take soon is
        not for the one that was given up.
        """
        waiting = list(free)
        while waiting:
            one = self._drawn(waiting)
            share = one.health(group).share(now)
            if share >= 1.0 or (share > 0.0 and self._chance() < share):
                return one
            waiting.remove(one)
        best = max(one.health(group).share(now) for one in every)
        left = [one for one in free if one.health(group).share(now) == best]
        return max(left, key=lambda one: one.weight, default=None)

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

    def is_another_left(self, channel: Channel, tried: Collection[str], kept_by: Collection[str] | None = None) -> bool:
        """Whether some provider of a channel was never tried that may be; None: who keeps its text is not known."""
        return any(
            one.name not in tried and (kept_by is None or not one.takes_kept_texts or one.name in kept_by)
            for one in self._by_channel.get(channel, ())
        )

    def has_any(self, channel: Channel) -> bool:
        return channel in self._by_channel

    def has_several(self, channel: Channel) -> bool:
        return len(self._by_channel.get(channel, ())) > 1

    def let_go(self, name: str, lane: Lane, count: int = 1) -> None:
        """Give back hands that were taken for a lane."""
        self._by_name[name].hands.give_back(count, is_urgent=lane in MAY_REPEAT)
        self._freed.set()

    def learn(self, name: str, count: int, seconds: float, *, was_busy: bool) -> None:
        """Remember how quick a provider was with parcels it gave back a moment ago."""
        self._by_name[name].hands.learn(count, seconds, was_busy=was_busy)

    def room(self, lane: Lane) -> int:
        """How many parcels of a lane could go out by the widest of the channels it goes by, beside all being claimed.

        By the widest of all, a lane of nothing but SMS would be claimed for as long as the mail is idle.
        """
        rooms = (self._room(ones, lane) for ones in self._lately(lane))
        return max(rooms, default=AT_ONCE_MAX) - self._being_claimed

    def _lately(self, lane: Lane) -> Iterable[list[_Carrier]]:
        """Who carries the channels that a lane goes by."""
        return [self._by_channel[channel] for channel in self._went_by[lane]] or self._by_channel.values()

    def _room(self, ones: list[_Carrier], lane: Lane) -> int:
        return sum(max(0, one.room(lane)) for one in _not_given_up(ones))

    @contextmanager
    def claiming(self, lane: Lane, most: int) -> Iterator[int]:
        """How many may be claimed in the block, at most `most`: nobody else who claims meanwhile counts on their hands.

        Hands are taken when it is decided who carries what; until then two who claim at once would see the same ones,
        and what found none would have to be written down, to wait.
        """
        self._claims[lane] += 1
        if self._claims[lane] % LOOKED_PAST_AFTER == 0:
            self._went_by[lane].clear()
        count = max(0, min(most, self.room(lane)))
        self._being_claimed += count
        try:
            yield count
        finally:
            self._being_claimed -= count
            self._freed.set()

    def rooms(self, lane: Lane) -> dict[Channel, int]:
        """How many parcels of a lane could go out by each channel."""
        return {channel: self._room(ones, lane) for channel, ones in self._by_channel.items()}

    async def wait_for_room(self, lane: Lane, at_least: int) -> None:
        """Return when `at_least` parcels of a lane could go out by some channel, or a good part of all that ever could.

        A code waits for nothing but one hand.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOKED_PAST_SECONDS
        while not self._has_room(lane, at_least):
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._freed.wait()
            if loop.time() >= until:
                self._went_by[lane].clear()
                until = loop.time() + LOOKED_PAST_SECONDS

    def _has_room(self, lane: Lane, at_least: int) -> bool:
        is_urgent = lane in MAY_REPEAT
        for ones in self._lately(lane):
            most = sum(one.hands.most_for(is_urgent=is_urgent) for one in _not_given_up(ones))
            enough = 1 if is_urgent else max(1, min(at_least, most // GOOD_PART))
            if self._room(ones, lane) - self._being_claimed >= enough:
                return True
        return not self._by_channel

    def note(self, name: str, group: str, *, is_failure: bool, now: datetime) -> None:
        """Remember how an attempt went. A refusal of one recipient or text says nothing about the provider."""
        carrier = self._by_name[name]
        health = carrier.health(group)
        if not is_failure and health.is_spotless and carrier.overall.is_spotless:
            return
        carrier.overall.note(is_failure=is_failure, now=now)
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


def _not_given_up(ones: list[_Carrier]) -> list[_Carrier]:
    """Those whose hands count: whoever fails has only what is tried with them, unless everybody fails."""
    if len(ones) == 1:
        return ones
    return [one for one in ones if one.overall.is_well] or ones
