"""A venue uploads scans that it made without network: each is recorded once, and judged by what is known by now.

A scan is a look that has happened, so it enters the ledger of the person whoever was right. What the device could not
know, or did not say, is found out here: that the code was used before, that the certificate or the mandate had ended by
then, that the venue may not look at this at all. The venue hears of it in the answer; another venue whose scan turns
out to be one of two hears of it among its findings. A code is spent only by a yes of a venue that may look.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import uuid7
from kernel.log import get_logger
from kernel.principal import VenueDevice
from notifications.outbox import Outbox
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.errors import DeviceNotRegistered
from wallet.family.acting import Acting
from wallet.family.queries import Filed
from wallet.family.queries import Key as MandateKey
from wallet.model import Device, Flag, Outcome, Use
from wallet.offline.errors import UploadsCollide
from wallet.offline.finding_out import Facts, drafted, is_granted
from wallet.offline.model import CLOCK_AHEAD_MAX, SCANS_MAX, UPLOADED_WITHIN, Answer, Result, Uploaded
from wallet.offline.opening import Opener
from wallet.offline.queries import Finding, insert_findings, select_changes
from wallet.offline.recognising import LOOKS_ASIDE_MAX, Look, place_of, recorded_as
from wallet.recording_uses import record_uses
from wallet.telling import notices_of

OPENED_TOGETHER_MAX = 50
"""Codes opened between two looks at what else there is to do: some milliseconds."""
TRIES_MAX = 5

log = get_logger(__name__)

_LOOKS = {
    Outcome.VALID.value: Outcome.VALID,
    Outcome.REVOKED.value: Outcome.REVOKED,
    Outcome.SUSPENDED.value: Outcome.SUSPENDED,
    Outcome.NOT_YET_VALID.value: Outcome.NOT_YET_VALID,
    Outcome.CERTIFICATE_EXPIRED.value: Outcome.CERTIFICATE_EXPIRED,
}
"""The verdicts of a device that are looks at somebody's certificate. Anything else showed it nothing."""
_AMISS = {Flag.WRONG_SCENARIO, Flag.VERDICT_DIFFERS}
"""What no honest device comes to by itself."""
Drafts = Mapping[bytes, tuple[Look, list[Use]]]
"""New looks with their records, by the hash of the first record."""


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
        looks: list[Look] = []
        for start in range(0, len(scans), OPENED_TOGETHER_MAX):
            part = scans[start : start + OPENED_TOGETHER_MAX]
            for at, found in enumerate(await asyncio.to_thread(self._opened, device, part, now), start):
                if isinstance(found, Result):
                    answers[at] = Answer(scans[at].use_id, found)
                else:
                    looks.append(replace(found, at=at))
        amiss = 0
        for look, answer in await self._recorded_together(device, looks, now) if looks else ():
            answers[look.at] = answer
            amiss += answer.is_new and not _AMISS.isdisjoint(answer.findings)
        if amiss:
            log.warning(
                "scans that no honest device makes", venue=caller.venue_id, device=caller.device_id, scans=amiss
            )
        return [answer for answer in answers if answer is not None]

    async def _recorded_together(self, device: Device, looks: list[Look], now: datetime) -> list[tuple[Look, Answer]]:
        """One transaction for all; again from the beginning where another upload was faster with one of the codes."""
        for _ in range(TRIES_MAX):
            try:
                async with self._db.transaction() as conn:
                    return await self._record(conn, device, looks, now)
            except Overtaken:
                continue
        raise UploadsCollide

    def _opened(self, device: Device, scans: Sequence[Uploaded], now: datetime) -> list[Look | Result]:
        """The scans whose codes are ours, and why others are not recorded. Runs in a thread."""
        return [self._one_opened(device, scan, now) for scan in scans]

    def _one_opened(self, device: Device, scan: Uploaded, now: datetime) -> Look | Result:
        if scan.scanned_at > now + CLOCK_AHEAD_MAX:
            return Result.CLOCK_WRONG
        if scan.scanned_at < now - UPLOADED_WITHIN:
            return Result.TOO_LATE
        said = _LOOKS.get(scan.verdict)
        if said is None:
            return Result.NOTHING_SEEN
        opened = self._opener.open(scan.code, scan.scanned_at)
        if isinstance(opened, Outcome):
            return Result.CLOCK_WRONG if opened is Outcome.EXPIRED else Result.NOT_OURS
        granted = is_granted(opened, device.venue, self._catalogue().scenarios, scan.scanned_at)
        return Look(0, scan, opened, device.device_id, said, granted)

    async def _record(
        self, conn: Connection, device: Device, looks: list[Look], now: datetime
    ) -> list[tuple[Look, Answer]]:
        looks = sorted(looks, key=lambda look: (look.opened.code.person_id.bytes, look.spent_as, look.at))
        facts = await self._facts(conn, looks)
        known = await _known(conn, looks)
        answers: list[tuple[Look, Answer]] = []
        fresh: dict[bytes, tuple[Look, list[Use]]] = {}
        for look in looks:
            recorded = recorded_as(look, known)
            is_new = recorded is None
            if recorded is None:
                uses = drafted(look, place_of(look, known), device, facts, now)
                known |= {use.code_hash: use for use in uses}
                recorded = uses[0]
                fresh[recorded.code_hash] = (look, uses)
            answers.append((look, Answer(look.scan.use_id, Result.RECORDED, is_new, recorded.flags)))
        if fresh:
            await self._enter(conn, fresh, known, facts.mandates, now)
        return answers

    async def _facts(self, conn: Connection, looks: list[Look]) -> Facts:
        """What is known by now of what was looked at."""
        keys = {key for look in looks for key in look.certificates}
        said_no_to = {key for look in looks if not look.said_yes for key in look.certificates}
        return Facts(
            changes=await select_changes(conn, list(keys)),
            standings=await queries.select_standings(conn, list(said_no_to)),
            mandates=await self._acting.hold(conn, {look.mandate for look in looks if look.mandate is not None}),
            scenarios=self._catalogue().scenarios,
        )

    async def _enter(
        self,
        conn: Connection,
        fresh: Drafts,
        known: Mapping[bytes, Use],
        mandates: Mapping[MandateKey, Filed],
        now: datetime,
    ) -> None:
        """Enter what is new in the ledger, tell the people, and file what was found out."""
        uses = [use for _, uses in sorted(fresh.values(), key=_order_of) for use in uses]
        recorded = await record_uses(conn, uses)
        if len(recorded) < len(uses):
            raise Overtaken
        catalogue, owed, findings = self._catalogue(), [], []
        for look, drafts in fresh.values():
            if drafts[0].outcome is Outcome.VALID:
                filed = None if look.mandate is None else mandates.get(look.mandate)
                between = None if filed is None else await self._acting.between(conn, filed)
                owed += notices_of(_told_once(look, drafts), catalogue, between)
            findings += [_finding(drafts[0], flag, now) for flag in drafts[0].flags]
            if Flag.DOUBLE_USE in drafts[0].flags:
                findings.append(_finding(known[look.spent_as], Flag.DOUBLE_USE, now))
        await self._outbox.owe_many(conn, owed, now=now)
        await insert_findings(conn, findings)


