"""Signed checkpoints of a log, and proofs that travel with one: texts of the C2SP formats, in one spelling each.

A checkpoint (C2SP tlog-checkpoint) is a note of three lines, the log's origin, its size and its root, signed as a C2SP
signed-note with Ed25519 under a key whose name is the origin. A proof (C2SP tlog-proof v1) is the place of a leaf, the
hashes of its inclusion proof and the checkpoint it leads to, and can be checked without asking anybody.

Signatures by keys we do not know are ignored, so that a note can be cosigned; one by a key that we do know must be
there and hold.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from suishenban_verify import merkle
from suishenban_verify.signatures import (
    EDDSA,
    NotAKey,
    PublicKey,
    Signer,
    b64url,
    public_key,
    un_b64url,
)

ED25519_TYPE = b"\x01"
"""The signature type of Ed25519 signatures (C2SP signed-note, "Signature types")."""
KEY_HASH_BYTES = 4
SIGNATURES_MAX = 16
"""How many signatures a note may have: as many as every verifier must accept (C2SP signed-note, "Format")."""
LINE_MAX = 8_000
"""Longer than the longest signature line that C2SP signed-note speaks of (nearly 5 kB) after base64."""
ORIGIN_MAX = 200
NOTE_MAX = (SIGNATURES_MAX + 4) * LINE_MAX
_DASH = "\u2014 "
_PROOF = "c2sp.org/tlog-proof@v1"


class NotANote(ValueError):
    """The text is not a checkpoint or proof in its one spelling, or no key we know signed it; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log said it was: `size` leaves with the tree head `root`."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class NoteKey:
    """An Ed25519 key and the name it signs notes under."""

    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise NotAKey("a key's name has no spaces, no plus and no control characters")
        if self.key.algorithm != EDDSA:
            raise NotAKey("notes are signed with Ed25519")

    @property
    def raw(self) -> bytes:
        """The public key, 32 bytes (RFC 8032 §5.1.5)."""
        return un_b64url(self.key.jwk["x"])

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which signatures name the key (C2SP signed-note, "Ed25519 signatures")."""
        return sha256(self.name.encode() + b"\n" + ED25519_TYPE + self.raw).digest()[:KEY_HASH_BYTES]

    def text(self) -> str:
        """The verifier key: name, hash and key in one text, as other tools for notes take it."""
        return f"{self.name}+{self.key_hash.hex()}+{_base64(ED25519_TYPE + self.raw)}"

    @classmethod
    def of_text(cls, text: str) -> "NoteKey":
        """The key that a verifier key's text spells. Raises NotAKey."""
        name, _, rest = text.partition("+")
        _, _, encoded = rest.partition("+")
        try:
            raw = _un_base64(encoded)
        except NotANote:
            raise NotAKey("the key is not base64") from None
        if raw[:1] != ED25519_TYPE:
            raise NotAKey("not an Ed25519 key")
        found = cls(name, public_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(raw[1:])}))
        if found.text() != text:
            raise NotAKey("the key's hash is not its own")
        return found


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where a leaf is, the hashes that lead to the root, and the checkpoint of that root, whose signature held."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self, leaf: bytes) -> bool:
        """Whether it proves that the leaf with this data is in the log."""
        size, root = self.checkpoint.size, self.checkpoint.root
        return merkle.is_included(merkle.leaf_hash(leaf), self.index, size, self.hashes, root)


def sign(checkpoint: Checkpoint, signer: Signer) -> str:
    """The checkpoint as a note signed under its origin's name. The signer is an EdDSA one. Raises NotAKey."""
    key = NoteKey(checkpoint.origin, signer.public)
    body = checkpoint.body()
    signature = key.key_hash + signer.sign(body.encode())
    return f"{body}\n{_DASH}{key.name} {_base64(signature)}\n"


