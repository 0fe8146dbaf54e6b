"""A retried write is done once: the first answer is kept, sealed, for a day and replayed.

IETF draft-ietf-httpapi-idempotency-key-header: the client chooses `Idempotency-Key`; the same key with another body is
refused. The claim, the work and the answer commit together, so a crash leaves either all of it or nothing. Of the body
a keyed digest is kept: it may hold an ID number, and of those there are few enough to try them all.
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
from kernel.sealing import Keys

KEPT_FOR = timedelta(hours=24)
KEY_MAX = 128

Answer = TypeVar("Answer", bound=msgspec.Struct)


class Request(msgspec.Struct, frozen=True):
    """A write that may be retried. `caller` is `kind:id` of the principal, `key` what its client chose."""

    caller: str
    key: str
    body: bytes


class Answers:
    """First answers of one `purpose`: under which keys they are sealed, and their requests known again."""

    def __init__(self, keys: Keys, purpose: str) -> None:
        self._sealer = keys.sealer(purpose)
        self._digester = keys.digester(purpose)

    def seal(self, request: Request, answer: msgspec.Struct) -> bytes:
        return self._sealer.seal_struct(answer, _place(request))

    def open(self, request: Request, envelope: bytes) -> bytes:
        return self._sealer.unseal(envelope, _place(request))

    def every_digest(self, request: Request) -> list[bytes]:
        """Every digest that a request may be filed under, the one that new ones are first.

        The last is that of the release before, without a key: whoever tries again across the upgrade hears the first
        answer. What was filed under it is forgotten within a day (KEPT_FOR).
        """
        plain = sha256(request.body)
        keyed = self._digester.every_digest(f"{request.caller}\0{request.key}\0{plain.hexdigest()}")
        return [*keyed, plain.digest()]


def _place(request: Request) -> bytes:
    return f"{request.caller}\0{request.key}".encode()


async def once(
    conn: Connection,
    answers: Answers,
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
    bucket, digests = bucket_of(request.caller, request.key), answers.every_digest(request)
    claimed = await queries.claim_idempotency_key(
        conn, bucket, request.caller, request.key, digests[0], expires_at=now + KEPT_FOR, now=now
    )
    if not claimed:
        row = await queries.select_first_answer(conn, bucket, request.caller, request.key)
        if row is None or row["body_digest"] not in digests:
            raise IdempotencyKeyReused
        return msgspec.msgpack.decode(answers.open(request, row["answer"]), type=kind)
    answer = await work()
    await queries.keep_first_answer(conn, bucket, request.caller, request.key, answers.seal(request, answer))
    return answer


async def forget_expired(conn: Connection, bucket: int, *, now: datetime) -> None:
    """Drop answers of one bucket that are kept no longer."""
    await queries.delete_expired_answers(conn, bucket, now=now)
