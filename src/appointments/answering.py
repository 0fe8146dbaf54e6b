"""What a service asks whoever books it, and what they answered; sealed to the booking."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from appointments import queries
from appointments.asking import AnswerValue, Ground, Particulars
from appointments.errors import AnswersWrong
from appointments.model import Question, QuestionSort
from appointments.queries import BookingKey
from appointments.seals import Seals
from kernel.db import Connection

ANSWERS_MAX: Final = 40
TEXT_MAX: Final = 400
NUMBER_MAX: Final = 10**12
"""Larger than anything that is counted or paid; JSON numbers are exact up to 2^53."""
_PURPOSE: Final = "appointments.answers"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a person told with a booking: answers by the question's code, and why they need its lane."""

    answers: dict[str, AnswerValue] = {}
    reason: str | None = None
    ground: Ground | None = None


NOTHING_TOLD: Final = Told()


def checked(questions: Sequence[Question], answers: Mapping[str, AnswerValue]) -> dict[str, AnswerValue]:
    """The answers, texts without the spaces around them. Raises AnswersWrong naming every question that is not
    answered as it asks, and every code that is none of them."""
    asked = {question.code: question for question in questions}
    told = {code: value.strip() if isinstance(value, str) else value for code, value in answers.items()}
    wrong = {code for code in told if code not in asked}
    for code, question in asked.items():
        value = told.get(code)
        if value is None or value == "":
            told.pop(code, None)
            if question.is_required:
                wrong.add(code)
        elif not _fits(question, value):
            wrong.add(code)
    if wrong:
        raise AnswersWrong(questions=sorted(wrong))
    return told


def _fits(question: Question, value: AnswerValue) -> bool:
    match question.sort:
        case QuestionSort.TEXT:
            return isinstance(value, str) and len(value) <= TEXT_MAX and _is_written(value)
        case QuestionSort.NUMBER:
            if isinstance(value, bool | str):
                return False
            return -NUMBER_MAX <= value <= NUMBER_MAX  # which nothing that is no number is
        case QuestionSort.YES_NO:
            return isinstance(value, bool)
        case QuestionSort.CHOICE:
            return value in {choice.code for choice in question.choices}


def _is_written(value: str) -> bool:
    """Whether it holds no control character but the line feed."""
    return all(letter == "\n" or letter.isprintable() or letter.isspace() for letter in value)


def sealed(
    seals: Seals, key: BookingKey, questions: Sequence[Question], particulars: Particulars, *, is_urgent: bool
) -> bytes | None:
    """What is kept with the booking; None where nothing was told. A reason is kept for the lane that asks for one."""
    told = Told(
        answers=checked(questions, particulars.answers),
        reason=particulars.reason if is_urgent else None,
        ground=particulars.ground,
    )
    return None if told == NOTHING_TOLD else seal(seals, key, told)


def seal(seals: Seals, key: BookingKey, told: Told) -> bytes:
    return seals.seal(_PURPOSE, *key, told)


async def told_with(conn: Connection, seals: Seals, keys: Sequence[BookingKey]) -> dict[BookingKey, Told]:
    """What was told with these bookings; those without are left out. For the person, and the desk they come to."""
    found = await queries.select_answers(conn, keys)
    return {key: seals.unseal(_PURPOSE, *key, envelope, Told) for key, envelope in found.items()}