class Overtaken(Exception):
    """Another upload recorded one of these codes meanwhile: the whole of it is to be looked at again."""


async def _known(conn: Connection, looks: list[Look]) -> dict[bytes, Use]:
    """What is recorded by now under the hashes of these looks, or of the scans that spent their codes before."""
    places = {(look.opened.code.person_id, code_hash) for look in looks for code_hash in _first_places(look)}
    known = await queries.select_uses(conn, sorted(places))
    further = {
        (look.opened.code.person_id, look.aside(nth, said_yes=said_yes))
        for look in looks
        for said_yes in (True, False)
        if look.aside(0, said_yes=said_yes) in known
        for nth in range(1, LOOKS_ASIDE_MAX)
    }
    return known | await queries.select_uses(conn, sorted(further)) if further else known


def _first_places(look: Look) -> tuple[bytes, bytes, bytes]:
    return look.spent_as, look.aside(0, said_yes=True), look.aside(0, said_yes=False)


def _order_of(draft: tuple[Look, list[Use]]) -> tuple[bytes, bytes, bool, bytes]:
    """By person and code, as online scans record; of one code first what spends it, so that no two wait in a circle."""
    look, uses = draft
    first = uses[0].code_hash
    return uses[0].person_id.bytes, look.spent_as, first != look.spent_as, first


def _told_once(look: Look, uses: list[Use]) -> list[Use]:
    """A look as its person is told of it: of what a device says of a code besides that it spent it, once for all."""
    if uses[0].code_hash == look.spent_as:
        return uses
    name = sha256(b"again\0" + look.spent_as + look.device_id.bytes).digest()
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
