"""What residents do with their certificates, over HTTP: in the app under /resident, in the mini-program under /mini."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, unless_known
from kernel.errors import MalformedRequest, NotAcceptable, PartAway, RealNameNeeded
from kernel.ids import CertificateId
from kernel.principal import Audience, Citizen, Resident
from kernel.problems import refuses
from wallet.errors import (
    AskClosed,
    AskExpired,
    AskNotFound,
    CertificateNamedTwice,
    CertificateNotFound,
    CertificateNotGood,
    FieldNotInScenario,
    KindNotInScenario,
    MandateDoesNotCover,
    MandateEnded,
    MandateNotFound,
    OutsideHours,
    OverQuota,
    ScenarioNotFound,
    ScenarioNotGranted,
)
from wallet.forms import KIND_CODE, FieldName, ScenarioCode
from wallet.model import today_in_city
from wallet.online_code import TEXT_MAX
from wallet.parts import Wallet
from wallet.residents.codes.http import CodeOperation, answered, form_of
from wallet.residents.holding import list_certificates, read_certificate
from wallet.residents.showing import PRESENTED_MAX, Chosen, ShownCode
from wallet.residents.uses import http as uses
from wallet.residents.uses.views import UseView
from wallet.residents.views import AskView, CertificateView, ScenariosView, ScenarioView, WalletView

FIELDS_MAX = 50
SCANNED_MAX = 200
Fields = Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)]
Scanned = Annotated[str, Meta(max_length=SCANNED_MAX, description="The text of the scanned code, as it was read.")]
assert TEXT_MAX < SCANNED_MAX


class ShowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """For which scenario to show the certificate. `fields` shows less than the scenario allows, never more.

    With `mandate_id` it is a certificate of the one who gave you that mandate.
    """

    scenario_code: ScenarioCode
    fields: Fields | None = None
    mandate_id: UUID | None = None


class PresentedCertificate(msgspec.Struct, forbid_unknown_fields=True):
    """A certificate to show with others, and what of it: null shows all that the scenario allows."""

    certificate_id: UUID
    fields: Fields | None = None


class PresentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """For which scenario to show which certificates together: your own, or with `mandate_id` those of its giver."""

    scenario_code: ScenarioCode
    certificates: Annotated[list[PresentedCertificate], Meta(min_length=1, max_length=PRESENTED_MAX)]
    mandate_id: UUID | None = None


class LookRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code a venue shows; with `mandate_id`, to answer for the one who gave you that mandate."""

    text: Scanned
    mandate_id: UUID | None = None


class DeclineRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code a venue shows."""

    text: Scanned


class ConsentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code a venue shows, the certificate to answer with, and what of it: the fields that were seen and chosen.

    With `mandate_id` it is a certificate of the one who gave you that mandate.
    """

    text: Scanned
    certificate_id: UUID
    fields: Fields
    mandate_id: UUID | None = None


@get("/certificates", operation_id="listCertificates", summary="What you hold", responses=refuses(RealNameNeeded))
async def list_held(citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]) -> WalletView:
    """Every certificate issued to you, in every state, newest first; values masked where others may look on."""
    held = await list_certificates(wallet.db, wallet.seals, citizen.person_id)
    return WalletView.of(wallet.catalogue(), held, today_in_city(wallet.clock.now()))


