"""What stands behind a printed proof, and when what somebody typed agrees with whose it is."""

import hmac
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import Struct

from kernel.ids import CertificateId, DeviceId, PersonId, VenueId
from wallet.model import Field, Kind, Outcome, Value, Words
from wallet.online_code import unspell
from wallet.proof_page import LAST_CHARACTERS, Finding

PROOF_PATH: Final = "P"
"""Where the codes of printed proofs lead: beside online codes and asks."""
HOLDER_OF_THE_PAPER: Final = VenueId(UUID(int=0))
"""In the ledger, in place of a venue: anybody who holds the paper may check it, and we do not learn who."""
NO_DEVICE: Final = DeviceId(UUID(int=0))
CHECK: Final = "proof.check"
"""In the ledger, in place of a scenario; no operator grants it."""
CHECK_EDITION: Final = 1
LOOKER: Final = Words("持证明者核验", "Holder of the paper")
CHECK_NAME: Final = Words("纸质证明核验", "Check of a printed proof")
CHECK_PURPOSE: Final = Words(
    "持有您所打印证明的人核对其是否属实、现时是否有效",
    "Somebody who holds the proof you printed finds out whether it is true and valid now",
)
YES, NO = "是 Yes", "否 No"
_MIDDLE_DOTS: Final = "·•‧∙⋅・.･"
"""Between the parts of a name: the one on identity cards, and what keyboards and older systems give for it."""
_LEFT_OUT: Final = dict.fromkeys(map(ord, _MIDDLE_DOTS))
_FINDINGS: Final[Mapping[Outcome, Finding]] = {
    Outcome.VALID: Finding.VALID,
    Outcome.NOT_YET_VALID: Finding.NOT_YET_VALID,
    Outcome.CERTIFICATE_EXPIRED: Finding.EXPIRED,
    Outcome.SUSPENDED: Finding.SUSPENDED,
    Outcome.REVOKED: Finding.REVOKED,
    Outcome.SUPERSEDED: Finding.SUPERSEDED,
}


class Proof(Struct, frozen=True):
    """Which certificate a printed proof stands for, and since when."""

    person_id: PersonId
    certificate_id: CertificateId
    printed_at: datetime


class Claim(Struct, frozen=True):
    """Whose proof it is, as somebody typed it: a name, and the last four characters of an ID number."""

    name: str
    last_four: str

    def __repr__(self) -> str:
        return "Claim(…)"


class Found(Struct, frozen=True):
    """A proof that what was typed agrees with. Only a valid one shows fields: those of the kind, masked, in order."""

    finding: Finding
    kind: Kind
    issuer: Words
    printed_at: datetime
    valid_from: date
    valid_until: date | None
    fields: tuple[tuple[Field, Value], ...]


def hash_of(token: str) -> bytes:
    """Under which hash the proof of this token is filed, in whichever case it was typed; nobody's, where it is none."""
    read = unspell(token.upper())
    return sha256(b"not a token\0" + token.encode() if read is None else read).digest()


def agrees(claim: Claim, *, name: str, id_number: str) -> bool:
    """Whether a claim is about this person. Takes as long whatever was claimed."""
    is_named = hmac.compare_digest(_digest(as_compared(claim.name)), _digest(as_compared(name)))
    is_numbered = hmac.compare_digest(
        _digest(as_compared(claim.last_four)), _digest(as_compared(id_number[-LAST_CHARACTERS:]))
    )
    return is_named & is_numbered


def as_compared(text: str) -> str:
    """A name or number without what people type differently: width, case, spaces, and dots between its parts."""
    plain = unicodedata.normalize("NFKC", text).translate(_LEFT_OUT).casefold()
    return unicodedata.normalize("NFKC", "".join(plain.split()))


def finding_of(outcome: Outcome) -> Finding:
    """What is found of a certificate that stands so."""
    return _FINDINGS[outcome]


def text_of(value: Value) -> str:
    """A value as it is printed."""
    if isinstance(value, bool):
        return YES if value else NO
    return str(value)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
