"""Every kind of certificate the demo city issues, by department.

A kind's code is its department's credit code and its place (001, 002 …) in the department's list below, so a
list only ever grows at its end.
"""

from typing import Final

from city.demo.departments import DEPARTMENT_BY_SLUG
from city.demo.fields import FIELDS
from city.demo.model import Kind, Layout
from city.demo.questions import QUESTIONS

CARD, BOOKLET, SHEET = Layout.CARD, Layout.BOOKLET, Layout.SHEET
YEAR_DAYS = 365

_Row = tuple[str, str, str, Layout, int | None, str]
"""Slug, Chinese name, English name, layout, days good (None: until revoked), fields in order."""

_POLICE: Final[tuple[_Row, ...]] = (
    ("resident_id_card", "居民身份证", "Resident identity card", CARD, 20 * YEAR_DAYS,
     "name sex ethnicity birth_date address id_number issuing_authority"),
    ("driving_licence", "机动车驾驶证", "Driving licence", CARD, 10 * YEAR_DAYS,
     "name sex birth_date address id_number licence_class first_issued"),
    ("vehicle_licence", "机动车行驶证", "Vehicle licence", CARD, None,
     "name address plate_number vehicle_type vehicle_use registered_on"),
    ("household_register", "居民户口簿", "Household register", BOOKLET, None,
     "name sex birth_date ethnicity id_number household_number household_head relation_to_head household_place"),
    ("residence_permit", "居住证", "Residence permit", CARD, YEAR_DAYS,
     "name sex birth_date id_number household_place address residence_since"),
    ("passport", "普通护照", "Passport", BOOKLET, 10 * YEAR_DAYS,
     "name name_latin sex birth_date document_number issuing_authority"),
    ("hong_kong_macao_permit", "往来港澳通行证", "Permit for Hong Kong and Macao", CARD, 10 * YEAR_DAYS,
     "name name_latin sex birth_date document_number issuing_authority"),
    ("no_criminal_record", "无犯罪记录证明", "Certificate of no criminal record", SHEET, 90,
     "name id_number no_record checked_until"),
    ("electric_bicycle_licence", "电动自行车行驶证", "Electric bicycle licence", CARD, None,
     "name plate_number registered_on"),
    ("dog_licence", "养犬登记证", "Dog licence", CARD, YEAR_DAYS, "name address pet_name pet_breed"),
)  # fmt: skip

_HUMAN_RESOURCES: Final[tuple[_Row, ...]] = (
    ("social_security_card", "社会保障卡", "Social security card", CARD, 10 * YEAR_DAYS,
     "name id_number social_security_number bank_name"),
    ("employment_certificate", "就业创业证", "Employment and start-up certificate", BOOKLET, None,
     "name sex birth_date id_number occupation"),
    ("vocational_qualification", "职业资格证书", "Vocational qualification", SHEET, None,
     "name id_number qualification qualification_level"),
    ("professional_title", "专业技术职称证书", "Professional title", SHEET, None,
     "name id_number speciality qualification_level work_unit"),
    ("retirement_certificate", "退休证", "Retirement certificate", BOOKLET, None,
     "name sex birth_date retired_on pension_category"),
    ("work_injury_finding", "工伤认定书", "Finding of injury at work", SHEET, None,
     "name id_number work_unit injury_grade"),
    ("residence_points", "居住证积分通知书", "Residence points notice", SHEET, YEAR_DAYS, "name id_number points"),
)  # fmt: skip

_HEALTH: Final[tuple[_Row, ...]] = (
    ("birth_certificate", "出生医学证明", "Medical certificate of birth", SHEET, None,
     "name sex birth_date birth_hospital birth_weight_grams father_name mother_name document_number"),
    ("vaccination_record", "预防接种证", "Vaccination record", BOOKLET, None, "name birth_date vaccines doses"),
    ("health_certificate", "从业人员健康合格证明", "Health certificate for workers", CARD, YEAR_DAYS,
     "name sex id_number work_category fit_for_work examined_on"),
    ("doctor_licence", "医师执业证书", "Doctor's licence", BOOKLET, None,
     "name id_number practice_scope practice_place"),
    ("nurse_licence", "护士执业证书", "Nurse's licence", BOOKLET, 5 * YEAR_DAYS, "name id_number practice_place"),
    ("blood_donation", "无偿献血证", "Blood donor's card", CARD, None, "name blood_type donated_ml"),
    ("maternity_handbook", "母子健康手册", "Maternity handbook", BOOKLET, 2 * YEAR_DAYS,
     "name birth_date blood_type expected_date"),
    ("one_child_honour", "独生子女父母光荣证", "Certificate for parents of one child", BOOKLET, None,
     "name honour spouse_name"),
)  # fmt: skip

