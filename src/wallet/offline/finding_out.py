"""What a device could not know of its scan, or did not say: found out when the scan is uploaded, and flagged.

What the city knows by now is held against the moment of the scan: changes of certificates and mandates since are not
the device's fault, nor is a no that an older status list explains.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from wallet.family.queries import Filed
from wallet.family.queries import Key as MandateKey
from wallet.mandates import Mandate
from wallet.model import (
    Device,
    Flag,
    Outcome,
    Route,
    Scenario,
    Standing,
    State,
    Use,
    Venue,
    how_it_stands,
    today_in_city,
)
from wallet.offline.model import CLOCK_AHEAD_MAX
from wallet.offline.queries import Change
from wallet.offline.recognising import Look
from wallet.queries import Key
from wallet.seals import hash_beside
from wallet.status.building import SERVES_FOR
from wallet.venues.scans import Opened, parts_of
from wallet.venues.terms import granted_scenario

LIST_BEHIND_MAX = SERVES_FOR + timedelta(minutes=2)
"""How long after a certificate was restored a device may still say no: as long as a list serves that was made when it
was not, with a minute for its making and one for the device's clock."""
FIRST_EDITION = 1
_TICK = timedelta(microseconds=1)
"""An upload is recorded at another time than its scan was made, so that it is never taken for an answer of ours."""
_LATE = {
    State.SUSPENDED: Flag.LATE_SUSPENSION,
    State.REVOKED: Flag.LATE_REVOCATION,
    State.SUPERSEDED: Flag.LATE_REVOCATION,
}


class Facts(Struct, frozen=True):
    """What the city knows by now of what was looked at. `standings` has the certificates that a device said no to."""

    changes: Mapping[Key, Sequence[Change]]
    standings: Mapping[Key, Standing]
    mandates: Mapping[MandateKey, Filed]
    scenarios: Mapping[str, Scenario]


def is_granted(opened: Opened, venue: Venue, scenarios: Mapping[str, Scenario], scanned_at: datetime) -> bool:
    """Whether a venue may look at every kind that was shown, under the code's scenario, on the day of the scan.

    A grant is judged as it stands by now: what an operator took back since counts as never granted.
    """
    scenario = granted_scenario(scenarios.get(opened.code.scenario_code), venue, scanned_at)
    return scenario is not None and parts_of(opened, scenario) is not None


def drafted(look: Look, place: bytes, device: Device, facts: Facts, now: datetime) -> list[Use]:
    """The records of a look, one for each certificate, the first under the hash `place`, with what was found out.

    A no that nothing explains hides nothing: the look is recorded as one at a good certificate, and flagged.
    """
    code, scan = look.opened.code, look.scan
    differs = not look.said_yes and _was_good(look, facts)
    has_seen = look.said_yes or differs
    common = _flags_of(look, place, facts) | ({Flag.VERDICT_DIFFERS} if differs else set())
    scenario = facts.scenarios.get(code.scenario_code)
    shown = [(code.certificate_id, code.kind_code, code.fields)]
    shown += [(beside.certificate_id, beside.kind_code, beside.fields) for beside in code.beside]
    uses = []
    for number, (certificate_id, kind_code, fields) in enumerate(shown):
        late = _late(facts.changes.get((code.person_id, certificate_id), ()), scan.scanned_at)
        flags = common | ({late} if late is not None and look.said_yes else set())
        uses.append(
            Use(
                person_id=code.person_id,
                code_hash=hash_beside(place, number) if number else place,
                used_at=scan.scanned_at,
                use_id=scan.use_id,
                device_id=device.device_id,
                venue_id=device.venue.venue_id,
                scenario_code=code.scenario_code,
                scenario_edition=FIRST_EDITION if scenario is None else scenario.edition,
                certificate_id=certificate_id,
                kind_code=kind_code,
                route=Route.OFFLINE,
                outcome=Outcome.VALID if has_seen else look.said,
                fields=fields if has_seen else (),
                mandate_id=code.mandate_id,
                agent_person_id=code.agent_person_id,
                flags=tuple(sorted(flags)),
                recorded_at=now if now != scan.scanned_at else now + _TICK,
            )
        )
    return _all_flagged(uses)


def _flags_of(look: Look, place: bytes, facts: Facts) -> set[Flag]:
    """What is found of the look as a whole, whichever certificates it was at."""
    found = set()
    if not look.is_granted:
        found.add(Flag.WRONG_SCENARIO)
    elif look.said_yes and place != look.spent_as:
        found.add(Flag.DOUBLE_USE)
    if look.mandate is not None and not _stood(facts.mandates.get(look.mandate), look.scan.scanned_at):
        found.add(Flag.MANDATE_ENDED)
    return found


def _was_good(look: Look, facts: Facts) -> bool:
    """Whether there was nothing that a device could say no for: by its dates, or by a status list that still served."""
    scanned_at = look.scan.scanned_at
    today = today_in_city(scanned_at)
    for key in look.certificates:
        standing = facts.standings.get(key)
        if standing is None:
            return False
        dated = how_it_stands(replace(standing, state=State.ISSUED), today=today)
        changes = facts.changes.get(key, ())
        states = _states(changes, scanned_at - LIST_BEHIND_MAX, scanned_at + CLOCK_AHEAD_MAX)
        if dated is not Outcome.VALID or states != {State.ISSUED}:
            return False
    return True


def _states(changes: Sequence[Change], since: datetime, until: datetime) -> set[State]:
    """Every state that a certificate was in, from one moment to another."""
    return {_state_at(changes, since)} | {change.to_state for change in changes if since < change.at <= until}


def _state_at(changes: Sequence[Change], moment: datetime) -> State:
    return next((change.to_state for change in reversed(changes) if change.at <= moment), State.ISSUED)


def _late(changes: Sequence[Change], scanned_at: datetime) -> Flag | None:
    """What had happened to a certificate by then that the device could not know."""
    return _LATE.get(_state_at(changes, scanned_at))


def _stood(filed: Filed | None, moment: datetime) -> bool:
    """Whether a mandate stood at a moment that is past."""
    if filed is None:
        return False
    mandate: Mandate = filed.mandate
    ended_at = mandate.expires_at if mandate.revoked_at is None else min(mandate.expires_at, mandate.revoked_at)
    return mandate.starts_at <= moment < ended_at


def _all_flagged(uses: list[Use]) -> list[Use]:
    """The first record of a look bears every flag of the look, so that one record tells."""
    flags = tuple(sorted({flag for use in uses for flag in use.flags}))
    return [replace(uses[0], flags=flags), *uses[1:]]
