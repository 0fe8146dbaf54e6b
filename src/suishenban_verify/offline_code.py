"""The text in the QR of an offline code: `EC1:` + base45(zlib(X)), where X is what an issuer signed.

*Live*: X is a COSE_Sign1 over a CWT (RFC 8392) that lives 300 s at most. *Pre-issued*, for a phone without network: the
CWT lives 72 h at most, names a holder key in `cnf` (RFC 8747), and X is [CWT, time, signature]: the phone signs the
hash of the CWT and the time at which it is shown.

There is one encoding of a code, and every other is refused: zlib (RFC 1950) is the header 78 01, one stored block and
the check sum, because what a compressor writes depends on its make and level; CBOR is deterministic (RFC 8949 §4.2.1);
the unprotected header is empty; nothing trails. Any zlib reads it.

What deflating would gain: a code of one certificate and three fields takes 464 bytes stored, 425 deflated (one QR
version less); two certificates 609 and 438; two from a phone without network 764, which is too long, and 596. What it
would cost: 23 µs to write and, to be sure that it is the one encoding, 25 µs to inflate and deflate again at every
reading, against 0.7 µs; and makers of zlib do not agree on the bytes.
"""

import struct
from collections.abc import Iterable
from enum import Enum
from hashlib import sha256
from typing import NamedTuple
from zlib import adler32

from suishenban_verify import base45, claim_set, cose
from suishenban_verify import canonical_cbor as cbor
from suishenban_verify.claim_set import Claims as Claims
from suishenban_verify.claim_set import NotClaims
from suishenban_verify.claim_set import Shown as Shown
from suishenban_verify.claim_set import StatusRef as StatusRef
from suishenban_verify.making import new
from suishenban_verify.signatures import SIGNATURE_BYTES, PublicKey, Signer

PREFIX = "EC1:"
COMPRESSED_MAX = 753
"""Bytes of zlib output: what a version 22-M QR holds in alphanumeric mode (1,134 characters, ISO/IEC 18004 table 7)."""
TEXT_MAX = 1134
PROOF_FRESH_SECONDS = 120
"""How old a phone's signature over the time of showing may be."""

_FRAME, _CHECK_SUM_BYTES = struct.Struct("<2sBHH"), 4
"""RFC 1950 §2.2 and RFC 1951 §3.2.4: zlib's header, the block's, and its length, which is said twice, once inverted."""
_ZLIB_HEADER, _LAST_STORED_BLOCK = b"\x78\x01", 1
_FRAME_BYTES = _FRAME.size + _CHECK_SUM_BYTES
_LIVE, _PRESENTED = 0xD2, 0x83
_TIME_HEAD = b"\x1a"
_SIGNATURE_HEAD = cbor.data(bytes(SIGNATURE_BYTES))[:-SIGNATURE_BYTES]
_PROOF_BYTES = 1 + 4 + len(_SIGNATURE_HEAD) + SIGNATURE_BYTES
CWT_PRESENTED_MAX = COMPRESSED_MAX - _FRAME_BYTES - 1 - 3 - _PROOF_BYTES
"""Bytes of a pre-issued CWT that leave room for the array around it, its own head and the phone's proof."""
assert len(PREFIX) + COMPRESSED_MAX // 2 * 3 + COMPRESSED_MAX % 2 * 2 == TEXT_MAX


class NotACode(ValueError):
    """The text is no offline code in its one form; the message says which rule it breaks."""


class TooLong(ValueError):
    """The code would not fit the QR; show fewer certificates or fields."""


class Proof(NamedTuple):
    """What a phone adds to a pre-issued code: when it was shown (Unix seconds), and the holder key's signature."""

    shown_at: int
    signature: bytes


class Presented(NamedTuple):
    """A code taken apart. Nothing of it is verified, so nothing of what it says can be read from it yet."""

    cwt: bytes
    message: cose.Sign1
    proof: Proof | None


class Opened(NamedTuple):
    """The receipt of a signature that holds: what the code says, and by whose key."""

    claims: Claims
    key: PublicKey
    presented: Presented


class HolderProof(Enum):
    """Whether the one who shows a code is the one it was issued to."""

    NOT_NEEDED = "not_needed"
    HOLDS = "holds"
    MISSING = "missing"
    REFUSED = "refused"


def sign(claims: Claims, signer: Signer) -> bytes:
    """The CWT: a tagged COSE_Sign1 over `claims`. Raises NotACode for claims outside their bounds."""
    try:
        return cose.sign(claim_set.write(claims), signer)
    except NotClaims as problem:
        raise NotACode(str(problem)) from None


def text_of(cwt: bytes) -> str:
    """What a QR of a live code shows. Raises TooLong."""
    return _text(cwt)


