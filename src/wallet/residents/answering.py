"""A resident scans a venue's code, sees who asks for what and why, and consents or declines."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import CertificateId, PersonId, UseId
from notifications.outbox import Outbox
from wallet import queries
from wallet.asks import Ask, AskState
from wallet.catalogue import Catalogue
from wallet.errors import (
    AskClosed,
    AskExpired,
    AskNotFound,
    CertificateNotFound,
    CertificateNotGood,
    KindNotInScenario,
    ScenarioNotFound,
    ScenarioNotGranted,
)
from wallet.model import Certificate, Outcome, Route, Scenario, Use, how_it_stands, today_in_city
from wallet.online_code import Texts
from wallet.residents.holding import list_certificates
from wallet.residents.showing import chosen_fields
from wallet.seals import Seals
from wallet.telling import shown_notice
from wallet.venues.asking import ask_id_of


class Looked(Struct, frozen=True):
    """An ask as the resident sees it before answering, with their certificates that fit."""

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
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._outbox = outbox
        self._catalogue = catalogue

    async def look(self, person_id: PersonId, text: str) -> Looked:
        """Who asks for what, why, and which of one's certificates would answer. Tells the venue nothing.

        Raises AskNotFound, AskExpired, AskClosed, ScenarioNotFound, ScenarioNotGranted.
        """
        now = self._clock.now()
        async with self._db.connection() as conn:
            ask = self._open(await queries.select_ask(conn, ask_id_of(self._hash_of(text))), now)
        held = await list_certificates(self._db, self._seals, person_id)
        today = today_in_city(now)
        fitting = [
            certificate
            for certificate in held
            if certificate.standing.kind_code in ask.kind_codes
            and how_it_stands(certificate.standing, today=today) is Outcome.VALID
        ]
        return Looked(ask, self._scenario_of(ask), fitting)

    async def consent(
        self, person_id: PersonId, text: str, certificate_id: CertificateId, fields: Sequence[str]
    ) -> Use:
        """Let the asking venue see these fields of one's certificate, each of which its scenario must still see.

        They are named by who consents, so that a scenario widened after the look gives no more than was seen. The
        answer, the record in the ledger and the notice commit together. Consenting again with the same certificate
        returns the same record. Raises AskNotFound, AskExpired, AskClosed, CertificateNotFound, CertificateNotGood,
        KindNotInScenario, FieldNotInScenario, ScenarioNotFound, ScenarioNotGranted.
        """
        now = self._clock.now()
        code_hash = self._hash_of(text)
        async with self._db.transaction() as conn:
            ask = await queries.lock_ask(conn, ask_id_of(code_hash))
            if ask is not None and ask.is_answered_with(person_id, certificate_id):
                return (await queries.select_uses(conn, [(person_id, code_hash)]))[code_hash]
            ask = self._open(ask, now)
            use = await self._use_of(conn, ask, person_id, certificate_id, fields, now)
            await queries.insert_uses(conn, [use])
            await queries.answer_ask(conn, ask.ask_id, use)
            catalogue = self._catalogue()
            notice = shown_notice(use, catalogue.kinds[use.kind_code], catalogue.venues[use.venue_id])
            await self._outbox.owe_many(conn, [notice], now=now)
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
        self,
        conn: Connection,
        ask: Ask,
        person_id: PersonId,
        certificate_id: CertificateId,
        fields: Sequence[str],
        now: datetime,
    ) -> Use:
        row = await queries.select_certificate(conn, person_id, certificate_id)
        if row is None:
            raise CertificateNotFound
        certificate = self._seals.open_certificate(row)
        stands = how_it_stands(certificate.standing, today=today_in_city(now))
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        if row.kind_code not in ask.kind_codes:
            raise KindNotInScenario
        chosen = chosen_fields(self._scenario_of(ask), row.kind_code, fields)
        return Use(
            person_id,
            ask.code_hash,
            now,
            UseId(ask.ask_id),
            ask.device_id,
            ask.venue_id,
            ask.scenario_code,
            ask.scenario_edition,
            certificate_id,
            row.kind_code,
            Route.ASK,
            Outcome.VALID,
            tuple(certificate.attributes.picked(chosen)),
        )

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

    def _scenario_of(self, ask: Ask) -> Scenario:
        """The scenario of an ask whose venue still has it. Raises ScenarioNotFound, ScenarioNotGranted."""
        catalogue = self._catalogue()
        scenario, venue = catalogue.scenarios.get(ask.scenario_code), catalogue.venues.get(ask.venue_id)
        if scenario is None:
            raise ScenarioNotFound
        if venue is None or ask.scenario_code not in venue.scenario_codes:
            raise ScenarioNotGranted
        return scenario
