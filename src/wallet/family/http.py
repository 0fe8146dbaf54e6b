"""Mandates over HTTP: residents give, hold and end them; departments register guardianships."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, RealNameNeeded
from kernel.people import Identity
from kernel.principal import Audience, Citizen, DepartmentSystem
from kernel.problems import refuses
from wallet.errors import (
    AgentRefused,
    GuardianshipNotEntitled,
    GuardianshipNotFound,
    HolderRefused,
    KindNotFound,
    MandateEnded,
    MandateNotFound,
    MandateNotYoursToEnd,
    MandatePeriodRefused,
    MandateReused,
    MandateToOneself,
    ReferenceReused,
    ScenarioNotFound,
    TooManyMandates,
)
from wallet.family.attesting import Guardianship
from wallet.family.granting import Wish
from wallet.family.views import GuardianshipView, MandatesView, MandateView
from wallet.forms import IdNumber, KindCode, Name, ScenarioCode
from wallet.model import today_in_city
from wallet.parts import Wallet
from wallet.residents.views import WalletView

CODES_MAX = 50
Reference = Annotated[
    str,
    PathParameter(
        pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)",
        description="Your own number for it; it stands in an address, so never a person's.",
        examples=[Example(value="JH-2026-000123")],
    ),
]
Moment = Annotated[datetime, Meta(tz=True)]


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """A person by the resident identity number (GB 11643) and the name on it."""

    id_number: IdNumber
    name: Name


class MandateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whom you let show your certificates: of which kinds, under which scenarios (null: any), and for how long.

    `starts_at` null: from now on. It ends within five years. With `may_book` they may also see, make, move and cancel
    your bookings at offices; you are told of each.
    """

    agent: Named
    expires_at: Moment
    kind_codes: Annotated[list[KindCode], Meta(min_length=1, max_length=CODES_MAX)] | None = None
    scenario_codes: Annotated[list[ScenarioCode], Meta(min_length=1, max_length=CODES_MAX)] | None = None
    starts_at: Moment | None = None
    may_book: bool = False


class GuardianshipRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Who is whose guardian. It ends as the day `until` begins.

    Of a child that is the eighteenth birthday at the latest, which null means; of an adult, a day within five years.
    """

    guardian: Named
    ward: Named
    until: date | None = None


@put("/mandates/{mandate_id:uuid}", operation_id="giveMandate", summary="Let somebody show your certificates",
     responses=refuses(MalformedRequest, RealNameNeeded, KindNotFound, ScenarioNotFound, TooManyMandates, AgentRefused,
                       MandateReused, MandateToOneself, MandatePeriodRefused))  # fmt: skip
async def give_mandate(
    mandate_id: FromPath[UUID],
    data: JSONBody[MandateRequest],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> MandateView:
    """They can from the moment it begins until it ends or you end it; every showing is in your ledger, and told to you.

    You choose the id: the same request again gives the same mandate. Only who has both the number and the name can act,
    once it is known that the name is theirs: whoever is new here, from when they sign in under it. You are not told
    whether there is somebody.
    """
    wish = Wish(
        agent=Identity(data.agent.id_number, data.agent.name),
        kind_codes=None if data.kind_codes is None else tuple(dict.fromkeys(data.kind_codes)),
        scenario_codes=None if data.scenario_codes is None else tuple(dict.fromkeys(data.scenario_codes)),
        starts_at=data.starts_at,
        expires_at=data.expires_at,
        may_book=data.may_book,
    )
    filed = await wallet.granting.grant(citizen.person_id, mandate_id, wish)
    return MandateView.of(wallet.catalogue(), wallet.mandates.as_holder(filed), wallet.clock.now())


@get("/mandates", operation_id="listMandates", summary="Who may act for you, and for whom you may act",
     responses=refuses(RealNameNeeded))  # fmt: skip
async def list_mandates(citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]) -> MandatesView:
    """Given and held, newest first, ended ones too."""
    catalogue, now = wallet.catalogue(), wallet.clock.now()
    given = await wallet.mandates.given(citizen.person_id)
    held = await wallet.mandates.held(citizen.person_id)
    return MandatesView(
        [MandateView.of(catalogue, seen, now) for seen in given],
        [MandateView.of(catalogue, seen, now) for seen in held],
    )


@post("/mandates/{mandate_id:uuid}/revoke", operation_id="revokeMandate", summary="End a mandate at once",
      status_code=200,
      responses=refuses(MalformedRequest, RealNameNeeded, MandateNotYoursToEnd, MandateNotFound))  # fmt: skip
async def revoke_mandate(
    mandate_id: FromPath[UUID], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> MandateView:
    """One you gave or one you hold. The very next showing and the very next scan under it are refused.

    A ward cannot end a guardianship; the guardian can, and the department that registered it.
    """
    filed = await wallet.ending.revoke(citizen.person_id, mandate_id)
    seen = await wallet.mandates.as_seen_by(citizen.person_id, filed)
    return MandateView.of(wallet.catalogue(), seen, wallet.clock.now())


@get("/mandates/{mandate_id:uuid}/certificates", operation_id="listMandateCertificates",
     summary="What you may show for somebody",
     responses=refuses(MalformedRequest, RealNameNeeded, MandateNotFound, MandateEnded))  # fmt: skip
async def list_mandate_certificates(
    mandate_id: FromPath[UUID], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> WalletView:
    """The certificates that a mandate you hold covers, masked as in a wallet's list."""
    held = await wallet.mandates.certificates(citizen.person_id, mandate_id)
    return WalletView.of(wallet.catalogue(), held, today_in_city(wallet.clock.now()))


@put("/guardianships/{reference:str}", operation_id="putGuardianship", summary="Register a guardianship",
     responses=refuses(MalformedRequest, GuardianshipNotEntitled, AgentRefused, HolderRefused, MandateToOneself,
                       MandatePeriodRefused, ReferenceReused))  # fmt: skip
async def put_guardianship(
    reference: Reference,
    data: JSONBody[GuardianshipRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> GuardianshipView:
    """The guardian may show all certificates of the ward, and both are told.

    For departments that issue a kind which proves guardianship. `reference` is your own number, never one of a
    person's; the same request again changes nothing.
    """
    told = Guardianship(
        Identity(data.guardian.id_number, data.guardian.name), Identity(data.ward.id_number, data.ward.name), data.until
    )
    filed = await wallet.attesting.register(department.department_id, reference, told)
    return GuardianshipView.of(reference, filed.mandate, wallet.clock.now())


@post("/guardianships/{reference:str}/end", operation_id="endGuardianship", summary="End a guardianship",
      status_code=200, responses=refuses(MalformedRequest, GuardianshipNotFound))  # fmt: skip
async def end_guardianship(
    reference: Reference,
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> GuardianshipView:
    """The guardian may show nothing of the ward's any more, from the very next scan on. Both are told."""
    filed = await wallet.attesting.end(department.department_id, reference)
    return GuardianshipView.of(reference, filed.mandate, wallet.clock.now())


_RESIDENTS = [give_mandate, list_mandates, revoke_mandate, list_mandate_certificates]
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENTS,
    Audience.MINI: _RESIDENTS,
    Audience.DEPARTMENT: [put_guardianship, end_guardianship],
}
