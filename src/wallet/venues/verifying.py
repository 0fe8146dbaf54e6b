"""A venue's device asks about a code and gets a Verdict.

The database decides: standing is read, the use recorded and the notice owed in one transaction shared by the scans that
wait together, and no answer leaves before its commit. Redis only tells what a code was bound to, sealed by us; it can
neither make a code good nor make it good twice.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.grouping import Group
from kernel.ids import UseId
from kernel.principal import VenueDevice
from kernel.redis import Redis
from notifications.outbox import Outbox
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.errors import DeviceNotRegistered
from wallet.model import (
    ACCEPTED_AFTER_SHOWN,
    REPLAYED_FOR,
    Device,
    OpenedCode,
    Outcome,
    Route,
    Scenario,
    Use,
    Value,
    Verdict,
    judge,
)
from wallet.online_code import Texts
from wallet.queries import Key, Sealed
from wallet.seals import Seals, place_of
from wallet.telling import shown_notice

SCANS_TOGETHER_MAX = 256
NOT_OURS = Verdict(Outcome.NOT_OURS)
WRONG_SCENARIO = Verdict(Outcome.WRONG_SCENARIO)
EXPIRED = Verdict(Outcome.EXPIRED)
ALREADY_USED = Verdict(Outcome.ALREADY_USED)


class Scan(Struct, frozen=True):
    """A code that was opened, in the hands of the device that scanned it. `granted` is what may leave at most."""

    opened: OpenedCode
    code_hash: bytes
    device: Device
    scenario: Scenario
    granted: tuple[str, ...]
    use_id: UseId
    scanned_at: datetime
    is_late: bool
    """Whether it came too late to be redeemed, yet perhaps in time to hear again what was answered."""

    @property
    def key(self) -> Key:
        return self.opened.person_id, self.opened.certificate_id

    def heard(self, recorded: Use) -> bool:
        """Whether this scan is the recorded one, asked again because its answer was lost."""
        return (
            recorded.use_id == self.use_id
            and recorded.device_id == self.device.device_id
            and self.scanned_at - recorded.used_at <= REPLAYED_FOR
        )


class Redeemed(Struct, frozen=True):
    """The record of a code that is spent, and the values that left. `by` is its scan, None if that was earlier."""

    by: Scan | None
    use: Use
    values: dict[str, Value]


class Verifier:
    """Answers scans."""

    def __init__(
        self,
        db: Database,
        redis: Redis,
        clock: Clock,
        seals: Seals,
        texts: Texts,
        outbox: Outbox,
        catalogue: Callable[[], Catalogue],
        *,
        shown_for: timedelta,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._outbox = outbox
        self._catalogue = catalogue
        self._accepted_for = shown_for + ACCEPTED_AFTER_SHOWN
        self._heard_for = self._accepted_for + REPLAYED_FOR
        self._group: Group[Scan, Verdict] = Group(
            db, self._redeem, size_max=SCANS_TOGETHER_MAX, sort_key=_order_of, retry_safe=True
        )

    async def verify(self, caller: VenueDevice, text: str, use_id: UseId) -> Verdict:
        """Whether the code in `text` is good for this device now; a yes spends it and gives the fields it allows.

        Asked again by the same device with the same `use_id` within 90 s, the same verdict. Raises DeviceNotRegistered,
        and RedisAway, DatabaseAway, TooManyWaiting, OutcomeUnknown: no verdict at all rather than a guess.
        """
        now = self._clock.now()
        catalogue = self._catalogue()
        device = catalogue.devices.get(caller.device_id)
        if device is None or device.venue.venue_id != caller.venue_id:
            raise DeviceNotRegistered
        code_hash = self._texts.read(text)
        if code_hash is None:
            return NOT_OURS
        envelope = await self._redis.get(place_of(code_hash))
        if envelope is None:
            return NOT_OURS
        opened = self._seals.open_binding(envelope, code_hash)
        if opened is None:
            return NOT_OURS
        scenario = catalogue.scenarios.get(opened.scenario_code)
        if scenario is None or opened.scenario_code not in device.venue.scenario_codes:
            return WRONG_SCENARIO
        allowed = scenario.grants.get(opened.kind_code)
        if allowed is None:
            return WRONG_SCENARIO
        age = now - opened.shown_at
        if age >= self._heard_for:
            return EXPIRED
        granted = opened.fields
        if granted != allowed:  # chosen by the resident, or the scenario was narrowed since
            granted = tuple(name for name in granted if name in allowed)
        is_late = age >= self._accepted_for
        return await self._group.submit(Scan(opened, code_hash, device, scenario, granted, use_id, now, is_late))

    async def _redeem(self, conn: Connection, scans: list[Scan]) -> list[Verdict]:
        """The verdicts of scans that wait together, in order; runs inside their one transaction."""
        first: dict[bytes, Scan] = {}
        for scan in scans:
            if not scan.is_late:
                first.setdefault(scan.code_hash, scan)
        sealed = await queries.select_standings_and_attributes(conn, _keys_of(first.values()))
        drafts = {
            code_hash: draft
            for code_hash, scan in first.items()
            if (draft := self._drafted(scan, sealed.get(scan.key))) is not None
        }
        spent = await queries.insert_uses(conn, [draft.use for draft in drafts.values()]) if drafts else set()
        done = [drafts[code_hash] for code_hash in drafts if code_hash in spent]
        await self._tell(conn, done)
        known = {draft.use.code_hash: draft for draft in done}
        if len(done) < len(scans):
            known |= await self._recorded(conn, scans, known)
        return [self._verdict(scan, first.get(scan.code_hash), known.get(scan.code_hash)) for scan in scans]

    def _drafted(self, scan: Scan, found: Sealed | None) -> Redeemed | None:
        """What the scan comes to by the certificate as it stands; None where nothing of a person was touched."""
        opened = scan.opened
        standing = None if found is None else found.standing
        outcome = judge(opened, standing, now=scan.scanned_at, accepted_for=self._accepted_for)
        if found is None or outcome in (Outcome.NOT_OURS, Outcome.EXPIRED):
            return None
        values: dict[str, Value] = {}
        if outcome is Outcome.VALID:
            attributes = self._seals.open_attributes(opened.person_id, opened.certificate_id, found.attributes)
            values = attributes.picked(scan.granted)
        use = Use(
            opened.person_id,
            scan.code_hash,
            scan.scanned_at,
            scan.use_id,
            scan.device.device_id,
            scan.device.venue.venue_id,
            opened.scenario_code,
            scan.scenario.edition,
            opened.certificate_id,
            opened.kind_code,
            Route.CODE,
            outcome,
            tuple(values),
        )
        return Redeemed(scan, use, values)

    async def _tell(self, conn: Connection, done: list[Redeemed]) -> None:
        """Owe each person whose fields leave a line in their inbox."""
        catalogue = self._catalogue()
        owed = [
            shown_notice(draft.use, catalogue.kinds[draft.use.kind_code], catalogue.venues[draft.use.venue_id])
            for draft in done
            if draft.use.outcome is Outcome.VALID
        ]
        if owed:
            await self._outbox.owe_many(conn, owed, now=self._clock.now())

    async def _recorded(
        self, conn: Connection, scans: list[Scan], known: dict[bytes, Redeemed]
    ) -> dict[bytes, Redeemed]:
        """What was recorded earlier about the codes of these scans, with the values told then."""
        asked = {scan.code_hash: scan for scan in scans if scan.code_hash not in known}
        if not asked:
            return {}
        uses = await queries.select_uses(conn, [(scan.opened.person_id, spent) for spent, scan in asked.items()])
        again = [scan for scan in scans if (use := uses.get(scan.code_hash)) is not None and scan.heard(use)]
        sealed = await queries.select_standings_and_attributes(conn, _keys_of(again)) if again else {}
        recorded = {code_hash: Redeemed(None, use, {}) for code_hash, use in uses.items()}
        for scan in again:  # a certificate's values never change
            use, found, opened = uses[scan.code_hash], sealed.get(scan.key), scan.opened
            if found is not None and use.fields:
                attributes = self._seals.open_attributes(opened.person_id, opened.certificate_id, found.attributes)
                recorded[scan.code_hash] = Redeemed(None, use, attributes.picked(use.fields))
        return recorded

    def _verdict(self, scan: Scan, first: Scan | None, known: Redeemed | None) -> Verdict:
        if known is None:
            return EXPIRED if scan.is_late else NOT_OURS
        if scan is not known.by and not scan.heard(known.use):
            return EXPIRED if scan.is_late else ALREADY_USED
        return Verdict(known.use.outcome, scan.opened.kind_code, scan.opened.scenario_code, known.values)


def _keys_of(scans: Iterable[Scan]) -> list[Key]:
    return list(dict.fromkeys(scan.key for scan in scans))


def _order_of(scan: Scan) -> bytes:
    return scan.opened.person_id.bytes + scan.code_hash
