"""Whether a certificate may be issued: pure policy, apart from the act. Refusals name fields, never values."""

import re
from collections.abc import Mapping
from datetime import date, timedelta

import msgspec
from msgspec import Struct

from kernel.people import Identity
from kernel.plain_text import is_one_line
from wallet.errors import HolderRefused, KindNotEntitled, KindNotFound, ValidityRefused, ValueRefused
from wallet.model import Field, FieldType, Issuer, Kind, Value

TEXT_MAX = 500
CODE_MAX = 64
_NOT_ONE_LINE = "must be one line, without control characters and marks that set a direction"
"""Of several lines no value is: a venue reads it beside others on a small screen, and a proof prints it in a row."""
_ID_NUMBER = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


class IssueRequest(Struct, frozen=True, kw_only=True):
    """What a department asks for. `reference` is its own number for the certificate, unique among its own.

    Without `serial` the certificate's own id is the serial in the identifier; without `valid_until` the kind's rule
    says how long it is good.
    """

    reference: str
    kind_code: str
    holder: Identity
    values: dict[str, Value]
    valid_from: date
    valid_until: date | None = None
    serial: str | None = None


def may_issue(issuer: Issuer | None, kind: Kind | None, request: IssueRequest) -> tuple[Issuer, Kind]:
    """Whether this may be issued, and in whose name. Pure policy; refusals name fields, never values.

    Raises KindNotFound, KindNotEntitled, HolderRefused, ValueRefused, ValidityRefused.
    """
    if kind is None:
        raise KindNotFound
    if issuer is None or kind.kind_code not in issuer.kind_codes:
        raise KindNotEntitled
    if not is_id_number(request.holder.id_number):
        raise HolderRefused
    check_values(kind, request.values)
    until = valid_until_of(kind, request)
    if until is not None and until < request.valid_from:
        raise ValidityRefused("valid_until lies before valid_from")
    return issuer, kind


def is_id_number(text: str) -> bool:
    """Whether this is a resident identity number by its form, its day of birth and its check digit (GB 11643).

    Its region is not looked up: regions come and go, and people keep the one they were born in.
    """
    if _ID_NUMBER.fullmatch(text) is None:
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == text[17]


def check_values(kind: Kind, values: Mapping[str, Value]) -> None:
    """Raises ValueRefused, naming the first field that is missing, unknown or not of its type."""
    fields = {field.name: field for field in kind.fields}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            raise ValueRefused("this kind has no such field", field=name)
        problem = _problem_of(field, value)
        if problem:
            raise ValueRefused(problem, field=name)
    for field in kind.fields:
        if field.is_required and field.name not in values:
            raise ValueRefused("the field is missing", field=field.name)


def _problem_of(field: Field, value: Value) -> str | None:
    """What is wrong with a value, in words that do not repeat it."""
    match field.type:
        case FieldType.BOOLEAN:
            return None if isinstance(value, bool) else "must be true or false"
        case FieldType.INTEGER:
            return None if isinstance(value, int) and not isinstance(value, bool) else "must be a whole number"
        case FieldType.DATE:
            return None if isinstance(value, str) and _is_date(value) else "must be a date, YYYY-MM-DD"
        case FieldType.CODE:
            if not isinstance(value, str) or not 1 <= len(value) <= CODE_MAX:
                return "must be a code"
            if not is_one_line(value):
                return _NOT_ONE_LINE
            return None if not field.codes or value in field.codes else "must be one of the field's codes"
        case FieldType.TEXT:
            if not isinstance(value, str) or not 1 <= len(value) <= TEXT_MAX:
                return f"must be a text of 1 to {TEXT_MAX} characters"
            return None if is_one_line(value) else _NOT_ONE_LINE


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def valid_until_of(kind: Kind, request: IssueRequest) -> date | None:
    """The last day: what was asked for, else by the kind's rule. Raises ValidityRefused beyond the calendar."""
    if request.valid_until is not None or kind.valid_days is None:
        return request.valid_until
    try:
        return request.valid_from + timedelta(days=kind.valid_days)
    except OverflowError:
        raise ValidityRefused("the kind's length of life leads beyond the calendar") from None


def place_of_reference(issuer_code: str, reference: str) -> str:
    """What an issuer's reference is filed under, once it is digested: references are unique among an issuer's own."""
    return f"{issuer_code}\0{reference}"


def body_of(request: IssueRequest, version: int, serial: str | None) -> str:
    """All that was asked for, in one way of writing it: digested, it tells whether a reference is used again."""
    return msgspec.json.encode((request, version, serial), order="deterministic").decode()
