"""A scan: a code that was opened, in the hands of the device that scanned it, and what it may come to at most."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec import Struct

from kernel.ids import CertificateId, PersonId, UseId
from wallet.family.queries import Filed
from wallet.family.queries import Key as MandateKey
from wallet.model import REPLAYED_FOR, Device, OpenedCode, Outcome, Route, Scenario, Use, Verdict
from wallet.seals import hash_beside

OFFLINE_PREFIX = "EC1:"
"""How the text of an offline code begins."""


class Opened(Struct, frozen=True):
    """A code that was opened: what it is bound to, the hash under which its use is recorded, how long it is good."""

    code: OpenedCode
    code_hash: bytes
    accepted_for: timedelta
    route: Route = Route.CODE


OpensOffline = Callable[[str, datetime], Opened | Outcome]
"""Opens the text of an offline code at a moment, or says why it is not good."""

JudgesForeign = Callable[[str, Device, UseId, datetime], Awaitable[Verdict | None]]
"""Judges an offline code that is not ours; None where it is of no city that is recognised here."""


class Part(Struct, frozen=True):
    """One certificate that a code shows, and the hash under which a look at it is recorded. `granted` may leave."""

    certificate_id: CertificateId
    kind_code: str
    granted: tuple[str, ...]
    code_hash: bytes


class Scan(Struct, frozen=True):
    """A code that was opened, in the hands of the device that scanned it."""

    opened: Opened
    person_id: PersonId
    parts: tuple[Part, ...]
    device: Device
    scenario: Scenario
    use_id: UseId
    scanned_at: datetime
    quota: int | None
    """Looks a day that the venue was granted; None: as many as there are."""
    barred: Verdict | None
    """Why it cannot be redeemed now; yet perhaps it came in time to hear again what was answered."""

    @property
    def code_hash(self) -> bytes:
        return self.opened.code_hash

    @property
    def mandate(self) -> MandateKey | None:
        """The mandate under which it was shown."""
        mandate_id = self.opened.code.mandate_id
        return None if mandate_id is None else (self.person_id, mandate_id)

    def heard(self, recorded: Use) -> bool:
        """Whether this scan is the recorded one, asked again because its answer was lost.

        What a device judged by itself and uploaded was never answered: it is recorded at another time than it was made.
        """
        return (
            recorded.use_id == self.use_id
            and recorded.device_id == self.device.device_id
            and recorded.recorded_at in (None, recorded.used_at)
            and self.scanned_at - recorded.used_at <= REPLAYED_FOR
        )


def parts_of(opened: Opened, scenario: Scenario) -> tuple[Part, ...] | None:
    """What a code shows, of each kind no more than the scenario grants by now; None for a kind it does not look at."""
    code = opened.code
    allowed = scenario.grants.get(code.kind_code)
    if allowed is None:
        return None
    parts = [Part(code.certificate_id, code.kind_code, _within(code.fields, allowed), opened.code_hash)]
    for number, shown in enumerate(code.beside, start=1):
        allowed = scenario.grants.get(shown.kind_code)
        if allowed is None:
            return None
        code_hash = hash_beside(opened.code_hash, number)
        parts.append(Part(shown.certificate_id, shown.kind_code, _within(shown.fields, allowed), code_hash))
    return tuple(parts)


def _within(fields: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """What was chosen and is still allowed: the scenario may have been narrowed since."""
    return fields if fields == allowed else tuple([name for name in fields if name in allowed])


def covers(filed: Filed | None, scan: Scan) -> bool:
    """Whether the mandate still lets this be shown."""
    if filed is None:
        return False
    mandate, code = filed.mandate, scan.opened.code
    return (
        mandate.is_good(scan.scanned_at)
        and mandate.agent_person_id == code.agent_person_id
        and mandate.covers([part.kind_code for part in scan.parts], code.scenario_code)
    )
