"""Questions about a certificate that are answered yes or no, the value untold: sixty or older? of this district?

A kind names its predicates; a scenario grants them like fields, and to a venue they look like fields that are true or
false. What cannot be answered is no.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from msgspec import Struct

OPERANDS_MAX = 200
AGE_MAX = 150


class Test(StrEnum):
    """How a value is asked about."""

    __test__ = False

    AGE_AT_LEAST = "age_at_least"
    """The field is a date of birth; the operand is completed years."""
    AT_LEAST = "at_least"
    """The field is a whole number; so is the operand."""
    ONE_OF = "one_of"
    """The field is a text or code; the operand lists the values that mean yes."""
    STARTS_WITH = "starts_with"
    """The field is a text or code, such as a region code; the operand lists the beginnings that mean yes."""
    IS_TRUE = "is_true"
    """The field is true or false; there is no operand."""


class Predicate(Struct, frozen=True):
    """One question of a kind: about which field, how, compared with what (a number, texts, or nothing)."""

    name: str
    label_zh: str
    label_en: str
    field: str
    test: Test
    number: int | None = None
    texts: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether it has exactly the operand its test asks for."""
        wants_number = self.test in (Test.AGE_AT_LEAST, Test.AT_LEAST)
        wants_texts = self.test in (Test.ONE_OF, Test.STARTS_WITH)
        return (self.number is not None) == wants_number and bool(self.texts) == wants_texts

    def answer(self, values: Mapping[str, str | int | bool], today: date) -> bool:
        """Whether these values say yes on `today`, a day of the city's calendar. Never yes on doubt."""
        value = values.get(self.field)
        match self.test:
            case Test.AGE_AT_LEAST:
                return isinstance(value, str) and self.number is not None and _age(value, today) >= self.number
            case Test.AT_LEAST:
                if isinstance(value, bool) or not isinstance(value, int) or self.number is None:
                    return False
                return value >= self.number
            case Test.ONE_OF:
                return isinstance(value, str) and value in self.texts
            case Test.STARTS_WITH:
                return isinstance(value, str) and value.startswith(self.texts or ("\0",))
            case Test.IS_TRUE:
                return value is True


def _age(born: str, today: date) -> int:
    """Completed years; born on 29 February, one is a year older on 1 March of a common year. −1 for what is no date."""
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return -1
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))
