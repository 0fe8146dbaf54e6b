"""The text of a refresh token: whose, which session, which family, and the secret of this turn. Pure.

80 bytes in base64url: subject(16) ‖ session(16) ‖ family(16) ‖ secret(32). The subject is the distribution key of the
session's row. The family's secret never changes, so that a token used twice is told from one that was made up; the
turn's secret is the keyed digest of the token before it, so that a lost answer can be given again though only
digests are stored.
"""

import base64
import binascii
import hmac
import secrets
from hashlib import sha256
from uuid import UUID

import msgspec

from kernel.ids import SessionId

FAMILY_BYTES = 16
SECRET_BYTES = 32
TOKEN_BYTES = 16 + 16 + FAMILY_BYTES + SECRET_BYTES
TOKEN_CHARACTERS = (TOKEN_BYTES * 4 + 2) // 3


class NotARefreshToken(Exception):
    """This text is not in the form of our refresh tokens."""


class RefreshToken(msgspec.Struct, frozen=True):
    subject_id: UUID
    session_id: SessionId
    family: bytes
    secret: bytes

    def text(self) -> str:
        whole = self.subject_id.bytes + self.session_id.bytes + self.family + self.secret
        return base64.urlsafe_b64encode(whole).rstrip(b"=").decode()

    def family_value(self) -> str:
        """What the family's digest is made of."""
        return f"family {self.session_id} {self.family.hex()}"

    def secret_value(self) -> str:
        """What this turn's digest is made of."""
        return f"secret {self.session_id} {self.secret.hex()}"

    def successor(self, key: bytes) -> "RefreshToken":
        """The next token of this session: always the same one for the same token."""
        following = hmac.digest(key, self.session_id.bytes + self.secret, sha256)
        return RefreshToken(self.subject_id, self.session_id, self.family, following)

    def __repr__(self) -> str:
        return "RefreshToken(…)"


def fresh(subject_id: UUID, session_id: SessionId) -> RefreshToken:
    return RefreshToken(subject_id, session_id, secrets.token_bytes(FAMILY_BYTES), secrets.token_bytes(SECRET_BYTES))


def read(text: str) -> RefreshToken:
    """Raises NotARefreshToken, also for a text that is not the one form of its bytes."""
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotARefreshToken from None
    if len(whole) != TOKEN_BYTES or base64.urlsafe_b64encode(whole).rstrip(b"=").decode() != text:
        raise NotARefreshToken
    family_ends = 32 + FAMILY_BYTES
    subject_id, session_id = UUID(bytes=whole[:16]), SessionId(UUID(bytes=whole[16:32]))
    return RefreshToken(subject_id, session_id, whole[32:family_ends], whole[family_ends:])
