"""The keys of the log: which signs, and which ever did."""

import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256

from msgspec import Struct

from kernel.keys import ListedKey
from suishenban_verify.checkpoint import NoteKey
from suishenban_verify.signatures import Signer


class LogKeys(Struct, frozen=True):
    """Under which name the log is signed, by which key now, and which keys ever did.

    `origin` is the log's name for ever: another one is another log.
    """

    origin: str
    signer: Callable[[], Signer]
    listed: Callable[[], Sequence[ListedKey]]
    erasing_key: bytes
    """Makes the salts of erasures: without it nobody who can write the database can feign one."""

    def salt_of_erasure(self, commitment: bytes) -> bytes:
        """The salt of the leaf that says that the record of this commitment was erased."""
        return hmac.digest(self.erasing_key, commitment, sha256)

    def every_key(self) -> list[NoteKey]:
        """Every key that ever signed the log, those that leaked too: what they signed is checked against the log."""
        return [NoteKey(self.origin, key.public) for key in self.listed()]

    def trusted_keys(self) -> list[NoteKey]:
        """The keys whose word is good by itself."""
        return [NoteKey(self.origin, key.public) for key in self.listed() if key.revoked_at is None]

    def signing_key(self) -> NoteKey:
        """The key that signs now."""
        return NoteKey(self.origin, self.signer().public)
