"""A code that was shown a moment ago, made old: so that a demo can show what becomes of it without waiting.

What the code is bound to is opened and sealed anew by the city itself, with an earlier moment of showing. It only ever
grows older: nothing that has expired comes back.
"""

from datetime import datetime, timedelta

import msgspec

from kernel.redis import Redis
from wallet.model import BINDING_KEPT_FOR
from wallet.online_code import Texts
from wallet.seals import Seals, place_of

AGED_MAX = timedelta(hours=12)
"""Less than a code is remembered, so that an aged one is old and not unknown."""
assert AGED_MAX < BINDING_KEPT_FOR


class Ageing:
    """Makes codes of this city older."""

    def __init__(self, redis: Redis, seals: Seals, texts: Texts) -> None:
        self._redis = redis
        self._seals = seals
        self._texts = texts

    async def age(self, text: str, by: timedelta) -> datetime | None:
        """When the code counts as shown now; None for a text that is no code of ours. Raises RedisAway."""
        assert timedelta() <= by <= AGED_MAX
        code_hash = self._texts.read(text)
        if code_hash is None:
            return None
        envelope = await self._redis.get(place_of(code_hash))
        opened = None if envelope is None else self._seals.open_binding(envelope, code_hash)
        if opened is None:
            return None
        older = msgspec.structs.replace(opened, shown_at=opened.shown_at - by)
        kept_for = BINDING_KEPT_FOR - by
        sealed = self._seals.binding(older, code_hash)
        await self._redis.set(place_of(code_hash), sealed, lifetime_seconds=int(kept_for.total_seconds()))
        return older.shown_at
