"""How often one number may be told something, and one text told to one number: counted in Redis for all workers.

A safety net against a fault or an attack that would tell somebody the same a thousand times, not accounting: while
Redis is away, or holds as much as may be held, everything goes out, and that is said.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from kernel.clock import in_shanghai
from kernel.log import get_logger
from kernel.redis import Redis, RedisAway, ReplyError, Script
from notifications.model import Lane

SHARDS: Final = 8
"""Counts are kept in so many hashes of Redis a day, each a key of its own."""
COUNTS_MAX: Final = 320_000
"""Counts one of them holds at most; above that nothing is counted that day, and everything goes out."""
KEPT: Final = timedelta(hours=25)
FIELD_BYTES: Final = 8
TEXT_FIELD_BYTES: Final = 4
TEXTS_MAX: Final = 4_096
"""Texts whose field is remembered."""


class PerDay(msgspec.Struct, frozen=True):
    """SMS a day to one number on some lanes together, and of one text."""

    number_max: int
    text_max: int


CODES: Final = PerDay(60, 60)
"""More than signing in gives to one phone: nobody waits for a code that is stopped here."""
NOTICES: Final = PerDay(100, 50)
"""Fifty notices of one text a day is also where the large mainland carriers stop by themselves (短信发送频率限制)."""
LIMITS: Final = {Lane.OTP: CODES, Lane.RESULT: NOTICES, Lane.REMINDER: NOTICES, Lane.BULK: NOTICES}
"""A change of what is a person's own is always told."""

COUNT: Final = Script.of(
    """
    local key, lifetime, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
    local held = redis.call('HLEN', key)
    if held >= most then return -1 end
    local over = {}
    for i = 3, #ARGV, 4 do
        local told = redis.call('HMGET', key, ARGV[i], ARGV[i + 2])
        if tonumber(told[1] or 0) >= tonumber(ARGV[i + 1]) or tonumber(told[2] or 0) >= tonumber(ARGV[i + 3]) then
            over[#over + 1] = (i - 3) / 4
        else
            redis.call('HINCRBY', key, ARGV[i], 1)
            redis.call('HINCRBY', key, ARGV[i + 2], 1)
        end
    end
    if held == 0 then redis.call('PEXPIRE', key, lifetime) end
    return over
    """
)
"""Counts every SMS of a list whose number and text are below their bounds. Answers the places of those that are not."""

log = get_logger(__name__)


class Telling(msgspec.Struct, frozen=True, gc=False):
    """An SMS about to be handed over, and which text it is."""

    phone: str
    template: str
    lane: Lane

    def __repr__(self) -> str:
        return "Telling(…)"


@lru_cache(maxsize=TEXTS_MAX)
def _text_field(template: str) -> bytes:
    """What a text adds to the field of a number."""
    return hashlib.blake2b(template.encode(), digest_size=TEXT_FIELD_BYTES, person=b"text").digest()


class NumberLimits:
    """Counts what numbers are told. `key` hides them from whoever reads Redis."""

    def __init__(self, redis: Redis, *, key: bytes) -> None:
        self._redis = redis
        self._key = key[: hashlib.blake2b.MAX_KEY_SIZE]
        self._is_counting = True

    async def over(self, tellings: Sequence[Telling], now: datetime) -> set[int]:
        """The places of those that must not go out, by day of the city's clock; the others are counted."""
        by_shard: dict[int, tuple[list[int], list[bytes]]] = {}
        for place, telling in enumerate(tellings):
            limit = LIMITS.get(telling.lane)
            if limit is None:
                continue
            number = self._field(telling.phone, "codes" if limit is CODES else "notices")
            text = number + _text_field(telling.template)
            places, words = by_shard.setdefault(number[0] % SHARDS, ([], []))
            places.append(place)
            words += [number, b"%d" % limit.number_max, text, b"%d" % limit.text_max]
        day = in_shanghai(now).date().isoformat()
        asked = [(f"told:{{{day}:{shard}}}".encode(), words) for shard, (_, words) in by_shard.items()]
        answers = await asyncio.gather(*(self._count(key, words) for key, words in asked))
        told = zip(by_shard.values(), answers, strict=True)
        return {places[place] for (places, _), over in told for place in over}

    async def _count(self, key: bytes, words: list[bytes]) -> list[int]:
        lifetime = b"%d" % (KEPT // timedelta(milliseconds=1))
        try:
            reply = await self._redis.run(COUNT, (key,), (lifetime, b"%d" % COUNTS_MAX, *words))
        except (RedisAway, ReplyError) as error:
            self._say(f"{type(error).__name__}")
            return []
        if not isinstance(reply, list):
            self._say("as much is counted as may be held")
            return []
        self._is_counting = True
        return [place for place in reply if isinstance(place, int)]

    def _say(self, reason: str) -> None:
        if self._is_counting:
            self._is_counting = False
            log.warning("how often numbers are told something is not counted for now", reason=reason)

    def _field(self, phone: str, what: str) -> bytes:
        said = f"{phone}\0{what}".encode()
        return hashlib.blake2b(said, digest_size=FIELD_BYTES, key=self._key, person=b"told").digest()
