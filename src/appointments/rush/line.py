"""The line of each release in Redis: who waits, who was let through. One script for each thing that happens to it.

Nothing here is a truth: what is lost is asked for again, and whoever can write here can mint no admission, since each
carries a mark of the city's. All keys of a release carry one hash tag.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from appointments.rush.model import (
    ADMISSION,
    ADMITTED_AT_ONCE_MAX,
    STEADY_SECONDS,
    USED,
    InLine,
    Release,
    ReleaseId,
    Score,
    Standing,
    microseconds,
    moment_of,
    steady_rate,
)
from kernel.redis import Redis, RedisAway, Script

KEPT_AFTER: Final = timedelta(days=1)
"""How long a line is kept after its release closed."""
KEPT_SECONDS_MAX: Final = 200 * 86400
LAPSED_AT_ONCE_MAX: Final = 1_000
_WORDS: Final = 12

_TELL: Final = """
local line, out, marks, past, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = tonumber(ARGV[1])
local function used_meanwhile(member, since)
    local said = redis.call('HGET', past, member)
    if not said then return false end
    local at = tonumber(string.sub(said, 2))
    return at > since or (at == since and string.sub(said, 1, 1) == 'u')
end
local function tell(member)
    local of_line = redis.call('HMGET', state, 'free', 'left', 'at', 'steady', 'before', 'since')
    local told = {'nobody', 0, '', '', redis.call('ZCARD', line)}
    local mark = ''
    local rank = redis.call('ZRANK', line, member)
    if rank then
        told[1], told[2], told[3] = 'waiting', rank, redis.call('ZSCORE', line, member)
    else
        local till = redis.call('ZSCORE', out, member)
        if till and tonumber(till) > now then
            told[1], told[4], mark = 'admitted', till, redis.call('HGET', marks, member) or ''
        else
            local said = redis.call('HGET', past, member)
            if said then told[1] = string.sub(said, 1, 1) == 'u' and 'used' or 'lapsed' end
        end
    end
    for at = 1, 6 do told[5 + at] = of_line[at] or '' end
    told[12] = mark
    return table.concat(told, ' ')
