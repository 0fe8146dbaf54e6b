"""Offline codes for residents, and for venues what they need without network and tell us afterwards, over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, NotAcceptable, RealNameNeeded
from kernel.ids import CertificateId, UseId, VenueId
from kernel.principal import Audience, Citizen, Operator, VenueDevice
from kernel.problems import refuses
from suishenban_verify.claim_set import CERTIFICATES_MAX
from suishenban_verify.offline_code import TEXT_MAX
from wallet.errors import (
    CertificateNamedTwice,
    CertificateNotFound,
    CertificateNotGood,
    DeviceNotRegistered,
    FieldNotInScenario,
    KindNotInScenario,
    MandateDoesNotCover,
    MandateEnded,
    MandateNotFound,
    ScenarioNotFound,
    VenueNotFound,
)
from wallet.forms import FieldName, ScenarioCode
from wallet.model import Flag
from wallet.offline.errors import HolderKeyRefused, KindNotOffline, OfflineCodeTooLong, UploadsCollide
from wallet.offline.minting import PREISSUED_FOR_MAX, PREISSUED_TOGETHER_MAX, Showing
from wallet.offline.model import SCANS_MAX, Answer, Result, Uploaded
from wallet.offline.preparing import FINDINGS_MAX, Pack
from wallet.offline.queries import Finding
from wallet.parts import Wallet
from wallet.residents.codes.http import CodeOperation, answered, form_of
from wallet.residents.showing import Chosen

FIELDS_MAX = 50
LIFETIME_MIN_SECONDS = 300
LIFETIME_SECONDS = 24 * 3600
VERDICT = r"^[a-z_]{1,40}$(?!\n)"
_COORDINATE = r"^[A-Za-z0-9_-]{43}$(?!\n)"
"""32 bytes in base64url."""


class ChosenBody(msgspec.Struct, forbid_unknown_fields=True):
    """A certificate to show; `fields` shows less than the scenario allows, never more."""

    certificate_id: UUID
    fields: Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)] | None = None

    def fit(self) -> Chosen:
        return Chosen(CertificateId(self.certificate_id), None if self.fields is None else tuple(self.fields))


class OfflineRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What to show where there is no network; with `mandate_id`, for the person who gave it."""

    scenario_code: ScenarioCode
    certificates: Annotated[list[ChosenBody], Meta(min_length=1, max_length=CERTIFICATES_MAX)]
    mandate_id: UUID | None = None


