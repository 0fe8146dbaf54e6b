"""What residents do with their certificates, over HTTP: in the app under /resident, in the mini-program under /mini."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, NotAcceptable, PartAway, RealNameNeeded
from kernel.ids import CertificateId
from kernel.principal import Audience, Citizen, Resident
from kernel.problems import refuses
from wallet import qr
from wallet.errors import (
    AskClosed,
    AskExpired,
    AskNotFound,
    CertificateNotFound,
    CertificateNotGood,
    CursorRefused,
    FieldNotInScenario,
    KindNotInScenario,
    ScenarioNotFound,
    ScenarioNotGranted,
)
from wallet.forms import KIND_CODE, FieldName, ScenarioCode
from wallet.model import today_in_city
from wallet.online_code import TEXT_MAX
from wallet.parts import Wallet
from wallet.residents import uses
from wallet.residents.holding import list_certificates, read_certificate
from wallet.residents.showing import ShownCode
from wallet.residents.views import AskView, CertificateView, ScenariosView, ScenarioView, UsesView, UseView, WalletView

FIELDS_MAX = 50
SCANNED_MAX = 200
Scanned = Annotated[str, Meta(max_length=SCANNED_MAX, description="The text of the scanned code, as it was read.")]
assert TEXT_MAX < SCANNED_MAX


class ShowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """For which scenario to show the certificate. `fields` shows less than the scenario allows, never more."""

    scenario_code: ScenarioCode
    fields: Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)] | None = None


class LookRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code a venue shows."""

    text: Scanned


class ConsentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code a venue shows, the certificate to answer with, and what of it: the fields that were seen and chosen."""

    text: Scanned
    certificate_id: UUID
    fields: Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)]


@dataclass
class _CodeOperation(Operation):
    """Names the other forms in which a code can be had."""

    def __post_init__(self) -> None:
        created = (self.responses or {}).get("201")
        content = getattr(created, "content", None)
        if content is not None:
            for media in ("text/plain", "image/svg+xml", "image/png"):
                content[media] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


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
    operation_class=_CodeOperation,
    summary="A code to show, good once, for a minute",
    status_code=201,
    responses=refuses(
        MalformedRequest, RealNameNeeded, CertificateNotFound, ScenarioNotFound, NotAcceptable, CertificateNotGood,
        KindNotInScenario, FieldNotInScenario, PartAway,
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
    draw = _form_of(request)
    shown = await wallet.minter.mint(citizen.person_id, CertificateId(certificate_id), data.scenario_code, data.fields)
    if draw != JSON:
        return _drawn(draw, shown)
    answer = request.app.response_class or Response  # the application's own, made for plain structs
    return answer(shown)


JSON = "application/json"
_FORMS = {
    "*/*": JSON,
    "application/*": JSON,
    JSON: JSON,
    "text/plain": "text/plain",
    "text/*": "text/plain",
    "image/svg+xml": "image/svg+xml",
    "image/*": "image/svg+xml",
    "image/png": "image/png",
}


def _form_of(request: Request[Any, Any, Any]) -> str:
    """The form asked for (RFC 9110 §12.5.1), JSON unless told otherwise. Raises NotAcceptable."""
    for name, value in request.scope["headers"]:
        if name == b"accept":
            return _best_form(value.decode("latin-1"))
    return JSON


def _best_form(accept: str) -> str:
    if accept in ("*/*", JSON):
        return JSON
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        form = _FORMS.get(media)
        quality = _quality(parameters)
        if form is not None and quality > 0:
            wanted.append((-quality, place, form))
    if not wanted:
        raise NotAcceptable
    return min(wanted)[2]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _drawn(form: str, shown: ShownCode) -> Response[Any]:
    times = {"Shown-Until": shown.shown_until.isoformat(), "Accepted-Until": shown.accepted_until.isoformat()}
    if form == "text/plain":
        return Response(shown.text, media_type=form, headers=times)
    draw = qr.png if form == "image/png" else qr.svg
    return Response(draw(shown.text), media_type=form, headers=times)


@get("/scenarios", operation_id="listScenarios", summary="Where a certificate can be shown, and what each would see",
     responses=refuses(MalformedRequest))  # fmt: skip
async def list_scenarios(
    resident: NamedDependency[Resident],
    wallet: NamedDependency[Wallet],
    kind_code: Annotated[str | None, QueryParameter(pattern=KIND_CODE)] = None,
) -> ScenariosView:
    """All scenarios, or those that look at one kind of certificate; each with the fields it would see."""
    del resident  # anybody signed in may know
    catalogue = wallet.catalogue()
    only = None if kind_code is None else (kind_code,)
    return ScenariosView(
        [
            ScenarioView.of(catalogue, scenario, only)
            for scenario in catalogue.scenarios.values()
            if kind_code is None or kind_code in scenario.grants
        ]
    )


@get("/uses", operation_id="listUses", summary="Who saw what of yours, when and for what",
     responses=refuses(MalformedRequest, CursorRefused, RealNameNeeded))  # fmt: skip
async def list_uses(
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
    certificate_id: Annotated[UUID | None, QueryParameter(description="Only uses of this certificate.")] = None,
    cursor: Annotated[
        str | None, QueryParameter(max_length=uses.CURSOR_MAX, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=uses.PAGE_MAX)] = 20,
) -> UsesView:
    """Every look of a venue at a certificate of yours, newest first, with the fields that left."""
    only = None if certificate_id is None else CertificateId(certificate_id)
    page = await uses.list_uses(wallet.db, citizen.person_id, only, cursor=cursor, limit=limit)
    return UsesView.of(wallet.catalogue(), page)


@post("/asks/look", operation_id="lookAtAsk", summary="Who asks for what, before you answer", status_code=200,
      responses=refuses(MalformedRequest, RealNameNeeded, ScenarioNotGranted, AskNotFound, ScenarioNotFound, AskClosed,
                        AskExpired))  # fmt: skip
async def look_at_ask(
    data: JSONBody[LookRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> AskView:
    """What the venue whose code you scanned wants to know, why, and which of your certificates would answer.

    Looking tells the venue nothing.
    """
    looked = await wallet.answering.look(citizen.person_id, data.text)
    return AskView.of(wallet.catalogue(), looked, today_in_city(wallet.clock.now()))


@post("/asks/consent", operation_id="consentToAsk", summary="Let the venue see what it asks for", status_code=200,
      responses=refuses(MalformedRequest, RealNameNeeded, ScenarioNotGranted, AskNotFound, CertificateNotFound,
                        ScenarioNotFound, AskClosed,
                        CertificateNotGood, AskExpired, KindNotInScenario, FieldNotInScenario))  # fmt: skip
async def consent_to_ask(
    data: JSONBody[ConsentRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> UseView:
    """Answer with these fields of one certificate, each of which is asked for; asked again, the same answer.

    It is in your ledger like any other use.
    """
    use = await wallet.answering.consent(citizen.person_id, data.text, CertificateId(data.certificate_id), data.fields)
    return UseView.of(wallet.catalogue(), use)


@post("/asks/decline", operation_id="declineAsk", summary="Tell the venue no", status_code=204,
      responses=refuses(MalformedRequest, RealNameNeeded, AskNotFound, AskClosed, AskExpired))  # fmt: skip
async def decline_ask(
    data: JSONBody[LookRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> None:
    """The venue hears that its ask was declined, not by whom."""
    del citizen
    await wallet.answering.decline(data.text)


_ALL = [list_held, read_held, show, list_scenarios, list_uses, look_at_ask, consent_to_ask, decline_ask]
HANDLERS: Handlers = {Audience.RESIDENT: _ALL, Audience.MINI: _ALL}
