"""Whether a row can be sent: pure, so that a bad one is known before anything is written, and stands alone."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date

from msgspec import Struct
from stdnum.cn import ric

from notifications.batches.model import RefusedRow
from notifications.batches.reading import DETAIL_MAX, RecipientSort, Told
from notifications.model import DeliveryStage
from notifications.services.errors import NotInTeam, RecipientRefused, TextTooLong, ValuesRefused, WrongChannel
from notifications.services.model import KeyKind
from notifications.services.recipients import NotReachable, read_email, read_phone, simulated_ending
from notifications.texts.model import DepartmentText, TextSort, plain_name
from notifications.texts.placeholders import expected

_SORTS: dict[TextSort, frozenset[RecipientSort]] = {
    TextSort.SMS: frozenset({"phone", "id_number"}),
    TextSort.EMAIL: frozenset({"email", "id_number"}),
    TextSort.NOTICE: frozenset({"id_number"}),
}
"""By what recipients of a text may be named. To a person goes any."""
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
SURELY_SHORT = 300
"""Characters of words and values together that are far from the longest SMS, however they are said."""


class Fit(Struct, frozen=True):
    """A row that can be sent; its recipient in the one form that each is kept in."""

    number: int
    sort: RecipientSort
    recipient: str
    reference: str | None
    values: dict[str, str]
    ending: DeliveryStage | None
    """How it ends without a carrier, where none is given it."""

    def __repr__(self) -> str:
        return f"Fit({self.number})"


class Judge:
    """Judges the rows of one batch, for the one text that it sends. `team`: whom alone a team key may send to."""

    def __init__(self, text: DepartmentText, kind: KeyKind, team: Collection[str] | None = None) -> None:
        self._text = text
        self._kind: KeyKind = kind
        self._team = team
        self._kinds = list(text.placeholders.items())
        self._names = text.placeholders.keys()
        self._ours = {plain_name(name): name for name in self._names}
        self._sorts = _SORTS[text.of.sort]
        self._words = max(len(text.zh.body), len(text.en.body))

    def judge(self, told: Told) -> Fit | RefusedRow:
        """What is wrong with a row is an answer, in words that repeat nothing of it.

        Names of values are spelt as people outside do; a value that the text has no gap for is nobody's concern.
        """
        if told.sort not in self._sorts:
            return _refused(told, WrongChannel.code, f"the text is not sent by {told.sort}", told.sort)
        try:
            recipient = _READ[told.sort](told.recipient)
        except NotReachable:
            return _refused(told, RecipientRefused.code, _NO_RECIPIENT[told.sort], told.sort)
        ending = simulated_ending(self._kind, recipient)
        if self._team is not None and ending is None and recipient not in self._team:
            return _refused(told, NotInTeam.code, "not on the team list", told.sort)
        values = told.values if told.values.keys() == self._names else self._named(told.values)
        length = self._words
        for name, kind in self._kinds:
            value = values.get(name)
            if not value:  # an empty cell is a forgotten one, also where a single message may leave the gap empty
                return _refused(told, ValuesRefused.code, "the value is missing", name)
            if not kind.accepts(value):
                return _refused(told, ValuesRefused.code, self._expected(name), name)
            length += len(value)
        if length > SURELY_SHORT and self._text.is_too_long(values):
            return _refused(told, TextTooLong.code, "the text would be longer than an SMS can be", "values")
        return Fit(told.number, told.sort, recipient, told.reference, values, ending)

    def _named(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values that the text has gaps for, named as it names them."""
        return {ours: value for name, value in values.items() if (ours := self._ours.get(plain_name(name))) is not None}

    def _expected(self, name: str) -> str:
        return f"not of its form: {expected(self._text.of.content.placeholders[name])}"


def _refused(told: Told, code: str, detail: str, field: str) -> RefusedRow:
    return RefusedRow(told.number, code, detail[:DETAIL_MAX], field, told.reference)


def _read_id_number(text: str) -> str:
    """A resident identity number (GB 11643): form, day of birth and check digit. Raises NotReachable."""
    number = text.strip().upper()
    if _ID_NUMBER.fullmatch(number) is None or number[-1] != ric.calc_check_digit(number):
        raise NotReachable
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise NotReachable from None
    return number


_READ: dict[RecipientSort, Callable[[str], str]] = {
    "phone": read_phone,
    "email": read_email,
    "id_number": _read_id_number,
}
_NO_RECIPIENT: dict[RecipientSort, str] = {
    "phone": "not a telephone number that takes SMS",
    "email": "not an e-mail address",
    "id_number": "not a resident identity number",
}
