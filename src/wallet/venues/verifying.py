"""A venue's device asks about a code and gets a Verdict.

The database decides: standing is read, the use recorded and the notice owed in one transaction shared by the scans that
wait together, and no answer leaves before its commit. Redis only tells what a code was bound to, sealed by us; it can
neither make a code good nor make it good twice. A code of several certificates is a yes when all of them are good, and
a code shown under a mandate when that stands in this very transaction.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.grouping import Group, TooManyWaiting
from kernel.ids import PersonId, UseId, VenueId
from kernel.principal import VenueDevice
from kernel.redis import Redis
from notifications.outbox import Outbox
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.disclosing import disclosed
from wallet.errors import DeviceNotRegistered
from wallet.family.acting import Acting
from wallet.family.queries import Filed
from wallet.family.queries import Key as MandateKey
from wallet.model import (
    ACCEPTED_AFTER_SHOWN,
    REPLAYED_FOR,
    Device,
    IssuerSort,
    Outcome,
    Use,
    Value,
    Verdict,
    VerdictBeside,
    judge,
    today_in_city,
)
from wallet.online_code import Texts
from wallet.queries import Key, Sealed
from wallet.recording_uses import record_uses
from wallet.seals import Seals, place_of
from wallet.telling import notices_of
from wallet.venues.scans import (
    OFFLINE_PREFIX,
    JudgesForeign,
    Opened,
    OpensOffline,
    Part,
    Scan,
    covers,
    parts_of,
)
from wallet.venues.terms import (
    CountedLook,
    GivesQuotaBack,
    TakesQuota,
    given_back,
    granted_scenario,
    is_open,
    taken_over,
)

SCANS_TOGETHER_MAX = 256
TURNS_MAX = 8
"""How often a scan waits for its group again behind scans of the same code by venues that are over their quota."""
NOT_OURS = Verdict(Outcome.NOT_OURS)
WRONG_SCENARIO = Verdict(Outcome.WRONG_SCENARIO)
OUTSIDE_HOURS = Verdict(Outcome.OUTSIDE_HOURS)
OVER_QUOTA = Verdict(Outcome.OVER_QUOTA)
EXPIRED = Verdict(Outcome.EXPIRED)
ALREADY_USED = Verdict(Outcome.ALREADY_USED)


class Redeemed(Struct, frozen=True):
    """The records of a code that is spent, and what left. `by` is its scan, None if that was earlier."""

    by: Scan | None
    uses: list[Use]
    values: list[dict[str, Value]]
    sorts: list[IssuerSort | None]


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
        acting: Acting,
        catalogue: Callable[[], Catalogue],
        *,
        shown_for: timedelta,
        take_quota: TakesQuota,
        give_quota_back: GivesQuotaBack,
        open_offline: OpensOffline | None = None,
        judge_foreign: JudgesForeign | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._outbox = outbox
        self._acting = acting
        self._catalogue = catalogue
        self._take_quota = take_quota
        self._give_quota_back = give_quota_back
        self._open_offline = open_offline
        self._judge_foreign = judge_foreign
        self._accepted_for = shown_for + ACCEPTED_AFTER_SHOWN
        self._group: Group[Scan, Verdict | None] = Group(
            db, self._redeem, size_max=SCANS_TOGETHER_MAX, sort_key=_order_of, retry_safe=True
        )

    async def verify(self, caller: VenueDevice, text: str, use_id: UseId) -> Verdict:
        """Whether the code in `text` is good for this device now; a yes spends it and gives the fields it allows.

        Asked again by the same device with the same `use_id` within 90 s, the same verdict. Raises DeviceNotRegistered,
        and RedisAway, DatabaseAway, TooManyWaiting, OutcomeUnknown: no verdict at all rather than a guess.
        """
        now = self._clock.now()
        device = self._catalogue().devices.get(caller.device_id)
        if device is None or device.venue.venue_id != caller.venue_id:
            raise DeviceNotRegistered
        if self._open_offline is not None and text.startswith(OFFLINE_PREFIX):
            found = self._open_offline(text, now)
            if found is Outcome.NOT_OURS and self._judge_foreign is not None:
                return await self._judge_foreign(text, device, use_id, now) or NOT_OURS
            opened = Verdict(found) if isinstance(found, Outcome) else found
        else:
            opened = await self._open(text)
        scan = opened if isinstance(opened, Verdict) else self._scan(opened, device, use_id, now)
        return scan if isinstance(scan, Verdict) else await self._redeemed(scan)

    async def holder_of(self, text: str) -> PersonId | None:
        """Whose certificate a code of ours shows; for a reader that has just been told that it is good.

        By itself no look at a certificate: it records nothing, so nobody may ask it who was not answered by `verify`.
        """
        if self._open_offline is not None and text.startswith(OFFLINE_PREFIX):
            found = self._open_offline(text, self._clock.now())
            return None if isinstance(found, Outcome) else found.code.person_id
        opened = await self._open(text)
        return None if isinstance(opened, Verdict) else opened.code.person_id

    async def _open(self, text: str) -> Opened | Verdict:
        """What an online code is bound to."""
        code_hash = self._texts.read(text)
        if code_hash is None:
            return NOT_OURS
        envelope = await self._redis.get(place_of(code_hash))
        if envelope is None:
            return NOT_OURS
        bound = self._seals.open_binding(envelope, code_hash)
        return NOT_OURS if bound is None else Opened(bound, code_hash, self._accepted_for)

    def _scan(self, opened: Opened, device: Device, use_id: UseId, now: datetime) -> Scan | Verdict:
        """The code in the hands of this device, or why that is not one who may redeem it."""
        code, venue = opened.code, device.venue
        scenario = granted_scenario(self._catalogue().scenarios.get(code.scenario_code), venue, now)
        if scenario is None:
            return WRONG_SCENARIO
        parts = parts_of(opened, scenario)
        if parts is None:
            return WRONG_SCENARIO
        age = now - code.shown_at
        if age >= opened.accepted_for + REPLAYED_FOR:
            return EXPIRED
        barred = EXPIRED if age >= opened.accepted_for else None
        quota = None
        terms = venue.terms.get(code.scenario_code)
        if terms is not None:
            quota = terms.quota_per_day
            if barred is None and not is_open(terms, now):
                barred = OUTSIDE_HOURS
        return Scan(opened, code.person_id, parts, device, scenario, use_id, now, quota, barred)

    async def _redeemed(self, scan: Scan) -> Verdict:
        """The verdict on a scan; where another venue's came first that was over its quota, it waits once more.

        Raises TooManyWaiting where that happens TURNS_MAX times.
        """
        for _ in range(TURNS_MAX):
            verdict = await self._group.submit(scan)
            if verdict is not None:
                return verdict
        raise TooManyWaiting("others who are over their quota scan the same code")

    async def _redeem(self, conn: Connection, scans: list[Scan]) -> list[Verdict | None]:
        """The verdicts of scans that wait together, in order; runs inside their one transaction.

        None for one that was not looked at, because a scan of its code by a venue that is over its quota came first.
        """
        first: dict[bytes, Scan] = {}
        for scan in scans:
            if scan.barred is None:
                first.setdefault(scan.code_hash, scan)
        sealed = await queries.select_standings_and_attributes(conn, _keys_of(first.values()))
        judged = {
            code_hash: outcomes
            for code_hash, scan in first.items()
            if (outcomes := self._judged(scan, sealed)) is not None
        }
        taken, over = await self._counted(conn, [first[code_hash] for code_hash in judged])
        keys = [key for code_hash in judged if (key := first[code_hash].mandate) is not None]
        mandates = await self._acting.hold(conn, keys) if keys else {}
        drafts = {
            code_hash: self._drafted(first[code_hash], outcomes, sealed, mandates)
            for code_hash, outcomes in judged.items()
            if code_hash not in over
        }
        uses = [use for draft in drafts.values() for use in draft.uses]
        spent = await record_uses(conn, uses) if uses else set()
        late = [_look_of(scan) for scan in taken if scan.code_hash not in spent]  # recorded by another process just now
        await given_back(self._give_quota_back, conn, late)
        known = {code_hash: draft for code_hash, draft in drafts.items() if code_hash in spent}
        await self._tell(conn, known.values(), mandates)
        done = len(known)
        if done < len(scans):
            known |= await self._recorded(conn, scans, known)
        return [self._verdict(scan, known.get(scan.code_hash), over=over.get(scan.code_hash)) for scan in scans]

    def _judged(self, scan: Scan, sealed: Mapping[Key, Sealed]) -> list[Outcome] | None:
        """How each certificate stands; None where nothing of a person is touched."""
        code = scan.opened.code
        outcomes: list[Outcome] = []
        for part in scan.parts:
            found = sealed.get((scan.person_id, part.certificate_id))
            if part.certificate_id != code.certificate_id:
                code = replace(code, certificate_id=part.certificate_id, kind_code=part.kind_code)
            outcome = judge(
                code,
                None if found is None else found.standing,
                now=scan.scanned_at,
                accepted_for=scan.opened.accepted_for,
            )
            if outcome is Outcome.NOT_OURS or outcome is Outcome.EXPIRED:
                return None
            outcomes.append(outcome)
        return outcomes

    async def _counted(self, conn: Connection, scans: list[Scan]) -> tuple[list[Scan], dict[bytes, VenueId]]:
        """Of these, what was counted against a quota now; and codes that are more than a quota leaves today, and whose.

        Neither holds what was answered before, as far as that is known yet.
        """
        counted = [scan for scan in scans if scan.quota is not None]
        if not counted:
            return [], {}
        known = await queries.select_uses(conn, [(scan.person_id, scan.code_hash) for scan in counted])
        fresh = [scan for scan in counted if scan.code_hash not in known]
        places = await taken_over(self._take_quota, conn, [_look_of(scan) for scan in fresh])
        over = {fresh[place].code_hash: fresh[place].device.venue.venue_id for place in places}
        return [scan for scan in fresh if scan.code_hash not in over], over

    def _drafted(
        self,
        scan: Scan,
        outcomes: list[Outcome],
        sealed: Mapping[Key, Sealed],
        mandates: Mapping[MandateKey, Filed],
    ) -> Redeemed:
        """The records that the scan comes to, one for each certificate. Values leave only when all of them are good."""
        code, key = scan.opened.code, scan.mandate
        if key is not None and not covers(mandates.get(key), scan):
            outcomes = [Outcome.MANDATE_ENDED] * len(outcomes)
        is_good = all(outcome is Outcome.VALID for outcome in outcomes)
        values = [
            self._values(scan, part, part.granted, sealed, scan.scanned_at) if is_good else {} for part in scan.parts
        ]
        uses = [
            Use(
                scan.person_id,
                part.code_hash,
                scan.scanned_at,
                scan.use_id,
                scan.device.device_id,
                scan.device.venue.venue_id,
                code.scenario_code,
                scan.scenario.edition,
                part.certificate_id,
                part.kind_code,
                scan.opened.route,
                outcome,
                tuple(left),
                code.mandate_id,
                code.agent_person_id,
            )
            for part, outcome, left in zip(scan.parts, outcomes, values, strict=True)
        ]
        return Redeemed(scan, uses, values, self._sorts(scan, uses, sealed))

    def _sorts(self, scan: Scan, uses: list[Use], sealed: Mapping[Key, Sealed]) -> list[IssuerSort | None]:
        """What sorts of issuers the certificates of a scan are from; told like the values, with a yes alone."""
        is_good, issuers = _outcome_of(uses) is Outcome.VALID, self._catalogue().issuers
        found = [sealed.get((scan.person_id, use.certificate_id)) if is_good else None for use in uses]
        known = [None if one is None else issuers.get(one.issuer_code) for one in found]
        return [None if issuer is None else issuer.sort for issuer in known]

    def _values(
        self, scan: Scan, part: Part, names: tuple[str, ...], sealed: Mapping[Key, Sealed], at: datetime
    ) -> dict[str, Value]:
        found = sealed.get((scan.person_id, part.certificate_id))
        if found is None or not names:
            return {}
        attributes = self._seals.open_attributes(scan.person_id, part.certificate_id, found.attributes)
        return disclosed(attributes, names, self._catalogue().kinds.get(part.kind_code), today_in_city(at))

    async def _tell(self, conn: Connection, done: Iterable[Redeemed], mandates: Mapping[MandateKey, Filed]) -> None:
        """Owe each person whose fields leave a line in their inbox, and those who showed them for somebody."""
        catalogue, owed = self._catalogue(), []
        for redeemed in done:
            assert redeemed.by is not None
            if _outcome_of(redeemed.uses) is Outcome.VALID:
                key = redeemed.by.mandate
                between = None if key is None else await self._acting.between(conn, mandates[key])
                owed += notices_of(redeemed.uses, catalogue, between)
        if owed:
            await self._outbox.owe_many(conn, owed, now=self._clock.now())

    async def _recorded(
        self, conn: Connection, scans: list[Scan], known: Mapping[bytes, Redeemed]
    ) -> dict[bytes, Redeemed]:
        """What was recorded earlier about the codes of these scans, with the values told then."""
        asked = {scan.code_hash: scan for scan in scans if scan.code_hash not in known}
        if not asked:
            return {}
        places = [(scan.person_id, part.code_hash) for scan in asked.values() for part in scan.parts]
        uses = await queries.select_uses(conn, places)
        again = [scan for scan in scans if (use := uses.get(scan.code_hash)) is not None and scan.heard(use)]
        sealed = await queries.select_standings_and_attributes(conn, _keys_of(again)) if again else {}
        recorded = {
            code_hash: Redeemed(
                None,
                [uses[part.code_hash] for part in scan.parts],
                [{} for _ in scan.parts],
                [None for _ in scan.parts],
            )
            for code_hash, scan in asked.items()
            if code_hash in uses
        }
        for scan in again:  # a certificate's values never change, and predicates are answered as of the look
            look = recorded[scan.code_hash].uses
            values = [
                self._values(scan, part, use.fields, sealed, use.used_at)
                for part, use in zip(scan.parts, look, strict=True)
            ]
            recorded[scan.code_hash] = Redeemed(None, look, values, self._sorts(scan, look, sealed))
        return recorded

    def _verdict(self, scan: Scan, known: Redeemed | None, *, over: VenueId | None) -> Verdict | None:
        """What a scan hears; `over` is the venue, if any, whose quota the first scan of this code was more than."""
        if known is None:
            if scan.barred is None and over is not None:
                return OVER_QUOTA if scan.device.venue.venue_id == over else None
            return scan.barred or NOT_OURS
        if scan is not known.by and not scan.heard(known.uses[0]):
            return scan.barred or ALREADY_USED
        code, uses, values, sorts = scan.opened.code, known.uses, known.values, known.sorts
        beside = tuple(
            VerdictBeside(use.outcome, use.kind_code, left, sort)
            for use, left, sort in zip(uses[1:], values[1:], sorts[1:], strict=True)
        )
        return Verdict(_outcome_of(uses), code.kind_code, code.scenario_code, values[0], beside, sorts[0])


def _outcome_of(uses: list[Use]) -> Outcome:
    """A yes when all are good; else what the first that is not says."""
    return next((use.outcome for use in uses if use.outcome is not Outcome.VALID), Outcome.VALID)


def _keys_of(scans: Iterable[Scan]) -> list[Key]:
    return list(dict.fromkeys([(scan.person_id, part.certificate_id) for scan in scans for part in scan.parts]))


def _look_of(scan: Scan) -> CountedLook:
    assert scan.quota is not None
    return (scan.device.venue.venue_id, scan.scenario.scenario_code), scan.quota, today_in_city(scan.scanned_at)


def _order_of(scan: Scan) -> bytes:
    return scan.person_id.bytes + scan.code_hash
