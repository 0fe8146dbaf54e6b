"""Applications and devices as applicants, operators and venues write and see them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.ids import DeviceId
from wallet.catalogue import Catalogue
from wallet.forms import CreditCode, District, Line, Name, ScenarioCode
from wallet.model import Terms, Words
from wallet.onboarding.applying import Joined
from wallet.onboarding.deciding import Looked, Page
from wallet.onboarding.model import (
    SCENARIOS_WANTED_MAX,
    Application,
    ApplicationState,
    Contact,
    NamedKey,
    Organisation,
    PublicJwk,
    Wanted,
    client_id_of,
)
from wallet.onboarding.terms import QUOTA_MAX, WEEKDAYS, Closes, Grants, Opens, TermsBody, TermsView, Weekday
from wallet.residents.views import ScenarioView

TOKEN_PATH = "/venue/token"  # noqa: S105 -- a path
VERIFICATIONS_PATH = "/venue/verifications"
KEY_OPS_MAX = 4
_KEY_WORD = Meta(max_length=64, pattern=r"^[\x21-\x7e]+$(?!\n)")

Sort = Literal["hospital", "school", "station", "museum", "scenic_spot", "amusement_park"]
Coordinate = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]
Phone = Annotated[str, Meta(pattern=r"^\+861[3-9][0-9]{9}$(?!\n)", examples=["+8613490008888"])]
"""A mainland mobile number, E.164."""


class OrganisationBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who asks. `credit_code` is the unified social credit code (GB 32100), `district` the six-digit region code."""

    sort: Sort
    credit_code: CreditCode
    name_zh: Name
    name_en: Name
    district: District
    address: Line

    def whole(self) -> Organisation:
        words = Words(self.name_zh, self.name_en)
        return Organisation(self.sort, self.credit_code, words, self.district, self.address)


class ContactBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who is told of the decision, by SMS."""

    name: Name
    phone: Phone
    language: Literal["zh", "en"] = "zh"

    def whole(self) -> Contact:
        return Contact(self.name, self.phone, self.language)


class WantedBody(msgspec.Struct, forbid_unknown_fields=True):
    """A scenario you ask for, and why, in your own words.

    Ask for less where less will do: name the kinds and fields you need, your days and hours. `looks_per_day` is
    what you expect.
    """

    scenario_code: ScenarioCode
    purpose: Line
    looks_per_day: Annotated[int, Meta(ge=1, le=QUOTA_MAX)]
    grants: Grants | None = None
    days: Annotated[list[Weekday], Meta(min_length=1, max_length=len(WEEKDAYS))] | None = None
    opens: Opens | None = None
    closes: Closes | None = None

    def whole(self) -> Wanted:
        terms = TermsBody(self.grants, self.days, self.opens, self.closes)
        return Wanted(self.scenario_code, self.purpose, terms.whole(), self.looks_per_day)


class JwkBody(msgspec.Struct, forbid_unknown_fields=True):
    """The public half of the device's key as a JWK (RFC 7517): EC, P-256. A private half (`d`) is refused: keep it."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    kid: Annotated[str, _KEY_WORD] | None = None
    alg: Literal["ES256"] | None = None
    use: Literal["sig"] | None = None
    key_ops: Annotated[list[Annotated[str, _KEY_WORD]], Meta(max_length=KEY_OPS_MAX)] | None = None


class DeviceBody(msgspec.Struct, forbid_unknown_fields=True):
    """A device: what you call it, and the public half of the key that is on it."""

    name_zh: Name
    name_en: Name
    public_key: JwkBody

    def whole(self) -> NamedKey:
        key = self.public_key
        return NamedKey(Words(self.name_zh, self.name_en), PublicJwk(key.x, key.y, key.kid))


class ApplicationBody(msgspec.Struct, forbid_unknown_fields=True):
    """An application to verify certificates: who, for what, with which first device."""

    organisation: OrganisationBody
    contact: ContactBody
    wanted: Annotated[list[WantedBody], Meta(min_length=1, max_length=SCENARIOS_WANTED_MAX)]
    device: DeviceBody


class FiledView(msgspec.Struct):
    """Keep `secret`: it is told here and nowhere else. Send it as `Application-Secret` to read how it stands."""

    application_id: UUID
    secret: str
    filed_at: datetime


class GrantedView(msgspec.Struct):
    """A scenario that was granted, under its terms."""

    scenario_code: str
    terms: TermsView


class AccessView(msgspec.Struct):
    """All that your device needs: it signs as `client_id`, asks `token_url` for a token, and checks codes.

    `audience` is what the assertion names as `aud`. Anything new is known everywhere within 5 seconds.
    """

    venue_id: UUID
    device_id: UUID
    client_id: str
    token_url: str
    audience: str
    verifications_url: str
    granted: list[GrantedView]

    @classmethod
    def of(cls, application: Application, granted: dict[str, Terms], origin: str) -> "AccessView | None":
        if application.venue_id is None or application.device_id is None:
            return None
        return cls(
            application.venue_id,
            application.device_id,
            client_id_of(application.device_id),
            origin + TOKEN_PATH,
            origin + TOKEN_PATH,
            origin + VERIFICATIONS_PATH,
            granted_views(granted),
        )


