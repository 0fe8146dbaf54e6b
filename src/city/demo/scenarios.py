"""For what a venue may look at a certificate, and the least it needs to see for that.

The GB/T 36904 identifier links a person across venues; only a school that must enrol each home once may see it.
"""

from typing import Final

from city.demo.kinds import KIND_BY_SLUG
from city.demo.model import IDENTIFIER_FIELD, Grant, Scenario, VenueSort
from city.demo.questions import LIVES_IN

NEIGHBOUR: Final = "museum.neighbour"
_DISTRICTS_ASKED: Final = " ".join(predicate.name for predicate in LIVES_IN.values())
"""Each museum is granted the question about its own district alone."""


def _scenario(
    code: str, sort: VenueSort, name: tuple[str, str], purpose: tuple[str, str], grants: dict[str, str]
) -> Scenario:
    return Scenario(
        code=code,
        sort=sort,
        name_zh=name[0],
        name_en=name[1],
        purpose_zh=purpose[0],
        purpose_en=purpose[1],
        grants=tuple(Grant(KIND_BY_SLUG[slug].code, tuple(fields.split())) for slug, fields in grants.items()),
    )


SCENARIOS: Final = (
    _scenario(
        "hospital.registration",
        VenueSort.HOSPITAL,
        ("挂号建档", "Registering a patient"),
        ("确认就诊人身份并建立门诊档案", "To know the patient and open a record"),
        {
            "resident_id_card": "name sex birth_date id_number",
            "medical_insurance": "name insurance_number insurance_type insured_place insurance_active",
            "social_security_card": "name social_security_number",
            "birth_certificate": "name sex birth_date",
        },
    ),
    _scenario(
        "hospital.payment",
        VenueSort.HOSPITAL,
        ("医保结算", "Settling with medical insurance"),
        ("确认参保状态与异地备案", "To see that insurance is in force, here or elsewhere"),
        {
            "medical_insurance": "insurance_number insurance_type insurance_active",
            "care_elsewhere": "insured_place destination_place",
            "serious_illness": "illness_category",
        },
    ),
    _scenario(
        "hospital.priority",
        VenueSort.HOSPITAL,
        ("优先就诊", "Going first"),
        ("确认可优先就诊的身份", "To see who may be seen first"),
        {
            "senior_card": "concession_class",
            "veteran_card": "veteran_category",
            "martyr_family_card": "martyr_relation",
            "disability_card": "disability_grade",
            "blood_donation": "donated_ml",
        },
    ),
    _scenario(
        "hospital.vaccination",
        VenueSort.HOSPITAL,
        ("预防接种", "Vaccination"),
        ("核对已接种剂次", "To see which doses were given"),
        {"vaccination_record": "name birth_date vaccines doses"},
    ),
    _scenario(
        "school.enrolment",
        VenueSort.SCHOOL,
        ("入学报名", "Enrolling a child"),
        ("核对监护关系、户籍与住所", "To check guardianship, registration and home"),
        {
            "household_register": "name birth_date household_head relation_to_head household_place",
            "birth_certificate": "name birth_date father_name mother_name",
            "residence_permit": "name residence_since",
            "real_estate_certificate": f"name property_place {IDENTIFIER_FIELD}",
            "vaccination_record": "doses",
        },
    ),
    _scenario(
        "school.visit",
        VenueSort.SCHOOL,
        ("家长入校", "A parent visits"),
        ("确认来访人", "To know who comes in"),
        {"resident_id_card": "name", "residence_permit": "name"},
    ),
    _scenario(
        "school.hiring",
        VenueSort.SCHOOL,
        ("教职工入职", "Hiring staff"),
        ("确认教师资格与从业禁止", "To see a qualification and that nothing forbids the work"),
        {
            "teacher_qualification": "name stage subject",
            "mandarin_level": "test_level",
            "no_criminal_record": "name no_record checked_until",
            "health_certificate": "fit_for_work examined_on",
        },
    ),
    _scenario(
        "station.entry",
        VenueSort.STATION,
        ("实名进站", "Entering a station"),
        ("核对票证人一致", "To see that ticket and traveller agree"),
        {
            "resident_id_card": "name id_number",
            "passport": "name_latin document_number",
            "hong_kong_macao_permit": "name_latin document_number",
            "household_register": "name id_number",
        },
    ),
    _scenario(
        "station.concession",
        VenueSort.STATION,
        ("优惠乘车", "A concession on the fare"),
        ("确认可享优惠的身份", "To see who travels for less"),
        {
            "student_card": "stage",
            "senior_card": "concession_class",
            "disability_card": "disability_grade",
            "veteran_card": "veteran_category",
            "transit_concession": "concession_class free_entry",
        },
    ),
    _scenario(
        "station.car_rental",
        VenueSort.STATION,
        ("站内租车", "Hiring a car"),
        ("确认准驾车型", "To see which cars one may drive"),
        {"driving_licence": "name may_drive_c1"},
    ),
    _scenario(
        "museum.entry",
        VenueSort.MUSEUM,
        ("预约入馆", "Entering as booked"),
        ("核对预约人", "To see that the visitor is who booked"),
        {"resident_id_card": "name", "passport": "name_latin", "student_card": "name"},
    ),
    _scenario(
        "museum.concession",
        VenueSort.MUSEUM,
        ("优惠参观", "A concession on the ticket"),
        ("确认可免票或优惠的身份", "To see who enters free or for less"),
        {
            "senior_card": "concession_class",
            "student_card": "stage",
            "culture_concession": "concession_class free_entry",
            "veteran_card": "veteran_category",
            "disability_card": "disability_grade",
            "teacher_qualification": "stage",
        },
    ),
    _scenario(
        NEIGHBOUR,
        VenueSort.MUSEUM,
        ("邻里优惠", "A concession for neighbours"),
        ("确认是本区居民", "To see that the visitor lives in the district"),
        {"resident_id_card": _DISTRICTS_ASKED, "residence_permit": _DISTRICTS_ASKED},
    ),
    _scenario(
        "museum.borrowing",
        VenueSort.MUSEUM,
        ("馆藏借阅", "Borrowing from the library"),
        ("确认读者级别", "To see what a reader may borrow"),
        {"library_reader_card": "name reader_level document_number"},
    ),
    _scenario(
        "scenic_spot.entry",
        VenueSort.SCENIC_SPOT,
        ("预约入园", "Entering as booked"),
        ("核对预约人与年票", "To see a booking or a yearly pass"),
        {"resident_id_card": "name", "park_annual_pass": "pass_class park_scope"},
    ),
    _scenario(
        "scenic_spot.concession",
        VenueSort.SCENIC_SPOT,
        ("优惠购票", "A concession on the ticket"),
        ("确认可享优惠的身份", "To see who pays less"),
        {
            "resident_id_card": "age_at_least_60",
            "senior_card": "age_at_least_60",
            "student_card": "stage",
            "veteran_card": "veteran_category",
            "martyr_family_card": "martyr_relation",
            "disability_card": "disability_grade",
        },
    ),
    _scenario(
        "scenic_spot.guiding",
        VenueSort.SCENIC_SPOT,
        ("导游带团", "Guiding a group"),
        ("确认导游资格", "To see that the guide is licensed"),
        {"tour_guide_licence": "name guide_language document_number"},
    ),
    _scenario(
        "amusement_park.entry",
        VenueSort.AMUSEMENT_PARK,
        ("实名入园", "Entering by name"),
        ("核对购票人", "To see that the visitor is who bought"),
        {"resident_id_card": "name", "passport": "name_latin", "household_register": "name"},
    ),
    _scenario(
        "amusement_park.child_ticket",
        VenueSort.AMUSEMENT_PARK,
        ("儿童票", "A child's ticket"),
        ("确认年龄", "To see how old the child is"),
        {"birth_certificate": "birth_date", "student_card": "birth_date", "vaccination_record": "birth_date"},
    ),
    _scenario(
        "amusement_park.concession",
        VenueSort.AMUSEMENT_PARK,
        ("优惠购票", "A concession on the ticket"),
        ("确认可享优惠的身份", "To see who pays less"),
        {
            "resident_id_card": "age_at_least_60",
            "senior_card": "age_at_least_60",
            "disability_card": "disability_grade",
            "student_card": "stage",
        },
    ),
    _scenario(
        "amusement_park.adult_ride",
        VenueSort.AMUSEMENT_PARK,
        ("成人项目", "A ride for adults"),
        ("确认已成年", "To see that the visitor is of age"),
        {
            "resident_id_card": "age_at_least_18",
            "residence_permit": "age_at_least_18",
            "student_card": "age_at_least_18",
        },
    ),
    _scenario(
        "amusement_park.swimming",
        VenueSort.AMUSEMENT_PARK,
        ("深水区", "Deep water"),
        ("确认可进入深水区", "To see who may swim in deep water"),
        {"deep_water_pass": "fit_for_work passed_on"},
    ),
)
SCENARIO_BY_CODE: Final = {scenario.code: scenario for scenario in SCENARIOS}
