"""A resident scans a venue's code, sees who asks for what and why, and consents or declines.

For themselves, or under a mandate for somebody else.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import CertificateId, PersonId, UseId
from notifications.outbox import Outbox
from wallet import queries
from wallet.asks import Ask, AskState
from wallet.catalogue import Catalogue
from wallet.disclosing import disclosed
from wallet.errors import (
    AskClosed,
    AskExpired,
    AskNotFound,
    CertificateNotFound,
    CertificateNotGood,
    KindNotInScenario,
    MandateDoesNotCover,
    OutsideHours,
    OverQuota,
    ScenarioNotFound,
    ScenarioNotGranted,
)
from wallet.family.acting import Acting
from wallet.family.queries import Filed
from wallet.model import Certificate, Outcome, Route, Scenario, Use, how_it_stands, today_in_city
from wallet.online_code import Texts
from wallet.recording_uses import record_uses
from wallet.residents.holding import list_certificates
from wallet.residents.showing import Chosen, chosen_fields
from wallet.seals import Seals
from wallet.telling import notices_of
from wallet.venues.asking import ask_id_of
from wallet.venues.terms import TakesQuota, granted_scenario, is_open, taken_over, terms_of


class Looked(Struct, frozen=True):
    """An ask as the resident sees it before answering, with the certificates that fit."""

    ask: Ask
    scenario: Scenario
    fitting: list[Certificate]


class Answering:
    """Answers asks in the name of a resident."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        texts: Texts,
        outbox: Outbox,
        acting: Acting,
        catalogue: Callable[[], Catalogue],
        *,
        take_quota: TakesQuota,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._outbox = outbox
        self._acting = acting
        self._catalogue = catalogue
        self._take_quota = take_quota

    async def look(self, person_id: PersonId, text: str, mandate_id: UUID | None = None) -> Looked:
        """Who asks for what, why, and which certificates would answer: one's own, or under a mandate those it covers.

        Tells the venue nothing. Raises AskNotFound, AskExpired, AskClosed, ScenarioNotFound, ScenarioNotGranted,
        MandateNotFound, MandateEnded.
        """
        now = self._clock.now()
        mandate = None if mandate_id is None else await self._acting.mandate_of(person_id, mandate_id, now=now)
        async with self._db.connection() as conn:
            ask = self._open(await queries.select_ask(conn, ask_id_of(self._hash_of(text))), now)
        held = await list_certificates(self._db, self._seals, person_id if mandate is None else mandate.person_id)
        scenario, today = self._scenario_of(ask, now), today_in_city(now)
        fitting = [
            certificate
            for certificate in held
            if (kind_code := certificate.standing.kind_code) in ask.kind_codes
            and kind_code in scenario.grants
            and (mandate is None or mandate.covers([kind_code], ask.scenario_code))
            and how_it_stands(certificate.standing, today=today) is Outcome.VALID
        ]
        return Looked(ask, scenario, fitting)

    async def consent(
        self,
        person_id: PersonId,
        text: str,
        certificate_id: CertificateId,
        fields: Sequence[str],
        mandate_id: UUID | None = None,
    ) -> Use:
        """Let the asking venue see these fields of one certificate, each of which its scenario must still see.

        They are named by who consents, so that a scenario widened after the look gives no more than was seen. The
        answer, the record in the ledger and the notice commit together. Consenting again with the same certificate
        returns the same record. Raises AskNotFound, AskExpired, AskClosed, OutsideHours, OverQuota,
        CertificateNotFound, CertificateNotGood, KindNotInScenario, FieldNotInScenario, ScenarioNotFound,
        ScenarioNotGranted, MandateNotFound, MandateEnded, MandateDoesNotCover.
        """
        now = self._clock.now()
        code_hash = self._hash_of(text)
        async with self._db.transaction() as conn:
            ask = await queries.lock_ask(conn, ask_id_of(code_hash))
            if ask is None or ask.state is AskState.WAITING:
                await self._take(conn, self._open(ask, now), now)  # first: by place, then by person
            filed = None if mandate_id is None else await self._acting.hold_for(conn, person_id, mandate_id, now=now)
            holder = person_id if filed is None else filed.mandate.person_id
            if ask is not None and ask.is_answered_with(holder, certificate_id):
                return (await queries.select_uses(conn, [(holder, code_hash)]))[code_hash]
            ask = self._open(ask, now)
            use = await self._use_of(conn, ask, holder, Chosen(certificate_id, fields), filed, now)
            await record_uses(conn, [use])
            await queries.answer_ask(conn, ask.ask_id, use)
            between = None if filed is None else await self._acting.between(conn, filed)
            await self._outbox.owe_many(conn, notices_of([use], self._catalogue(), between), now=now)
        return use

    async def decline(self, text: str) -> None:
        """Tell the venue no; nobody learns who declined. Raises AskNotFound, AskExpired, AskClosed when answered."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            ask = await queries.lock_ask(conn, ask_id_of(self._hash_of(text)))
            if ask is not None and ask.state is AskState.DECLINED:
                return
            await queries.decline_ask(conn, self._open(ask, now).ask_id, now=now)

    async def _use_of(
        self, conn: Connection, ask: Ask, holder: PersonId, chosen: Chosen, filed: Filed | None, now: datetime
    ) -> Use:
        row = await queries.select_certificate(conn, holder, chosen.certificate_id)
        if row is None:
            raise CertificateNotFound
        if filed is not None and not filed.mandate.covers([row.kind_code], ask.scenario_code):
            raise MandateDoesNotCover
        certificate = self._seals.open_certificate(row)
        stands = how_it_stands(certificate.standing, today=today_in_city(now))
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        if row.kind_code not in ask.kind_codes:
            raise KindNotInScenario
        fields = chosen_fields(self._scenario_of(ask, now), row.kind_code, chosen.fields)
        kind = self._catalogue().kinds.get(row.kind_code)
        return Use(
            holder,
            ask.code_hash,
            now,
            UseId(ask.ask_id),
            ask.device_id,
            ask.venue_id,
            ask.scenario_code,
            ask.scenario_edition,
            chosen.certificate_id,
            row.kind_code,
            Route.ASK,
            Outcome.VALID,
            tuple(disclosed(certificate.attributes, fields, kind, today_in_city(now))),
            None if filed is None else filed.mandate.mandate_id,
            None if filed is None else filed.mandate.agent_person_id,
            recorded_at=now,
        )

    async def _take(self, conn: Connection, ask: Ask, now: datetime) -> None:
        """Count one look of the asking venue, if it has a quota. Raises ScenarioNotGranted, OutsideHours, OverQuota."""
        venue = self._catalogue().venues.get(ask.venue_id)
        if venue is None:
            raise ScenarioNotGranted
        terms = terms_of(venue, ask.scenario_code)
        if not is_open(terms, now):
            raise OutsideHours
        if terms.quota_per_day is not None:
            look = (ask.venue_id, ask.scenario_code), terms.quota_per_day, today_in_city(now)
            if await taken_over(self._take_quota, conn, [look]):
                raise OverQuota

    def _hash_of(self, text: str) -> bytes:
        code_hash = self._texts.read(text)
        if code_hash is None:
            raise AskNotFound
        return code_hash

    def _open(self, ask: Ask | None, now: datetime) -> Ask:
        """The ask, if it waits for an answer. Raises AskNotFound, AskExpired, AskClosed."""
        if ask is None:
            raise AskNotFound
        if ask.state is not AskState.WAITING:
            raise AskClosed
        if now >= ask.expires_at:
            raise AskExpired
        return ask

    def _scenario_of(self, ask: Ask, now: datetime) -> Scenario:
        """The scenario of an ask as its venue has it now. Raises ScenarioNotFound, ScenarioNotGranted."""
        catalogue = self._catalogue()
        scenario, venue = catalogue.scenarios.get(ask.scenario_code), catalogue.venues.get(ask.venue_id)
        if scenario is None:
            raise ScenarioNotFound
        granted = None if venue is None else granted_scenario(scenario, venue, now)
        if granted is None:
            raise ScenarioNotGranted
        return granted