end
"""
_READ: Final = Script.of(_TELL + "return tell(ARGV[2])")
_JOIN: Final = Script.of(
    _TELL
    + """
    local member, first, behind, renewed, kept = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
    local known = redis.call('ZSCORE', out, member)
    if not (known and tonumber(known) > now) then
        local said = redis.call('HGET', past, member)
        if not said then
            redis.call('ZADD', line, 'NX', first, member)
        elseif string.sub(said, 1, 1) ~= 'u' or tonumber(string.sub(said, 2)) <= renewed then
            redis.call('HSET', past, member, 'l' .. string.sub(said, 2))
            redis.call('ZADD', line, 'NX', behind, member)
        end
        redis.call('EXPIRE', line, kept)
    end
    return tell(member)
    """
)
_LEAVE: Final = Script.of(
    _TELL
    + """
    local member = ARGV[2]
    local waited, let_in = redis.call('ZREM', line, member), redis.call('ZREM', out, member)
    redis.call('HDEL', marks, member)
    if waited + let_in > 0 then
        redis.call('HSET', past, member, 'l' .. ARGV[1])
        redis.call('EXPIRE', past, ARGV[3])
    end
    return waited + let_in
    """
)
_GIVE_UP: Final = Script.of(
    _TELL
    + """
    local member, until_ms = ARGV[2], tonumber(ARGV[3])
    local till = redis.call('ZSCORE', out, member)
    if (till and tonumber(till) ~= until_ms) or used_meanwhile(member, tonumber(ARGV[4])) then return 0 end
    redis.call('ZREM', line, member)
    redis.call('ZREM', out, member)
    redis.call('HDEL', marks, member)
    redis.call('HSET', past, member, 'l' .. ARGV[1])
    redis.call('EXPIRE', past, ARGV[5])
    return 1
    """
)
_SPEND: Final = Script.of(
    _TELL
    + """
    local member = ARGV[2]
    redis.call('ZREM', line, member)
    redis.call('ZREM', out, member)
    redis.call('HDEL', marks, member)
    redis.call('HSET', past, member, 'u' .. ARGV[1])
    redis.call('HINCRBY', state, 'used', 1)
    for _, key in ipairs({past, state}) do redis.call('EXPIRE', key, ARGV[3]) end
    return 1
    """
)
_IS_SPENT: Final = Script.of(_TELL + "return used_meanwhile(ARGV[2], tonumber(ARGV[3])) and 1 or 0")
_COUNT: Final = Script.of(
    _TELL
    + """
    local lapsed = redis.call('ZRANGEBYSCORE', out, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
    for _, member in ipairs(lapsed) do
        redis.call('ZREM', out, member)
        redis.call('HDEL', marks, member)
        redis.call('HSET', past, member, 'l' .. ARGV[1])
    end
    if #lapsed > 0 then redis.call('EXPIRE', past, ARGV[3]) end
    local used = redis.call('HGET', state, 'used') or '0'
    return {redis.call('ZCARD', line), redis.call('ZCARD', out), used}
    """
)
_ADMIT: Final = Script.of(
    _TELL
    + """
    local free, used, till, kept = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
    local meanwhile = tonumber(redis.call('HGET', state, 'used') or '0') - used
    if meanwhile < 0 then meanwhile = 0 end
    local allowed = free - meanwhile - redis.call('ZCARD', out)
    local was_left, let_in = redis.call('HGET', state, 'left'), 0
    for at = 6, #ARGV, 2 do
        if allowed <= 0 then break end
        if redis.call('ZREM', line, ARGV[at]) == 1 then
            redis.call('ZADD', out, till, ARGV[at])
            redis.call('HSET', marks, ARGV[at], ARGV[at + 1])
            allowed, let_in = allowed - 1, let_in + 1
        end
    end
    if allowed < 0 then allowed = 0 end
    local window = tonumber(ARGV[1]) - (tonumber(redis.call('HGET', state, 'since') or '0'))
    if window >= STEADY_MS then
        local before = window < 2 * STEADY_MS and redis.call('HGET', state, 'steady') or '0'
        redis.call('HSET', state, 'before', before or '0', 'steady', '0', 'since', ARGV[1])
    end
    if was_left == '0' then redis.call('HINCRBY', state, 'steady', let_in) end
    redis.call('HSET', state, 'free', ARGV[2], 'left', tostring(allowed), 'at', ARGV[1])
    for _, key in ipairs({line, out, marks, state}) do redis.call('EXPIRE', key, kept) end
    return let_in
    """.replace("STEADY_MS", str(STEADY_SECONDS * 1000))
)


class Counted(msgspec.Struct, frozen=True):
    """How a line stands: who waits, who is let through and has not booked, and how many ever took a place."""

    waiting: int
    outstanding: int
    used: int


class Line:
    """Every method raises RedisAway."""

    def __init__(self, redis: Redis | None) -> None:
        self._redis = redis

    async def join(self, release: Release, member: bytes, first: Score, behind: Score, *, now: datetime) -> Standing:
        """Get in line at `first`, once; who was let through before, or left, stands at `behind`."""
        renewed = _milliseconds(now - USED)
        words = (member, b"%d" % first, b"%d" % behind, b"%d" % renewed, _kept(release, now))
        return _standing(await self._run(_JOIN, release.release_id, now, *words), now)

    async def read(self, release: Release, member: bytes, *, now: datetime) -> Standing:
        """Where somebody stands."""
        return _standing(await self._run(_READ, release.release_id, now, member), now)

    async def leave(self, release: Release, member: bytes, *, now: datetime) -> bool:
        """Get out of line, or give an admission up; False for who was in neither."""
        return bool(await self._run(_LEAVE, release.release_id, now, member, _kept(release, now)))

    async def spend(self, release_id: ReleaseId, member: bytes, *, now: datetime) -> None:
        """A place was taken."""
        await self._run(_SPEND, release_id, now, member, b"%d" % KEPT_AFTER.total_seconds())

    async def give_up(self, release_id: ReleaseId, member: bytes, *, until_ms: int, now: datetime) -> bool:
        """One admission is given up, wherever it came from; False if it was used, or if they have a later one."""
        since_ms = until_ms - int(ADMISSION.total_seconds() * 1000)
        words = (member, b"%d" % until_ms, b"%d" % since_ms, b"%d" % KEPT_AFTER.total_seconds())
        return bool(await self._run(_GIVE_UP, release_id, now, *words))

    async def is_spent(self, release_id: ReleaseId, member: bytes, *, since_ms: int, now: datetime) -> bool:
        """Whether somebody took a place, or gave their admission up, since they were let through."""
        return bool(await self._run(_IS_SPENT, release_id, now, member, b"%d" % since_ms))

    async def count(self, release: Release, *, now: datetime) -> Counted:
        """How the line stands, once those who did not book in time are out."""
        words = (b"%d" % LAPSED_AT_ONCE_MAX, _kept(release, now))
        waiting, outstanding, used = await self._run(_COUNT, release.release_id, now, *words)
        return Counted(waiting, outstanding, int(used))

    async def heads(self, release_id: ReleaseId, wanted: int) -> list[bytes]:
        """Who is next, at most `ADMITTED_AT_ONCE_MAX` of them."""
        if self._redis is None:
            raise RedisAway
        last = min(wanted, ADMITTED_AT_ONCE_MAX) - 1
        found: list[bytes] = await self._redis.ask(b"ZRANGE", _keys(release_id)[0], b"0", b"%d" % last)
        return found

    async def admit(
        self,
        release: Release,
        marked: Sequence[tuple[bytes, bytes]],
        *,
        free: int,
        used: int,
        till_ms: int,
        now: datetime,
    ) -> int:
        """Let people through, as many of `marked` as `free` allows, and write down what was counted; how many it were.

        `used` is what was counted before `free` was: who has taken a place since then is in `free` still.
        """
        words = [b"%d" % free, b"%d" % used, b"%d" % till_ms, _kept(release, now)]
        words += [word for pair in marked for word in pair]
        let_in: int = await self._run(_ADMIT, release.release_id, now, *words)
        return let_in

    async def _run(self, script: Script, release_id: ReleaseId, now: datetime, *words: bytes) -> Any:
        if self._redis is None:
            raise RedisAway("there is none")
        arguments = (b"%d" % _milliseconds(now), *words)
        try:
            return await self._redis.run(script, _keys(release_id), arguments)
        except RedisAway:  # perhaps only the connection, a moment ago; every script may run twice
            return await self._redis.run(script, _keys(release_id), arguments)


@lru_cache(maxsize=4_096)
def _keys(release_id: ReleaseId) -> tuple[bytes, ...]:
    tag = b"rush:{%b}:" % release_id.hex.encode()
    return tuple(tag + name for name in (b"line", b"out", b"marks", b"past", b"state"))


def _milliseconds(moment: datetime) -> int:
    return microseconds(moment) // 1000


def _kept(release: Release, now: datetime) -> bytes:
    seconds = (release.closes_at - now + KEPT_AFTER).total_seconds()
    return b"%d" % min(max(seconds, KEPT_AFTER.total_seconds()), KEPT_SECONDS_MAX)


def _standing(told: bytes, now: datetime) -> Standing:
    """What the scripts tell, words with a space between; the last of them may hold anything."""
    known, rank, score, till, people, free, left, looked, steady, before, since, mark = told.split(b" ", _WORDS - 1)
    rate = None
    if since:
        elapsed = (_milliseconds(now) - int(since)) / 1000
        rate = steady_rate(before=int(before or 0), current=int(steady or 0), elapsed_seconds=elapsed)
    return Standing(
        known=InLine(known.decode()),
        rank=int(rank),
        score=Score(int(float(score))) if score else None,
        admitted_until=moment_of(int(float(till))) if till else None,
        mark=mark or None,
        people=int(people),
        free=int(free) if free else None,
        left=int(left) if left else None,
        looked_at=moment_of(int(looked)) if looked else None,
        steady_per_second=rate,
    )
