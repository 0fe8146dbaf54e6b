"""Who holds which kind of certificate in the demo city: identity, family, health, home and old age.

What comes with work, school and leisure stands in `holders_at_work`.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import msgspec

from city.demo.circumstances import (
    PENSION_AGE,
    Since,
    Values,
    Who,
    aged,
    all_of,
    any_of,
    at_age,
    everybody,
    has_one_child,
    household_place,
    is_disabled,
    is_divorced,
    is_homeowner,
    is_local,
    is_married,
    is_new_mother,
    is_newcomer,
    married_on,
    name_of,
    one_in,
    profession,
    relation_to_head,
    works_as,
)
from city.demo.codes import DISTRICT_BY_CODE
from city.demo.model import Person, Sex, Value
from city.demo.people import PERSON_BY_KEY, children_of, household


def nothing_more(_person: Person, _today: date) -> dict[str, Value]:
    """For kinds whose every field says something about the person at large."""
    return {}


class Rule(msgspec.Struct, frozen=True):
    """Who holds a kind, since when, and what it says beyond `common_values`."""

    holds: Who
    since: Since
    values: Values = nothing_more


def _district_short(person: Person) -> str:
    return DISTRICT_BY_CODE[person.district].name_zh.removesuffix("新区").removesuffix("区")


def _driving_licence(person: Person, _today: date) -> dict[str, Value]:
    classes = ("C1", "C2", "C1", "B2", "C1", "A1")
    first = at_age(20, not_before=2005)(person)
    return {"licence_class": classes[person.number % len(classes)], "first_issued": first.isoformat()}


def _vehicle_licence(person: Person, _today: date) -> dict[str, Value]:
    # The letter I stands on no real plate.
    return {
        "plate_number": f"沪A·I{person.number:04d}",
        "vehicle_type": "小型轿车",
        "vehicle_use": "非营运",
        "registered_on": at_age(22, not_before=2016)(person).isoformat(),
    }


def _household_register(person: Person, _today: date) -> dict[str, Value]:
    return {
        "household_number": f"DEMO{person.household.removeprefix('h'):0>6}",
        "household_head": household(person)[0].name,
        "relation_to_head": relation_to_head(person),
    }


def _residence_permit(person: Person, _today: date) -> dict[str, Value]:
    return {"residence_since": _arrival(person).isoformat()}


def _arrival(person: Person) -> date:
    return at_age(min(22, 2025 - person.born.year), not_before=2012)(person)


def _no_criminal_record(_person: Person, today: date) -> dict[str, Value]:
    return {"no_record": True, "checked_until": today.replace(day=1).isoformat()}


def _dog_licence(person: Person, _today: date) -> dict[str, Value]:
    return {
        "pet_name": ("豆包", "芝麻", "汤圆", "可乐", "年糕")[person.number // 11 % 5],
        "pet_breed": ("柯基", "中华田园犬", "柴犬", "贵宾")[person.number // 11 % 4],
    }


def _birth_certificate(person: Person, _today: date) -> dict[str, Value]:
    return {
        "birth_hospital": "星月儿童医院" if person.number % 2 else "青禾医院",
        "birth_weight_grams": 2900 + person.number * 37 % 900,
        "father_name": name_of(person.father, "未登记"),
        "mother_name": name_of(person.mother, "未登记"),
    }


def _vaccination_record(person: Person, today: date) -> dict[str, Value]:
    age = person.age_on(today)
    vaccines = (
        ["乙肝疫苗", "卡介苗"] + ["脊灰疫苗", "百白破疫苗"] * (age >= 1) + ["麻腮风疫苗", "流脑疫苗"] * (age >= 2)
    )
    return {"vaccines": "、".join(vaccines), "doses": min(4 + 3 * age, 22)}


def _blood_type(person: Person) -> str:
    return ("A", "B", "O", "AB")[person.number % 4]


def _blood_donation(person: Person, _today: date) -> dict[str, Value]:
    return {"blood_type": _blood_type(person), "donated_ml": 200 * (1 + person.number % 9)}


def _maternity_handbook(person: Person, _today: date) -> dict[str, Value]:
    return {"blood_type": _blood_type(person), "expected_date": children_of(person)[-1].born.isoformat()}


def _handbook_since(person: Person) -> date:
    return children_of(person)[-1].born - timedelta(days=200)


def _one_child_honour(person: Person, _today: date) -> dict[str, Value]:
    return {"honour": "独生子女父母光荣", "spouse_name": name_of(person.spouse, "")}


def _one_child_since(person: Person) -> date:
    return children_of(person)[0].born + timedelta(days=400)


def _marriage_certificate(person: Person, _today: date) -> dict[str, Value]:
    assert person.spouse is not None
    spouse = PERSON_BY_KEY[person.spouse]
    return {
        "spouse_name": spouse.name,
        "spouse_id_number": spouse.id_number,
        "married_on": married_on(person).isoformat(),
        "issuing_authority": f"{_district_short(person)}区婚姻登记中心",
    }


def _divorced_on(person: Person) -> date:
    return children_of(person)[-1].born + timedelta(days=900)


def _divorce_certificate(person: Person, _today: date) -> dict[str, Value]:
    return {
        "divorced_on": _divorced_on(person).isoformat(),
        "issuing_authority": f"{_district_short(person)}区婚姻登记中心",
    }


def _living_allowance(person: Person, _today: date) -> dict[str, Value]:
    size = len(household(person))
    return {"family_size": size, "monthly_allowance": 1500 * size}


def _senior_card(person: Person, today: date) -> dict[str, Value]:
    age = person.age_on(today)
    return {"concession_class": "senior_70" if age >= 70 else "senior_65" if age >= 65 else "senior_60"}


def _retirement(person: Person, _today: date) -> dict[str, Value]:
    return {"retired_on": _retired_on(person).isoformat(), "pension_category": "employee"}


def _retired_on(person: Person) -> date:
    return at_age(55 if person.sex is Sex.FEMALE else PENSION_AGE)(person)


def _disability_card(person: Person, today: date) -> dict[str, Value]:
    return {
        "disability_category": ("limb", "hearing", "vision")[person.number % 3],
        "disability_grade": str(person.number % 3 + 2),
        "guardian_name": name_of(person.mother or person.father, "本人") if person.age_on(today) < 18 else "本人",
    }


def _assistive_device(person: Person, _today: date) -> dict[str, Value]:
    return {"device_name": ("轮椅", "助听器", "盲杖")[person.number % 3]}


def _medical_insurance(person: Person, today: date) -> dict[str, Value]:
    employed = profession(person, today) is not None
    return {
        "insurance_number": f"YB{person.number:010d}",
        "insurance_type": "employee" if employed else "resident",
        "insured_place": "上海市" if person.is_local or employed else household_place(person),
        "insurance_active": True,
    }


def _care_elsewhere(person: Person, _today: date) -> dict[str, Value]:
    home = household_place(person)
    return {"insured_place": home, "destination_place": "浙江省杭州市" if person.is_local else "上海市"}


def _serious_illness(_person: Person, _today: date) -> dict[str, Value]:
    return {"illness_category": "haemodialysis", "practice_place": "青禾医院"}


def _property(person: Person) -> dict[str, Value]:
    home = int(person.household.removeprefix("h"))
    return {
        "property_number": f"DEMO{person.district}GB{home:05d}F{home:08d}",
        "property_place": person.address,
        "property_area": 52 + home * 7 % 90,
        "property_use": "居住",
        "shared_ownership": person.spouse is not None,
    }


def _real_estate(person: Person, _today: date) -> dict[str, Value]:
    return _property(person)


def _registration_proof(person: Person, _today: date) -> dict[str, Value]:
    return _property(person) | {"mortgaged": True}


def _home_ownership(person: Person, today: date) -> dict[str, Value]:
    return {"homes_owned": int(is_homeowner(person, today)), "checked_until": today.replace(day=1).isoformat()}


def _deed_tax(person: Person, _today: date) -> dict[str, Value]:
    return {"property_place": person.address, "tax_year": _bought_on(person).year, "tax_paid": _price(person) // 100}


def _price(person: Person) -> int:
    return 2_000_000 + int(person.household.removeprefix("h")) * 90_000


def _bought_on(person: Person) -> date:
    return at_age(22, not_before=2010)(person)


def _public_rental(person: Person, _today: date) -> dict[str, Value]:
    size = len(household(person))
    return {"family_size": size, "rental_place": person.address, "monthly_rent": 1200 + 300 * size}


def _notarial(_person: Person, _today: date) -> dict[str, Value]:
    return {"notarised_matter": "委托书公证"}


def _legal_aid(_person: Person, _today: date) -> dict[str, Value]:
    return {"aid_matter": "劳动争议", "law_firm": "衡平律师事务所"}


def _veteran(person: Person, _today: date) -> dict[str, Value]:
    return {"veteran_category": "demobilised_soldier", "served_until": _left_army(person).isoformat()}


def _left_army(person: Person) -> date:
    return at_age(22)(person)


def _martyr_family(_person: Person, _today: date) -> dict[str, Value]:
    return {"martyr_relation": "child"}


def _is_man(person: Person, _today: date) -> bool:
    return person.sex is Sex.MALE


RULES_OF_LIFE: Final[Mapping[str, Rule]] = {
    "resident_id_card": Rule(aged(6), at_age(6, not_before=2012)),
    "driving_licence": Rule(
        all_of(aged(20, 75), any_of(one_in(3, 1), one_in(3, 0))), at_age(20, not_before=2005), _driving_licence
    ),
    "vehicle_licence": Rule(all_of(aged(22, 75), one_in(6, 3)), at_age(22, not_before=2016), _vehicle_licence),
    "household_register": Rule(is_local, at_age(0), _household_register),
    "residence_permit": Rule(is_newcomer, _arrival, _residence_permit),
    "passport": Rule(all_of(aged(10), any_of(one_in(4, 3), one_in(10, 4))), at_age(10, not_before=2014)),
    "hong_kong_macao_permit": Rule(all_of(aged(16), one_in(7, 3)), at_age(16, not_before=2014)),
    "no_criminal_record": Rule(all_of(aged(18), one_in(9, 3)), at_age(18, not_before=2020), _no_criminal_record),
    "electric_bicycle_licence": Rule(
        all_of(aged(18, 75), one_in(5, 4)),
        at_age(18, not_before=2019),
        lambda person, _today: {
            "plate_number": f"沪I{person.number:06d}",
            "registered_on": at_age(18, not_before=2019)(person).isoformat(),
        },
    ),
    "dog_licence": Rule(all_of(aged(18), one_in(11, 4)), at_age(18, not_before=2018), _dog_licence),
    "birth_certificate": Rule(aged(0, 19), at_age(0), _birth_certificate),
    "vaccination_record": Rule(aged(0, 15), at_age(0), _vaccination_record),
    "blood_donation": Rule(all_of(aged(18, 55), one_in(9, 4)), at_age(18, not_before=2010), _blood_donation),
    "maternity_handbook": Rule(is_new_mother, _handbook_since, _maternity_handbook),
    "one_child_honour": Rule(has_one_child, _one_child_since, _one_child_honour),
    "marriage_certificate": Rule(is_married, married_on, _marriage_certificate),
    "divorce_certificate": Rule(is_divorced, _divorced_on, _divorce_certificate),
    "living_allowance": Rule(all_of(aged(30), one_in(37, 9)), at_age(30, not_before=2018), _living_allowance),
    "senior_card": Rule(aged(PENSION_AGE), at_age(PENSION_AGE), _senior_card),
    "retirement_certificate": Rule(aged(PENSION_AGE), _retired_on, _retirement),
    "disability_card": Rule(is_disabled, at_age(0, not_before=2010), _disability_card),
    "assistive_device": Rule(is_disabled, at_age(0, not_before=2015), _assistive_device),
    "medical_insurance": Rule(everybody, at_age(0, not_before=2008), _medical_insurance),
    "care_elsewhere": Rule(
        any_of(all_of(is_newcomer, one_in(3, 1)), all_of(aged(PENSION_AGE), one_in(13, 1))),
        at_age(1, not_before=2021),
        _care_elsewhere,
    ),
    "serious_illness": Rule(all_of(aged(50), one_in(31, 12)), at_age(50, not_before=2020), _serious_illness),
    "public_rental": Rule(all_of(is_newcomer, aged(22), one_in(3, 2)), at_age(22, not_before=2018), _public_rental),
    "real_estate_certificate": Rule(is_homeowner, _bought_on, _real_estate),
    "registration_proof": Rule(all_of(is_homeowner, one_in(4, 1)), _bought_on, _registration_proof),
    "home_ownership_query": Rule(all_of(aged(22), one_in(12, 7)), at_age(22, not_before=2020), _home_ownership),
    "deed_tax_receipt": Rule(all_of(is_homeowner, one_in(3, 1)), _bought_on, _deed_tax),
    "veteran_card": Rule(all_of(_is_man, aged(24), one_in(17, 3)), _left_army, _veteran),
    "martyr_family_card": Rule(all_of(aged(70), one_in(19, 2)), at_age(PENSION_AGE), _martyr_family),
    "notarial_certificate": Rule(all_of(aged(18), one_in(16, 13)), at_age(18, not_before=2020), _notarial),
    "legal_aid_grant": Rule(all_of(aged(18), one_in(33, 9)), at_age(18, not_before=2021), _legal_aid),
    "residence_points": Rule(
        all_of(is_newcomer, works_as()),
        at_age(22, not_before=2020),
        lambda person, _today: {"points": 80 + person.number % 60},
    ),
}
