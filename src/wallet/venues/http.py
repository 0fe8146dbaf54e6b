"""What venues do, over HTTP: verify a shown code, ask for a certificate."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, unless_known
from kernel.errors import MalformedRequest, PartAway
from kernel.ids import AskId, UseId
from kernel.principal import Audience, VenueDevice
from kernel.problems import refuses
from wallet.errors import AskNotFound, DeviceNotRegistered, KindNotInScenario, OutsideHours, ScenarioNotGranted
from wallet.forms import KindCode, ScenarioCode
from wallet.model import IssuerSort, Outcome, Value
from wallet.parts import Wallet
from wallet.residents.views import ScenariosView, ScenarioView
from wallet.venues.asking import ASKED_FOR, ASKED_FOR_MAX, KIND_CODES_MAX, Progress
from wallet.venues.terms import granted_scenario

SCANNED_MAX = 1_200
"""Longer than any code of ours, online or offline: what else a scanner reads is answered `not_ours`, not refused."""
ASKED_FOR_MIN = timedelta(seconds=30)


class VerificationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The scanned text as it was read, and an id that the device chose for this scan.

    A device that got no answer sends both again, within 90 s, and gets the same verdict.
    """

    code: Annotated[str, Meta(max_length=SCANNED_MAX)]
    use_id: UUID


class BesideView(msgspec.Struct):
    """A further certificate that was shown with the same code, and how it stands. Its fields come with a yes to all."""

    verdict: Outcome
    kind_code: str
    fields: dict[str, str | int | bool]
    issuer_sort: IssuerSort | None


class VerdictView(msgspec.Struct):
    """`verdict` is `valid` or the reason why not. With a yes come the kind and the fields that the scenario allows.

    A field may be a predicate of the kind: true or false. Where the code shows several certificates, `verdict` speaks
    for all of them, the first one's kind and fields stand here, and `beside` has the others. `issuer_sort` is what sort
    of issuer a good one is from; null also for those of other cities, of whose issuers we know no more than the name.
    """

    verdict: Outcome
    scenario_code: str | None
    kind_code: str | None
    fields: dict[str, str | int | bool]
    beside: list[BesideView]
    issuer_sort: IssuerSort | None


class AskRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Under which scenario, for which of its kinds (null: any), and for how long the ask stands."""

    scenario_code: ScenarioCode
    kind_codes: Annotated[list[KindCode], Meta(min_length=1, max_length=KIND_CODES_MAX)] | None = None
    lifetime_seconds: Annotated[
        int, Meta(ge=int(ASKED_FOR_MIN.total_seconds()), le=int(ASKED_FOR_MAX.total_seconds()))
    ] = int(ASKED_FOR.total_seconds())


class AskedView(msgspec.Struct):
    """Draw `text` as a QR code for a resident to scan, and read the answer under `ask_id`."""

    ask_id: UUID
    text: str
    expires_at: datetime


class AnswerView(msgspec.Struct):
    """How far an ask has come.

    With an answer come the kind, the fields consented to, and what sort of issuer they are from, for ten minutes.
    """

    state: Progress
    scenario_code: str
    expires_at: datetime
    answered_at: datetime | None
    kind_code: str | None
    fields: dict[str, str | int | bool]
    issuer_sort: IssuerSort | None


@get("/scenarios", operation_id="listGrantedScenarios", summary="What this venue may ask, and for what",
     responses=NOT_MODIFIED | refuses(MalformedRequest, DeviceNotRegistered))  # fmt: skip
async def list_granted(
    device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet], if_none_match: IfNoneMatch = None
) -> Response[ScenariosView]:
    """The scenarios granted to this device's venue, with the fields each sees of each kind under the venue's terms."""
    catalogue = wallet.catalogue()
    known = catalogue.devices.get(device.device_id)
    if known is None:
        raise DeviceNotRegistered
    now = wallet.clock.now()
    scenarios = [
        granted_scenario(catalogue.scenarios.get(code), known.venue, now) for code in sorted(known.venue.scenario_codes)
    ]
    shown = [ScenarioView.of(catalogue, scenario) for scenario in scenarios if scenario is not None]
    return unless_known(ScenariosView(shown), if_none_match)


@post("/verifications", operation_id="verifyCode", summary="Check a shown code", status_code=200,
      responses=refuses(MalformedRequest, DeviceNotRegistered, PartAway))  # fmt: skip
async def verify(
    data: JSONBody[VerificationRequest], device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]
) -> VerdictView:
    """One scan, one verdict. A yes spends the code and is recorded for the person before it is answered.

    `expired`, `already_used`, `revoked` and the like are answers, not errors; only 503 means: ask again.
    """
    verdict = await wallet.verifier.verify(device, data.code, UseId(data.use_id))
    beside = [BesideView(one.outcome, one.kind_code, one.fields, one.issuer_sort) for one in verdict.beside]
    return VerdictView(
        verdict.outcome, verdict.scenario_code, verdict.kind_code, verdict.fields, beside, verdict.issuer_sort
    )


@post("/asks", operation_id="ask", summary="Ask a resident for a certificate", status_code=201,
      responses=refuses(MalformedRequest, DeviceNotRegistered, ScenarioNotGranted, OutsideHours,
                        KindNotInScenario))  # fmt: skip
async def ask(
    data: JSONBody[AskRequest], device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]
) -> AskedView:
    """A code for a resident to scan with the app or the mini-program; they see what you ask, and consent or decline."""
    lifetime = timedelta(seconds=data.lifetime_seconds)
    asked = await wallet.asker.ask(device, data.scenario_code, data.kind_codes, lifetime)
    return AskedView(asked.ask.ask_id, asked.text, asked.ask.expires_at)


@get("/asks/{ask_id:uuid}", operation_id="readAsk", summary="How far an ask has come",
     responses=refuses(MalformedRequest, DeviceNotRegistered, AskNotFound))  # fmt: skip
async def read_ask(
    ask_id: FromPath[UUID], device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]
) -> AnswerView:
    """Waiting, answered, declined or expired. Any device of the venue that asked may read it, no other."""
    heard = await wallet.asker.read(device, AskId(ask_id))
    fields: dict[str, Value] = heard.fields
    return AnswerView(
        heard.progress, heard.scenario_code, heard.expires_at, heard.answered_at, heard.kind_code, fields,
        heard.issuer_sort,
    )  # fmt: skip


HANDLERS: Handlers = {Audience.VENUE: [list_granted, verify, ask, read_ask]}
