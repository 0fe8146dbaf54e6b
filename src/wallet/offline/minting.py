"""A resident shows certificates where there is no network: a live code, or codes fetched ahead for a phone without one.

An offline code carries what it shows, signed by the city; it shows no more than its scenario allows, and a venue can
judge it alone. A live code is good for five minutes. A pre-issued one is good for up to 72 hours, once, and only in the
hands of the phone whose one-time key it names.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import PersonId
from suishenban_verify import offline_code
from suishenban_verify.claim_set import (
    CERTIFICATES_MAX,
    CTI_BYTES,
    LIVE_SECONDS_MAX,
    PREISSUED_SECONDS_MAX,
    Claims,
    Shown,
    StatusRef,
)
from suishenban_verify.offline_code import NotACode, TooLong
from suishenban_verify.signatures import NotAKey, PublicKey, Signer, b64url, public_key
from wallet.catalogue import Catalogue
from wallet.disclosing import disclosed
from wallet.errors import (
    CertificateNamedTwice,
    CertificateNotFound,
    CertificateNotGood,
    MandateDoesNotCover,
    MandateEnded,
    ScenarioNotFound,
)
from wallet.family.acting import Acting
from wallet.mandates import Mandate
from wallet.model import Outcome, Scenario, Standing, State, how_it_stands, today_in_city
from wallet.offline import queries
from wallet.offline.binding import Bindings, Bound
from wallet.offline.errors import HolderKeyRefused, KindNotOffline, OfflineCodeTooLong
from wallet.offline.queries import OfflineRow
from wallet.residents.showing import Chosen, chosen_fields
from wallet.seals import Seals
from wallet.status.placing import Placing

_SECOND = timedelta(seconds=1)
LIVE_FOR = timedelta(seconds=LIVE_SECONDS_MAX)
PREISSUED_FOR_MAX = timedelta(seconds=PREISSUED_SECONDS_MAX)
PREISSUED_TOGETHER_MAX = 20
"""Codes of one batch, each with a key of its own: more than anybody shows in three days without network."""


class Showing(Struct, frozen=True):
    """Whose certificates are shown, which, under which scenario; and who acts for the person, by which mandate."""

    person_id: PersonId
    scenario_code: str
    choices: tuple[Chosen, ...]
    mandate_id: UUID | None = None
    agent_person_id: PersonId | None = None
    mandate: Mandate | None = None


class OfflineCode(Struct, frozen=True):
    """The text to draw, and until when it is good."""

    text: str
    expires_at: datetime


class PreIssued(Struct, frozen=True):
    """A code for a phone to keep: `cwt` in base64url, to which the phone adds its signature when it shows it."""

    cwt: str
    key_thumbprint: str
    expires_at: datetime


class OfflineMinter:
    """Makes offline codes in the name of the city at `origin`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        acting: Acting,
        bindings: Bindings,
        placing: Placing,
        catalogue: Callable[[], Catalogue],
        signer: Callable[[], Signer],
        list_uri: Callable[[int], str],
        *,
        origin: str,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._acting = acting
        self._bindings = bindings
        self._placing = placing
        self._catalogue = catalogue
        self._signer = signer
        self._list_uri = list_uri
        self._origin = origin

    async def showing(
        self, caller: PersonId, scenario_code: str, choices: tuple[Chosen, ...], mandate_id: UUID | None
    ) -> Showing:
        """What somebody wants to show: their own, or under a mandate what its giver let them.

        Raises MandateNotFound, MandateEnded.
        """
        if mandate_id is None:
            return Showing(caller, scenario_code, choices)
        mandate = await self._acting.mandate_of(caller, mandate_id, now=self._clock.now())
        return Showing(mandate.person_id, scenario_code, choices, mandate_id, caller, mandate)

    async def live(self, showing: Showing) -> OfflineCode:
        """A code that any venue can check by itself in the next five minutes.

        Raises ScenarioNotFound, CertificateNotFound, CertificateNotGood, KindNotOffline, KindNotInScenario,
        FieldNotInScenario, OfflineCodeTooLong, MandateDoesNotCover, MandateEnded.
        """
        now = self._clock.now()
        shown = await self._shown(showing, now)
        lifetime = _within_mandate(showing, now, LIVE_FOR)
        code = self._signed(showing, shown, now, lifetime, None)
        try:
            return OfflineCode(offline_code.text_of(code), _second(now) + lifetime)
        except TooLong:
            raise OfflineCodeTooLong from None

    async def pre_issue(
        self, showing: Showing, holder_keys: Sequence[Mapping[str, Any]], lifetime: timedelta
    ) -> list[PreIssued]:
        """A code for each of the phone's one-time keys (JWK), good for `lifetime`; no longer than the mandate stands.

        Raises what `live` raises, and HolderKeyRefused for what is no public key, or one named twice.
        """
        assert lifetime <= PREISSUED_FOR_MAX
        holders = [_holder_key(jwk) for jwk in holder_keys]
        if len({holder.short_id for holder in holders}) < len(holders):
            raise HolderKeyRefused("each code needs a key of its own")
        now = self._clock.now()
        shown = await self._shown(showing, now)
        lifetime = _within_mandate(showing, now, lifetime)
        expires_at = _second(now) + lifetime
        codes = []
        for holder in holders:
            code = self._signed(showing, shown, now, lifetime, holder)
            _check_room(code)
            codes.append(PreIssued(b64url(code), holder.key_id, expires_at))
        return codes

    def _signed(
        self,
        showing: Showing,
        shown: tuple[Shown, ...],
        now: datetime,
        lifetime: timedelta,
        holder: PublicKey | None,
    ) -> bytes:
        cti = secrets.token_bytes(CTI_BYTES)
        certificate_ids = tuple([choice.certificate_id for choice in showing.choices])
        bound = Bound(showing.person_id, certificate_ids, showing.mandate_id, showing.agent_person_id)
        claims = Claims(
            issuer=self._origin,
            issued_at=int(now.timestamp()),
            expires_at=int(now.timestamp()) + int(lifetime.total_seconds()),
            cti=cti,
            scenario_code=showing.scenario_code,
            certificates=shown,
            binding=self._bindings.seal(bound, cti),
            holder=holder,
        )
        try:
            return offline_code.sign(claims, self._signer())
        except NotACode:  # a text of more bytes, or more fields, than a code holds
            raise OfflineCodeTooLong from None

    async def _shown(self, showing: Showing, now: datetime) -> tuple[Shown, ...]:
        """What each certificate shows, if all of them may be shown now."""
        assert 1 <= len(showing.choices) <= CERTIFICATES_MAX
        scenario = self._catalogue().scenarios.get(showing.scenario_code)
        if scenario is None:
            raise ScenarioNotFound
        wanted = [choice.certificate_id for choice in showing.choices]
        async with self._db.connection() as conn:
            found = await queries.select_to_show(conn, showing.person_id, wanted)
        if len(set(wanted)) < len(wanted):
            raise CertificateNamedTwice
        if len(found) < len(wanted):
            raise CertificateNotFound
        kind_codes = [row.kind_code for row in found.values()]
        if showing.mandate is not None and not showing.mandate.covers(kind_codes, showing.scenario_code):
            raise MandateDoesNotCover
        return tuple(
            [
                await self._one_shown(showing.person_id, found[choice.certificate_id], choice, scenario, now)
                for choice in showing.choices
            ]
        )

    async def _one_shown(
        self, person_id: PersonId, row: OfflineRow, choice: Chosen, scenario: Scenario, now: datetime
    ) -> Shown:
        today = today_in_city(now)
        standing = Standing(row.kind_code, State(row.state), row.valid_from, row.valid_until)
        stands = how_it_stands(standing, today=today)
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        kind = self._catalogue().kinds.get(row.kind_code)
        if kind is None or not kind.is_offline:
            raise KindNotOffline
        chosen = chosen_fields(scenario, row.kind_code, choice.fields)
        attributes = self._seals.open_attributes(person_id, row.certificate_id, row.attributes)
        held = (row.status_list, row.status_index)
        place = await self._placing.place_of(person_id, row.certificate_id, held, now=now)
        return Shown(
            kind_code=row.kind_code,
            issuer_code=row.issuer_code,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            fields=disclosed(attributes, chosen, kind, today),
            status=StatusRef(self._list_uri(place.list_id), place.idx),
        )


def _within_mandate(showing: Showing, now: datetime, lifetime: timedelta) -> timedelta:
    """How long a code lives: where somebody acts for the person, not beyond the mandate. Raises MandateEnded."""
    if showing.mandate is None:
        return lifetime
    left = timedelta(seconds=(showing.mandate.expires_at - _second(now)) // _SECOND)
    if left < _SECOND:
        raise MandateEnded
    return min(lifetime, left)


def _holder_key(jwk: Mapping[str, Any]) -> PublicKey:
    try:
        return public_key({name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk} | {"low_s": True})
    except NotAKey as problem:
        raise HolderKeyRefused(str(problem)) from None


def _check_room(code: bytes) -> None:
    """Raises OfflineCodeTooLong where no room is left for the phone's own signature."""
    if len(code) > offline_code.CWT_PRESENTED_MAX:
        raise OfflineCodeTooLong


def _second(now: datetime) -> datetime:
    return now.replace(microsecond=0)
