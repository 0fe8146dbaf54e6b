"""Who holds which kind of certificate in the demo city: work, school, leisure."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from city.demo.circumstances import (
    aged,
    all_of,
    any_of,
    at_age,
    everybody,
    is_disabled,
    one_in,
    profession,
    school_stage,
    school_year,
    work,
    works_as,
)
from city.demo.codes import DISTRICT_BY_CODE, credit_code
from city.demo.holders import Rule
from city.demo.model import Person, Value

SCHOOLS: Final = {
    "primary": ("知行小学", "小学{}年级", 6),
    "junior": ("云上中学", "初中{}年级", 12),
    "senior": ("云上中学", "高中{}年级", 15),
    "university": ("江城大学", "大学{}年级", 18),
}
"""Name of the school, how a grade is said, and the age on the first of September with which the stage begins."""

_GRADES: Final = "一二三四五六"

_VOCATIONS: Final = {"cook": "中式烹调师", "welder": "焊工", "instructor": "游泳救生员", "driver": "汽车驾驶员"}
_SPECIALITIES: Final = {
    "programmer": "计算机软件",
    "designer": "工业设计",
    "teacher": "教育学",
    "doctor": "内科",
    "builder": "建筑工程",
}


def _social_security(person: Person, _today: date) -> dict[str, Value]:
    banks = ("浦江银行", "云上银行", "青禾银行")
    return {"social_security_number": f"SB{person.number:010d}", "bank_name": banks[person.number % len(banks)]}


def _occupation(person: Person, today: date) -> dict[str, Value]:
    return {"occupation": work(person, today).occupation}


def _vocational(person: Person, today: date) -> dict[str, Value]:
    levels = ("3", "4", "5")
    return {"qualification": _VOCATIONS[work(person, today).slug], "qualification_level": levels[person.number % 3]}


def _speciality(person: Person, today: date) -> dict[str, Value]:
    at = work(person, today)
    return {
        "speciality": _SPECIALITIES[at.slug],
        "qualification_level": ("junior", "intermediate", "senior")[person.number % 3],
        "work_unit": at.work_unit,
    }


def _work_injury(person: Person, today: date) -> dict[str, Value]:
    return {"work_unit": work(person, today).work_unit, "injury_grade": 8 + person.number % 3}


def _health_certificate(person: Person, today: date) -> dict[str, Value]:
    categories = {"cook": "食品", "shopkeeper": "食品", "attendant": "公共场所"}
    return {"work_category": categories[work(person, today).slug], "fit_for_work": True}


def _practice(scope: str) -> dict[str, Value]:
    return {"practice_scope": scope}


def _doctor(person: Person, today: date) -> dict[str, Value]:
    return _practice(("内科", "外科", "儿科", "全科")[person.number // 16 % 4]) | _place(person, today)


def _pharmacist(person: Person, today: date) -> dict[str, Value]:
    return _practice("药品零售") | _place(person, today)


def _place(person: Person, today: date) -> dict[str, Value]:
    return {"practice_place": work(person, today).work_unit}


def _business(person: Person, _today: date) -> dict[str, Value]:
    surname = person.name[0]
    return {
        "company_name": f"{DISTRICT_BY_CODE[person.district].name_zh}{surname}记小食店",
        "credit_code": credit_code("92", person.district, f"DEMC{person.number:04d}"),
        "business_scope": "餐饮服务",
        "business_address": f"上海市{DISTRICT_BY_CODE[person.district].name_zh}小满街{person.number}号",
        "founded_on": at_age(22, not_before=2017)(person).isoformat(),
    }


def _transport_qualification(person: Person, _today: date) -> dict[str, Value]:
    first = at_age(22, not_before=2015)(person)
    return {"qualification": "道路旅客运输驾驶员", "first_issued": first.isoformat()}


def _ride_hailing(person: Person, _today: date) -> dict[str, Value]:
    return {"first_issued": at_age(22, not_before=2017)(person).isoformat()}


def _free_travel(person: Person, today: date) -> dict[str, Value]:
    return {"concession_class": _concession_class(person, today), "free_entry": True}


def _concession_class(person: Person, today: date) -> str:
    if is_disabled(person, today):
        return "disabled"
    return "senior_70" if person.age_on(today) >= 70 else "student"


def _culture_concession(person: Person, today: date) -> dict[str, Value]:
    chosen = _concession_class(person, today)
    return {"concession_class": chosen, "free_entry": chosen != "student"}


def _student_card(person: Person, today: date) -> dict[str, Value]:
    stage = school_stage(person, today)
    school, grade, since = SCHOOLS[stage]
    year = person.age_on(school_year(today)) - since
    return {
        "school_name": school,
        "grade": grade.format(_GRADES[year]),
        "stage": stage,
        "student_number": f"L{person.number:010d}",
    }


def _first_school_day(person: Person) -> date:
    """The first of September on which they were six."""
    sixth = person.born.replace(year=person.born.year + 6)
    same_year = date(sixth.year, 9, 1)
    return same_year if sixth <= same_year else date(sixth.year + 1, 9, 1)


def _graduated_on(person: Person) -> date:
    return date(person.born.year + 21, 7, 1)


def _graduation(person: Person, today: date) -> dict[str, Value]:
    at = profession(person, today)
    return {
        "school_name": "江城大学",
        "speciality": _SPECIALITIES.get(at.slug if at else "", "工商管理"),
        "graduated_on": _graduated_on(person).isoformat(),
        "degree_level": "bachelor",
    }


def _teacher(person: Person, _today: date) -> dict[str, Value]:
    subjects = ("语文", "数学", "英语", "科学")
    return {"stage": ("primary", "junior")[person.number // 16 % 2], "subject": subjects[person.number // 16 % 4]}


def _mandarin(person: Person, _today: date) -> dict[str, Value]:
    return {"test_level": ("1B", "2A", "2B")[person.number % 3], "score": (93, 89, 84)[person.number % 3]}


def _housing_fund(person: Person, today: date) -> dict[str, Value]:
    return {
        "work_unit": work(person, today).work_unit,
        "fund_account": f"GJJ{person.number:09d}",
        "fund_balance": 20_000 + person.number * 911 % 180_000,
    }


def _income(person: Person, today: date) -> dict[str, Value]:
    income = 96_000 + person.number * 1_373 % 240_000
    return {"tax_year": today.year - 1, "income": income, "tax_paid": income // 25}


def _work_item(person: Person, _today: date) -> dict[str, Value]:
    first = at_age(22, not_before=2016)(person)
    return {"work_item": "welding", "first_issued": first.isoformat()}


def _park_pass(person: Person, today: date) -> dict[str, Value]:
    age = person.age_on(today)
    chosen = "child" if age < 18 else "senior" if age >= 60 else "adult"
    return {"pass_class": chosen, "park_scope": "全市公园"}


def _volunteer(person: Person, _today: date) -> dict[str, Value]:
    return {"volunteer_hours": 12 + person.number % 90, "park_scope": "百鹭湿地公园"}


def _deep_water(person: Person, _today: date) -> dict[str, Value]:
    return {"fit_for_work": True, "passed_on": _swam_on(person).isoformat()}


def _swam_on(person: Person) -> date:
    return at_age(10, not_before=2021)(person)


def _instructor(person: Person, _today: date) -> dict[str, Value]:
    return {"speciality": "游泳", "qualification_level": ("1", "2", "3")[person.number % 3]}


def _builder(person: Person, today: date) -> dict[str, Value]:
    return {"work_unit": work(person, today).work_unit, "work_category": "建筑施工"}


def _reader(person: Person, today: date) -> dict[str, Value]:
    return {"reader_level": "junior" if person.age_on(today) < 14 else "general"}


def _guide(person: Person, _today: date) -> dict[str, Value]:
    return {"guide_language": ("zh", "en", "ja")[person.number // 16 % 3]}


RULES_OF_WORK: Final[Mapping[str, Rule]] = {
    "social_security_card": Rule(everybody, at_age(0, not_before=2016), _social_security),
    "employment_certificate": Rule(all_of(works_as(), one_in(3, 0)), at_age(22), _occupation),
    "vocational_qualification": Rule(works_as(*_VOCATIONS), at_age(22), _vocational),
    "professional_title": Rule(works_as(*_SPECIALITIES), at_age(22), _speciality),
    "work_injury_finding": Rule(all_of(works_as(), one_in(41, 6)), at_age(22, not_before=2015), _work_injury),
    "health_certificate": Rule(
        works_as("cook", "shopkeeper", "attendant"), at_age(22, not_before=2019), _health_certificate
    ),
    "doctor_licence": Rule(works_as("doctor"), at_age(22), _doctor),
    "nurse_licence": Rule(works_as("nurse"), at_age(22), _place),
    "volunteer_certificate": Rule(all_of(aged(16), one_in(8, 3)), at_age(16, not_before=2020), _volunteer),
    "business_licence": Rule(works_as("shopkeeper"), at_age(22, not_before=2017), _business),
    "food_business_licence": Rule(works_as("shopkeeper"), at_age(22, not_before=2018), _business),
    "food_safety_manager": Rule(
        works_as("cook", "shopkeeper"), at_age(22), lambda _person, _today: {"qualification_level": "middle"}
    ),
    "equipment_operator": Rule(works_as("welder"), at_age(22), _work_item),
    "pharmacist_registration": Rule(works_as("pharmacist"), at_age(22), _pharmacist),
    "transport_qualification": Rule(works_as("driver"), at_age(22, not_before=2015), _transport_qualification),
    "ride_hailing_driver": Rule(works_as("driver"), at_age(22, not_before=2017), _ride_hailing),
    "transit_concession": Rule(any_of(aged(70), is_disabled), at_age(0, not_before=2020), _free_travel),
    "student_card": Rule(
        lambda person, today: bool(school_stage(person, today)),
        _first_school_day,
        _student_card,
    ),
    "graduation_certificate": Rule(all_of(works_as(), one_in(2, 1)), _graduated_on, _graduation),
    "degree_certificate": Rule(all_of(works_as(), one_in(4, 3)), _graduated_on, _graduation),
    "teacher_qualification": Rule(works_as("teacher"), at_age(22), _teacher),
    "mandarin_level": Rule(works_as("teacher", "guide"), at_age(22), _mandarin),
    "library_reader_card": Rule(
        all_of(aged(6), any_of(one_in(4, 2), one_in(5, 3))), at_age(6, not_before=2018), _reader
    ),
    "tour_guide_licence": Rule(works_as("guide"), at_age(22), _guide),
    "culture_concession": Rule(
        any_of(aged(70), is_disabled, all_of(aged(7, 17), one_in(2, 1))),
        at_age(0, not_before=2020),
        _culture_concession,
    ),
    "housing_fund": Rule(all_of(works_as(), one_in(4, 3)), at_age(22, not_before=2015), _housing_fund),
    "constructor_registration": Rule(works_as("builder"), at_age(22), _speciality),
    "lawyer_licence": Rule(
        works_as("lawyer"), at_age(22), lambda person, today: {"law_firm": work(person, today).work_unit}
    ),
    "income_tax_record": Rule(all_of(works_as(), one_in(3, 0)), at_age(22, not_before=2019), _income),
    "special_operation": Rule(works_as("welder"), at_age(22, not_before=2016), _work_item),
    "safety_manager": Rule(works_as("builder", "welder"), at_age(22), _builder),
    "park_annual_pass": Rule(all_of(aged(6), one_in(5, 3)), at_age(6, not_before=2020), _park_pass),
    "park_volunteer": Rule(all_of(aged(16), one_in(14, 3)), at_age(16, not_before=2021), _volunteer),
    "deep_water_pass": Rule(all_of(aged(10, 60), one_in(10, 3)), _swam_on, _deep_water),
    "sports_instructor": Rule(works_as("instructor"), at_age(22), _instructor),
}
