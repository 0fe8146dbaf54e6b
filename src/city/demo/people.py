"""The residents of the demo city: invented families of several ages, the same on every machine.

Whatever looks random is arithmetic on a person's number. ID numbers use the order codes that are kept for
centenarians, phones a range that no carrier serves: neither can be a living person's.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

import msgspec

from city.demo.codes import DISTRICT_BY_CODE, DISTRICTS, id_number, phone, region_at_birth
from city.demo.model import Language, Person, Sex
from city.demo.names import GIVEN_NAMES, SURNAMES, Generation

PHONE_BORN_BEFORE: Final = date(2015, 1, 1)
"""Children born later have no phone of their own."""

_ROADS: Final = (
    "示范路",
    "样板路",
    "云上路",
    "如意桥路",
    "晴川里路",
    "青禾路",
    "星河湾路",
    "知行路",
    "小满街",
    "长乐坊路",
)
_ETHNICITIES: Final = {7: "回", 19: "满", 31: "蒙古", 37: "土家", 43: "壮"}
_ELSEWHERE: Final = ("330106", "320106", "340503", "330203", "330127", "340121", "110108")
"""Where newcomers come from: regions that have kept their code since 1983."""


class _Register:
    """People in the order they are entered; hands out numbers, given names and days of birth."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self._taken: dict[tuple[Generation, Sex], int] = {}

    def enter(self, home: "_Home", generation: Generation, sex: Sex, surname: int, born: date | int) -> Person:
        """Enter somebody born in a year (the day follows from their number) or on a day (a twin)."""
        number = len(self.people) + 1
        given_at = self._taken.get((generation, sex), 0)
        self._taken[generation, sex] = given_at + 1
        given, given_latin = GIVEN_NAMES[generation, sex][given_at]
        family, family_latin = SURNAMES[surname % len(SURNAMES)]
        day = born if isinstance(born, date) else date(born, number * 7 % 12 + 1, number * 11 % 28 + 1)
        region = home.region(day, generation)
        twins = sum(1 for other in self.people if (other.hometown, other.born, other.sex) == (region, day, sex))
        person = Person(
            key=f"p{number:03d}",
            number=number,
            name=family + given,
            name_latin=f"{family_latin} {given_latin}",
            sex=sex,
            born=day,
            id_number=id_number(region, day, sex, twins),
            ethnicity=_ETHNICITIES.get(home.number, "汉"),
            phone=phone(number) if day < PHONE_BORN_BEFORE else None,
            language=Language.ENGLISH if number % 12 == 5 else Language.CHINESE,
            hometown=region,
            district=home.district,
            address=home.address,
            household=home.key,
            head=not any(other.household == home.key for other in self.people),
        )
        self.people.append(person)
        return person

    def wed(self, husband: Person, wife: Person) -> None:
        """Name each as the other's spouse."""
        self._amend(husband, spouse=wife.key)
        self._amend(wife, spouse=husband.key)

    def descend(self, child: Person, father: Person | None, mother: Person | None) -> None:
        """Name a child's parents."""
        self._amend(child, father=father.key if father else None, mother=mother.key if mother else None)

    def _amend(self, person: Person, **changes: str | None) -> None:
        self.people[person.number - 1] = msgspec.structs.replace(self.people[person.number - 1], **changes)


class _Home:
    """One flat, in which one household lives."""

    def __init__(self, number: int, *, newcomers: bool) -> None:
        self.number = number
        self.key = f"h{number:02d}"
        self.district = DISTRICTS[number % len(DISTRICTS)].code
        self._hometown = _ELSEWHERE[number % len(_ELSEWHERE)] if newcomers else None
        lane, house, flat = number * 13 % 180 + 8, number * 3 % 40 + 1, (number % 6 + 1) * 100 + number % 4 + 1
        road = _ROADS[number % len(_ROADS)]
        self.address = f"上海市{DISTRICT_BY_CODE[self.district].name_zh}{road}{lane}弄{house}号{flat}室"

    def region(self, born: date, generation: Generation) -> str:
        """Where somebody of this home was first registered: elders and parents not always where they live now."""
        if self._hometown is not None:
            return self._hometown
        moved = {Generation.ELDER: 5, Generation.MIDDLE: 3, Generation.CHILD: 0}[generation]
        return region_at_birth(DISTRICTS[(self.number + moved) % len(DISTRICTS)].code, born)


