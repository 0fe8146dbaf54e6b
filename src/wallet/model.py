"""The nouns of the wallet, and `judge`: whether a shown code is good."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from kernel.clock import in_shanghai
from kernel.ids import CertificateId, DepartmentId, DeviceId, PersonId, UseId, VenueId
from wallet.predicates import Predicate

IDENTIFIER_FIELD = "identifier"
"""The field under which a scenario may permit the GB/T 36904 identifier itself; no kind declares it."""

ACCEPTED_AFTER_SHOWN = timedelta(seconds=30)
"""A code is accepted longer than it is shown, so that a slow scanner turns nobody away."""
REPLAYED_FOR = timedelta(seconds=90)
"""How long a device that lost our answer may ask again and hear the same."""
BINDING_KEPT_FOR = timedelta(hours=24)
"""How long a code is remembered, so that `expired` can be told from unknown."""

Value = str | int | bool


class Words(Struct, frozen=True):
    """A text in both languages of the city."""

    zh: str
    en: str


class FieldType(StrEnum):
    """What a value is; dates are ISO 8601 text, codes are text from the field's closed list."""

    TEXT = "text"
    DATE = "date"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CODE = "code"


class Sensitivity(StrEnum):
    """How guarded a value is: on the face of a card, about a person, or harmful in the wrong hands."""

    OPEN = "open"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


class Field(Struct, frozen=True):
    """One attribute of a kind. `codes` closes the list of values; empty leaves it to the issuer."""

    name: str
    label_zh: str
    label_en: str
    type: FieldType
    sensitivity: Sensitivity
    codes: tuple[str, ...] = ()
    is_required: bool = True


class Kind(Struct, frozen=True):
    """A kind of certificate, an entry of the catalogue in the manner of GB/T 36902.

    `valid_days` is the rule for its length of life; None: until revoked. `organ` is the issuing organ, `face` names the
    fields that stand on the card's face, in order. `is_offline`: may be shown without network; `is_printable`: may be
    printed as a proof. `proves_guardianship`: whoever may issue it may tell us who is whose guardian.
    """

    kind_code: str
    name: Words
    fields: tuple[Field, ...]
    valid_days: int | None
    face_colour: str
    layout: str
    organ: Words = Words("", "")
    face: tuple[str, ...] = ()
    predicates: tuple[Predicate, ...] = ()
    is_offline: bool = True
    is_printable: bool = False
    proves_guardianship: bool = False

    def label_zh(self, field_name: str) -> str:
        """What people call a field of this kind."""
        labels = {field.name: field.label_zh for field in self.fields}
        labels |= {predicate.name: predicate.label_zh for predicate in self.predicates}
        return labels.get(field_name, "证照标识")


class IssuerSort(StrEnum):
    """What an issuer is. All but departments are accredited by an operator (非政府部门颁发的证照)."""

    DEPARTMENT = "department"
    ASSOCIATION = "association"
    ASSESSOR = "assessor"
    SCHOOL = "school"


class Issuer(Struct, frozen=True):
    """Who issues, and for which kinds it is entitled; until which day, where it was accredited for a time."""

    issuer_code: str
    department_id: DepartmentId
    name: Words
    kind_codes: frozenset[str]
    sort: IssuerSort = IssuerSort.DEPARTMENT
    accredited_until: date | None = None


class Scenario(Struct, frozen=True):
    """For what a venue may look: `grants` says which fields of which kind, and nothing beyond them.

    `edition` counts the wordings of its purpose.
    """

    scenario_code: str
    edition: int
    name: Words
    purpose: Words
    grants: Mapping[str, tuple[str, ...]]


EVERY_DAY = 0b111_1111


class Terms(Struct, frozen=True):
    """Under which terms a venue was granted a scenario.

    `grants` narrows the kinds and fields (None: all the scenario's). `days` has a bit for each day of the week, Monday
    the lowest; from `opens_minute` to `closes_minute`, minutes after midnight in the city (None: all day; past midnight
    when it closes before it opens). `quota_per_day` is looks a day; `granted_until` the last day.
    """

    grants: Mapping[str, tuple[str, ...]] | None = None
    days: int = EVERY_DAY
    opens_minute: int | None = None
    closes_minute: int | None = None
    quota_per_day: int | None = None
    granted_until: date | None = None


