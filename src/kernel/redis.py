"""Redis: commands of one loop tick leave as one write, answers come back in the order asked.

Nothing kept there is a truth. A command is answered or refused with `RedisAway` within a bound, and the connection
comes back by itself. Only commands on one key, or on keys with one hash tag, so that a Redis Cluster can take them too.
"""

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from kernel.resp import Link, RedisAway, Reply, ReplyError, encoded

__all__ = ["Redis", "RedisAway", "ReplyError", "Script"]

CONNECT_TIMEOUT_SECONDS = 0.25
RESTART_SECONDS = 0.5
"""How long a command waits for a connection that was lost a moment ago, before it is refused."""
BACKOFF_SECONDS = 0.02
BACKOFF_MAX_SECONDS = 1.0
PULSE_SECONDS = 5.0
"""How often a quiet subscription is asked whether it is alive."""
DEFAULT_PORT = 6379

log = logging.getLogger(__name__)


class Script(Struct, frozen=True):
    """A Lua script, known to the server by its digest."""

    text: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str) -> "Script":
        """The script with its digest, which is the server's name for it."""
        return cls(text.encode(), hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode())


class Address(Struct, frozen=True):
    """Where a server listens, and what it asks for first."""

    path: str | None
    host: str
    port: int
    is_tls: bool
    greeting: tuple[tuple[bytes, ...], ...]

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read `unix:///path?db=1`, `redis://user:secret@host:port/db` or `rediss://…`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("unix", "redis", "rediss"):
            raise ValueError("a Redis address starts with unix://, redis:// or rediss://")
        is_socket = parts.scheme == "unix"
        database = parse_qs(parts.query).get("db", ["0"])[0] if is_socket else parts.path.strip("/") or "0"
        greeting: list[tuple[bytes, ...]] = []
        if parts.password:
            user = (unquote(parts.username).encode(),) if parts.username else ()
            greeting.append((b"AUTH", *user, unquote(parts.password).encode()))
        if int(database):
            greeting.append((b"SELECT", database.encode()))
        return cls(
            path=unquote(parts.path) if is_socket else None,
            host=parts.hostname or "localhost",
            port=parts.port or DEFAULT_PORT,
            is_tls=parts.scheme == "rediss",
            greeting=tuple(greeting),
        )


