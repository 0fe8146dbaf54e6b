"""At most so many per window: a local bucket first, Redis as the truth that all processes share.

A bucket holds `permits` and refills evenly over its window: so many at once, and as many again per window. It is kept
as one number, the moment at which it is full again (the generic cell rate algorithm).
"""

import hashlib
import logging

from msgspec import Struct

from kernel.clock import Clock
from kernel.redis import Redis, RedisAway, ReplyError, Script

SUBJECTS_MAX = 100_000
"""Subjects remembered per limit and process; the half heard of longest ago is forgotten first."""
SUBJECT_KEY_BYTES_MIN = 16
log = logging.getLogger(__name__)

TAKE = Script.of(
    """
    local now, window, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    local full = tonumber(redis.call('GET', KEYS[1]) or now)
    if full < now then full = now end
    if full > now + window then full = now + window end
    local wait = full + step - now - window
    if wait > 0 then return wait end
    redis.call('SET', KEYS[1], string.format('%.0f', full + step), 'PX', math.ceil((full + step - now) / 1000))
    return 0
    """
)
"""All in microseconds. Answers 0, or how long to wait."""

GIVE_BACK = Script.of(
    """
    local now, step = tonumber(ARGV[1]), tonumber(ARGV[2])
    local full = tonumber(redis.call('GET', KEYS[1]) or now) - step
    if full <= now then return redis.call('DEL', KEYS[1]) end
    redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
    return 1
    """
)


class Limit(Struct, frozen=True):
    """So many permits per window, for each subject."""

    name: str
    permits: int
    window_seconds: int

    def __post_init__(self) -> None:
        assert self.permits >= 1
        assert self.window_seconds >= 1


class _Buckets:
    """The buckets of one limit in this process, in two generations so that memory is bounded."""

    __slots__ = ("current", "previous", "step", "window")

    def __init__(self, limit: Limit) -> None:
        self.window = float(limit.window_seconds)
        self.step = limit.window_seconds / limit.permits
        self.current: dict[str, float] = {}
        self.previous: dict[str, float] = {}

    def put(self, subject: str, full_at: float) -> None:
        current = self.current
        if len(current) >= SUBJECTS_MAX // 2 and subject not in current:
            self.previous = current
            self.current = current = {}
        current[subject] = full_at


class Limits:
    """Who may do how much. `subject_key` hides subjects from whoever reads Redis: no phone number is a key there."""

    def __init__(self, redis: Redis | None, clock: Clock, *, subject_key: bytes) -> None:
        assert len(subject_key) >= SUBJECT_KEY_BYTES_MIN
        self._redis = redis
        self._clock = clock
        self._subject_key = subject_key[: hashlib.blake2b.MAX_KEY_SIZE]
        self._buckets: dict[str, _Buckets] = {}
        self._is_shared = redis is not None
        self.decided_alone_count = 0
        """How often `allow` decided by this process's own bucket because Redis was away."""

    def allow_locally(self, limit: Limit, subject: str) -> float | None:
        """None, or the seconds until this process's bucket has a permit again."""
        buckets = self._buckets.get(limit.name)
        if buckets is None:
            buckets = self._buckets[limit.name] = _Buckets(limit)
        now = self._clock.now().timestamp()
        full_at = buckets.current.get(subject)
        if full_at is None:
            full_at = buckets.previous.get(subject, now)
        if full_at < now:
            full_at = now
        elif full_at > now + buckets.window:  # the clock was set back
            full_at = now + buckets.window
        full_at += buckets.step
        wait_seconds = full_at - now - buckets.window
        if wait_seconds > 1e-6:
            return wait_seconds
        buckets.put(subject, full_at)
        return None

    async def allow(self, limit: Limit, subject: str) -> float | None:
        """None, or the seconds until all processes together have a permit for `subject` again.

        While Redis is away, this process's own bucket decides, and `decided_alone_count` says so.
        """
        wait_seconds = self.allow_locally(limit, subject)
        if wait_seconds is not None or self._redis is None:
            return wait_seconds
        now_us = int(self._clock.now().timestamp() * 1e6)
        window_us = limit.window_seconds * 1_000_000
        arguments = (b"%d" % now_us, b"%d" % window_us, b"%d" % max(1, window_us // limit.permits))
        try:
            wait_us = await self._redis.run(TAKE, (self._key(limit, subject),), arguments)
        except (RedisAway, ReplyError) as error:
            self.decided_alone_count += 1
            if self._is_shared:
                self._is_shared = False
                log.warning("limits are counted by each process alone for now: %s", error)
            return None
        self._is_shared = True
        return None if wait_us <= 0 else wait_us / 1e6

    async def give_back(self, limit: Limit, subject: str) -> None:
        """Return a permit that `allow` gave and that came to nothing.

        While Redis is away, the other processes go on counting it.
        """
        buckets = self._buckets.get(limit.name)
        full_at = None if buckets is None else buckets.current.get(subject, buckets.previous.get(subject))
        if buckets is not None and full_at is not None:
            buckets.put(subject, full_at - buckets.step)
        if self._redis is None:
            return
        step_us = max(1, limit.window_seconds * 1_000_000 // limit.permits)
        arguments = (b"%d" % int(self._clock.now().timestamp() * 1e6), b"%d" % step_us)
        try:
            await self._redis.run(GIVE_BACK, (self._key(limit, subject),), arguments)
        except (RedisAway, ReplyError) as error:
            log.debug("a permit was not given back to the other processes: %s", error)

    def _key(self, limit: Limit, subject: str) -> bytes:
        digest = hashlib.blake2b(subject.encode(), digest_size=16, key=self._subject_key, person=b"limits").hexdigest()
        return f"limit:{{{limit.name}:{digest}}}".encode()