def _couple(register: _Register, home: _Home, generation: Generation, surname: int, born: int) -> tuple[Person, Person]:
    husband = register.enter(home, generation, Sex.MALE, surname, born)
    wife = register.enter(home, generation, Sex.FEMALE, surname + 53 + home.number % 3, born + home.number % 4 - 1)
    register.wed(husband, wife)
    return husband, wife


def _children(register: _Register, home: _Home, father: Person | None, mother: Person, surname: int) -> None:
    count = 2 if home.number % 2 == 0 else 1
    first = mother.born.year + 27 + home.number % 5
    eldest = None
    for ordinal in range(count):
        sex = Sex.FEMALE if (home.number + ordinal) % 2 else Sex.MALE
        born: date | int = min(first + ordinal * 4, 2025)
        if eldest is not None and home.number % 10 == 0:
            born, sex = eldest.born, eldest.sex  # twins
        child = register.enter(home, Generation.CHILD, sex, surname, born)
        register.descend(child, father, mother)
        eldest = child


def _three_generations(register: _Register, home: _Home, surname: int) -> None:
    born = 1976 + home.number * 5 % 18
    grandparents = _couple(register, home, Generation.ELDER, surname, born - 26 - home.number % 3)
    father, mother = _couple(register, home, Generation.MIDDLE, surname, born)
    register.descend(father, *grandparents)
    _children(register, home, father, mother, surname)


def _parents_and_children(register: _Register, home: _Home, surname: int) -> None:
    father, mother = _couple(register, home, Generation.MIDDLE, surname, 1984 + home.number * 3 % 11)
    _children(register, home, father, mother, surname)


def _grandmother_and_family(register: _Register, home: _Home, surname: int) -> None:
    born = 1970 + home.number * 3 % 16
    grandmother = register.enter(home, Generation.ELDER, Sex.FEMALE, surname + 61, born - 24 - home.number % 4)
    father, mother = _couple(register, home, Generation.MIDDLE, surname, born)
    register.descend(father, None, grandmother)
    _children(register, home, father, mother, surname)


def _elders(register: _Register, home: _Home, surname: int) -> None:
    _couple(register, home, Generation.ELDER, surname, 1936 + home.number * 5 % 29)


def _young_couple(register: _Register, home: _Home, surname: int) -> None:
    _couple(register, home, Generation.MIDDLE, surname, 1990 + home.number % 9)


def _alone(register: _Register, home: _Home, surname: int) -> None:
    sex = Sex.FEMALE if home.number % 2 else Sex.MALE
    register.enter(home, Generation.MIDDLE, sex, surname, 1985 + home.number * 7 % 20)


def _mother_and_child(register: _Register, home: _Home, surname: int) -> None:
    mother = register.enter(home, Generation.MIDDLE, Sex.FEMALE, surname, 1983 + home.number % 8)
    _children(register, home, None, mother, surname)


_Shape = Callable[[_Register, _Home, int], None]

_SHAPES: Final[tuple[tuple[_Shape, int], ...]] = (
    (_three_generations, 21),
    (_parents_and_children, 12),
    (_grandmother_and_family, 5),
    (_elders, 8),
    (_young_couple, 5),
    (_alone, 8),
    (_mother_and_child, 2),
)
_NEWCOMER_SHAPES: Final = (_alone, _young_couple)


def _everybody() -> tuple[Person, ...]:
    register = _Register()
    number = 0
    for shape, count in _SHAPES:
        for _ in range(count):
            number += 1
            newcomers = shape in _NEWCOMER_SHAPES or (shape is _parents_and_children and number % 4 == 0)
            shape(register, _Home(number, newcomers=newcomers), number - 1)
    return tuple(register.people)


PEOPLE: Final = _everybody()
PERSON_BY_KEY: Final = {person.key: person for person in PEOPLE}

CAST: Final = {
    "resident": "p003",
    "cook": "p004",
    "elder": "p001",
    "mother": "p009",
    "child": "p010",
    "newcomer": "p207",
}
"""Who plays which part in the documentation, the journey and the tests; the child has no phone."""


def household(person: Person) -> tuple[Person, ...]:
    """Everybody who lives with this person, themselves included, head first."""
    return tuple(other for other in PEOPLE if other.household == person.household)


def children_of(person: Person) -> tuple[Person, ...]:
    """Their children who live in the city, eldest first."""
    return tuple(other for other in PEOPLE if person.key in (other.father, other.mother))