_CIVIL_AFFAIRS: Final[tuple[_Row, ...]] = (
    ("marriage_certificate", "结婚证", "Marriage certificate", BOOKLET, None,
     "name id_number spouse_name spouse_id_number married_on issuing_authority"),
    ("divorce_certificate", "离婚证", "Divorce certificate", BOOKLET, None,
     "name id_number divorced_on issuing_authority"),
    ("living_allowance", "最低生活保障证", "Minimum living allowance certificate", BOOKLET, YEAR_DAYS,
     "name id_number family_size monthly_allowance"),
    ("senior_card", "老年人优待证", "Senior citizen's card", CARD, None,
     "name sex birth_date id_number concession_class"),
    ("volunteer_certificate", "志愿服务证明", "Volunteer's certificate", SHEET, YEAR_DAYS, "name volunteer_hours"),
)  # fmt: skip

_MARKET_REGULATION: Final[tuple[_Row, ...]] = (
    ("business_licence", "营业执照（个体工商户）", "Business licence (sole trader)", SHEET, None,
     "company_name credit_code name business_scope business_address founded_on"),
    ("food_business_licence", "食品经营许可证", "Food business licence", SHEET, 5 * YEAR_DAYS,
     "company_name credit_code name business_scope business_address"),
    ("food_safety_manager", "食品安全管理员证", "Food safety manager's certificate", CARD, 3 * YEAR_DAYS,
     "name id_number qualification_level"),
    ("equipment_operator", "特种设备作业人员证", "Special equipment operator's certificate", CARD, 4 * YEAR_DAYS,
     "name id_number work_item"),
    ("pharmacist_registration", "执业药师注册证", "Pharmacist's registration", SHEET, 5 * YEAR_DAYS,
     "name id_number practice_scope practice_place"),
)  # fmt: skip

_TRANSPORT: Final[tuple[_Row, ...]] = (
    ("transport_qualification", "道路运输从业资格证", "Road transport qualification", CARD, 6 * YEAR_DAYS,
     "name id_number qualification first_issued"),
    ("ride_hailing_driver", "网络预约出租汽车驾驶员证", "Ride-hailing driver's certificate", CARD, 3 * YEAR_DAYS,
     "name id_number first_issued"),
    ("transit_concession", "公共交通优惠卡", "Public transport concession card", CARD, YEAR_DAYS,
     "name concession_class free_entry"),
)  # fmt: skip

_EDUCATION: Final[tuple[_Row, ...]] = (
    ("student_card", "学生证", "Student card", CARD, YEAR_DAYS,
     "name birth_date school_name grade stage student_number"),
    ("graduation_certificate", "毕业证书", "Graduation certificate", SHEET, None,
     "name birth_date school_name speciality graduated_on document_number"),
    ("degree_certificate", "学位证书", "Degree certificate", SHEET, None,
     "name school_name degree_level speciality graduated_on document_number"),
    ("teacher_qualification", "教师资格证书", "Teacher's qualification", BOOKLET, None,
     "name id_number stage subject document_number"),
    ("mandarin_level", "普通话水平测试等级证书", "Mandarin proficiency certificate", SHEET, None,
     "name id_number test_level score"),
)  # fmt: skip

_CULTURE_TOURISM: Final[tuple[_Row, ...]] = (
    ("library_reader_card", "读者证", "Library reader's card", CARD, 3 * YEAR_DAYS,
     "name reader_level document_number"),
    ("tour_guide_licence", "导游证", "Tour guide's licence", CARD, 3 * YEAR_DAYS,
     "name sex guide_language document_number"),
    ("culture_concession", "文化场馆优惠凭证", "Concession for cultural venues", CARD, YEAR_DAYS,
     "name concession_class free_entry"),
)  # fmt: skip

_MEDICAL_INSURANCE: Final[tuple[_Row, ...]] = (
    ("medical_insurance", "医保电子凭证", "Medical insurance certificate", CARD, None,
     "name id_number insurance_number insurance_type insured_place insurance_active"),
    ("care_elsewhere", "异地就医备案凭证", "Care elsewhere, registered", SHEET, YEAR_DAYS,
     "name id_number insured_place destination_place"),
    ("serious_illness", "门诊大病登记凭证", "Registration of serious illness", SHEET, YEAR_DAYS,
     "name id_number illness_category practice_place"),
)  # fmt: skip