NO_TERMS = Terms()


class Venue(Struct, frozen=True):
    """An organisation that verifies, and the scenarios an operator granted it; `terms` has those with special ones."""

    venue_id: VenueId
    sort: str
    credit_code: str
    name: Words
    district: str
    address: str
    scenario_codes: frozenset[str]
    terms: Mapping[str, Terms] = {}


class Device(Struct, frozen=True):
    """One scanner of a venue."""

    device_id: DeviceId
    venue: Venue
    name: Words


class State(StrEnum):
    """The stored life of a certificate: issued ⇄ suspended; from either revoked or superseded, both final."""

    ISSUED = "issued"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


ALLOWED_STEPS: Mapping[State, frozenset[State]] = {
    State.ISSUED: frozenset({State.SUSPENDED, State.REVOKED, State.SUPERSEDED}),
    State.SUSPENDED: frozenset({State.ISSUED, State.REVOKED, State.SUPERSEDED}),
    State.REVOKED: frozenset(),
    State.SUPERSEDED: frozenset(),
}
"""The same table stands in the database as a constraint, which has the last word."""


class Standing(Struct, frozen=True):
    """How a certificate stands at this moment."""

    kind_code: str
    state: State
    valid_from: date
    valid_until: date | None


class Attributes(Struct, frozen=True, array_like=True):
    """What is sealed in a certificate: its GB/T 36904 identifier, and the values of its kind's fields."""

    identifier: str
    values: dict[str, Value]

    def picked(self, names: tuple[str, ...]) -> dict[str, Value]:
        """The named values that this certificate has, in the order named."""
        values = self.values
        found = {name: values[name] for name in names if name in values}
        if IDENTIFIER_FIELD in names:
            found[IDENTIFIER_FIELD] = self.identifier
        return found


class Certificate(Struct, frozen=True):
    """One version of a certificate, as its person and its issuer know it."""

    person_id: PersonId
    certificate_id: CertificateId
    issuer_code: str
    version: int
    last_change: int
    issued_at: datetime
    standing: Standing
    attributes: Attributes

    def shown_state(self, today: date) -> str:
        """Its state in a word; `expired` and `not_yet_valid` are told from the dates, never stored."""
        if self.standing.state is not State.ISSUED:
            return self.standing.state.value
        return {Outcome.CERTIFICATE_EXPIRED: "expired", Outcome.NOT_YET_VALID: "not_yet_valid"}.get(
            how_it_stands(self.standing, today=today), State.ISSUED.value
        )


class ShownBeside(Struct, frozen=True, array_like=True):
    """A further certificate of the same person shown with the same code."""

    certificate_id: CertificateId
    kind_code: str
    fields: tuple[str, ...]


class OpenedCode(Struct, frozen=True, array_like=True):
    """What a code was bound to when it was minted, found sealed by us under the code's own hash.

    `beside` has the further certificates it shows. With a mandate, `agent_person_id` is who shows them for the person.
    """

    certificate_id: CertificateId
    person_id: PersonId
    kind_code: str
    scenario_code: str
    fields: tuple[str, ...]
    shown_at: datetime
    mandate_id: UUID | None = None
    agent_person_id: PersonId | None = None
    beside: tuple[ShownBeside, ...] = ()


class Outcome(StrEnum):
    """What a venue is told. Only `valid` is a yes. `cannot_tell`: another city's code, whose lists are not here."""

    VALID = "valid"
    EXPIRED = "expired"
    ALREADY_USED = "already_used"
    NOT_OURS = "not_ours"
    WRONG_SCENARIO = "wrong_scenario"
    OUTSIDE_HOURS = "outside_hours"
    OVER_QUOTA = "over_quota"
    MANDATE_ENDED = "mandate_ended"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    SUPERSEDED = "superseded"
    NOT_YET_VALID = "not_yet_valid"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CANNOT_TELL = "cannot_tell"


