"""The departments of the demo city and the bodies that issue beside them, with their invented credit codes."""

from datetime import date
from typing import Final

from city.demo.codes import CITY_REGION, credit_code
from city.demo.model import Department
from wallet.model import IssuerSort

ACCREDITED_UNTIL: Final = date(2045, 12, 31)
"""The same in every city, however late it is planted."""


def _department(slug: str, body: str, name: tuple[str, str], duty: tuple[str, str]) -> Department:
    return Department(
        slug=slug,
        uscc=credit_code("11", CITY_REGION, body),
        name_zh=name[0],
        name_en=name[1],
        duty_zh=duty[0],
        duty_en=duty[1],
    )


def _body(
    slug: str, authority: str, body: str, sort: IssuerSort, name: tuple[str, str], duty: tuple[str, str]
) -> Department:
    return Department(
        slug=slug,
        uscc=credit_code(authority, CITY_REGION, body),
        name_zh=name[0],
        name_en=name[1],
        duty_zh=duty[0],
        duty_en=duty[1],
        sort=sort,
        accredited_until=ACCREDITED_UNTIL,
    )


_SOCIAL_ORGANISATION = "51"
_PRIVATE_INSTITUTION = "52"

DEPARTMENTS: Final = (
    _department(
        "police",
        "DEMA0001",
        ("公安局", "Public Security Bureau"),
        ("身份、户籍、出入境、驾驶", "Identity, households, exit and entry, driving"),
    ),
    _department(
        "human_resources",
        "DEMA0002",
        ("人力资源和社会保障局", "Human Resources and Social Security Bureau"),
        ("就业、社保、职称", "Employment, social security, professional titles"),
    ),
    _department(
        "health",
        "DEMA0003",
        ("卫生健康委员会", "Health Commission"),
        ("出生、接种、从业健康、医护执业", "Births, vaccination, health of workers, medical practice"),
    ),
    _department(
        "civil_affairs",
        "DEMA0004",
        ("民政局", "Civil Affairs Bureau"),
        ("婚姻、救助、养老", "Marriage, relief, care of the old"),
    ),
    _department(
        "market_regulation",
        "DEMA0005",
        ("市场监督管理局", "Market Regulation Bureau"),
        ("营业执照、食品、特种设备", "Business licences, food, special equipment"),
    ),
    _department(
        "transport",
        "DEMA0006",
        ("交通委员会", "Transport Commission"),
        ("道路运输从业、公共交通", "Road transport workers, public transport"),
    ),
    _department(
        "education",
        "DEMA0007",
        ("教育委员会", "Education Commission"),
        ("学籍、学历、教师资格", "Pupils, degrees, teachers"),
    ),
    _department(
        "culture_tourism",
        "DEMA0008",
        ("文化和旅游局", "Culture and Tourism Bureau"),
        ("图书馆、场馆、导游", "Libraries, halls, tour guides"),
    ),
    _department(
        "medical_insurance",
        "DEMA0009",
        ("医疗保障局", "Medical Insurance Bureau"),
        ("参保、异地就医、大病", "Insurance, care elsewhere, serious illness"),
    ),
    _department(
        "housing",
        "DEMA0010",
        ("住房和城乡建设管理委员会", "Housing and Construction Commission"),
        ("公租房、公积金、建造执业", "Public rental, housing fund, builders"),
    ),
    _department(
        "land_registry",
        "DEMA0011",
        ("规划和自然资源局", "Planning and Natural Resources Bureau"),
        ("不动产登记", "Real-estate registration"),
    ),
    _department(
        "veterans",
        "DEMA0012",
        ("退役军人事务局", "Veterans Affairs Bureau"),
        ("退役军人与烈属优待", "Preference for veterans and families of martyrs"),
    ),
    _department(
        "justice",
        "DEMA0013",
        ("司法局", "Justice Bureau"),
        ("律师、公证、法律援助", "Lawyers, notaries, legal aid"),
    ),
    _department(
        "taxation",
        "DEMA0014",
        ("税务局", "Taxation Bureau"),
        ("纳税与完税证明", "Tax records and receipts"),
    ),
    _department(
        "emergency",
        "DEMA0015",
        ("应急管理局", "Emergency Management Bureau"),
        ("安全生产作业资格", "Safety qualifications at work"),
    ),
    _department(
        "parks",
        "DEMA0016",
        ("绿化和市容管理局", "Parks and City Appearance Bureau"),
        ("公园、景区、年票", "Parks, scenic spots, yearly passes"),
    ),
    _department(
        "sports",
        "DEMA0017",
        ("体育局", "Sports Bureau"),
        ("游泳合格、社会体育指导", "Swimming tests, sports instructors"),
    ),
    _department(
        "disabled_persons",
        "DEMA0018",
        ("残疾人联合会", "Disabled Persons' Federation"),
        ("残疾人证与辅具", "Disability cards and aids"),
    ),
    _body(
        "chefs_association",
        _SOCIAL_ORGANISATION,
        "DEMC0001",
        IssuerSort.ASSOCIATION,
        ("江城烹饪行业协会", "River City Chefs' Association"),
        ("烹饪从业人员自律与会员服务", "Members of the cooking trade"),
    ),
    _body(
        "skills_assessor",
        _PRIVATE_INSTITUTION,
        "DEMC0002",
        IssuerSort.ASSESSOR,
        ("磐石职业技能评价中心", "Panshi Vocational Skills Assessment Centre"),
        ("职业技能等级评价", "Assessing vocational skills"),
    ),
    _body(
        "evening_college",
        _PRIVATE_INSTITUTION,
        "DEMC0003",
        IssuerSort.SCHOOL,
        ("江城夜校", "River City Evening College"),
        ("继续教育与结业", "Continuing education"),
    ),
)
DEPARTMENT_BY_SLUG: Final = {department.slug: department for department in DEPARTMENTS}