def granted_views(granted: dict[str, Terms]) -> list[GrantedView]:
    return [GrantedView(code, TermsView.of(terms)) for code, terms in sorted(granted.items())]


class ApplicationView(msgspec.Struct):
    """How an application stands; `reason` says why it was rejected, `access` what an approved one needs to go on."""

    application_id: UUID
    state: ApplicationState
    filed_at: datetime
    decided_at: datetime | None
    reason: str | None
    access: AccessView | None

    @classmethod
    def of(cls, joined: Joined, origin: str) -> "ApplicationView":
        one = joined.application
        access = AccessView.of(one, joined.granted, origin)
        return cls(one.application_id, one.state, one.filed_at, one.decided_at, one.reason, access)


# --- for operators ----------------------------------------------------------------------------------------------------


class WantedView(msgspec.Struct):
    """What was asked for, and why."""

    scenario_code: str
    purpose: str
    looks_per_day: int
    terms: TermsView

    @classmethod
    def of(cls, wanted: Wanted) -> "WantedView":
        return cls(wanted.scenario_code, wanted.purpose, wanted.looks_per_day, TermsView.of(wanted.terms))


class ListedView(msgspec.Struct):
    """An application as operators see it in a list, without its contact."""

    application_id: UUID
    state: ApplicationState
    sort: str
    credit_code: str
    name_zh: str
    name_en: str
    district: str
    address: str
    device_zh: str
    device_en: str
    wanted: list[WantedView]
    filed_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    venue_id: UUID | None
    device_id: UUID | None

    @classmethod
    def of(cls, one: Application) -> "ListedView":
        organisation, device = one.organisation, one.device.name
        return cls(
            one.application_id,
            one.state,
            organisation.sort,
            organisation.credit_code,
            organisation.name.zh,
            organisation.name.en,
            organisation.district,
            organisation.address,
            device.zh,
            device.en,
            [WantedView.of(wanted) for wanted in one.wanted],
            one.filed_at,
            one.decided_at,
            one.decided_by,
            one.reason,
            one.venue_id,
            one.device_id,
        )


class ApplicationsView(msgspec.Struct):
    """Applications, those filed first first. `next_cursor` leads on; null: there is no more."""

    applications: list[ListedView]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page) -> "ApplicationsView":
        return cls([ListedView.of(one) for one in page.applications], page.next_cursor)


class ContactView(msgspec.Struct):
    name: str
    phone: str
    language: str


class LookedView(msgspec.Struct):
    """An application with whom to ask about it, and what was granted with its approval."""

    application: ListedView
    contact: ContactView | None
    granted: list[GrantedView]

    @classmethod
    def of(cls, looked: Looked) -> "LookedView":
        contact = looked.contact
        shown = None if contact is None else ContactView(contact.name, contact.phone, contact.language)
        return cls(ListedView.of(looked.application), shown, granted_views(looked.granted))


class GrantBody(TermsBody, forbid_unknown_fields=True, kw_only=True):
    """A scenario to grant, under which terms; what is left out of `grants` is as the applicant asked."""

    scenario_code: ScenarioCode


class ApprovalBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is granted: none but scenarios, kinds and fields that were asked for."""

    scenarios: Annotated[list[GrantBody], Meta(min_length=1, max_length=SCENARIOS_WANTED_MAX)]


class RejectionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why not, as the applicant reads it."""

    reason: Line


# --- for venues -------------------------------------------------------------------------------------------------------


class DeviceView(msgspec.Struct):
    """A device of your venue."""

    device_id: UUID
    name_zh: str
    name_en: str
    is_this: bool
    """Whether it is the device that asks."""


class DevicesView(msgspec.Struct):
    devices: list[DeviceView]

    @classmethod
    def of(cls, devices: list[tuple[DeviceId, Words]], this: DeviceId) -> "DevicesView":
        return cls([DeviceView(device_id, name.zh, name.en, device_id == this) for device_id, name in devices])


class EnrolledView(msgspec.Struct):
    """A device that was registered: it signs as `client_id` and asks `token_url` for tokens, within 5 seconds."""

    device_id: UUID
    client_id: str
    token_url: str
    audience: str


class OfferedView(msgspec.Struct):
    """Every scenario a venue may ask for, and what each sees."""

    scenarios: list[ScenarioView]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "OfferedView":
        return cls([ScenarioView.of(catalogue, scenario) for _, scenario in sorted(catalogue.scenarios.items())])
