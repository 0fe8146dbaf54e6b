"""The nouns of the wallet, and `judge`: whether a shown code is good."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from kernel.clock import in_shanghai
from kernel.ids import AskId, CertificateId, DepartmentId, DeviceId, PersonId, UseId, VenueId

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
    """A kind of certificate. `valid_days` is the rule for its length of life; None: until revoked."""

    kind_code: str
    name: Words
    fields: tuple[Field, ...]
    valid_days: int | None
    face_colour: str
    layout: str

    def label_zh(self, field_name: str) -> str:
        """What people call a field of this kind."""
        return next((field.label_zh for field in self.fields if field.name == field_name), "证照标识")


class Issuer(Struct, frozen=True):
    """Who issues, and for which kinds it is entitled."""

    issuer_code: str
    department_id: DepartmentId
    name: Words
    kind_codes: frozenset[str]


class Scenario(Struct, frozen=True):
    """For what a venue may look: `grants` says which fields of which kind, and nothing beyond them.

    `edition` counts the wordings of its purpose.
    """

    scenario_code: str
    edition: int
    name: Words
    purpose: Words
    grants: Mapping[str, tuple[str, ...]]


class Venue(Struct, frozen=True):
    """An organisation that verifies, and the scenarios an operator granted it."""

    venue_id: VenueId
    sort: str
    credit_code: str
    name: Words
    district: str
    address: str
    scenario_codes: frozenset[str]


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


class OpenedCode(Struct, frozen=True, array_like=True):
    """What a code was bound to when it was minted, found sealed by us under the code's own hash."""

    certificate_id: CertificateId
    person_id: PersonId
    kind_code: str
    scenario_code: str
    fields: tuple[str, ...]
    shown_at: datetime
    mandate_id: UUID | None = None


class Outcome(StrEnum):
    """What a venue is told. Only `valid` is a yes."""

    VALID = "valid"
    EXPIRED = "expired"
    ALREADY_USED = "already_used"
    NOT_OURS = "not_ours"
    WRONG_SCENARIO = "wrong_scenario"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    SUPERSEDED = "superseded"
    NOT_YET_VALID = "not_yet_valid"
    CERTIFICATE_EXPIRED = "certificate_expired"


class Verdict(Struct, frozen=True):
    """The answer to a scan: what to tell, and with a yes the fields its scenario allows."""

    outcome: Outcome
    kind_code: str | None = None
    scenario_code: str | None = None
    fields: dict[str, Value] = {}


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
    """How a venue came to see a certificate: it scanned a resident's code, or a resident answered its ask."""

    CODE = "code"
    ASK = "ask"


class Use(Struct, frozen=True):
    """One record of the ledger: who saw which fields, when, for what."""

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


class AskState(StrEnum):
    """The stored life of an ask; `expired` is told from its time, never stored."""

    WAITING = "waiting"
    ANSWERED = "answered"
    DECLINED = "declined"


class Ask(Struct, frozen=True):
    """A venue's request, and after consent whose certificate answered it with which fields."""

    ask_id: AskId
    code_hash: bytes
    venue_id: VenueId
    device_id: DeviceId
    scenario_code: str
    scenario_edition: int
    kind_codes: tuple[str, ...]
    asked_at: datetime
    expires_at: datetime
    state: AskState
    answered_at: datetime | None = None
    person_id: PersonId | None = None
    certificate_id: CertificateId | None = None
    fields: tuple[str, ...] = ()

    def is_answered_with(self, person_id: PersonId, certificate_id: CertificateId) -> bool:
        """Whether this person answered it with this certificate."""
        return self.state is AskState.ANSWERED and (self.person_id, self.certificate_id) == (person_id, certificate_id)