def present(cwt: bytes, holder: Signer, at: int) -> str:
    """What a phone shows of a pre-issued code at `at`, with its own signature. Raises TooLong."""
    signature = holder.sign(_signed_by_holder(holder.public.algorithm, cwt, at))
    return _text(bytes((_PRESENTED,)) + cbor.data(cwt) + _time(at) + cbor.data(signature))


def read(text: str) -> Presented:
    """Take a code apart. Raises NotACode for whatever `text_of` and `present` never write around a CWT."""
    if not text.startswith(PREFIX) or len(text) > TEXT_MAX:
        raise NotACode("it does not begin as an offline code, or is longer than one")
    try:
        body = _unframed(base45.decode(text[len(PREFIX) :]))
        if body[0] == _LIVE:
            return new(Presented, (body, cose.read(body), None))
        return _presented(body)
    except (base45.NotBase45, cbor.NotCanonical, cose.NotSign1) as problem:
        raise NotACode(str(problem)) from None
    except IndexError:
        raise NotACode("it ends early") from None


def opened(presented: Presented, keys: Iterable[PublicKey]) -> Opened | None:
    """What the code says, if one of `keys` signed it; None if none did. Several keys may share a short id.

    Raises NotACode when one did, but over claims that are not of our form.
    """
    for key in keys:
        if key.short_id == presented.message.short_id:
            code = opened_by(presented, key)
            if code is not None:
                return code
    return None


def opened_by(presented: Presented, key: PublicKey) -> Opened | None:
    """What the code says, if `key` signed it; None if it did not. Raises NotACode as `opened` does."""
    algorithm, _, payload, signed, signature = presented.message
    if key.algorithm != algorithm or not key.verify(signature, signed):
        return None
    try:
        return new(Opened, (claim_set.read(payload), key, presented))
    except NotClaims as problem:
        raise NotACode(str(problem)) from None


def holder_proof(code: Opened) -> HolderProof:
    """Whether the holder named in the code signed this showing; how long ago is for the caller to judge.

    A code without a holder that comes with a proof is refused: nobody could have made that one.
    """
    holder, proof = code.claims.holder, code.presented.proof
    if holder is None:
        return HolderProof.NOT_NEEDED if proof is None else HolderProof.REFUSED
    if proof is None:
        return HolderProof.MISSING
    message = _signed_by_holder(holder.algorithm, code.presented.cwt, proof.shown_at)
    return HolderProof.HOLDS if holder.verify(proof.signature, message) else HolderProof.REFUSED


def _text(body: bytes) -> str:
    if len(body) + _FRAME_BYTES > COMPRESSED_MAX:
        raise TooLong(f"{len(body) + _FRAME_BYTES} bytes of at most {COMPRESSED_MAX}")
    start = _FRAME.pack(_ZLIB_HEADER, _LAST_STORED_BLOCK, len(body), len(body) ^ 0xFFFF)
    return PREFIX + base45.encode(start + body + adler32(body).to_bytes(_CHECK_SUM_BYTES, "big"))


def _unframed(raw: bytes) -> bytes:
    """What a frame holds; there is nothing to inflate, so that nothing can swell."""
    length = len(raw) - _FRAME_BYTES
    if length < 1 or _FRAME.unpack_from(raw) != (_ZLIB_HEADER, _LAST_STORED_BLOCK, length, length ^ 0xFFFF):
        raise NotACode("it is not framed as one stored block of zlib")
    body = raw[_FRAME.size : -_CHECK_SUM_BYTES]
    if adler32(body) != int.from_bytes(raw[-_CHECK_SUM_BYTES:], "big"):
        raise NotACode("its check sum is another")
    return body


def _presented(body: bytes) -> Presented:
    if body[0] != _PRESENTED:
        raise NotACode("it is neither a CWT nor one with a holder's proof")
    begins, ends = cbor.string_at(body, 1)
    cwt, shown_at = body[begins:ends], int.from_bytes(body[ends + 1 : ends + 5], "big")
    signature = body[-SIGNATURE_BYTES:]
    if len(body) != ends + _PROOF_BYTES or body[ends:] != _time(shown_at) + cbor.data(signature):
        raise NotACode("its holder's proof is not a time and a signature")
    return Presented(cwt, cose.read(cwt), Proof(shown_at, signature))


def _signed_by_holder(algorithm: str, cwt: bytes, at: int) -> bytes:
    return cose.detached(algorithm, b"\x82" + cbor.data(sha256(cwt).digest()) + _time(at))


def _time(at: int) -> bytes:
    """Unix seconds, always in four bytes."""
    if not claim_set.TIME_MIN <= at <= claim_set.TIME_MAX:
        raise NotACode("a time is out of bounds")
    return _TIME_HEAD + at.to_bytes(4, "big")
