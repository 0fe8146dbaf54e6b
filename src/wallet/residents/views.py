"""Certificates, scenarios and asks as residents see them."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from wallet.asks import Ask
from wallet.catalogue import Catalogue
from wallet.model import IDENTIFIER_FIELD, Certificate, Field, IssuerSort, Kind, Scenario, Value
from wallet.predicates import Predicate
from wallet.residents.answering import Looked
from wallet.residents.holding import masked

IDENTIFIER_LABELS = ("证照标识", "Certificate identifier")


class FieldView(msgspec.Struct):
    """One field by its name and what people call it. A predicate of the kind is a field that is true or false."""

    name: str
    label_zh: str
    label_en: str

    @classmethod
    def of(cls, kind: Kind | None, name: str) -> "FieldView":
        known: tuple[Field | Predicate, ...] = () if kind is None else (*kind.fields, *kind.predicates)
        field = next((field for field in known if field.name == name), None)
        zh, en = IDENTIFIER_LABELS if name == IDENTIFIER_FIELD else (name, name)
        return cls(name, zh, en) if field is None else cls(name, field.label_zh, field.label_en)


class ValueView(msgspec.Struct):
    """One value of a certificate; dates are ISO 8601 text."""

    name: str
    label_zh: str
    label_en: str
    value: str | int | bool


class CardView(msgspec.Struct):
    """A certificate as it lies in the wallet: values masked where others may look on.

    `state` is issued, suspended, revoked or superseded, or by its dates expired or not_yet_valid.
    """

    certificate_id: UUID
    kind_code: str
    name_zh: str
    name_en: str
    issuer_zh: str
    issuer_en: str
    issuer_sort: IssuerSort
    state: str
    valid_from: date
    valid_until: date | None
    face_colour: str
    layout: str
    face: list[ValueView]


class WalletView(msgspec.Struct):
    """All of one's certificates, newest first."""

    certificates: list[CardView]

    @classmethod
    def of(cls, catalogue: Catalogue, held: list[Certificate], today: date) -> "WalletView":
        return cls([card_of(catalogue, certificate, today) for certificate in held])


class CertificateView(msgspec.Struct):
    """One's own certificate with all that it says."""

    certificate_id: UUID
    identifier: str
    version: int
    kind_code: str
    name_zh: str
    name_en: str
    issuer_zh: str
    issuer_en: str
    issuer_sort: IssuerSort
    state: str
    issued_at: datetime
    valid_from: date
    valid_until: date | None
    face_colour: str
    layout: str
    values: list[ValueView]

    @classmethod
    def of(cls, catalogue: Catalogue, certificate: Certificate, today: date) -> "CertificateView":
        kind, standing = catalogue.kinds[certificate.standing.kind_code], certificate.standing
        issuer = catalogue.issuers[certificate.issuer_code]
        return cls(
            certificate_id=certificate.certificate_id,
            identifier=certificate.attributes.identifier,
            version=certificate.version,
            kind_code=kind.kind_code,
            name_zh=kind.name.zh,
            name_en=kind.name.en,
            issuer_zh=issuer.name.zh,
            issuer_en=issuer.name.en,
            issuer_sort=issuer.sort,
            state=certificate.shown_state(today),
            issued_at=certificate.issued_at,
            valid_from=standing.valid_from,
            valid_until=standing.valid_until,
            face_colour=kind.face_colour,
            layout=kind.layout,
            values=[_value_of(field, value) for field, value in _in_order(kind, certificate)],
        )


def card_of(catalogue: Catalogue, certificate: Certificate, today: date) -> CardView:
    kind, standing = catalogue.kinds[certificate.standing.kind_code], certificate.standing
    issuer = catalogue.issuers[certificate.issuer_code]
    return CardView(
        certificate_id=certificate.certificate_id,
        kind_code=kind.kind_code,
        name_zh=kind.name.zh,
        name_en=kind.name.en,
        issuer_zh=issuer.name.zh,
        issuer_en=issuer.name.en,
        issuer_sort=issuer.sort,
        state=certificate.shown_state(today),
        valid_from=standing.valid_from,
        valid_until=standing.valid_until,
        face_colour=kind.face_colour,
        layout=kind.layout,
        face=[_value_of(field, masked(field, value)) for field, value in _in_order(kind, certificate)],
    )


def _in_order(kind: Kind, certificate: Certificate) -> list[tuple[Field, Value]]:
    values = certificate.attributes.values
    return [(field, values[field.name]) for field in kind.fields if field.name in values]


def _value_of(field: Field, value: Value) -> ValueView:
    return ValueView(field.name, field.label_zh, field.label_en, value)


class GrantView(msgspec.Struct):
    """What a scenario sees of one kind, and nothing beyond it."""

    kind_code: str
    name_zh: str
    name_en: str
    fields: list[FieldView]


class ScenarioView(msgspec.Struct):
    """For what a venue may look, and what it sees."""

    scenario_code: str
    name_zh: str
    name_en: str
    purpose_zh: str
    purpose_en: str
    shows: list[GrantView]

    @classmethod
    def of(cls, catalogue: Catalogue, scenario: Scenario, kind_codes: tuple[str, ...] | None = None) -> "ScenarioView":
        """The scenario, with what it sees of these kinds (None: of all)."""
        shows = [
            GrantView(
                kind_code,
                catalogue.kind_name(kind_code).zh,
                catalogue.kind_name(kind_code).en,
                [FieldView.of(catalogue.kinds.get(kind_code), name) for name in fields],
            )
            for kind_code, fields in scenario.grants.items()
            if kind_codes is None or kind_code in kind_codes
        ]
        return cls(
            scenario.scenario_code,
            scenario.name.zh,
            scenario.name.en,
            scenario.purpose.zh,
            scenario.purpose.en,
            shows,
        )


class ScenariosView(msgspec.Struct):
    scenarios: list[ScenarioView]


class AskView(msgspec.Struct):
    """Who asks, for what, until when, and which of one's certificates would answer."""

    venue_zh: str
    venue_en: str
    scenario: ScenarioView
    asked_at: datetime
    expires_at: datetime
    fitting: list[CardView]

    @classmethod
    def of(cls, catalogue: Catalogue, looked: Looked, today: date) -> "AskView":
        ask: Ask = looked.ask
        venue = catalogue.venue_name(ask.venue_id)
        return cls(
            venue.zh,
            venue.en,
            ScenarioView.of(catalogue, looked.scenario, ask.kind_codes),
            ask.asked_at,
            ask.expires_at,
            [card_of(catalogue, certificate, today) for certificate in looked.fitting],
        )
