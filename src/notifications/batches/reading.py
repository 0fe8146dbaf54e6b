"""What a row says, from a line of JSON or of CSV. A line that cannot be read is refused alone. Pure."""

import csv
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from kernel.errors import MalformedRequest
from kernel.lines import Line
from kernel.plain_text import ONE_LINE
from notifications.batches.errors import RowTooLong
from notifications.batches.model import RefusedRow
from notifications.services.errors import RecipientRefused
from notifications.services.model import REFERENCE_MAX

LINE_BYTES_MAX = 8 * 1024
COLUMNS_MAX = 60
NAME_MAX = 60
DETAIL_MAX = 200

RecipientSort = Literal["phone", "email", "id_number"]
RECIPIENTS: tuple[RecipientSort, ...] = ("phone", "email", "id_number")
REFERENCE = "reference"
_IS_REFERENCE = re.compile(ONE_LINE).search


class Told(Struct, frozen=True):
    """What a row says: whom it names by what, and what stands in the gaps of the text."""

    number: int
    sort: RecipientSort
    recipient: str
    reference: str | None
    values: dict[str, str]


Read = Callable[[Line], Told | RefusedRow]


# ---- JSON


class RowData(Struct, forbid_unknown_fields=True):
    """One recipient, named by one of the three, and the values of the text. `reference` is your own for the row."""

    phone: str | None = None
    email: str | None = None
    id_number: str | None = None
    reference: Annotated[str, Meta(min_length=1, max_length=REFERENCE_MAX, pattern=ONE_LINE)] | None = None
    values: dict[str, str] = {}


_decode = msgspec.json.Decoder(RowData).decode
_WHERE = re.compile(r" - at `\$\.?([a-z_]+)")


def read_json(line: Line) -> Told | RefusedRow:
    """Read one line of newline-delimited JSON."""
    if line.text is None:
        return too_long(line.number)
    try:
        row = _decode(line.text)
    except msgspec.ValidationError as problem:
        where = _WHERE.search(str(problem))
        field = where[1] if where and where[1] in RowData.__struct_fields__ else None
        detail = "there is a field that is missing, unknown or not of its form"
        return RefusedRow(line.number, MalformedRequest.code, detail, field)
    except UnicodeDecodeError:
        return not_utf8(line.number)
    except (msgspec.DecodeError, RecursionError):
        return RefusedRow(line.number, MalformedRequest.code, "the line is not JSON (RFC 8259)")
    if row.phone is not None and row.email is None and row.id_number is None:
        return Told(line.number, "phone", row.phone, row.reference, row.values)
    named = [(sort, text) for sort in RECIPIENTS if (text := getattr(row, sort)) is not None]
    if len(named) != 1:
        detail = "name one recipient, by phone, email or id_number"
        return RefusedRow(line.number, RecipientRefused.code, detail, reference=row.reference)
    [(sort, text)] = named
    return Told(line.number, sort, text, row.reference, row.values)


# ---- CSV

_CELL = r'(?:[^",\r]*|"[^"]*(?:""[^"]*)*")'
_QUOTED_WELL = re.compile(rf"{_CELL}(?:,{_CELL})*", re.DOTALL)
_ENDS_QUOTED = re.compile(r'(?:^|,)"[^"]*(?:""[^"]*)*$(?!\n)', re.DOTALL)


class Columns(Struct, frozen=True):
    """What stands where in each line of a CSV file (RFC 4180)."""

    names: tuple[str, ...]
    sort: RecipientSort
    recipient_at: int
    reference_at: int | None
    values_at: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, header: bytes | None) -> "Columns":
        """Read the first line: one column for the recipient, perhaps `reference`, and one for each gap of the text.

        Raises MalformedRequest: without a header no row can be read.
        """
        names = _header(header)
        sorts = [sort for sort in RECIPIENTS if sort in names]
        if len(sorts) != 1:
            raise MalformedRequest("the first line names one column for recipients: phone, email or id_number")
        [sort] = sorts
        reference_at = names.index(REFERENCE) if REFERENCE in names else None
        own = {sort, REFERENCE}
        values_at = tuple((name, at) for at, name in enumerate(names) if name not in own)
        return cls(tuple(names), sort, names.index(sort), reference_at, values_at)

    def read(self, line: Line) -> Told | RefusedRow:
        """Read one line that `until_unclosed` let through. Quoted text may hold commas and doubled quotes."""
        if line.text is None:
            return too_long(line.number)
        try:
            text = line.text.decode()
        except UnicodeDecodeError:
            return not_utf8(line.number)
        cells = _cells(text)
        if cells is None or len(cells) != len(self.names):
            why = "a quote or a line break stands inside a cell"
            if cells is not None:
                why = f"{len(cells)} cells, {len(self.names)} in the header"
            return RefusedRow(line.number, MalformedRequest.code, why)
        reference = None if self.reference_at is None else cells[self.reference_at] or None
        if reference is not None and (len(reference) > REFERENCE_MAX or _IS_REFERENCE(reference) is None):
            return RefusedRow(line.number, MalformedRequest.code, "the reference is too long or unprintable", REFERENCE)
        values = {name: cells[at] for name, at in self.values_at}
        return Told(line.number, self.sort, cells[self.recipient_at], reference, values)


def _header(line: bytes | None) -> list[str]:
    """The names in the first line of a file. Raises MalformedRequest."""
    try:
        text = (line or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedRequest("the first line is not UTF-8") from None
    names = [name.strip() for name in _cells(text) or []]
    if not 1 <= len(names) <= COLUMNS_MAX or not all(1 <= len(name) <= NAME_MAX for name in names):
        raise MalformedRequest(f"the first line names 1 to {COLUMNS_MAX} columns, in at most {NAME_MAX} signs each")
    if len(set(names)) < len(names):
        raise MalformedRequest("the first line names a column twice")
    return names


def _cells(text: str) -> list[str] | None:
    """The cells of a line; None where a quote stands wrong."""
    text = text.removesuffix("\r")
    if '"' not in text:
        return text.split(",")
    if _QUOTED_WELL.fullmatch(text) is None:
        return None
    [cells] = csv.reader([text], strict=True)
    return cells


def until_unclosed(lines: Sequence[Line]) -> tuple[Sequence[Line], MalformedRequest | None]:
    """Lines of CSV up to one that may go on in the next, and the refusal that names it.

    Quoted text may hold line breaks (RFC 4180 §2.6). Such rows are not read, and what follows in them must never be
    read as a row of its own: it would be sent to whomever somebody else's words name.
    """
    for at, line in enumerate(lines):
        if line.text is None:
            return lines[:at], MalformedRequest(f"row {line.number} has more than {LINE_BYTES_MAX} bytes")
        if b'"' in line.text and _is_unclosed(line.text):
            why = f"row {line.number}: a quote is not closed; rows with line breaks in them are sent as JSON"
            return lines[:at], MalformedRequest(why)
    return lines, None


def _is_unclosed(text: bytes) -> bool:
    """Whether a line ends inside a quoted cell, or may."""
    said = text.decode(errors="replace").removesuffix("\r")
    return _QUOTED_WELL.fullmatch(said) is None and _ENDS_QUOTED.search(said) is not None


def too_long(number: int) -> RefusedRow:
    return RefusedRow(number, RowTooLong.code, f"a row has at most {LINE_BYTES_MAX} bytes")


def not_utf8(number: int) -> RefusedRow:
    return RefusedRow(number, MalformedRequest.code, "the line is not UTF-8")
