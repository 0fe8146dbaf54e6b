"""A venue uploads scans that it made without network: each is recorded once, and judged by what is known by now.

A scan is a look that has happened, so it enters the ledger of the person whoever was right. What the device could not
know is found out here: that the code was used before, that the certificate had ended by then, that the mandate had. The
venue hears of it in the answer; another venue whose scan turns out to be one of two hears of it among its findings.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import UseId, uuid7
from kernel.principal import VenueDevice
from notifications.outbox import Outbox
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.errors import DeviceNotRegistered
from wallet.family.acting import Acting
from wallet.family.queries import Filed
from wallet.family.queries import Key as MandateKey
from wallet.mandates import Mandate
from wallet.model import Device, Flag, Outcome, Route, State, Use
from wallet.offline.errors import UploadsCollide
from wallet.offline.opening import Opener
from wallet.offline.queries import Change, Finding, insert_findings, select_changes
from wallet.queries import Key
from wallet.recording_uses import record_uses
from wallet.seals import hash_beside
from wallet.telling import notices_of
from wallet.venues.scans import Opened

SCANS_MAX = 1_000
"""Of one upload; a device with more sends them in several."""
OPENED_TOGETHER_MAX = 50
"""Codes opened between two looks at what else there is to do: some milliseconds."""
UPLOADED_WITHIN = timedelta(days=30)
"""How late a scan may be uploaded."""
CLOCK_AHEAD_MAX = timedelta(seconds=60)
"""How far a device's clock may be ahead of ours."""
_TICK = timedelta(microseconds=1)
"""An upload is recorded at another time than its scan was made, so that it is never taken for an answer of ours."""
FIRST_EDITION = 1
TRIES_MAX = 5

_LOOKS = {
    Outcome.VALID.value: Outcome.VALID,
    Outcome.REVOKED.value: Outcome.REVOKED,
    Outcome.SUSPENDED.value: Outcome.SUSPENDED,
    Outcome.NOT_YET_VALID.value: Outcome.NOT_YET_VALID,
    Outcome.CERTIFICATE_EXPIRED.value: Outcome.CERTIFICATE_EXPIRED,
}
"""The verdicts of a device that are looks at somebody's certificate. Anything else showed it nothing."""
_LATE = {
    State.SUSPENDED: Flag.LATE_SUSPENSION,
    State.REVOKED: Flag.LATE_REVOCATION,
    State.SUPERSEDED: Flag.LATE_REVOCATION,
}


class Uploaded(Struct, frozen=True):
    """One scan as the device tells it: the text, the id it chose for it, when it was, and what the device decided."""

    code: str
    use_id: UseId
    scanned_at: datetime
    verdict: str


class Result(StrEnum):
    """What became of a scan."""

    RECORDED = "recorded"
    NOT_OURS = "not_ours"
    NOTHING_SEEN = "nothing_seen"
    TOO_LATE = "too_late"
    CLOCK_WRONG = "clock_wrong"


class Answer(Struct, frozen=True):
    """What became of one scan; with `is_new` false it was recorded by an earlier upload, and this is what was said."""

    use_id: UseId
    result: Result
    is_new: bool = False
    findings: tuple[Flag, ...] = ()


class _Look(Struct, frozen=True):
    """A scan whose code was opened. `alone` is the hash it is recorded under when another scan spent the code."""

    at: int
    scan: Uploaded
    opened: Opened
    outcome: Outcome
    alone: bytes

    @property
    def spends(self) -> bool:
        """Whether the device said yes to it, which a code is good for once."""
        return self.outcome is Outcome.VALID


