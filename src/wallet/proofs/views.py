"""Printed proofs and their checks as they come and go over the wire."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from wallet.model import Words
from wallet.proof_page import LAST_CHARACTERS, NAME_MAX, Finding, MaskedField, RegisteredProof
from wallet.proofs.checking import Checked
from wallet.proofs.listing import Listed, Page
from wallet.proofs.model import Claim, Found, text_of
from wallet.proofs.printing import Printed
from wallet.proofs.queries import PrintedProof
from wallet.residents.views import ValueView

LAST_FOUR = rf"^[0-9A-Za-z]{{{LAST_CHARACTERS}}}$(?!\n)"


class PrintedView(msgspec.Struct):
    """A printed proof: draw `text` as its QR, and print `check_url` beside it for those who type.

    It is good as long as the certificate is; `valid_until` null: until that is revoked.
    """

    text: str
    check_url: str
    printed_at: datetime
    valid_until: date | None

    @classmethod
    def of(cls, printed: Printed) -> "PrintedView":
        return cls(printed.text, printed.check_url, printed.printed_at, printed.valid_until)


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whose proof it is: the holder's name, and the last four characters of their ID number."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    last_four: Annotated[str, Meta(pattern=LAST_FOUR)]

    def claim(self) -> Claim:
        return Claim(self.name, self.last_four)


class FoundView(msgspec.Struct):
    """The proof as it stands now. Only where `state` is `valid` there are `fields`, partly hidden, to compare."""

    state: Finding
    kind_code: str
    kind_zh: str
    kind_en: str
    issuer_zh: str
    issuer_en: str
    printed_at: datetime
    valid_from: date
    valid_until: date | None
    fields: list[ValueView]

    @classmethod
    def of(cls, found: Found) -> "FoundView":
        kind, issuer = found.kind, found.issuer
        return cls(
            state=found.finding,
            kind_code=kind.kind_code,
            kind_zh=kind.name.zh,
            kind_en=kind.name.en,
            issuer_zh=issuer.zh,
            issuer_en=issuer.en,
            printed_at=found.printed_at,
            valid_from=found.valid_from,
            valid_until=found.valid_until,
            fields=[ValueView(field.name, field.label_zh, field.label_en, value) for field, value in found.fields],
        )


class CheckView(msgspec.Struct):
    """Whether it matches, and where it does: how the proof stands."""

    is_match: bool
    checked_at: datetime
    proof: FoundView | None

    @classmethod
    def of(cls, checked: Checked) -> "CheckView":
        found = checked.found
        return cls(found is not None, checked.checked_at, None if found is None else FoundView.of(found))


class PrintedProofView(msgspec.Struct):
    """That a certificate was printed, and when; how often the paper was checked, and when last."""

    certificate_id: UUID
    printed_at: datetime
    checks: int
    checked_at: datetime | None

    @classmethod
    def of(cls, printed: PrintedProof) -> "PrintedProofView":
        return cls(printed.certificate_id, printed.printed_at, printed.checks, printed.checked_at)


class PaperView(msgspec.Struct):
    """A proof that you have printed, and what whoever checks it now is told: `state`, as in a check.

    `checks` counts those in which what was typed agreed with whose it is; each is in your ledger, too. What the code on
    the paper is, is written on the paper alone.
    """

    certificate_id: UUID
    kind_code: str
    name_zh: str
    name_en: str
    state: Finding
    printed_at: datetime
    valid_until: date | None
    checks: int
    checked_at: datetime | None

    @classmethod
    def of(cls, listed: Listed) -> "PaperView":
        proof, kind = listed.proof, listed.kind
        return cls(
            certificate_id=proof.certificate_id,
            kind_code=kind.kind_code,
            name_zh=kind.name.zh,
            name_en=kind.name.en,
            state=listed.finding,
            printed_at=proof.printed_at,
            valid_until=listed.standing.valid_until,
            checks=proof.checks,
            checked_at=proof.checked_at,
        )


class PapersView(msgspec.Struct):
    """Some of what you have printed, newest first; ask again with `next_cursor` for more, null: there is no more."""

    proofs: list[PaperView]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page) -> "PapersView":
        return cls([PaperView.of(listed) for listed in page.proofs], page.next_cursor)


def registered(found: Found) -> RegisteredProof:
    """What the page says of a proof that matches."""
    return RegisteredProof(
        title=found.kind.name,
        organ=found.issuer,
        issued_at=found.printed_at,
        valid_until=found.valid_until,
        fields=tuple(
            MaskedField(Words(field.label_zh, field.label_en), text_of(value)) for field, value in found.fields
        ),
    )
