"""Loads, register entries and collections as they come and go over the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from wallet.departments.issue_policy import IssueRequest
from wallet.departments.requests import FieldValues, Holder
from wallet.departments.revoking import Reason
from wallet.departments.views import IssuedView
from wallet.forms import KindCode, Reference, Serial
from wallet.loading.model import Load, RefusedLine
from wallet.loading.registering import REVISION_MAX, Told
from wallet.model import State
from wallet.residents.views import CardView


class LoadView(msgspec.Struct):
    """How far a load has come. Every line read was issued, known from before, or refused.

    `next_line` is the number of the line wanted next, counted from 1.
    """

    load_id: UUID
    state: Literal["open", "finished"]
    opened_at: datetime
    touched_at: datetime
    next_line: int
    lines_read: int
    issued: int
    known: int
    refused: int

    @classmethod
    def of(cls, load: Load) -> "LoadView":
        return cls(
            load_id=load.load_id,
            state=load.state.value,
            opened_at=load.opened_at,
            touched_at=load.touched_at,
            next_line=load.next_line,
            lines_read=load.lines_read,
            issued=load.issued,
            known=load.known,
            refused=load.refused,
        )


class RefusedLineView(msgspec.Struct):
    """A line that was refused. `code` is the permanent code of the refusal; `field` names the field at fault."""

    line: int
    reference: str | None
    code: str
    detail: str
    field: str | None

    @classmethod
    def of(cls, refused: RefusedLine) -> "RefusedLineView":
        field = refused.field if refused.unknown_field is None else refused.unknown_field
        return cls(refused.line, refused.reference, refused.code, refused.detail, field)


class RefusedLinesView(msgspec.Struct):
    """Refused lines in order; `next_cursor` asks for more."""

    refusals: list[RefusedLineView]
    next_cursor: str | None


class EntryData(msgspec.Struct, forbid_unknown_fields=True):
    """The certificate that an entry stands for. `serial` counts for the first version: later ones keep it."""

    holder: Holder
    values: FieldValues
    valid_from: date
    valid_until: date | None = None
    serial: Serial | None = None


class EntryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The entry of your register as it is now; `certificate` null and `state` revoked when it is there no more.

    `revision` grows with every change of the entry. `reason` says why a state changes, where it does.
    """

    kind_code: KindCode
    revision: Annotated[int, Meta(ge=1, le=REVISION_MAX)]
    certificate: EntryData | None
    state: Literal["issued", "suspended", "revoked"]
    reason: Reason | None = None

    def told(self, reference: str) -> Told:
        data = self.certificate
        request = None
        if data is not None:
            request = IssueRequest(
                reference=reference,
                kind_code=self.kind_code,
                holder=data.holder.identity(),
                values=data.values,
                valid_from=data.valid_from,
                valid_until=data.valid_until,
                serial=data.serial,
            )
        return Told(
            reference=reference,
            kind_code=self.kind_code,
            revision=self.revision,
            state=State(self.state),
            request=request,
            reason=self.reason,
        )


class EntryView(msgspec.Struct):
    """What became of an entry, the revision that stands, and the certificate that stands for it, if any."""

    outcome: Literal["issued", "superseded", "suspended", "restored", "revoked", "unchanged", "outdated"]
    revision: int
    certificate: IssuedView | None


class ReissueRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why a certificate is issued anew, and for which days.

    Without `valid_from` from today, without `valid_until` by its kind's rule. `reference` is your own for the new
    version; without one, send `Idempotency-Key`.
    """

    reason: Reason
    valid_from: date | None = None
    valid_until: date | None = None
    reference: Reference | None = None


class CollectRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which kind of certificate to ask its department's register for."""

    kind_code: KindCode


class CollectedView(msgspec.Struct):
    """Whether the register knew of anything, how many were issued now, and all that you hold of this kind."""

    outcome: Literal["found", "nothing_found"]
    issued: int
    certificates: list[CardView]


class CollectedKindView(msgspec.Struct):
    """A kind of certificate that its department's register can be asked for."""

    kind_code: str
    name_zh: str
    name_en: str


class CollectedKindsView(msgspec.Struct):
    kinds: list[CollectedKindView]
