"""Questions about the demo city's certificates, answered yes or no, so that nobody learns more than they need."""

from typing import Final

from city.demo.codes import DISTRICT_BY_CODE
from wallet.predicates import Predicate, Test


def _age(years: int) -> Predicate:
    return Predicate(
        f"age_at_least_{years}",
        f"年满{years}周岁",
        f"{years} or older",
        field="birth_date",
        test=Test.AGE_AT_LEAST,
        number=years,
    )


def _lives_in(district: str) -> Predicate:
    found = DISTRICT_BY_CODE[district]
    word = found.name_en.lower().replace("'", "")
    return Predicate(
        f"lives_in_{word}",
        f"住在{found.name_zh}",
        f"Lives in {found.name_en}",
        field="address",
        test=Test.STARTS_WITH,
        texts=(f"上海市{found.name_zh}",),
    )


def _is_true(name: str, label_zh: str, label_en: str, field: str) -> Predicate:
    return Predicate(name, label_zh, label_en, field=field, test=Test.IS_TRUE)


LIVES_IN: Final = {district: _lives_in(district) for district in ("310101", "310105", "310115")}
"""The districts that have a museum."""

_MAY_DRIVE_C1: Final = Predicate(
    "may_drive_c1",
    "可驾驶小型汽车（C1）",
    "May drive class C1",
    field="licence_class",
    test=Test.ONE_OF,
    texts=("A1", "A2", "A3", "B1", "B2", "C1"),
)
"""Each of these classes includes C1 (Ministry of Public Security Order 162, annex 1)."""

QUESTIONS: Final = {
    "resident_id_card": (_age(18), _age(60), _age(70), *LIVES_IN.values()),
    "residence_permit": (_age(18), *LIVES_IN.values()),
    "driving_licence": (_MAY_DRIVE_C1,),
    "household_register": (
        _age(18),
        Predicate(
            "is_registered_here",
            "本市户籍",
            "Registered in this city",
            field="household_place",
            test=Test.STARTS_WITH,
            texts=("上海市",),
        ),
    ),
    "senior_card": (_age(60), _age(70)),
    "student_card": (_age(14), _age(18)),
    "no_criminal_record": (_is_true("has_no_record", "无犯罪记录", "Has no record", "no_record"),),
    "health_certificate": (_is_true("is_fit_for_work", "体检合格", "Fit for the work", "fit_for_work"),),
    "medical_insurance": (_is_true("is_insured", "正常参保", "Insurance in force", "insurance_active"),),
    "blood_donation": (
        Predicate(
            "donated_800_ml",
            "累计献血满800毫升",
            "Donated 800 ml or more",
            field="donated_ml",
            test=Test.AT_LEAST,
            number=800,
        ),
    ),
}
"""By the slug of the kind they are asked about."""
