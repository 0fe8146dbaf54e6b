"""Sealing of people's values at rest, and keyed digests to find them by (DESIGN: people's data).

An envelope is `version(1) ‖ key id(4) ‖ nonce(12) ‖ AES-256-GCM ciphertext ‖ tag(16)`. Each purpose has its own key,
derived from the master key by HKDF-SHA-256, so that no key comes near the 2^32 messages that random 96-bit nonces
allow (NIST SP 800-38D §8.3). What a value belongs to (its row, its key) is the associated data: an envelope moved
to another row does not open.
"""

import base64
import json
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self, cast

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta

FORMAT = b"\x01"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES
OVERHEAD_BYTES = HEAD_BYTES + 16
KEY_BYTES = 32


class NotSealedHere(Exception):
    """These bytes are no envelope of ours for this purpose and place."""


class KeyNotHere(NotSealedHere):
    """This looks like an envelope under a key we do not have: perhaps a newer one, or one that was thrown away."""


class KeyFileRefused(Exception):
    """The key file is missing, readable by others, or not in the form we write."""


class MasterKey(msgspec.Struct, frozen=True):
    """One master key: `key_id` is 8 hex digits, `key` 32 bytes."""

    key_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$")]
    key: Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

    def __repr__(self) -> str:
        return f"MasterKey({self.key_id})"


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys a city keeps outside its database. The first of each list is the one new values are made with."""

    sealing: Annotated[list[MasterKey], Meta(min_length=1)]
    digest: Annotated[list[MasterKey], Meta(min_length=1)]


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"suishenban " + purpose.encode()).derive(master)


class Sealer:
    """Seals and unseals for one purpose, under every master key still kept."""

    def __init__(self, keys: list[MasterKey], purpose: str) -> None:
        assert keys
        self._boxes = {bytes.fromhex(key.key_id): AESGCM(_derive(key.key, f"seal {purpose}")) for key in keys}
        current = bytes.fromhex(keys[0].key_id)
        self._head = FORMAT + current
        self._box = self._boxes[current]

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + self._box.encrypt(nonce, plain, bound_to)

    def seal_many(self, values: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Seal values, each with what it is bound to, in half the time that one by one takes."""
        chance, head, encrypt = os.urandom(NONCE_BYTES * len(values)), self._head, self._box.encrypt
        nonces = [chance[start : start + NONCE_BYTES] for start in range(0, len(chance), NONCE_BYTES)]
        return [
            head + nonce + encrypt(nonce, plain, bound_to)
            for nonce, (plain, bound_to) in zip(nonces, values, strict=True)
        ]

    def unseal(self, envelope: bytes, bound_to: bytes) -> bytes:
        """Raises NotSealedHere for anything but what `seal` made with the same `bound_to`: KeyNotHere, where that may
        be only because its key is not among ours."""
        box = self._boxes.get(envelope[1 : 1 + KEY_ID_BYTES])
        if box is None or envelope[:1] != FORMAT or len(envelope) < OVERHEAD_BYTES:
            is_ours = envelope[:1] == FORMAT and len(envelope) >= OVERHEAD_BYTES
            raise KeyNotHere if is_ours else NotSealedHere
        try:
            return box.decrypt(envelope[1 + KEY_ID_BYTES : HEAD_BYTES], envelope[HEAD_BYTES:], bound_to)
        except InvalidTag:
            raise NotSealedHere from None

    def is_current(self, envelope: bytes) -> bool:
        """Whether the envelope was made with the newest key; if not, it is due to be sealed again."""
        return envelope.startswith(self._head)

    def seal_struct(self, value: Any, bound_to: bytes) -> bytes:
        return self.seal(msgspec.msgpack.encode(value), bound_to)


class _Hmac:
    """HMAC-SHA-256 (RFC 2104 §4) with its key hashed once, so that a digest costs a quarter of `hmac.digest`."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        assert len(key) <= sha256().block_size
        padded = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(octet ^ 0x36 for octet in padded)).copy
        self._outer = sha256(bytes(octet ^ 0x5C for octet in padded)).copy

    def digest(self, value: bytes) -> bytes:
        inner, outer = self._inner(), self._outer()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


class Digester:
    """Keyed digests of values that must be found again without being stored: HMAC-SHA-256, 32 bytes."""

    def __init__(self, keys: list[MasterKey], purpose: str) -> None:
        assert keys
        self._keys = [_Hmac(_derive(key.key, f"digest {purpose}")) for key in keys]

    def digest(self, value: str) -> bytes:
        """The digest new rows are filed under."""
        return self._keys[0].digest(value.encode())

    def every_digest(self, value: str) -> list[bytes]:
        """Every digest a row may be filed under while keys are rotated, newest first."""
        octets = value.encode()
        return [key.digest(octets) for key in self._keys]


class Keys:
    """What is in the key file, as sealers and digesters by purpose."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._sealers: dict[str, Sealer] = {}
        self._digesters: dict[str, Digester] = {}

    def sealer(self, purpose: str) -> Sealer:
        if purpose not in self._sealers:
            self._sealers[purpose] = Sealer(self._file.sealing, purpose)
        return self._sealers[purpose]

    def digester(self, purpose: str) -> Digester:
        if purpose not in self._digesters:
            self._digesters[purpose] = Digester(self._file.digest, purpose)
        return self._digesters[purpose]

    def derived(self, purpose: str) -> bytes:
        """32 bytes of this installation's own for `purpose`, the same at every start: pairwise subjects, demo keys."""
        return _derive(self._file.digest[-1].key, f"derived {purpose}")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises KeyFileRefused."""
        try:
            if path.stat().st_mode & 0o077:
                raise KeyFileRefused(f"{path} can be read by others: chmod 600 it")
            return cls(_of_json(path.read_bytes()))
        except FileNotFoundError:
            raise KeyFileRefused(f"{path} does not exist: `suishenban keys new` makes one") from None
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise KeyFileRefused(f"{path} is not a key file: {type(problem).__name__}") from None


def _of_json(text: bytes) -> KeyFile:
    raw = cast("dict[str, list[dict[str, str]]]", json.loads(text))
    parts = {
        part: [{"key_id": key["key_id"], "key": base64.b64decode(key["key"], validate=True)} for key in keys]
        for part, keys in raw.items()
    }
    return msgspec.convert(parts, KeyFile)


def _to_json(file: KeyFile) -> bytes:
    parts = {"sealing": file.sealing, "digest": file.digest}
    shown = {
        part: [{"key_id": key.key_id, "key": base64.b64encode(key.key).decode()} for key in keys]
        for part, keys in parts.items()
    }
    return json.dumps(shown, indent=1).encode() + b"\n"


def fresh_key() -> MasterKey:
    return MasterKey(key_id=secrets.token_hex(KEY_ID_BYTES), key=secrets.token_bytes(KEY_BYTES))


def write_key_file(path: Path, file: KeyFile) -> None:
    """Write a key file only its owner can read; whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(_to_json(file))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)


def make_key_file(path: Path) -> None:
    """A first key file; one that exists is left as it is."""
    if not path.exists():
        write_key_file(path, KeyFile(sealing=[fresh_key()], digest=[fresh_key()]))


def rotate_key_file(path: Path, *, digest: bool = False) -> MasterKey:
    """Put a fresh key first and keep the old ones, so that everything sealed before still opens."""
    file = _of_json(path.read_bytes())
    fresh = fresh_key()
    grown = KeyFile(
        sealing=file.sealing if digest else [fresh, *file.sealing],
        digest=[fresh, *file.digest] if digest else file.digest,
    )
    write_key_file(path, grown)
    return fresh
