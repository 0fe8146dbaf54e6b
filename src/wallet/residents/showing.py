"""A resident shows a certificate: a code that is good once, for a minute, for one scenario and the fields chosen."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from kernel.reading import ReadTogether
from kernel.redis import Redis
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.errors import (
    CertificateNotFound,
    CertificateNotGood,
    FieldNotInScenario,
    KindNotInScenario,
    ScenarioNotFound,
)
from wallet.model import (
    ACCEPTED_AFTER_SHOWN,
    BINDING_KEPT_FOR,
    OpenedCode,
    Outcome,
    Scenario,
    Standing,
    how_it_stands,
    today_in_city,
)
from wallet.online_code import Texts
from wallet.queries import Key
from wallet.seals import Seals, place_of

READ_TOGETHER_MAX = 256
_KEPT_SECONDS = int(BINDING_KEPT_FOR.total_seconds())


class ShownCode(Struct, frozen=True):
    """The text to draw, until when to draw it, and until when a scan is still accepted."""

    text: str
    shown_until: datetime
    accepted_until: datetime


class Minter:
    """Mints online codes. Minting again is free: an unused code costs nobody anything."""

    def __init__(
        self,
        db: Database,
        redis: Redis,
        clock: Clock,
        seals: Seals,
        texts: Texts,
        catalogue: Callable[[], Catalogue],
        *,
        shown_for: timedelta,
    ) -> None:
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
    ) -> ShownCode:
        """A fresh code for one's own certificate. `fields` None shows all that the scenario allows.

        What the code is bound to is filed under its hash alone, sealed. Raises ScenarioNotFound, CertificateNotFound,
        CertificateNotGood, KindNotInScenario, FieldNotInScenario, and RedisAway.
        """
        scenario = self._catalogue().scenarios.get(scenario_code)
        if scenario is None:
            raise ScenarioNotFound
        standing = await self._standings.get((person_id, certificate_id))
        if standing is None:
            raise CertificateNotFound
        now = self._clock.now()
        stands = how_it_stands(standing, today=today_in_city(now))
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        chosen = chosen_fields(scenario, standing.kind_code, fields)
        code = self._texts.fresh()
        bound = OpenedCode(certificate_id, person_id, standing.kind_code, scenario_code, chosen, now)
        sealed = self._seals.binding(bound, code.code_hash)
        await self._redis.set(place_of(code.code_hash), sealed, lifetime_seconds=_KEPT_SECONDS)
        return ShownCode(code.text, now + self._shown_for, now + self._accepted_for)

    async def _read(self, keys: list[Key]) -> dict[Key, Standing]:
        async with self._db.connection() as conn:
            return await queries.select_standings(conn, keys)


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
