"""What the gate proves by keys of the city: who somebody is in a line, the draw, tickets and admissions.

Nothing of this is kept: each process makes the same from the key file, so it holds when Redis has lost everything.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Final

from appointments.rush.model import POOL_SCORES, ReleaseId, Score, microseconds
from kernel.ids import PersonId
from kernel.sealing import Keys

MEMBER_BYTES: Final = 16
MARK_BYTES: Final = 16
TEXT_MAX: Final = 80
_SCORE_BYTES: Final = 7
_MOMENT_BYTES: Final = 8
_SPARE_BITS: Final = 56 - 52
assert 1 << (8 * _SCORE_BYTES - _SPARE_BITS) == POOL_SCORES


class Proofs:
    """Made of one key of the installation, each use of it with a name of its own (RFC 7693 §2.8, `person`)."""

    def __init__(self, keys: Keys) -> None:
        self._key = keys.derived("appointments.rush")

    def member(self, release_id: ReleaseId, person_id: PersonId) -> bytes:
        """Who a person is in the line of a release: 16 bytes that tell nobody else who they are."""
        return self._digest(b"rush.member", release_id.bytes + person_id.bytes, MEMBER_BYTES)

    def seed(self, release_id: ReleaseId) -> bytes:
        """What the pool is shuffled by: told after the release, and its SHA-256 before."""
        return self._digest(b"rush.seed", release_id.bytes, 32)

    def seed_hash(self, release_id: ReleaseId) -> str:
        return sha256(self.seed(release_id)).hexdigest()

    def drawn(self, release_id: ReleaseId, member: bytes) -> Score:
        """Where the draw puts somebody of the pool."""
        return drawn(self.seed(release_id), member)

    def ticket(self, release_id: ReleaseId, member: bytes, score: Score) -> str:
        """What somebody keeps of their place, to get it back when the line was lost: who they are in it, and where."""
        body = member + score.to_bytes(_SCORE_BYTES)
        return _text(body + self._mark(b"rush.ticket", release_id, body))

    def score_of(self, release_id: ReleaseId, member: bytes, ticket: str) -> Score | None:
        """The place a ticket proves; None if it is not ours, of another release, or somebody else's."""
        raw = _bytes(ticket)
        body, mark = raw[:-MARK_BYTES], raw[-MARK_BYTES:]
        if len(body) != MEMBER_BYTES + _SCORE_BYTES or body[:MEMBER_BYTES] != member:
            return None
        if not hmac.compare_digest(mark, self._mark(b"rush.ticket", release_id, body)):
            return None
        return Score(int.from_bytes(body[MEMBER_BYTES:]))

    def mark(self, release_id: ReleaseId, member: bytes, until_ms: int) -> bytes:
        """Proof that somebody was let through until a moment, in milliseconds since 1970."""
        return self._mark(b"rush.admit", release_id, member + until_ms.to_bytes(_MOMENT_BYTES))

    def admission(self, until_ms: int, mark: bytes) -> str:
        """The proof as people carry it. It says nothing of whose it is, and is good for nobody else."""
        return _text(until_ms.to_bytes(_MOMENT_BYTES) + mark)

    def until_ms(self, release_id: ReleaseId, member: bytes, admission: str, *, now: datetime) -> int | None:
        """Until when an admission is good; None if it is not, or is not theirs."""
        raw = _bytes(admission)
        if len(raw) != _MOMENT_BYTES + MARK_BYTES:
            return None
        until_ms = int.from_bytes(raw[:_MOMENT_BYTES])
        is_ours = hmac.compare_digest(raw[_MOMENT_BYTES:], self.mark(release_id, member, until_ms))
        return until_ms if is_ours and microseconds(now) < until_ms * 1000 else None

    def _mark(self, purpose: bytes, release_id: ReleaseId, body: bytes) -> bytes:
        return self._digest(purpose, release_id.bytes + body, MARK_BYTES)

    def _digest(self, purpose: bytes, body: bytes, size: int) -> bytes:
        return blake2b(body, key=self._key, digest_size=size, person=purpose).digest()


def drawn(seed: bytes, member: bytes) -> Score:
    """The first 52 bits of HMAC-SHA-256(seed, member): whoever knows the seed can check anybody's place in the draw."""
    return Score(int.from_bytes(hmac.digest(seed, member, sha256)[:_SCORE_BYTES]) >> _SPARE_BITS)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """The bytes of a text of ours; none for any other."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, UnicodeEncodeError):
        return b""
    return raw if _text(raw) == text else b""
