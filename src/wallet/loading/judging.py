"""Whether a line of a load may be issued: pure, so that a bad line is known before anything is written."""

import re
from datetime import date

import msgspec

from kernel.errors import MalformedRequest, Refusal
from kernel.ids import DepartmentId
from kernel.lines import Line
from wallet.catalogue import Catalogue
from wallet.departments.issue_policy import IssueRequest, may_issue
from wallet.departments.requests import CertificateRequest
from wallet.errors import LineTooLong
from wallet.forms import Reference
from wallet.loading.lines import LINE_BYTES_MAX
from wallet.loading.model import RefusedLine
from wallet.model import Issuer, Kind

DETAIL_MAX = 200
_FIELD = r"[a-z][a-z0-9_]{0,63}"
_WHERE = re.compile(r" - at `(?:key` in `)?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(rf"^Object missing required field `({_FIELD})`")
_UNKNOWN_MAX = 200
"""Characters of a field's name that are kept for the report."""

_decode = msgspec.json.Decoder(CertificateRequest).decode


class Fit(msgspec.Struct, frozen=True):
    """A line that may be issued, as far as can be told without looking anything up."""

    line: int
    request: IssueRequest
    issuer: Issuer
    kind: Kind


class _Named(msgspec.Struct):
    reference: Reference


_name = msgspec.json.Decoder(_Named).decode


def judge(catalogue: Catalogue, department_id: DepartmentId, line: Line, *, today: date) -> Fit | RefusedLine:
    """Read one line. What is wrong with it is an answer, in words that repeat nothing of it."""
    if line.text is None:
        return _refused(line, LineTooLong(f"a line has at most {LINE_BYTES_MAX} bytes"))
    try:
        request = _decode(line.text).fit()
    except msgspec.ValidationError as problem:
        return _misformed(line, str(problem))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return RefusedLine(line.number, MalformedRequest.code, "the line is not JSON (RFC 8259)")
    except RecursionError:
        return RefusedLine(line.number, MalformedRequest.code, "the line is nested too deep")
    try:
        issuer = catalogue.issuer_of(department_id, request.kind_code, today)
        issuer, kind = may_issue(issuer, catalogue.kinds.get(request.kind_code), request)
    except Refusal as refusal:
        known = catalogue.kinds.get(request.kind_code)
        return _refused(line, refusal, request.reference, known)
    return Fit(line.number, request, issuer, kind)


def _refused(line: Line, refusal: Refusal, reference: str | None = None, kind: Kind | None = None) -> RefusedLine:
    field = refusal.members.get("field")
    named = field if isinstance(field, str) else None
    is_ours = kind is not None and named in {one.name for one in kind.fields}
    return RefusedLine(
        line=line.number,
        code=refusal.code,
        detail=(refusal.detail or refusal.title())[:DETAIL_MAX],
        field=named if is_ours else None,
        reference=reference,
        unknown_field=None if is_ours else named,
    )


def _misformed(line: Line, said: str) -> RefusedLine:
    """What msgspec says, without the names and values that it quotes from the line."""
    assert line.text is not None
    unknown, missing, where = _UNKNOWN.match(said), _MISSING.match(said), _WHERE.search(said)
    path = [part for part in re.split(r"[.\[\]]+", where[1]) if part] if where else []
    if missing:
        path.append(missing[1])
    if unknown:
        detail = "there is a field that is not known here"
    elif missing:
        detail = "the field is missing"
    else:
        head = said.split(" - at `", maxsplit=1)[0]
        detail = head if head.startswith("Expected ") else "the value is not of the form it has here"
    return RefusedLine(
        line=line.number,
        code=MalformedRequest.code,
        detail=detail[:DETAIL_MAX],
        field=".".join(path) or None,
        reference=_reference_of(line.text),
        unknown_field=unknown[1][:_UNKNOWN_MAX] if unknown else None,
    )


def _reference_of(text: bytes) -> str | None:
    """The reference, where at least that is in its form."""
    try:
        return _name(text).reference
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