def read(note: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint in a note that one of `keys` signed, under whose name the log goes. Raises NotANote."""
    body, checkpoint, lines = _taken_apart(note)
    by_id = {(key.name, key.key_hash): key for key in keys if key.name == checkpoint.origin}
    signed_by = set()
    for line in lines:
        name, signature = _signature_of(line)
        key = by_id.get((name, signature[:KEY_HASH_BYTES]))
        if key is None:
            continue
        if key in signed_by or not key.key.verify(signature[KEY_HASH_BYTES:], body):
            raise NotANote("a signature by a known key does not hold")
        signed_by.add(key)
    if not signed_by:
        raise NotANote("no known key signed it")
    return checkpoint


def proof_text(index: int, hashes: Sequence[bytes], note: str) -> str:
    """A proof in the form of C2SP tlog-proof v1, without extra data."""
    lines = "".join(f"{_base64(hashed)}\n" for hashed in hashes)
    return f"{_PROOF}\nindex {index}\n{lines}\n{note}"


def read_proof(text: str, keys: Sequence[NoteKey]) -> LogProof:
    """A proof whose checkpoint one of `keys` signed. Raises NotANote. Whether it holds for a leaf, ask it."""
    head, gap, note = text.partition("\n\n")
    first, *rest = head.split("\n")
    if first != _PROOF or not gap or not rest or not rest[0].startswith("index "):
        raise NotANote("not a proof of the form c2sp.org/tlog-proof@v1 without extra data")
    if len(rest) > 1 + merkle.PROOF_HASHES_MAX:
        raise NotANote("too many hashes")
    index = _decimal(rest[0].removeprefix("index "))
    return LogProof(index, tuple(_hash(line) for line in rest[1:]), read(note, keys))


def _taken_apart(note: str) -> tuple[bytes, Checkpoint, list[str]]:
    """The signed text, the checkpoint it spells, and the signature lines, each without its end."""
    if len(note) > NOTE_MAX:
        raise NotANote("too long")
    if any(character < " " and character != "\n" for character in note):
        raise NotANote("a note has no control characters")
    if any("\ud800" <= character <= "\udfff" for character in note):
        raise NotANote("a note is UTF-8")
    body, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or lines.pop() != "" or not 1 <= len(lines) <= SIGNATURES_MAX:
        raise NotANote("not a text, an empty line and one to sixteen signatures")
    match body.split("\n"):
        case [origin, size, root]:
            checkpoint = Checkpoint(origin, _decimal(size), _hash(root))
        case _:
            raise NotANote("a checkpoint of ours has three lines")
    if not _is_name(origin):
        raise NotANote("the origin is not a name")
    return f"{body}\n".encode(), checkpoint, lines


def _signature_of(line: str) -> tuple[str, bytes]:
    """The name in a signature line, and the key's hash followed by the signature."""
    match line.removeprefix(_DASH).split(" "):
        case [name, encoded] if line.startswith(_DASH) and _is_name(name) and len(line) <= LINE_MAX:
            signature = _un_base64(encoded)
            if len(signature) > KEY_HASH_BYTES:
                return name, signature
    raise NotANote("not a signature line")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= ORIGIN_MAX and not any(c.isspace() or c < " " or c == "+" for c in text)


def _decimal(text: str) -> int:
    """A number in its one spelling, at most `merkle.SIZE_MAX`."""
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(merkle.SIZE_MAX)):
        raise NotANote("not a number")
    number = int(text)
    if number > merkle.SIZE_MAX or str(number) != text:
        raise NotANote("the number is too large, or not in its one spelling")
    return number


def _hash(text: str) -> bytes:
    raw = _un_base64(text)
    if len(raw) != merkle.HASH_BYTES:
        raise NotANote(f"a hash is {merkle.HASH_BYTES} bytes")
    return raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _un_base64(text: str) -> bytes:
    """The bytes behind the one spelling that base64 with padding has (RFC 4648 §4)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotANote("not base64") from None
    if _base64(raw) != text:
        raise NotANote("not the one base64 spelling")
    return raw
