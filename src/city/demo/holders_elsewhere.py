"""Who holds what associations, assessors and schools issue beside the departments."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from city.demo.circumstances import all_of, at_age, one_in, work, works_as
from city.demo.holders import Rule
from city.demo.model import Person, Value

_COURSES: Final = ("面点制作", "数据分析", "日语初级", "书法")


def _member(person: Person, today: date) -> dict[str, Value]:
    return {"work_unit": work(person, today).work_unit, "qualification_level": ("1", "2", "3")[person.number % 3]}


def _skilled(person: Person, today: date) -> dict[str, Value]:
    return {
        "occupation": work(person, today).occupation,
        "qualification_level": ("3", "4", "5")[person.number % 3],
        "score": 60 + person.number * 13 % 40,
    }


def _completed_on(person: Person) -> date:
    return at_age(22, not_before=2021)(person)


def _completed(person: Person, _today: date) -> dict[str, Value]:
    return {
        "speciality": _COURSES[person.number // 7 % len(_COURSES)],
        "score": 60 + person.number * 17 % 40,
        "graduated_on": _completed_on(person).isoformat(),
    }


RULES_ELSEWHERE: Final[Mapping[str, Rule]] = {
    "chefs_membership": Rule(works_as("cook"), at_age(22, not_before=2018), _member),
    "skill_level": Rule(works_as("welder", "builder", "attendant"), at_age(22, not_before=2019), _skilled),
    "course_completion": Rule(all_of(works_as(), one_in(7, 4)), _completed_on, _completed),
}