_HOUSING: Final[tuple[_Row, ...]] = (
    ("public_rental", "公共租赁住房准入证明", "Public rental admission", SHEET, 2 * YEAR_DAYS,
     "name id_number family_size rental_place monthly_rent"),
    ("housing_fund", "住房公积金缴存证明", "Housing fund certificate", SHEET, 90,
     "name id_number work_unit fund_account fund_balance"),
    ("constructor_registration", "注册建造师证书", "Registered constructor", SHEET, 3 * YEAR_DAYS,
     "name speciality qualification_level work_unit"),
)  # fmt: skip

_LAND_REGISTRY: Final[tuple[_Row, ...]] = (
    ("real_estate_certificate", "不动产权证书", "Real-estate certificate", BOOKLET, None,
     "name id_number property_number property_place property_area property_use shared_ownership document_number"),
    ("registration_proof", "不动产登记证明", "Proof of registration (mortgage)", SHEET, None,
     "name property_number property_place mortgaged document_number"),
    ("home_ownership_query", "住房情况查询结果", "Home ownership query result", SHEET, 30,
     "name id_number homes_owned checked_until"),
)  # fmt: skip

_VETERANS: Final[tuple[_Row, ...]] = (
    ("veteran_card", "退役军人优待证", "Veteran's preference card", CARD, 10 * YEAR_DAYS,
     "name sex veteran_category served_until"),
    ("martyr_family_card", "烈士遗属优待证", "Martyr's family preference card", CARD, 10 * YEAR_DAYS,
     "name sex martyr_relation"),
)  # fmt: skip

_JUSTICE: Final[tuple[_Row, ...]] = (
    ("lawyer_licence", "律师执业证", "Lawyer's licence", BOOKLET, YEAR_DAYS, "name sex law_firm document_number"),
    ("notarial_certificate", "公证书", "Notarial certificate", SHEET, None, "name id_number notarised_matter"),
    ("legal_aid_grant", "法律援助通知书", "Grant of legal aid", SHEET, YEAR_DAYS, "name id_number aid_matter law_firm"),
)  # fmt: skip

_TAXATION: Final[tuple[_Row, ...]] = (
    ("income_tax_record", "个人所得税纳税记录", "Record of income tax", SHEET, 180,
     "name id_number tax_year income tax_paid"),
    ("deed_tax_receipt", "契税完税证明", "Deed tax receipt", SHEET, None,
     "name id_number property_place tax_year tax_paid"),
)  # fmt: skip

_EMERGENCY: Final[tuple[_Row, ...]] = (
    ("special_operation", "特种作业操作证", "Special operations certificate", CARD, 6 * YEAR_DAYS,
     "name sex id_number work_item first_issued"),
    ("safety_manager", "安全生产管理人员合格证", "Safety manager's certificate", CARD, 3 * YEAR_DAYS,
     "name work_unit work_category"),
)  # fmt: skip

_PARKS: Final[tuple[_Row, ...]] = (
    ("park_annual_pass", "公园游览年票", "Yearly park pass", CARD, YEAR_DAYS, "name pass_class park_scope"),
    ("park_volunteer", "公园志愿护绿员证", "Park volunteer's card", CARD, YEAR_DAYS, "name volunteer_hours park_scope"),
)  # fmt: skip

_SPORTS: Final[tuple[_Row, ...]] = (
    ("deep_water_pass", "游泳深水合格证", "Deep-water swimming pass", CARD, YEAR_DAYS,
     "name birth_date fit_for_work passed_on"),
    ("sports_instructor", "社会体育指导员证", "Sports instructor's certificate", CARD, 4 * YEAR_DAYS,
     "name speciality qualification_level"),
)  # fmt: skip

_DISABLED_PERSONS: Final[tuple[_Row, ...]] = (
    ("disability_card", "残疾人证", "Disability card", BOOKLET, 10 * YEAR_DAYS,
     "name sex birth_date id_number disability_category disability_grade guardian_name"),
    ("assistive_device", "辅助器具适配证明", "Assistive device grant", SHEET, 3 * YEAR_DAYS, "name device_name"),
)  # fmt: skip

_CHEFS: Final[tuple[_Row, ...]] = (
    ("chefs_membership", "烹饪行业协会会员证", "Membership of the Chefs' Association", CARD, 3 * YEAR_DAYS,
     "name work_unit qualification_level document_number"),
)  # fmt: skip

_SKILLS: Final[tuple[_Row, ...]] = (
    ("skill_level", "职业技能等级证书", "Vocational skill level", CARD, None,
     "name id_number occupation qualification_level score examined_on"),
)  # fmt: skip

