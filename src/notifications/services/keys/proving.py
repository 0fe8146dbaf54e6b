"""A program proves itself with a token of one request's: a JWT signed HS256 with its service's key.

`iss` is the service's id and `iat` the second it was made, at most thirty from ours, as GOV.UK Notify's documentation
has it ("Authorisation header"). Such tokens are made by every request anew, but are the same within a second.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from notifications.services.keys.keeping import Book
from notifications.services.model import ApiKey

CLOCK_SKEW_SECONDS: Final = 30.0
TOKEN_BYTES_MAX: Final = 1_000
TOKENS_CACHED_MAX: Final = 20_000
"""Tokens found good, kept per process; when full, the older half goes: they are checked again, nothing is lost."""
HEADS_CACHED_MAX: Final = 100
"""Heads of tokens found to name the right algorithm: each library writes its own, always the same."""

Unproved = Literal["absent", "invalid", "expired", "revoked"]


class _Head(msgspec.Struct):
    alg: Literal["HS256"]
    typ: Annotated[str, Meta(max_length=10)] = "JWT"
    crit: None = None
    """Nothing that must be understood is (RFC 7515 §4.1.11)."""


class _Claims(msgspec.Struct):
    iss: UUID
    iat: float


_HEAD: Final = msgspec.json.Decoder(_Head)
_CLAIMS: Final = msgspec.json.Decoder(_Claims)


class Proving:
    """Finds whose key signed a token, from memory alone."""

    def __init__(self, book: Callable[[], Book]) -> None:
        self._book = book
        self._known: dict[bytes, tuple[ApiKey, float]] = {}
        self._known_by: object = None
        self._heads: set[bytes] = set()

    def prove(self, header: bytes | None, now: float) -> ApiKey | Unproved:
        """Whose the token in an Authorization header is, at `now` in seconds of the epoch; or why nobody's."""
        if header is None:
            return "absent"
        if header[:7].lower() != b"bearer " or len(header) > TOKEN_BYTES_MAX:
            return "invalid"
        book = self._book()
        if book is not self._known_by:  # a key came or was revoked: check all anew
            self._known_by = book
            self._known.clear()
        token = header[7:]
        known = self._known.get(token)
        if known is None:
            found = self._check(book, token)
            if not isinstance(found, tuple):
                return found
            known = self._remember(token, found)
        key, issued_at = known
        return key if abs(now - issued_at) <= CLOCK_SKEW_SECONDS else "expired"

    def _check(self, book: Book, token: bytes) -> tuple[ApiKey, float] | Unproved:
        signed, _, signature = token.rpartition(b".")
        head, _, body = signed.partition(b".")
        try:
            if head not in self._heads:
                _HEAD.decode(_decoded(head))
                if len(self._heads) < HEADS_CACHED_MAX:
                    self._heads.add(head)
            claims = _CLAIMS.decode(_decoded(body))
            given = _decoded(signature)
        except (msgspec.MsgspecError, ValueError):
            return "invalid"
        found: ApiKey | None = None
        for held in book.held.get(claims.iss, ()):  # every one of them, so that time tells nothing of which
            if hmac.compare_digest(hmac.digest(held.secret, signed, sha256), given) and found is None:
                found = held.key
        if found is None:
            return "invalid"
        return "revoked" if found.revoked_at is not None else (found, claims.iat)

    def _remember(self, token: bytes, found: tuple[ApiKey, float]) -> tuple[ApiKey, float]:
        if len(self._known) >= TOKENS_CACHED_MAX:
            for old in list(self._known)[: TOKENS_CACHED_MAX // 2]:
                del self._known[old]
        self._known[token] = found
        return found


def _decoded(part: bytes) -> bytes:
    """Base64url without padding (RFC 7515 §2), of one spelling only. Raises ValueError."""
    try:
        decoded = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as fault:
        raise ValueError(str(fault)) from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part:
        raise ValueError("written in another way")
    return decoded


def token_of(secret: str, service_id: UUID, issued_at: int) -> str:
    """A token as the clients make it: for programs of ours that call this entrance."""
    parts: list[dict[str, Any]] = [{"typ": "JWT", "alg": "HS256"}, {"iss": str(service_id), "iat": issued_at}]
    signed = ".".join(base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=").decode() for part in parts)
    digest = hmac.digest(secret.encode(), signed.encode(), sha256)
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
