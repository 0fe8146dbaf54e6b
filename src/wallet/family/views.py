"""Mandates as their two sides and departments see them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from wallet.catalogue import Catalogue
from wallet.family.looking import Seen
from wallet.mandates import Basis, Mandate
from wallet.model import Words


class MandateState(StrEnum):
    """How a mandate stands; all but `ended` is told from its times."""

    PENDING = "pending"
    STANDING = "standing"
    EXPIRED = "expired"
    ENDED = "ended"


def state_of(mandate: Mandate, now: datetime) -> MandateState:
    if mandate.revoked_at is not None:
        return MandateState.ENDED
    if now < mandate.starts_at:
        return MandateState.PENDING
    return MandateState.STANDING if now < mandate.expires_at else MandateState.EXPIRED


class NamedView(msgspec.Struct):
    """A kind or a scenario by its code and its names."""

    code: str
    name_zh: str
    name_en: str


class MandateView(msgspec.Struct):
    """A mandate as you see it. `other` is the masked name of the other side: who may act for you, or for whom you may.

    `kinds` and `scenarios` null: any. `basis` says whether it was given or is a registered guardianship, which
    `registered_by_zh` and `_en` name the office of. `may_book`: the agent may also see, make, move and cancel the
    holder's bookings.
    """

    mandate_id: UUID
    other: str
    basis: Basis
    state: MandateState
    kinds: list[NamedView] | None
    scenarios: list[NamedView] | None
    may_book: bool
    starts_at: datetime
    expires_at: datetime
    made_at: datetime
    ended_at: datetime | None
    registered_by_zh: str | None
    registered_by_en: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, seen: Seen, now: datetime) -> "MandateView":
        mandate = seen.mandate
        office = None
        if mandate.basis is Basis.GUARDIAN:
            offices = {f"department:{issuer.department_id}": issuer.name for issuer in catalogue.issuers.values()}
            office = offices.get(mandate.made_by)
        return cls(
            mandate_id=mandate.mandate_id,
            other=seen.other,
            basis=mandate.basis,
            state=state_of(mandate, now),
            kinds=_named(mandate.kind_codes, catalogue.kind_name),
            scenarios=_named(mandate.scenario_codes, catalogue.scenario_name),
            may_book=mandate.may_book,
            starts_at=mandate.starts_at,
            expires_at=mandate.expires_at,
            made_at=mandate.made_at,
            ended_at=mandate.revoked_at,
            registered_by_zh=None if office is None else office.zh,
            registered_by_en=None if office is None else office.en,
        )


def _named(codes: Sequence[str] | None, name_of: Callable[[str], Words]) -> list[NamedView] | None:
    if codes is None:
        return None
    return [NamedView(code, name_of(code).zh, name_of(code).en) for code in codes]


class MandatesView(msgspec.Struct):
    """Who may act for you, and for whom you may act; newest first, ended ones too."""

    given: list[MandateView]
    held: list[MandateView]


class GuardianshipView(msgspec.Struct):
    """A guardianship as the department that registered it sees it."""

    reference: str
    state: MandateState
    starts_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, reference: str, mandate: Mandate, now: datetime) -> "GuardianshipView":
        return cls(reference, state_of(mandate, now), mandate.starts_at, mandate.expires_at, mandate.revoked_at)