class HolderKey(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A public key that the phone made for one code (RFC 7517): on P-256, or Ed25519, which has no `y`."""

    kty: Annotated[str, Meta(pattern=r"^(EC|OKP)$(?!\n)", examples=["EC"])]
    crv: Annotated[str, Meta(pattern=r"^(P-256|Ed25519)$(?!\n)", examples=["P-256"])]
    x: Annotated[str, Meta(pattern=_COORDINATE)]
    y: Annotated[str, Meta(pattern=_COORDINATE)] | None = None


class PreIssueRequest(OfflineRequest, forbid_unknown_fields=True, kw_only=True):
    """The same for a phone that will have no network: one code for each key, good once, in this phone's hands alone."""

    holder_keys: Annotated[list[HolderKey], Meta(min_length=1, max_length=PREISSUED_TOGETHER_MAX)]
    lifetime_seconds: Annotated[int, Meta(ge=LIFETIME_MIN_SECONDS, le=int(PREISSUED_FOR_MAX.total_seconds()))] = (
        LIFETIME_SECONDS
    )


class OfflineCodeView(msgspec.Struct):
    """Draw `text` as a QR code in alphanumeric mode; a venue can check it by itself until `expires_at`."""

    text: str
    expires_at: datetime


class PreIssuedView(msgspec.Struct):
    """Keep `cwt` (base64url) with the private key of `key_thumbprint` (RFC 7638); sign the time when you show it."""

    cwt: str
    key_thumbprint: str
    expires_at: datetime


class PreIssuedCodesView(msgspec.Struct):
    codes: list[PreIssuedView]


class ScanBody(msgspec.Struct, forbid_unknown_fields=True):
    """A scan made without network: the text as it was read, an id of your own, when it was, and what you decided."""

    code: Annotated[str, Meta(max_length=TEXT_MAX)]
    use_id: UUID
    scanned_at: Annotated[datetime, Meta(tz=True)]
    verdict: Annotated[str, Meta(pattern=VERDICT, examples=["valid"])]

    def fit(self) -> Uploaded:
        return Uploaded(self.code, UseId(self.use_id), self.scanned_at, self.verdict)


class UploadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Scans of this device, in the order in which they were made."""

    scans: Annotated[list[ScanBody], Meta(min_length=1, max_length=SCANS_MAX)]


class AnswerView(msgspec.Struct):
    """What became of a scan. `findings` is what your device could not know, or did not say.

    `is_new` is false for what was uploaded before, and for a repetition of a look that is recorded.
    """

    use_id: UUID
    result: Result
    is_new: bool
    findings: list[Flag]

    @classmethod
    def of(cls, answer: Answer) -> "AnswerView":
        return cls(answer.use_id, answer.result, answer.is_new, list(answer.findings))


class UploadView(msgspec.Struct):
    """One answer for each scan, in order."""

    scans: list[AnswerView]


class FindingView(msgspec.Struct):
    """Something found out later about a scan of this venue."""

    finding_id: UUID
    sort: Flag
    device_id: UUID
    use_id: UUID
    scenario_code: str
    scanned_at: datetime
    found_at: datetime


class FindingsView(msgspec.Struct):
    """Oldest first. Ask again with `after` the last `finding_id` you have."""

    findings: list[FindingView]

    @classmethod
    def of(cls, found: list[Finding]) -> "FindingsView":
        return cls(
            [
                FindingView(
                    f.finding_id, Flag(f.sort), f.device_id, f.use_id, f.scenario_code, f.scanned_at, f.found_at
                )
                for f in found
            ]
        )


_SHOWING = (
    MalformedRequest, RealNameNeeded, MandateDoesNotCover, CertificateNotFound, ScenarioNotFound, MandateNotFound,
    CertificateNotGood, KindNotOffline, MandateEnded, CertificateNamedTwice, KindNotInScenario, FieldNotInScenario,
    OfflineCodeTooLong,
)  # fmt: skip


@post("/offline-codes", operation_id="showOffline", summary="A code that a venue checks without network",
      operation_class=CodeOperation, status_code=201, responses=refuses(*_SHOWING, NotAcceptable))  # fmt: skip
async def show_offline(
    data: JSONBody[OfflineRequest],
    request: Request[Any, Any, Any],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> Response[OfflineCodeView]:
    """The code carries what it shows, signed, and is good for five minutes. For venues whose devices are offline.

    `Accept: text/plain` answers with the text alone, `image/svg+xml` and `image/png` with the image.
    """
    form = form_of(request)
    made = await wallet.offline_minter.live(await _showing(data, citizen, wallet))
    shown = OfflineCodeView(made.text, made.expires_at)
    return answered(request, form, shown, {"Expires-At": made.expires_at.isoformat()})


@post("/pre-issued-codes", operation_id="preIssueCodes", summary="Codes for a phone that will have no network",
      status_code=201, responses=refuses(*_SHOWING, HolderKeyRefused))  # fmt: skip
async def pre_issue(
    data: JSONBody[PreIssueRequest], citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> PreIssuedCodesView:
    """One code for each key. To show one, sign it with its key as `docs/OFFLINE.md` says; each is good once."""
    showing = await _showing(data, citizen, wallet)
    keys = [msgspec.to_builtins(key) for key in data.holder_keys]
    codes = await wallet.offline_minter.pre_issue(showing, keys, timedelta(seconds=data.lifetime_seconds))
    return PreIssuedCodesView([PreIssuedView(code.cwt, code.key_thumbprint, code.expires_at) for code in codes])


async def _showing(data: OfflineRequest, citizen: Citizen, wallet: Wallet) -> Showing:
    """Whose certificates are to be shown: the caller's own, or under a mandate those of who gave it."""
    choices = tuple([choice.fit() for choice in data.certificates])
    return await wallet.offline_minter.showing(citizen.person_id, data.scenario_code, choices, data.mandate_id)


@get("/bundle", operation_id="readBundle", summary="What this device may look at without network",
     responses=refuses(DeviceNotRegistered))  # fmt: skip
async def read_bundle(device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]) -> Pack:
    """The scenarios granted to the venue with their fields, and where trust list and status lists are."""
    return wallet.preparer.pack(device)


@post("/offline-scans", operation_id="uploadScans", summary="Upload scans made without network", status_code=200,
      responses=refuses(MalformedRequest, DeviceNotRegistered, UploadsCollide))  # fmt: skip
async def upload(
    data: JSONBody[UploadRequest], device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet]
) -> UploadView:
    """Each is recorded once, however often it is sent, and judged by what is known by now."""
    answers = await wallet.uploader.upload(device, [scan.fit() for scan in data.scans])
    return UploadView([AnswerView.of(answer) for answer in answers])


After = Annotated[UUID | None, QueryParameter(description="The last `finding_id` you have.")]
Limit = Annotated[int, QueryParameter(ge=1, le=FINDINGS_MAX)]


@get("/findings", operation_id="listFindings", summary="What was found out later about this venue's scans",
     responses=refuses(MalformedRequest, DeviceNotRegistered))  # fmt: skip
async def list_findings(
    device: NamedDependency[VenueDevice], wallet: NamedDependency[Wallet], after: After = None, limit: Limit = 100
) -> FindingsView:
    """What a device without network could not know of its scans, or did not say, of all devices of the venue."""
    return FindingsView.of(await wallet.preparer.findings(device, after=after, limit=limit))


@get("/venues/{venue_id:uuid}/findings", operation_id="listVenueFindings",
     summary="What was found out later about a venue's scans",
     responses=refuses(MalformedRequest, VenueNotFound))  # fmt: skip
async def list_venue_findings(
    venue_id: FromPath[UUID],
    operator: NamedDependency[Operator],
    wallet: NamedDependency[Wallet],
    after: After = None,
    limit: Limit = 100,
) -> FindingsView:
    """The same as the venue hears. `wrong_scenario` and `verdict_differs` are what no honest device comes to."""
    del operator
    return FindingsView.of(await wallet.preparer.findings_of(VenueId(venue_id), after=after, limit=limit))


_RESIDENT = [show_offline, pre_issue]
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENT,
    Audience.MINI: _RESIDENT,
    Audience.VENUE: [read_bundle, upload, list_findings],
    Audience.OPERATOR: [list_venue_findings],
}
