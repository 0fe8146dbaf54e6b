"""A retried write is done once: the first answer is kept, sealed, for a day and replayed.

IETF draft-ietf-httpapi-idempotency-key-header: the client chooses `Idempotency-Key`; the same key with another body is
refused. The claim, the work and the answer commit together, so a crash leaves either all of it or nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import msgspec

from kernel import queries
from kernel.db import Connection
from kernel.errors import IdempotencyKeyReused
from kernel.ids import bucket_of
from kernel.sealing import Sealer

KEPT_FOR = timedelta(hours=24)
KEY_MAX = 128

Answer = TypeVar("Answer", bound=msgspec.Struct)


class Request(msgspec.Struct, frozen=True):
    """A write that may be retried. `caller` is `kind:id` of the principal, `key` what its client chose."""

    caller: str
    key: str
    body: bytes


async def once(
    conn: Connection,
    sealer: Sealer,
    request: Request,
    kind: type[Answer],
    work: Callable[[], Awaitable[Answer]],
    *,
    now: datetime,
) -> Answer:
    """Do `work` inside `conn`'s transaction, or return what it answered the first time.

    Two tries at once: the second waits for the first to commit, then replays. Raises IdempotencyKeyReused when the
    key came before with another body.
    """
    bucket, digest = bucket_of(request.caller, request.key), sha256(request.body).digest()
    place = f"{request.caller}\0{request.key}".encode()
    claimed = await queries.claim_idempotency_key(
        conn, bucket, request.caller, request.key, digest, expires_at=now + KEPT_FOR, now=now
    )
    if not claimed:
        return await _replay(conn, sealer, request, kind, bucket=bucket, digest=digest, place=place)
    answer = await work()
    sealed = sealer.seal(msgspec.msgpack.encode(answer), place)
    await queries.keep_first_answer(conn, bucket, request.caller, request.key, sealed)
    return answer


async def _replay(
    conn: Connection, sealer: Sealer, request: Request, kind: type[Answer], *, bucket: int, digest: bytes, place: bytes
) -> Answer:
    row = await queries.select_first_answer(conn, bucket, request.caller, request.key)
    if row is None or row["body_digest"] != digest:
        raise IdempotencyKeyReused
    return msgspec.msgpack.decode(sealer.unseal(row["answer"], place), type=kind)


async def forget_expired(conn: Connection, bucket: int, *, now: datetime) -> None:
    """Drop answers of one bucket that are kept no longer."""
    await queries.delete_expired_answers(conn, bucket, now=now)
