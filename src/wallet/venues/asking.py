"""A venue asks for a certificate: it shows a code, a resident scans it and consents to what is asked, or declines.

An ask is answered once. Its token is shown, never filed: the ask's id is made of the token's hash, so that whoever
scanned the token finds the ask, and whoever knows the id alone cannot answer it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import AskId
from kernel.principal import VenueDevice
from wallet import queries
from wallet.asks import Ask, AskState
from wallet.catalogue import Catalogue
from wallet.disclosing import disclosed
from wallet.errors import AskNotFound, DeviceNotRegistered, KindNotInScenario, OutsideHours, ScenarioNotGranted
from wallet.model import Device, IssuerSort, Value, today_in_city
from wallet.online_code import Texts
from wallet.seals import Seals
from wallet.venues.terms import granted_scenario, is_open, terms_of

ASKED_FOR = timedelta(minutes=5)
ASKED_FOR_MAX = timedelta(hours=12)
"""The longest a code may lie on a counter before somebody answers it: a working day."""
ANSWER_READ_FOR = timedelta(minutes=10)
"""How long the asking venue may read the answer; later it learns only that there was one."""
KIND_CODES_MAX = 50
assert ASKED_FOR < ASKED_FOR_MAX


class Asked(Struct, frozen=True):
    """A fresh ask, and the text of the code that shows it."""

    ask: Ask
    text: str


class Progress(StrEnum):
    """How far an ask has come, as its venue sees it."""

    WAITING = "waiting"
    ANSWERED = "answered"
    DECLINED = "declined"
    EXPIRED = "expired"


class Answer(Struct, frozen=True):
    """What the venue hears. Kind, fields and issuer's sort come with an answer, as long as it may be read."""

    progress: Progress
    scenario_code: str
    expires_at: datetime
    answered_at: datetime | None = None
    kind_code: str | None = None
    fields: dict[str, Value] = {}
    issuer_sort: IssuerSort | None = None


class Asker:
    """Asks in the name of a venue's device, and reads the answers for it."""

    def __init__(
        self, db: Database, clock: Clock, seals: Seals, texts: Texts, catalogue: Callable[[], Catalogue]
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._texts = texts
        self._catalogue = catalogue

    async def ask(
        self, caller: VenueDevice, scenario_code: str, kind_codes: Sequence[str] | None, lifetime: timedelta = ASKED_FOR
    ) -> Asked:
        """Ask for one certificate of any of these kinds (all of the scenario's, if None).

        Raises DeviceNotRegistered, ScenarioNotGranted, OutsideHours, KindNotInScenario.
        """
        assert lifetime <= ASKED_FOR_MAX
        now = self._clock.now()
        device = self._device(caller)
        scenario = granted_scenario(self._catalogue().scenarios.get(scenario_code), device.venue, now)
        if scenario is None:
            raise ScenarioNotGranted
        if not is_open(terms_of(device.venue, scenario_code), now):
            raise OutsideHours
        wanted = tuple(scenario.grants) if kind_codes is None else tuple(dict.fromkeys(kind_codes))
        if not wanted or not set(wanted) <= scenario.grants.keys():
            raise KindNotInScenario
        code = self._texts.fresh()
        ask = Ask(
            ask_id=ask_id_of(code.code_hash),
            code_hash=code.code_hash,
            venue_id=device.venue.venue_id,
            device_id=device.device_id,
            scenario_code=scenario_code,
            scenario_edition=scenario.edition,
            kind_codes=wanted,
            asked_at=now,
            expires_at=now + lifetime,
            state=AskState.WAITING,
        )
        async with self._db.transaction() as conn:
            await queries.insert_ask(conn, ask)
        return Asked(ask, code.text)

    def _device(self, caller: VenueDevice) -> Device:
        """The device as it is registered now. Raises DeviceNotRegistered, also for one that was withdrawn."""
        device = self._catalogue().devices.get(caller.device_id)
        if device is None or device.venue.venue_id != caller.venue_id:
            raise DeviceNotRegistered
        return device

    async def read(self, caller: VenueDevice, ask_id: AskId) -> Answer:
        """How far an ask of this venue has come. Raises DeviceNotRegistered; AskNotFound, also for another venue's."""
        self._device(caller)
        async with self._db.connection() as conn:
            ask = await queries.select_ask(conn, ask_id)
            if ask is None or ask.venue_id != caller.venue_id:
                raise AskNotFound
            now = self._clock.now()
            heard = Answer(progress_of(ask, now), ask.scenario_code, ask.expires_at, ask.answered_at)
            if ask.state is not AskState.ANSWERED or now > _read_until(ask):
                return heard
            assert ask.person_id is not None
            assert ask.certificate_id is not None
            row = await queries.select_certificate(conn, ask.person_id, ask.certificate_id)
        if row is None:
            return heard
        assert ask.answered_at is not None
        attributes, kind = self._seals.open_certificate(row).attributes, self._catalogue().kinds.get(row.kind_code)
        values = disclosed(attributes, ask.fields, kind, today_in_city(ask.answered_at))
        issuer = self._catalogue().issuers.get(row.issuer_code)
        sort = None if issuer is None else issuer.sort
        return Answer(heard.progress, ask.scenario_code, ask.expires_at, ask.answered_at, row.kind_code, values, sort)


def ask_id_of(code_hash: bytes) -> AskId:
    """The id of the ask whose token has this hash: its first half, as a UUID of version 8 (RFC 9562 §5.8)."""
    number = int.from_bytes(code_hash[:16], "big")
    return AskId(UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62))


def progress_of(ask: Ask, now: datetime) -> Progress:
    if ask.state is AskState.WAITING and now >= ask.expires_at:
        return Progress.EXPIRED
    return Progress(ask.state.value)


def _read_until(ask: Ask) -> datetime:
    assert ask.answered_at is not None
    return ask.answered_at + ANSWER_READ_FOR