class Uploader:
    """Takes in scans."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        opener: Opener,
        outbox: Outbox,
        acting: Acting,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._opener = opener
        self._outbox = outbox
        self._acting = acting
        self._catalogue = catalogue

    async def upload(self, caller: VenueDevice, scans: Sequence[Uploaded]) -> list[Answer]:
        """Record these scans of one device, all or none, and say in order what became of each.

        The same upload again records nothing and gets the same answer. Raises DeviceNotRegistered, UploadsCollide.
        """
        assert len(scans) <= SCANS_MAX
        device = self._catalogue().devices.get(caller.device_id)
        if device is None or device.venue.venue_id != caller.venue_id:
            raise DeviceNotRegistered
        now = self._clock.now()
        answers: list[Answer | None] = [None] * len(scans)
        looks: list[_Look] = []
        for start in range(0, len(scans), OPENED_TOGETHER_MAX):
            part = scans[start : start + OPENED_TOGETHER_MAX]
            for at, found in enumerate(await asyncio.to_thread(self._opened, device, part, now), start):
                if isinstance(found, Result):
                    answers[at] = Answer(scans[at].use_id, found)
                else:
                    looks.append(replace(found, at=at))
        for look, answer in await self._recorded_together(device, looks, now) if looks else ():
            answers[look.at] = answer
        return [answer for answer in answers if answer is not None]

    async def _recorded_together(self, device: Device, looks: list[_Look], now: datetime) -> list[tuple[_Look, Answer]]:
        """One transaction for all; again from the beginning where another upload was faster with one of the codes."""
        for _ in range(TRIES_MAX):
            try:
                async with self._db.transaction() as conn:
                    return await self._record(conn, device, looks, now)
            except Overtaken:
                continue
        raise UploadsCollide

    def _opened(self, device: Device, scans: Sequence[Uploaded], now: datetime) -> list[_Look | Result]:
        """The scans whose codes are ours, and why others are not recorded. Runs in a thread."""
        return [self._one_opened(device, scan, now) for scan in scans]

    def _one_opened(self, device: Device, scan: Uploaded, now: datetime) -> _Look | Result:
        if scan.scanned_at > now + CLOCK_AHEAD_MAX:
            return Result.CLOCK_WRONG
        if scan.scanned_at < now - UPLOADED_WITHIN:
            return Result.TOO_LATE
        outcome = _LOOKS.get(scan.verdict)
        if outcome is None:
            return Result.NOTHING_SEEN
        opened = self._opener.open(scan.code, scan.scanned_at)
        if isinstance(opened, Outcome):
            return Result.CLOCK_WRONG if opened is Outcome.EXPIRED else Result.NOT_OURS
        alone = sha256(opened.code_hash + device.device_id.bytes + scan.use_id.bytes).digest()
        return _Look(0, scan, opened, outcome, alone)

    async def _record(
        self, conn: Connection, device: Device, looks: list[_Look], now: datetime
    ) -> list[tuple[_Look, Answer]]:
        looks = sorted(looks, key=lambda look: (look.opened.code.person_id.bytes, look.opened.code_hash, look.at))
        changes = await select_changes(conn, list({key for look in looks for key in _keys_of(look)}))
        mandates = await self._acting.hold(conn, {key for look in looks if (key := _mandate_of(look)) is not None})
        known = await self._known(conn, looks)
        answers: list[tuple[_Look, Answer]] = []
        fresh: dict[bytes, tuple[_Look, list[Use]]] = {}
        for look in looks:
            recorded = _recorded(look, device, known)
            if recorded is None:
                drafted = self._drafted(look, device, changes, mandates, known, now)
                known |= {use.code_hash: use for use in drafted}
                fresh[drafted[0].code_hash] = (look, drafted)
                recorded = drafted[0]
            is_new = recorded.code_hash in fresh and fresh[recorded.code_hash][0] is look
            answers.append((look, Answer(look.scan.use_id, Result.RECORDED, is_new, recorded.flags)))
        await self._enter(conn, fresh, known, mandates, now)
        return answers

    async def _known(self, conn: Connection, looks: list[_Look]) -> dict[bytes, Use]:
        """What is recorded by now under the hashes of these looks, or of the scans that spent their codes before."""
        places = {
            (look.opened.code.person_id, code_hash)
            for look in looks
            for code_hash in (look.opened.code_hash, look.alone)
        }
        return await queries.select_uses(conn, sorted(places))

    def _drafted(
        self,
        look: _Look,
        device: Device,
        changes: Mapping[Key, list[Change]],
        mandates: Mapping[MandateKey, Filed],
        known: Mapping[bytes, Use],
        now: datetime,
    ) -> list[Use]:
        """The records of a look that was not recorded before: one for each certificate."""
        code, scan = look.opened.code, look.scan
        is_double = look.spends and look.opened.code_hash in known
        first = look.opened.code_hash if look.spends and not is_double else look.alone
        common = {Flag.DOUBLE_USE} if is_double else set()
        key = _mandate_of(look)
        if key is not None and not _stood(mandates.get(key), scan.scanned_at):
            common.add(Flag.MANDATE_ENDED)
        scenario = self._catalogue().scenarios.get(code.scenario_code)
        shown = [(code.certificate_id, code.kind_code, code.fields)]
        shown += [(beside.certificate_id, beside.kind_code, beside.fields) for beside in code.beside]
        uses = []
        for number, (certificate_id, kind_code, fields) in enumerate(shown):
            late = _late(changes.get((code.person_id, certificate_id), []), scan.scanned_at)
            flags = common | ({late} if late is not None and look.spends else set())
            uses.append(
                Use(
                    person_id=code.person_id,
                    code_hash=hash_beside(first, number) if number else first,
                    used_at=scan.scanned_at,
                    use_id=scan.use_id,
                    device_id=device.device_id,
                    venue_id=device.venue.venue_id,
                    scenario_code=code.scenario_code,
                    scenario_edition=FIRST_EDITION if scenario is None else scenario.edition,
                    certificate_id=certificate_id,
                    kind_code=kind_code,
                    route=Route.OFFLINE,
                    outcome=look.outcome,
                    fields=fields if look.spends else (),
                    mandate_id=code.mandate_id,
                    agent_person_id=code.agent_person_id,
                    flags=tuple(sorted(flags)),
                    recorded_at=now if now != scan.scanned_at else now + _TICK,
                )
            )
        return _all_flagged(uses)

    async def _enter(
        self,
        conn: Connection,
        fresh: Mapping[bytes, tuple[_Look, list[Use]]],
        known: Mapping[bytes, Use],
        mandates: Mapping[MandateKey, Filed],
        now: datetime,
    ) -> None:
        """Enter what is new in the ledger, tell the people, and file what was found out."""
        if not fresh:
            return
        uses = [use for _, drafted in fresh.values() for use in drafted]  # by person and code, as online scans record
        recorded = await record_uses(conn, uses)
        if len(recorded) < len(uses):
            raise Overtaken
        catalogue, owed, findings = self._catalogue(), [], []
        for look, drafted in fresh.values():
            if look.spends:
                key = _mandate_of(look)
                between = (
                    None if key is None or key not in mandates else await self._acting.between(conn, mandates[key])
                )
                owed += notices_of(_told_once(look, drafted), catalogue, between)
            findings += [_finding(drafted[0], flag, now) for flag in drafted[0].flags]
            if Flag.DOUBLE_USE in drafted[0].flags:
                findings.append(_finding(known[look.opened.code_hash], Flag.DOUBLE_USE, now))
        await self._outbox.owe_many(conn, owed, now=now)
        await insert_findings(conn, findings)


class Overtaken(Exception):
    """Another upload recorded one of these codes meanwhile: the whole of it is to be looked at again."""


def _keys_of(look: _Look) -> list[Key]:
    code = look.opened.code
    ids = [code.certificate_id, *[beside.certificate_id for beside in code.beside]]
    return [(code.person_id, one) for one in ids]


def _mandate_of(look: _Look) -> MandateKey | None:
    code = look.opened.code
    return None if code.mandate_id is None else (code.person_id, code.mandate_id)


def _recorded(look: _Look, device: Device, known: Mapping[bytes, Use]) -> Use | None:
    """What this very scan was recorded as, if it was."""
    alone = known.get(look.alone)
    if alone is not None:
        return alone
    spent = known.get(look.opened.code_hash)
    is_this = spent is not None and (spent.use_id, spent.device_id) == (look.scan.use_id, device.device_id)
    return spent if is_this else None


def _late(changes: Sequence[Change], scanned_at: datetime) -> Flag | None:
    """What had happened to a certificate by then that the device could not know."""
    state = next((change.to_state for change in reversed(changes) if change.at <= scanned_at), State.ISSUED)
    return _LATE.get(state)


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


def _told_once(look: _Look, uses: list[Use]) -> list[Use]:
    """A look as its person is told of it: that a device used a code again, once however often it says so."""
    if Flag.DOUBLE_USE not in uses[0].flags:
        return uses
    name = sha256(b"again\0" + look.opened.code_hash + uses[0].device_id.bytes).digest()
    return [replace(uses[0], code_hash=name), *uses[1:]]


def _finding(use: Use, flag: Flag, now: datetime) -> Finding:
    return Finding(
        venue_id=use.venue_id,
        finding_id=uuid7(now),
        sort=flag.value,
        device_id=use.device_id,
        use_id=use.use_id,
        scenario_code=use.scenario_code,
        scanned_at=use.used_at,
        found_at=now,
    )