class Redis:
    """One connection for commands, kept open; a subscription has its own."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._link: Link | None = None
        self._is_back = asyncio.Event()
        self._patience_until = 0.0
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> "Redis":
        """Connect, or come back without a connection and keep trying: nothing here is needed to start.

        Raises ValueError for what is no Redis address.
        """
        redis = cls(Address.of(url))
        redis._patience_until = asyncio.get_running_loop().time() + CONNECT_TIMEOUT_SECONDS
        redis._keeper = asyncio.create_task(redis._keep_connected())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await redis._is_back.wait()
        except TimeoutError:
            log.warning("Redis is away; starting without it")
        return redis

    @property
    def is_away(self) -> bool:
        """Whether there is no connection at this moment."""
        return self._link is None

    async def get(self, key: bytes) -> bytes | None:
        """The value under `key`. Raises RedisAway, as everything here does."""
        link = self._link or await self._wait_for_link()
        value: bytes | None = await link.ask(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key))
        return value

    async def set(self, key: bytes, value: bytes, *, lifetime_seconds: int) -> None:
        """Keep `value` under `key` for at most `lifetime_seconds`."""
        link = self._link or await self._wait_for_link()
        await link.ask(encoded(b"SET", key, value, b"EX", b"%d" % lifetime_seconds))

    async def delete(self, *keys: bytes) -> int:
        """Forget `keys`, which carry one hash tag; how many there were."""
        link = self._link or await self._wait_for_link()
        count: int = await link.ask(encoded(b"DEL", *keys))
        return count

    async def run(self, script: Script, keys: tuple[bytes, ...], arguments: tuple[bytes, ...]) -> Reply:
        """Run `script` by its digest, and by its text when the server has forgotten it. `keys` carry one hash tag."""
        link = self._link or await self._wait_for_link()
        tail = (b"%d" % len(keys), *keys, *arguments)
        try:
            return await link.ask(encoded(b"EVALSHA", script.digest, *tail))
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await link.ask(encoded(b"EVAL", script.text, *tail))

    async def ask(self, *words: bytes) -> Reply:
        """Any other command on one key, or on keys with one hash tag. Raises ReplyError too."""
        link = self._link or await self._wait_for_link()
        return await link.ask(encoded(*words))

    async def publish(self, channel: bytes, payload: bytes) -> None:
        """Send a hint to whoever is subscribed at this moment."""
        link = self._link or await self._wait_for_link()
        await link.ask(encoded(b"PUBLISH", channel, payload))

    async def subscribe(self, channel: bytes, on_hint: Callable[[bytes], None]) -> None:
        """Call `on_hint` with every payload published on `channel`, for ever; run it as a task.

        Hints only: what is published while the connection is down is lost, so `on_hint(b"")` is called on every
        (re)connection, and whoever needs the truth polls as well.
        """

        def take(reply: Reply) -> None:
            match reply:
                case [b"message", _, bytes(payload)]:
                    on_hint(payload)
                case [b"subscribe", *_]:
                    on_hint(b"")

        backoff_seconds = BACKOFF_SECONDS
        while True:
            try:
                link = await self._connect(take)
            except RedisAway:
                await asyncio.sleep(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, BACKOFF_MAX_SECONDS)
                continue
            backoff_seconds = BACKOFF_SECONDS
            link.send(encoded(b"SUBSCRIBE", channel))
            try:
                await _until_silent(link)
            finally:
                link.abort()

    async def close(self) -> None:
        """Close the connection; subscriptions end with their tasks."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._link is not None:
            self._link.abort()
            self._link = None

    async def _wait_for_link(self) -> Link:
        """The connection, if it comes back within the moment that a restart takes; else RedisAway at once."""
        patience = self._patience_until - asyncio.get_running_loop().time()
        if patience > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._is_back.wait()
        if self._link is None:
            raise RedisAway("not connected")
        return self._link

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_seconds = BACKOFF_SECONDS
        while True:
            try:
                link = await self._connect(None)
            except RedisAway:
                await asyncio.sleep(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, BACKOFF_MAX_SECONDS)
                continue
            backoff_seconds = BACKOFF_SECONDS
            self._link = link
            self._is_back.set()
            try:
                await link.lost
            finally:
                self._link = None
                self._is_back.clear()
                self._patience_until = loop.time() + RESTART_SECONDS
                link.abort()
            log.warning("the connection to Redis was lost")

    async def _connect(self, on_push: Callable[[Reply], None] | None) -> Link:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):  # wait_for of 3.11 may swallow a cancellation
                return await self._connected(on_push)
        except (OSError, TimeoutError, ReplyError) as error:
            raise RedisAway(f"Redis does not answer: {type(error).__name__}") from error

    async def _connected(self, on_push: Callable[[Reply], None] | None) -> Link:
        loop = asyncio.get_running_loop()
        address = self._address
        link = Link(loop)
        if address.path is not None:
            await loop.create_unix_connection(lambda: link, address.path)
        else:
            context = ssl.create_default_context() if address.is_tls else None
            await loop.create_connection(lambda: link, address.host, address.port, ssl=context)
        try:
            for words in (*address.greeting, (b"PING",)):
                await link.ask(encoded(*words))
        except BaseException:
            link.abort()
            raise
        link.push_to(on_push)
        return link


async def _until_silent(link: Link) -> None:
    """Return when the connection is lost, or has not answered two pulses."""
    loop = asyncio.get_running_loop()
    while link.is_open:
        await asyncio.wait([link.lost], timeout=PULSE_SECONDS)
        if loop.time() - link.heard_at > 2 * PULSE_SECONDS:
            return
        link.send(encoded(b"PING"))
