"""Certificates and kinds as departments see them."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from wallet.model import Certificate, FieldType, Kind, Sensitivity


class IssuedView(msgspec.Struct):
    """An issued certificate as its issuer sees it. `certificate_id` names it in every later call."""

    certificate_id: UUID
    identifier: str
    kind_code: str
    version: int
    state: str
    issued_at: datetime
    valid_from: date
    valid_until: date | None

    @classmethod
    def of(cls, certificate: Certificate, today: date) -> "IssuedView":
        return cls(
            certificate_id=certificate.certificate_id,
            identifier=certificate.attributes.identifier,
            kind_code=certificate.standing.kind_code,
            version=certificate.version,
            state=certificate.shown_state(today),
            issued_at=certificate.issued_at,
            valid_from=certificate.standing.valid_from,
            valid_until=certificate.standing.valid_until,
        )


class FieldSchema(msgspec.Struct):
    """One field of a kind. `codes` lists its values where the list is closed."""

    name: str
    label_zh: str
    label_en: str
    type: FieldType
    sensitivity: Sensitivity
    codes: list[str]
    is_required: bool


class KindView(msgspec.Struct):
    """A kind you may issue, and the values each certificate of it carries."""

    kind_code: str
    name_zh: str
    name_en: str
    valid_days: int | None
    fields: list[FieldSchema]

    @classmethod
    def of(cls, kind: Kind) -> "KindView":
        fields = [
            FieldSchema(f.name, f.label_zh, f.label_en, f.type, f.sensitivity, list(f.codes), f.is_required)
            for f in kind.fields
        ]
        return cls(kind.kind_code, kind.name.zh, kind.name.en, kind.valid_days, fields)


class KindsView(msgspec.Struct):
    kinds: list[KindView]
