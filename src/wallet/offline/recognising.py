"""Which record of the ledger a scan made without network is, or is to be: the same scan twice is one record.

A code is spent once, under its own hash. Whatever else a device tells of it is recorded aside, under hashes of that
device alone, and of that a few: nobody fills a ledger with one code.
"""

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from kernel.ids import DeviceId
from wallet.family.queries import Key as MandateKey
from wallet.model import Outcome, Use
from wallet.offline.model import Uploaded
from wallet.queries import Key
from wallet.venues.scans import Opened

LOOKS_ASIDE_MAX = 4
"""Looks of one device at one code that are recorded beside the one that spent it: so many at which it said yes, and so
many at which it said no. A device that remembers what it accepted says yes once."""


class Look(Struct, frozen=True):
    """A scan whose code was opened: `said` is its device's verdict, `is_granted` whether its venue may look at this."""

    at: int
    scan: Uploaded
    opened: Opened
    device_id: DeviceId
    said: Outcome
    is_granted: bool

    @property
    def said_yes(self) -> bool:
        return self.said is Outcome.VALID

    @property
    def spends(self) -> bool:
        """Whether it is what a code is good for once: a yes, at a venue that may look."""
        return self.said_yes and self.is_granted

    @property
    def spent_as(self) -> bytes:
        """The hash under which the code is spent."""
        return self.opened.code_hash

    def aside(self, nth: int, *, said_yes: bool) -> bytes:
        """The hash of this device's `nth` look at the code that does not spend it, of those with such a verdict."""
        assert nth < LOOKS_ASIDE_MAX
        return sha256(self.opened.code_hash + self.device_id.bytes + bytes([said_yes, nth])).digest()

    @property
    def certificates(self) -> list[Key]:
        code = self.opened.code
        ids = [code.certificate_id, *[beside.certificate_id for beside in code.beside]]
        return [(code.person_id, one) for one in ids]

    @property
    def mandate(self) -> MandateKey | None:
        code = self.opened.code
        return None if code.mandate_id is None else (code.person_id, code.mandate_id)


def recorded_as(look: Look, known: Mapping[bytes, Use]) -> Use | None:
    """The record of this very scan, or of the look that it repeats; None where it is to be recorded.

    A device's looks at one code are told apart by their time, and further ones than LOOKS_ASIDE_MAX not at all.
    """
    scan, spent = look.scan, known.get(look.spent_as)
    if spent is not None and (spent.use_id, spent.device_id) == (scan.use_id, look.device_id):
        return spent
    alike, others = _aside(look, known, said_yes=look.said_yes), _aside(look, known, said_yes=not look.said_yes)
    this = next((use for use in (*alike, *others) if use.use_id == scan.use_id), None)
    if this is not None or (look.spends and spent is None):
        return this
    again = next((use for use in alike if use.used_at == scan.scanned_at), None)
    return alike[-1] if again is None and len(alike) == LOOKS_ASIDE_MAX else again


def place_of(look: Look, known: Mapping[bytes, Use]) -> bytes:
    """The hash under which a look that is to be recorded is recorded."""
    if look.spends and look.spent_as not in known:
        return look.spent_as
    return look.aside(len(_aside(look, known, said_yes=look.said_yes)), said_yes=look.said_yes)


def _aside(look: Look, known: Mapping[bytes, Use], *, said_yes: bool) -> list[Use]:
    """What is known of the device's looks at the code with such a verdict, in the order in which they were recorded."""
    found = []
    for nth in range(LOOKS_ASIDE_MAX):
        use = known.get(look.aside(nth, said_yes=said_yes))
        if use is None:
            break
        found.append(use)
    return found
