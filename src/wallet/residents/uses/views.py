"""Uses as residents see them."""

import base64
from datetime import datetime
from uuid import UUID

import msgspec

from wallet.catalogue import Catalogue
from wallet.mandates import Basis
from wallet.model import Route, Use, Words
from wallet.proofs.model import CHECK_NAME, CHECK_PURPOSE, LOOKER
from wallet.residents.uses.listing import Listed, Page
from wallet.residents.views import FieldView


class ActedView(msgspec.Struct):
    """That somebody acted for somebody: under which mandate, on what that rests, and the other side's masked name.

    `other` is who showed your certificate; in the list of what you showed as an agent, for whom you showed it.
    """

    mandate_id: UUID
    basis: Basis
    other: str


class UseView(msgspec.Struct):
    """One record of the ledger.

    `route`: an online or an offline code was scanned, an ask was answered, or a printed proof was checked. `look`
    names the record; `acted` tells who showed it where that was not its holder.
    """

    look: str
    used_at: datetime
    venue_id: UUID
    venue_zh: str
    venue_en: str
    scenario_code: str
    scenario_zh: str
    scenario_en: str
    purpose_zh: str
    purpose_en: str
    certificate_id: UUID
    kind_code: str
    kind_zh: str
    kind_en: str
    route: str
    outcome: str
    fields: list[FieldView]
    flags: list[str]
    recorded_at: datetime | None
    acted: ActedView | None

    @classmethod
    def of(cls, catalogue: Catalogue, listed: Listed) -> "UseView":
        use, mandate = listed.use, listed.mandate
        kind = catalogue.kind_name(use.kind_code)
        venue, scenario, purpose = _looked(catalogue, use)
        return cls(
            look=look_of(use.code_hash),
            used_at=use.used_at,
            venue_id=use.venue_id,
            venue_zh=venue.zh,
            venue_en=venue.en,
            scenario_code=use.scenario_code,
            scenario_zh=scenario.zh,
            scenario_en=scenario.en,
            purpose_zh=purpose.zh,
            purpose_en=purpose.en,
            certificate_id=use.certificate_id,
            kind_code=use.kind_code,
            kind_zh=kind.zh,
            kind_en=kind.en,
            route=use.route.value,
            outcome=use.outcome.value,
            fields=[FieldView.of(catalogue.kinds.get(use.kind_code), name) for name in use.fields],
            flags=[flag.value for flag in use.flags],
            recorded_at=use.recorded_at,
            acted=None if mandate is None else ActedView(mandate.mandate_id, mandate.basis, listed.other or ""),
        )


def _looked(catalogue: Catalogue, use: Use) -> tuple[Words, Words, Words]:
    """Who looked, under which scenario, and what people were told that is for."""
    if use.route is Route.PAPER:
        return LOOKER, CHECK_NAME, CHECK_PURPOSE
    return catalogue.venue_name(use.venue_id), catalogue.scenario_name(use.scenario_code), catalogue.purpose_of(use)


class UsesView(msgspec.Struct):
    """Uses, newest first. `next_cursor` leads to older ones; null: there are none."""

    uses: list[UseView]
    next_cursor: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, page: Page) -> "UsesView":
        return cls([UseView.of(catalogue, listed) for listed in page.uses], page.next_cursor)


def look_of(code_hash: bytes) -> str:
    """How people name a record: the hash of its look in base64url."""
    return base64.urlsafe_b64encode(code_hash).decode().rstrip("=")