@get(
    "/certificates/{certificate_id:uuid}",
    operation_id="readCertificate",
    summary="One certificate with all that it says",
    responses=refuses(MalformedRequest, RealNameNeeded, CertificateNotFound),
)
async def read_held(
    certificate_id: FromPath[UUID], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> CertificateView:
    """Your own certificate: its values, its identifier and its state."""
    held = await read_certificate(wallet.db, wallet.seals, citizen.person_id, CertificateId(certificate_id))
    return CertificateView.of(wallet.catalogue(), held, today_in_city(wallet.clock.now()))


@post(
    "/certificates/{certificate_id:uuid}/codes",
    operation_id="showCertificate",
    operation_class=CodeOperation,
    summary="A code to show, good once, for a minute",
    status_code=201,
    responses=refuses(
        MalformedRequest, RealNameNeeded, CertificateNotFound, ScenarioNotFound, NotAcceptable, CertificateNotGood,
        KindNotInScenario, FieldNotInScenario, MandateNotFound, MandateEnded, MandateDoesNotCover, PartAway,
    ),
)  # fmt: skip
async def show(
    certificate_id: FromPath[UUID],
    data: JSONBody[ShowRequest],
    request: Request[Any, Any, Any],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> Response[ShownCode]:
    """Draw `text` as a QR code for a venue to scan; ask again for a fresh one before `shown_until`.

    `Accept: text/plain` answers with the text alone, `image/svg+xml` and `image/png` with the image.
    """
    form = form_of(request)
    shown = await wallet.minter.mint(
        citizen.person_id, CertificateId(certificate_id), data.scenario_code, data.fields, data.mandate_id
    )
    return answered(request, form, shown, _times_of(shown))


@post(
    "/presentations",
    operation_id="presentCertificates",
    operation_class=CodeOperation,
    summary="A code to show several certificates at once",
    status_code=201,
    responses=refuses(
        MalformedRequest, RealNameNeeded, CertificateNotFound, ScenarioNotFound, NotAcceptable, CertificateNotGood,
        KindNotInScenario, FieldNotInScenario, CertificateNamedTwice, MandateNotFound, MandateEnded,
        MandateDoesNotCover, PartAway,
    ),
)  # fmt: skip
async def present(
    data: JSONBody[PresentRequest],
    request: Request[Any, Any, Any],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> Response[ShownCode]:
    """One code for an identity card and a ticket, say: the venue hears yes only when every one of them is good.

    Like a code for one certificate it is good once, for a minute; draw and renew it the same way.
    """
    form = form_of(request)
    chosen = [Chosen(CertificateId(one.certificate_id), one.fields) for one in data.certificates]
    shown = await wallet.minter.present(citizen.person_id, data.scenario_code, chosen, data.mandate_id)
    return answered(request, form, shown, _times_of(shown))


def _times_of(shown: ShownCode) -> dict[str, str]:
    return {"Shown-Until": shown.shown_until.isoformat(), "Accepted-Until": shown.accepted_until.isoformat()}


@get("/scenarios", operation_id="listScenarios", summary="Where a certificate can be shown, and what each would see",
     responses=NOT_MODIFIED | refuses(MalformedRequest))  # fmt: skip
async def list_scenarios(
    resident: NamedDependency[Resident],
    wallet: NamedDependency[Wallet],
    kind_code: Annotated[str | None, QueryParameter(pattern=KIND_CODE)] = None,
    if_none_match: IfNoneMatch = None,
) -> Response[ScenariosView]:
    """All scenarios, or those that look at one kind of certificate; each with the fields it would see."""
    del resident  # anybody signed in may know
    catalogue = wallet.catalogue()
    only = None if kind_code is None else (kind_code,)
    shown = [
        ScenarioView.of(catalogue, scenario, only)
        for scenario in catalogue.scenarios.values()
        if kind_code is None or kind_code in scenario.grants
    ]
    return unless_known(ScenariosView(shown), if_none_match)


@post("/asks/look", operation_id="lookAtAsk", summary="Who asks for what, before you answer", status_code=200,
      responses=refuses(MalformedRequest, RealNameNeeded, ScenarioNotGranted, AskNotFound, ScenarioNotFound,
                        MandateNotFound, AskClosed, MandateEnded, AskExpired))  # fmt: skip
async def look_at_ask(
    data: JSONBody[LookRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> AskView:
    """What the venue whose code you scanned wants to know, why, and which of your certificates would answer.

    Looking tells the venue nothing.
    """
    looked = await wallet.answering.look(citizen.person_id, data.text, data.mandate_id)
    return AskView.of(wallet.catalogue(), looked, today_in_city(wallet.clock.now()))


@post("/asks/consent", operation_id="consentToAsk", summary="Let the venue see what it asks for", status_code=200,
      responses=refuses(MalformedRequest, RealNameNeeded, ScenarioNotGranted, MandateDoesNotCover, AskNotFound,
                        CertificateNotFound, ScenarioNotFound, MandateNotFound, AskClosed, CertificateNotGood,
                        MandateEnded, OutsideHours, OverQuota, AskExpired, KindNotInScenario,
                        FieldNotInScenario))  # fmt: skip
async def consent_to_ask(
    data: JSONBody[ConsentRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> UseView:
    """Answer with these fields of one certificate, each of which is asked for; asked again, the same answer.

    It is in your ledger like any other use.
    """
    use = await wallet.answering.consent(
        citizen.person_id, data.text, CertificateId(data.certificate_id), data.fields, data.mandate_id
    )
    listed = await wallet.ledger_of_uses.listed(use, is_agent=data.mandate_id is not None)
    return UseView.of(wallet.catalogue(), listed)


@post("/asks/decline", operation_id="declineAsk", summary="Tell the venue no", status_code=204,
      responses=refuses(MalformedRequest, RealNameNeeded, AskNotFound, AskClosed, AskExpired))  # fmt: skip
async def decline_ask(
    data: JSONBody[DeclineRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> None:
    """The venue hears that its ask was declined, not by whom."""
    del citizen
    await wallet.answering.decline(data.text)


_ALL = [
    list_held, read_held, show, present, list_scenarios, *uses.HANDLERS[Audience.RESIDENT], look_at_ask, consent_to_ask,
    decline_ask,
]  # fmt: skip
HANDLERS: Handlers = {Audience.RESIDENT: _ALL, Audience.MINI: _ALL}
