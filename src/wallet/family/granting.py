"""Somebody lets another person show their certificates: which, where and until when."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import PersonId
from kernel.people import Identity, People
from notifications import templates
from notifications.outbox import Outbox, Owed, ToNobody
from wallet.catalogue import Catalogue
from wallet.departments.issue_policy import is_id_number
from wallet.errors import (
    AgentRefused,
    KindNotFound,
    MandateReused,
    MandateToOneself,
    ScenarioNotFound,
    TooManyMandates,
)
from wallet.family import queries
from wallet.family.acting import Acting
from wallet.family.periods import granted_period
from wallet.family.queries import Filed
from wallet.mandates import Basis, Mandate
from wallet.seals import Seals

STANDING_MAX = 50
"""How many mandates of one person can stand at once."""
GIVEN_A_DAY_MAX = 100
"""How many can be made of one person in a day: each is told to somebody else."""
A_DAY = timedelta(days=1)
assert STANDING_MAX < GIVEN_A_DAY_MAX


class Wish(Struct, frozen=True, kw_only=True):
    """What the holder wants. Codes None: any; `starts_at` None: now."""

    agent: Identity
    kind_codes: tuple[str, ...] | None
    scenario_codes: tuple[str, ...] | None
    starts_at: datetime | None
    expires_at: datetime
    may_book: bool = False


class Granting:
    """Makes mandates."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        people: People,
        outbox: Outbox,
        acting: Acting,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._outbox = outbox
        self._acting = acting
        self._catalogue = catalogue

    async def grant(self, holder: PersonId, mandate_id: UUID, wish: Wish) -> Filed:
        """Let the agent show the holder's certificates; both are told. The same wish again changes nothing.

        Nobody learns whether the agent is known: they are filed either way, and only who has both the number and the
        name can act. What the holder calls them names nobody: to whom no name is known the mandate waits, told to
        nobody, until a department or a real-name check gives them that name. Raises AgentRefused, MandateReused,
        MandateToOneself, MandatePeriodRefused, TooManyMandates, KindNotFound, ScenarioNotFound.
        """
        now = self._clock.now()
        if not is_id_number(wish.agent.id_number):
            raise AgentRefused
        async with self._db.transaction() as conn:
            await self._people.hold(conn, holder)  # one at a time, or those counted below would not be all
            agent = await self._people.mint_unnamed(conn, wish.agent.id_number, now=now)
            known = (await queries.select_mandates(conn, [(holder, mandate_id)])).get((holder, mandate_id))
            if known is not None:
                return self._same(known, wish, agent)
            filed = self._filed(holder, mandate_id, agent, wish, now)
            if not await queries.insert_mandate(conn, filed):  # somebody was faster with this id
                known = (await queries.select_mandates(conn, [(holder, mandate_id)]))[holder, mandate_id]
                return self._same(known, wish, agent)
            standing, today = await queries.count_mandates(conn, holder, since=now - A_DAY, now=now)
            if standing > STANDING_MAX or today > GIVEN_A_DAY_MAX:
                raise TooManyMandates
            await self.begin(conn, filed)
        return filed

    async def begin(self, conn: Connection, filed: Filed) -> None:
        """File with the agent what was filed with the holder, record it, and tell both. Raises MandateReused."""
        mandate = filed.mandate
        holder, mandate_id, now = mandate.person_id, mandate.mandate_id, mandate.made_at
        if not await queries.insert_mandate_held(conn, mandate):
            raise MandateReused
        actor, subject = mandate.made_by, f"mandate:{mandate_id}"
        detail: dict[str, str | int | bool] = {"basis": mandate.basis.value}
        await audit.record(conn, actor=actor, act="wallet.give_mandate", subject=subject, now=now, detail=detail)
        between = await self._acting.between(conn, filed)
        agent = mandate.agent_person_id if await self._acting.is_meant(conn, filed) else ToNobody()
        key = f"mandate:{holder}:{mandate_id}"
        values = {
            "until": in_shanghai(mandate.expires_at).date().isoformat(),
            "basis": mandate.basis.value,
            "covers": "show_and_book" if mandate.may_book else "show",
        }
        given, received = templates.MANDATE_GIVEN, templates.MANDATE_RECEIVED
        told = [
            (f"{key}:given", holder, given, between.agent),
            (f"{key}:received", agent, received, between.holder),
        ]
        owed = [
            Owed(caller="wallet", key=key, to=to, template=template, values={**values, "other": other}, due_at=now)
            for key, to, template, other in told
        ]
        await self._outbox.owe_many(conn, owed, now=now)

    def _filed(self, holder: PersonId, mandate_id: UUID, agent: PersonId, wish: Wish, now: datetime) -> Filed:
        """A new mandate. Raises MandateToOneself, MandatePeriodRefused, KindNotFound, ScenarioNotFound."""
        if agent == holder:
            raise MandateToOneself
        catalogue = self._catalogue()
        if not set(wish.kind_codes or ()) <= catalogue.kinds.keys():
            raise KindNotFound
        if not set(wish.scenario_codes or ()) <= catalogue.scenarios.keys():
            raise ScenarioNotFound
        period = granted_period(wish.starts_at, wish.expires_at, now=now)
        mandate = Mandate(
            person_id=holder,
            mandate_id=mandate_id,
            agent_person_id=agent,
            basis=Basis.GRANTED,
            kind_codes=wish.kind_codes,
            scenario_codes=wish.scenario_codes,
            starts_at=period.starts_at,
            expires_at=period.expires_at,
            made_at=now,
            made_by=f"person:{holder}",
            may_book=wish.may_book,
        )
        return Filed(mandate, self._seals.agent_name(holder, mandate_id, wish.agent.name))

    def _same(self, filed: Filed, wish: Wish, agent: PersonId) -> Filed:
        """What was filed, if it is what is wished for. Raises MandateReused."""
        mandate = filed.mandate
        asked = (agent, wish.agent.name, wish.kind_codes, wish.scenario_codes, wish.expires_at, wish.may_book)
        stands = (
            mandate.agent_person_id, self._acting.agent_name(filed), mandate.kind_codes, mandate.scenario_codes,
            mandate.expires_at, mandate.may_book,
        )  # fmt: skip
        if (
            asked != stands
            or (wish.starts_at or mandate.made_at) != mandate.starts_at
            or mandate.basis is not Basis.GRANTED
        ):
            raise MandateReused
        return filed
