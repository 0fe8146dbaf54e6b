"""A resident shows certificates: a code that is good once, for a minute, for one scenario and the fields chosen.

One's own, or under a mandate those of somebody else; one, or several that are good together or not at all.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from kernel.reading import ReadTogether
from kernel.redis import Redis
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.errors import (
    CertificateNamedTwice,
    CertificateNotFound,
    CertificateNotGood,
    FieldNotInScenario,
    KindNotInScenario,
    MandateDoesNotCover,
    ScenarioNotFound,
)
from wallet.family.acting import Acting
from wallet.model import (
    ACCEPTED_AFTER_SHOWN,
    BINDING_KEPT_FOR,
    OpenedCode,
    Outcome,
    Scenario,
    ShownBeside,
    Standing,
    how_it_stands,
    today_in_city,
)
from wallet.online_code import Texts
from wallet.queries import Key
from wallet.seals import Seals, place_of

READ_TOGETHER_MAX = 256
PRESENTED_MAX = 5
"""Certificates that one code shows: an identity card, and the tickets and permits that go with it."""
_KEPT_SECONDS = int(BINDING_KEPT_FOR.total_seconds())


class ShownCode(Struct, frozen=True):
    """The text to draw, until when to draw it, and until when a scan is still accepted."""

    text: str
    shown_until: datetime
    accepted_until: datetime


class Chosen(Struct, frozen=True):
    """A certificate to show, and what of it; None: all that the scenario allows."""

    certificate_id: CertificateId
    fields: Sequence[str] | None = None


class Minter:
    """Mints online codes. Minting again is free: an unused code costs nobody anything."""

    def __init__(
        self,
        db: Database,
        redis: Redis,
        clock: Clock,
        seals: Seals,
        texts: Texts,
        acting: Acting,
        catalogue: Callable[[], Catalogue],
        *,
        shown_for: timedelta,
    ) -> None:
        self._acting = acting
        self._redis = redis
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._catalogue = catalogue
        self._shown_for = shown_for
        self._accepted_for = shown_for + ACCEPTED_AFTER_SHOWN
        self._db = db
        self._standings: ReadTogether[Key, Standing] = ReadTogether(self._read, size_max=READ_TOGETHER_MAX)

    async def mint(
        self,
        person_id: PersonId,
        certificate_id: CertificateId,
        scenario_code: str,
        fields: Sequence[str] | None,
        mandate_id: UUID | None = None,
    ) -> ShownCode:
        """A fresh code for one certificate. `fields` None shows all that the scenario allows.

        Raises what `present` raises.
        """
        return await self.present(person_id, scenario_code, (Chosen(certificate_id, fields),), mandate_id)

    async def present(
        self, person_id: PersonId, scenario_code: str, chosen: Sequence[Chosen], mandate_id: UUID | None = None
    ) -> ShownCode:
        """A fresh code for certificates of one's own, or of the one who gave this mandate.

        What the code is bound to is filed under its hash alone, sealed. Raises ScenarioNotFound, CertificateNotFound,
        CertificateNotGood, KindNotInScenario, FieldNotInScenario, CertificateNamedTwice, MandateNotFound, MandateEnded,
        MandateDoesNotCover, and RedisAway.
        """
        assert 1 <= len(chosen) <= PRESENTED_MAX
        scenario = self._catalogue().scenarios.get(scenario_code)
        if scenario is None:
            raise ScenarioNotFound
        if len(chosen) > 1 and len({one.certificate_id for one in chosen}) < len(chosen):
            raise CertificateNamedTwice
        mandate, agent = None, None
        if mandate_id is not None:
            mandate = await self._acting.mandate_of(person_id, mandate_id, now=self._clock.now())
            person_id, agent = mandate.person_id, person_id
        if len(chosen) == 1:
            standings = [await self._standings.get((person_id, chosen[0].certificate_id))]
        else:
            standings = await asyncio.gather(*(self._standings.get((person_id, one.certificate_id)) for one in chosen))
        if mandate is not None and not mandate.covers([one.kind_code for one in standings if one], scenario_code):
            raise MandateDoesNotCover
        now = self._clock.now()
        today = today_in_city(now)
        first, *beside = [
            _shown(scenario, one, standing, today) for one, standing in zip(chosen, standings, strict=True)
        ]
        code = self._texts.fresh()
        bound = OpenedCode(
            first.certificate_id, person_id, first.kind_code, scenario_code, first.fields, now,
            mandate_id, agent, tuple(beside),
        )  # fmt: skip
        sealed = self._seals.binding(bound, code.code_hash)
        await self._redis.set(place_of(code.code_hash), sealed, lifetime_seconds=_KEPT_SECONDS)
        return ShownCode(code.text, now + self._shown_for, now + self._accepted_for)

    async def _read(self, keys: list[Key]) -> dict[Key, Standing]:
        async with self._db.connection() as conn:
            return await queries.select_standings(conn, keys)


def _shown(scenario: Scenario, chosen: Chosen, standing: Standing | None, today: date) -> ShownBeside:
    """A certificate as a code shows it.

    Raises CertificateNotFound, CertificateNotGood, KindNotInScenario, FieldNotInScenario.
    """
    if standing is None:
        raise CertificateNotFound
    stands = how_it_stands(standing, today=today)
    if stands is not Outcome.VALID:
        raise CertificateNotGood(state=stands.value)
    fields = chosen_fields(scenario, standing.kind_code, chosen.fields)
    return ShownBeside(chosen.certificate_id, standing.kind_code, fields)


def chosen_fields(scenario: Scenario, kind_code: str, fields: Sequence[str] | None) -> tuple[str, ...]:
    """What is shown of a kind under a scenario: all it allows, or what was chosen of that, in the scenario's order.

    Raises KindNotInScenario, FieldNotInScenario.
    """
    allowed = scenario.grants.get(kind_code)
    if allowed is None:
        raise KindNotInScenario
    if fields is None:
        return allowed
    wanted = set(fields)
    if not wanted.issubset(allowed):
        raise FieldNotInScenario
    return tuple(name for name in allowed if name in wanted)
