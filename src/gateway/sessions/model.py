"""Sessions, and the form of their refresh tokens."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from kernel.ids import SessionId
from kernel.principal import Audience

SESSION_LIFETIME = timedelta(days=30)
"""How long a device stays signed in without being used."""
SESSION_AGE_MAX = timedelta(days=180)
STAFF_SESSION_LIFETIME = timedelta(hours=12)
"""A shift: staff sign in every day, however much they work."""
REFRESH_RETRY = timedelta(seconds=30)
"""How long the refresh token before the current one gets the same answer again: a lost answer signs nobody out."""
SESSIONS_MAX = 20
"""Open sessions of one account and audience; the oldest ends when another begins."""


class Session(msgspec.Struct, frozen=True):
    """A signed-in device. `subject_id` is an account or a member of staff."""

    subject_id: UUID
    session_id: SessionId
    audience: Audience
    sealed_device: bytes
    family_digest: bytes
    refresh_digest: bytes
    previous_digest: bytes | None
    refreshed_at: datetime
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class SignedIn(msgspec.Struct, frozen=True):
    """What a signed-in device is handed."""

    session_id: SessionId
    access_token: str
    access_token_expires_at: datetime
    expires_in_seconds: int
    refresh_token: str
    refresh_token_expires_at: datetime

    def __repr__(self) -> str:
        return "SignedIn(…)"
