"""What the rules of the demo city ask about a person: age, work, family, home."""

from collections.abc import Callable
from datetime import date
from typing import Final

import msgspec

from city.demo.codes import DISTRICT_BY_CODE
from city.demo.model import Person, Sex, Value
from city.demo.people import PERSON_BY_KEY, children_of, household

Who = Callable[[Person, date], bool]
Since = Callable[[Person], date]
Values = Callable[[Person, date], dict[str, Value]]

WORKING_AGE = (22, 59)
PENSION_AGE = 60
SCHOOL_STAGES: Final = ((6, "primary"), (12, "junior"), (15, "senior"), (18, "university"), (22, ""))
"""From which age, on the first of September, which stage of schooling."""

_HOMETOWNS: Final = {
    "330106": "浙江省杭州市西湖区",
    "320106": "江苏省南京市鼓楼区",
    "340503": "安徽省马鞍山市花山区",
    "330203": "浙江省宁波市海曙区",
    "330127": "浙江省杭州市淳安县",
    "340121": "安徽省合肥市长丰县",
    "110108": "北京市海淀区",
}


class Profession(msgspec.Struct, frozen=True):
    slug: str
    occupation: str
    work_unit: str


PROFESSIONS: Final = (
    Profession("clerk", "职员", "云上商贸行"),
    Profession("programmer", "软件工程师", "星河软件社"),
    Profession("lawyer", "律师", "衡平律师事务所"),
    Profession("teacher", "教师", "知行小学"),
    Profession("cook", "厨师", "半亩饭庄"),
    Profession("doctor", "医师", "青禾医院"),
    Profession("nurse", "护士", "星月儿童医院"),
    Profession("driver", "驾驶员", "白鹭客运行"),
    Profession("shopkeeper", "个体工商户", "自营"),
    Profession("builder", "建造师", "磐石营造社"),
    Profession("welder", "焊工", "磐石营造社"),
    Profession("guide", "导游", "百鹭旅行社"),
    Profession("pharmacist", "药师", "嘉禾药房"),
    Profession("instructor", "体育指导员", "鲸落水世界"),
    Profession("attendant", "客房服务员", "听雨客栈"),
    Profession("designer", "设计师", "纸鸢设计社"),
)


def profession(person: Person, today: date) -> Profession | None:
    """What somebody of working age does; None for children, students and the retired."""
    if not WORKING_AGE[0] <= person.age_on(today) <= WORKING_AGE[1]:
        return None
    return PROFESSIONS[person.number % len(PROFESSIONS)]


def work(person: Person, today: date) -> Profession:
    """The profession of somebody known to have one."""
    found = profession(person, today)
    assert found is not None
    return found


def school_year(today: date) -> date:
    """The first day of the school year that `today` is in."""
    first = date(today.year, 9, 1)
    return first if today >= first else date(today.year - 1, 9, 1)


def school_stage(person: Person, today: date) -> str:
    """Which stage of schooling; empty for those not at school."""
    age = person.age_on(school_year(today))
    stages = [stage for since, stage in SCHOOL_STAGES if age >= since]
    return stages[-1] if stages else ""


def everybody(_person: Person, _today: date) -> bool:
    return True


def aged(lowest: int, highest: int = 150) -> Who:
    """Those between two ages, both included."""
    return lambda person, today: lowest <= person.age_on(today) <= highest


def one_in(many: int, rest: int) -> Who:
    """One in so many, always the same ones."""
    return lambda person, _today: person.number % many == rest


def all_of(*claims: Who) -> Who:
    return lambda person, today: all(claim(person, today) for claim in claims)


def any_of(*claims: Who) -> Who:
    return lambda person, today: any(claim(person, today) for claim in claims)


def works_as(*professions: str) -> Who:
    """Those of working age in one of these professions; in any, when none is named."""

    def claim(person: Person, today: date) -> bool:
        found = profession(person, today)
        return found is not None and (not professions or found.slug in professions)

    return claim


def is_local(person: Person, _today: date) -> bool:
    return person.is_local


def is_newcomer(person: Person, _today: date) -> bool:
    return not person.is_local


def is_married(person: Person, _today: date) -> bool:
    return person.spouse is not None


def is_divorced(person: Person, today: date) -> bool:
    """Those who bring up a child alone; widowed elders are not meant."""
    return person.spouse is None and person.age_on(today) < PENSION_AGE and bool(children_of(person))


def is_homeowner(person: Person, today: date) -> bool:
    """The head of a local household and the head's spouse own the flat they live in."""
    return person.is_local and person.age_on(today) >= WORKING_AGE[0] and (person.head or _spouse_is_head(person))


def has_one_child(person: Person, today: date) -> bool:
    return person.spouse is not None and person.age_on(today) >= 40 and len(children_of(person)) == 1


def is_new_mother(person: Person, today: date) -> bool:
    """Mothers of a child under three."""
    return person.sex is Sex.FEMALE and any(child.age_on(today) < 3 for child in children_of(person))


def is_disabled(person: Person, _today: date) -> bool:
    return person.number % 43 in (17, 29)


def _spouse_is_head(person: Person) -> bool:
    return person.spouse is not None and PERSON_BY_KEY[person.spouse].head


def at_age(years: int, *, not_before: int = 1950) -> Since:
    """Their birthday at an age, but no earlier than some day in a year."""

    def since(person: Person) -> date:
        birthday = person.born.replace(year=person.born.year + years)
        if birthday.year >= not_before:
            return birthday
        return date(not_before, person.number % 12 + 1, person.number % 28 + 1)

    return since


def married_on(person: Person) -> date:
    """The day of the wedding; the same for both."""
    assert person.spouse is not None
    spouse = PERSON_BY_KEY[person.spouse]
    lower = min(person.number, spouse.number)
    return date(max(person.born.year, spouse.born.year) + 25, lower % 12 + 1, lower % 28 + 1)


def name_of(key: str | None, otherwise: str) -> str:
    return otherwise if key is None else PERSON_BY_KEY[key].name


def relation_to_head(person: Person) -> str:
    """How a household register puts it: self, spouse, child, child's spouse, grandchild, parent."""
    head = household(person)[0]
    if person.key == head.key:
        return "self"
    if person.spouse == head.key:
        return "spouse"
    parents = {person.father, person.mother}
    if head.key in parents:
        return "child"
    if person.spouse is not None and head.key in (
        PERSON_BY_KEY[person.spouse].father,
        PERSON_BY_KEY[person.spouse].mother,
    ):
        return "child_in_law"
    return "grandchild"


def household_place(person: Person) -> str:
    """Where the household register is kept, in words."""
    if person.is_local:
        return f"上海市{DISTRICT_BY_CODE[person.district].name_zh}"
    return _HOMETOWNS[person.hometown]
