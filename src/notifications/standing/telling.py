"""Each worker says in Redis how its providers do, and whoever is asked by an operator reads what all of them said.

A hint for people: nothing rests on it, and it is gone a moment after its worker is.
"""

from datetime import timedelta
from typing import Final

import msgspec

from kernel.clock import Clock
from kernel.redis import Redis, RedisAway, ReplyError, Script
from notifications.channels.provider import Provider
from notifications.routing.carriers import Carriers
from notifications.routing.carriers import Standing as OnNetwork
from notifications.standing.model import NetworkStanding, ProviderStanding, WorkerTold

TOLD_EVERY: Final = timedelta(seconds=5)
KEPT_SECONDS: Final = 15
"""Whoever has not said anything for so long is not there any more."""
assert TOLD_EVERY.total_seconds() * 2 < KEPT_SECONDS
WORKERS_MAX: Final = 100
"""Workers that are read: those that spoke last."""
NETWORKS_MAX: Final = 50
"""Networks told of each provider."""

WORKERS_KEY: Final = b"{sending}:workers"
_SAID_BY: Final = b"{sending}:said_by:"

TELL: Final = Script.of(
    """
    local now, kept = tonumber(redis.call('TIME')[1]), tonumber(ARGV[3])
    redis.call('SET', KEYS[2], ARGV[2], 'EX', kept)
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept)
    redis.call('EXPIRE', KEYS[1], kept)
    return 1
    """
)
"""Files what a worker says, and the worker among those that spoke of late, by the clock of Redis alone."""


class Telling:
    """What the process called `worker` says. `are_stand_ins`: its providers show messages instead of sending them."""

    def __init__(
        self, redis: Redis, clock: Clock, carriers: Carriers, *, worker: str, are_stand_ins: bool = False
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._carriers = carriers
        self._worker = worker
        self._are_stand_ins = are_stand_ins

    async def tell(self) -> None:
        """Say how every provider does, as this process sees it. Raises RedisAway."""
        said = msgspec.json.encode(self.said())
        worker = self._worker.encode()
        await self._redis.run(TELL, (WORKERS_KEY, _SAID_BY + worker), (worker, said, b"%d" % KEPT_SECONDS))

    def said(self) -> WorkerTold:
        """How every provider does, as this process sees it."""
        now = self._clock.now()
        networks: dict[str, list[OnNetwork]] = {}
        for one in self._carriers.standings(now):
            networks.setdefault(one.provider, []).append(one)
        return WorkerTold(
            self._worker, now, [self._said_of(one, networks.get(one.name, [])) for one in self._carriers.providers]
        )

    def _said_of(self, provider: Provider, networks: list[OnNetwork]) -> ProviderStanding:
        hands = self._carriers.hands_of(provider.name)
        worst = sorted(networks, key=lambda one: (one.share, -one.failures, one.group))[:NETWORKS_MAX]
        return ProviderStanding(
            name=provider.name,
            channel=provider.channel,
            is_stand_in=self._are_stand_ins,
            is_connected=getattr(provider, "is_connected", None),
            hands_in_use=hands.taken,
            hands_max=hands.most,
            networks=[NetworkStanding(one.group, one.share, one.failures) for one in worst],
        )


async def heard(redis: Redis) -> list[WorkerTold] | None:
    """What the workers said last, by their names; None when Redis cannot be asked."""
    try:
        workers = await redis.ask(b"ZREVRANGE", WORKERS_KEY, b"0", b"%d" % (WORKERS_MAX - 1))
        assert isinstance(workers, list)
        if not workers:
            return []
        said = await redis.ask(b"MGET", *(_SAID_BY + worker for worker in workers if isinstance(worker, bytes)))
    except (RedisAway, ReplyError):
        return None
    assert isinstance(said, list)
    told = [_decoded(one) for one in said if isinstance(one, bytes)]
    return sorted((one for one in told if one is not None), key=lambda one: one.worker)


def _decoded(said: bytes) -> WorkerTold | None:
    """None for what another version says in another way."""
    try:
        return msgspec.json.decode(said, type=WorkerTold)
    except msgspec.DecodeError:
        return None
