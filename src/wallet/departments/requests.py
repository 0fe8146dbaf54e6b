"""A certificate as a department asks for it, over the wire: alone, as a line of a load, or out of its register."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from kernel.people import Identity
from wallet.departments.issue_policy import TEXT_MAX, IssueRequest
from wallet.forms import FieldName, IdNumber, KindCode, Name, Reference, Serial

VALUES_MAX = 100
INTEGER_MAX = 2**53 - 1
"""Every number that JSON readers agree on (RFC 8259 §6)."""
FieldValue = Annotated[str, Meta(max_length=TEXT_MAX)] | Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)] | bool
FieldValues = Annotated[dict[FieldName, FieldValue], Meta(max_length=VALUES_MAX)]


class Holder(msgspec.Struct, forbid_unknown_fields=True):
    """Whose certificate it is: the resident identity number (GB 11643) and the name on it."""

    id_number: IdNumber
    name: Name

    def identity(self) -> Identity:
        return Identity(self.id_number, self.name)


class CertificateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A certificate to issue. The same `reference` again issues nothing new.

    Without `serial` we choose one; without `valid_until` the kind's own rule applies.
    """

    reference: Reference
    kind_code: KindCode
    holder: Holder
    values: FieldValues
    valid_from: date
    valid_until: date | None = None
    serial: Serial | None = None

    def fit(self) -> IssueRequest:
        return IssueRequest(
            reference=self.reference,
            kind_code=self.kind_code,
            holder=self.holder.identity(),
            values=self.values,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            serial=self.serial,
        )