class VerdictBeside(Struct, frozen=True):
    """What a scan says of a further certificate that was shown with the same code."""

    outcome: Outcome
    kind_code: str
    fields: dict[str, Value] = {}
    issuer_sort: IssuerSort | None = None


class Verdict(Struct, frozen=True):
    """The answer to a scan: what to tell, and with a yes the fields its scenario allows.

    `outcome` is a yes only when every certificate the code shows is good; `beside` has those after the first.
    `issuer_sort` comes with a yes to a certificate of this city; what sorts of issuers others have we do not know.
    """

    outcome: Outcome
    kind_code: str | None = None
    scenario_code: str | None = None
    fields: dict[str, Value] = {}
    beside: tuple[VerdictBeside, ...] = ()
    issuer_sort: IssuerSort | None = None


_OF_STATE = {
    State.SUSPENDED: Outcome.SUSPENDED,
    State.REVOKED: Outcome.REVOKED,
    State.SUPERSEDED: Outcome.SUPERSEDED,
}


def how_it_stands(standing: Standing, *, today: date) -> Outcome:
    """Whether a certificate is good on `today`, a day of the city's calendar. It is good through its last day."""
    refused = _OF_STATE.get(standing.state)
    if refused is not None:
        return refused
    if today < standing.valid_from:
        return Outcome.NOT_YET_VALID
    if standing.valid_until is not None and standing.valid_until < today:
        return Outcome.CERTIFICATE_EXPIRED
    return Outcome.VALID


def judge(opened: OpenedCode, standing: Standing | None, *, now: datetime, accepted_for: timedelta) -> Outcome:
    """Decide whether a shown code is good at `now`. Never yes on doubt.

    `opened.shown_at` is when the code was minted. A code is accepted for longer than it is shown, so that a slow
    scanner turns nobody away; clocks of one city are ours, no skew is granted.
    """
    if now >= opened.shown_at + accepted_for:
        return Outcome.EXPIRED
    if standing is None or standing.kind_code != opened.kind_code:
        return Outcome.NOT_OURS
    return how_it_stands(standing, today=today_in_city(now))


def today_in_city(now: datetime) -> date:
    """The day on the calendar of the city's people."""
    return in_shanghai(now).date()


class Route(StrEnum):
    """How somebody came to see a certificate.

    A venue scanned an online code, or an offline code; a resident answered its ask; somebody held a printed proof.
    """

    CODE = "code"
    ASK = "ask"
    OFFLINE = "offline"
    PAPER = "paper"


class Flag(StrEnum):
    """What was found out about a scan made without network, when it was uploaded.

    `wrong_scenario`: its venue was not granted what it looked at, so the code is not spent. `verdict_differs`: its
    device said no to what was good; the look is recorded as what it was, `valid`, with the fields, and spends nothing.
    """

    DOUBLE_USE = "double_use"
    LATE_REVOCATION = "late_revocation"
    LATE_SUSPENSION = "late_suspension"
    MANDATE_ENDED = "mandate_ended"
    WRONG_SCENARIO = "wrong_scenario"
    VERDICT_DIFFERS = "verdict_differs"


class Use(Struct, frozen=True):
    """One record of the ledger: who saw which fields, when, for what.

    `code_hash` names the look: of the code, and of each further certificate shown with it, of both together.
    `recorded_at` is when we learned of a look made without network; `salt` is what the ledger's log commits with.
    """

    person_id: PersonId
    code_hash: bytes
    used_at: datetime
    use_id: UseId
    device_id: DeviceId
    venue_id: VenueId
    scenario_code: str
    scenario_edition: int
    certificate_id: CertificateId
    kind_code: str
    route: Route
    outcome: Outcome
    fields: tuple[str, ...]
    mandate_id: UUID | None = None
    agent_person_id: PersonId | None = None
    flags: tuple[Flag, ...] = ()
    recorded_at: datetime | None = None
    salt: bytes | None = None