_EVENING_COLLEGE: Final[tuple[_Row, ...]] = (
    ("course_completion", "结业证书", "Certificate of completion", SHEET, None,
     "name speciality score graduated_on document_number"),
)  # fmt: skip

_ROWS: Final[dict[str, tuple[str, tuple[_Row, ...]]]] = {
    "police": ("#1f4e9c", _POLICE),
    "human_resources": ("#0f7d7a", _HUMAN_RESOURCES),
    "health": ("#2a8f5b", _HEALTH),
    "civil_affairs": ("#b23a48", _CIVIL_AFFAIRS),
    "market_regulation": ("#8a5a00", _MARKET_REGULATION),
    "transport": ("#33658a", _TRANSPORT),
    "education": ("#6a4c93", _EDUCATION),
    "culture_tourism": ("#a8442a", _CULTURE_TOURISM),
    "medical_insurance": ("#00798c", _MEDICAL_INSURANCE),
    "housing": ("#5b6770", _HOUSING),
    "land_registry": ("#7a2e39", _LAND_REGISTRY),
    "veterans": ("#a01c1c", _VETERANS),
    "justice": ("#3d405b", _JUSTICE),
    "taxation": ("#9c6b1f", _TAXATION),
    "emergency": ("#c05621", _EMERGENCY),
    "parks": ("#3a7d34", _PARKS),
    "sports": ("#1572a1", _SPORTS),
    "disabled_persons": ("#5f4b8b", _DISABLED_PERSONS),
    "chefs_association": ("#b5651d", _CHEFS),
    "skills_assessor": ("#4a6fa5", _SKILLS),
    "evening_college": ("#2e6f6b", _EVENING_COLLEGE),
}
"""The face colour of a department, and its kinds."""

FACE_FIELDS_MAX: Final = 6
_FACES: Final = {
    "resident_id_card": "name sex ethnicity birth_date address id_number",
    "driving_licence": "name sex birth_date licence_class first_issued id_number",
    "household_register": "household_head household_number household_place name relation_to_head",
    "passport": "name name_latin sex birth_date document_number",
    "senior_card": "name sex birth_date concession_class",
    "no_criminal_record": "name id_number no_record checked_until",
    "medical_insurance": "name insurance_type insured_place insurance_active",
}
"""Faces that are not simply the first fields of the kind."""
_ORGANS: Final = {
    "passport": ("出入境管理局", "Exit and Entry Administration"),
    "hong_kong_macao_permit": ("出入境管理局", "Exit and Entry Administration"),
    "birth_certificate": ("助产机构", "The hospital of birth"),
    "real_estate_certificate": ("不动产登记机构", "Real-estate registry"),
}
"""Issuing organs that are not the department itself."""
_PRINTABLE: Final = frozenset({"no_criminal_record", "household_register"})
_ONLINE_ONLY: Final = frozenset(
    {"no_criminal_record", "income_tax_record", "home_ownership_query", "housing_fund", "serious_illness"}
)
"""Kinds that say how things stand today: looked at through us, where a change is known at once."""
_OF_GUARDIANS: Final = frozenset({"birth_certificate", "household_register"})


def _kind(department: str, colour: str, ordinal: int, row: _Row) -> Kind:
    slug, name_zh, name_en, layout, valid_days, fields = row
    issuer = DEPARTMENT_BY_SLUG[department]
    organ_zh, organ_en = _ORGANS.get(slug, (issuer.name_zh, issuer.name_en))
    face = tuple(_FACES.get(slug, fields).split()[:FACE_FIELDS_MAX])
    return Kind(
        code=f"{issuer.uscc}{ordinal:03d}",
        slug=slug,
        name_zh=name_zh,
        name_en=name_en,
        department=department,
        fields=tuple(FIELDS[name] for name in fields.split()),
        valid_days=valid_days,
        face_colour=colour,
        layout=layout,
        organ_zh=organ_zh,
        organ_en=organ_en,
        face=face,
        predicates=QUESTIONS.get(slug, ()),
        is_offline=slug not in _ONLINE_ONLY,
        is_printable=slug in _PRINTABLE,
        proves_guardianship=slug in _OF_GUARDIANS,
    )


KINDS: Final = tuple(
    _kind(department, colour, ordinal, row)
    for department, (colour, rows) in _ROWS.items()
    for ordinal, row in enumerate(rows, start=1)
)
KIND_BY_SLUG: Final = {kind.slug: kind for kind in KINDS}
KIND_BY_CODE: Final = {kind.code: kind for kind in KINDS}
