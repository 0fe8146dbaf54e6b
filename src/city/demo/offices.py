"""The offices of the demo city, what can be booked there, and the slots that follow from their hours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from city.demo.codes import DISTRICT_BY_CODE, phone
from city.demo.model import Desk, Office, Opening, Service, Slot
from kernel.clock import SHANGHAI

SLOT_DAYS_MAX: Final = 62


def _service(slug: str, department: str, name: tuple[str, str], bring: tuple[str, str]) -> Service:
    return Service(
        slug=slug, department=department, name_zh=name[0], name_en=name[1], bring_zh=bring[0], bring_en=bring[1]
    )


_ID_CARD = ("身份证", "Identity card")

SERVICES: Final = (
    _service("exit_entry", "police", ("出入境证件办理", "Passports and exit-entry permits"), _ID_CARD),
    _service("household", "police", ("户籍业务", "Household registration"), ("户口簿", "Household register")),
    _service(
        "driving_licence", "police", ("驾驶证业务", "Driving licences"), ("身份证、体检证明", "ID, medical report")
    ),
    _service(
        "marriage_registration",
        "civil_affairs",
        ("结婚登记", "Marriage registration"),
        ("双方身份证、户口簿", "Both identity cards and household registers"),
    ),
    _service("health_exam", "health", ("从业人员健康体检", "Health certificate examination"), _ID_CARD),
    _service("vaccination", "health", ("预防接种", "Vaccination"), ("预防接种证", "Vaccination record")),
    _service(
        "real_estate",
        "land_registry",
        ("不动产登记", "Real-estate registration"),
        ("身份证、合同", "Identity card, contract"),
    ),
    _service("social_security", "human_resources", ("社保业务", "Social security"), ("社保卡", "Social security card")),
    _service("medical_insurance", "medical_insurance", ("医保业务", "Medical insurance"), _ID_CARD),
    _service("taxation", "taxation", ("办税", "Taxes"), _ID_CARD),
    _service(
        "business_licence",
        "market_regulation",
        ("营业执照", "Business licences"),
        ("身份证、场所证明", "Identity card, proof of premises"),
    ),
    _service("comprehensive", "civil_affairs", ("综合窗口", "Comprehensive window"), _ID_CARD),
)
SERVICE_BY_SLUG: Final = {service.slug: service for service in SERVICES}


def _hours(weekdays: range, *spans: tuple[int, int]) -> tuple[Opening, ...]:
    return tuple(Opening(weekday, time(opens), time(closes)) for weekday in weekdays for opens, closes in spans)


_WORKING_DAYS = range(5)
_WEEKDAYS: Final = _hours(_WORKING_DAYS, (9, 11), (13, 16))
_MORNINGS: Final = _hours(_WORKING_DAYS, (8, 11))
_SIX_DAYS: Final = _hours(range(6), (9, 11), (13, 16))
_EVERY_DAY: Final = _hours(range(7), (9, 11), (13, 15))

_DESKS: Final = {
    "exit_entry": Desk(service="exit_entry", openings=_SIX_DAYS, slot_minutes=30, places=6),
    "household": Desk(service="household", openings=_WEEKDAYS, slot_minutes=30, places=3),
    "driving_licence": Desk(service="driving_licence", openings=_SIX_DAYS, slot_minutes=30, places=4),
    "marriage_registration": Desk(service="marriage_registration", openings=_EVERY_DAY, slot_minutes=60, places=3),
    "health_exam": Desk(service="health_exam", openings=_MORNINGS, slot_minutes=60, places=12),
    "vaccination": Desk(service="vaccination", openings=_MORNINGS, slot_minutes=30, places=5),
    "real_estate": Desk(service="real_estate", openings=_WEEKDAYS, slot_minutes=60, places=4),
    "social_security": Desk(service="social_security", openings=_WEEKDAYS, slot_minutes=30, places=4),
    "medical_insurance": Desk(service="medical_insurance", openings=_WEEKDAYS, slot_minutes=30, places=4),
    "taxation": Desk(service="taxation", openings=_WEEKDAYS, slot_minutes=60, places=5),
    "business_licence": Desk(service="business_licence", openings=_WEEKDAYS, slot_minutes=60, places=3),
    "comprehensive": Desk(service="comprehensive", openings=_EVERY_DAY, slot_minutes=60, places=6),
}
"""The hours, slot length and places of a service; every office that offers it keeps the same."""


_POSITIONS: Final = {
    "huangpu-service-centre": (31.2243, 121.4841),
    "xuhui-service-centre": (31.1872, 121.4371),
    "changning-marriage-office": (31.2211, 121.4049),
    "jingan-business-centre": (31.2337, 121.4478),
    "yangpu-health-centre": (31.2713, 121.5262),
    "minhang-vehicle-office": (31.1128, 121.3817),
    "jiading-registry": (31.3756, 121.2655),
    "pudong-service-centre": (31.2214, 121.5447),
    "songjiang-service-centre": (31.0322, 121.2279),
}
"""Degrees (WGS 84): somewhere in the district, where no such office stands."""


def _office(number: int, slug: str, names: tuple[str, str], where: tuple[str, str], services: str) -> Office:
    district, street = where
    return Office(
        slug=slug,
        name_zh=names[0],
        name_en=names[1],
        district=district,
        address=f"上海市{DISTRICT_BY_CODE[district].name_zh}{street}",
        phone=phone(8000 + number),
        latitude=_POSITIONS[slug][0],
        longitude=_POSITIONS[slug][1],
        desks=tuple(_DESKS[service] for service in services.split()),
    )


OFFICES: Final = (
    _office(
        1,
        "huangpu-service-centre",
        ("黄浦区政务服务中心", "Huangpu Service Centre"),
        ("310101", "示范路10号"),
        "exit_entry household comprehensive taxation",
    ),
    _office(
        2,
        "xuhui-service-centre",
        ("徐汇区政务服务中心", "Xuhui Service Centre"),
        ("310104", "样板路20号"),
        "social_security medical_insurance comprehensive",
    ),
    _office(
        3,
        "changning-marriage-office",
        ("长宁区婚姻登记中心", "Changning Marriage Office"),
        ("310105", "如意桥路52号"),
        "marriage_registration",
    ),
    _office(
        4,
        "jingan-business-centre",
        ("静安区企业服务中心", "Jing'an Business Centre"),
        ("310106", "知行路40号"),
        "business_licence taxation social_security",
    ),
    _office(
        5,
        "yangpu-health-centre",
        ("杨浦区疾病预防控制中心", "Yangpu Health Centre"),
        ("310110", "青禾路50号"),
        "health_exam vaccination",
    ),
    _office(
        6,
        "minhang-vehicle-office",
        ("闵行区车辆管理所", "Minhang Vehicle Office"),
        ("310112", "星河湾路60号"),
        "driving_licence",
    ),
    _office(
        7,
        "jiading-registry",
        ("嘉定区不动产登记中心", "Jiading Real-Estate Registry"),
        ("310114", "小满街70号"),
        "real_estate taxation",
    ),
    _office(
        8,
        "pudong-service-centre",
        ("浦东新区市民中心", "Pudong Citizens' Centre"),
        ("310115", "云上路80号"),
        "exit_entry household driving_licence real_estate social_security comprehensive",
    ),
    _office(
        9,
        "songjiang-service-centre",
        ("松江区政务服务中心", "Songjiang Service Centre"),
        ("310117", "晴川里路90号"),
        "comprehensive medical_insurance health_exam marriage_registration",
    ),
)
OFFICE_BY_SLUG: Final = {office.slug: office for office in OFFICES}


def slots_from(day: date, days: int = 14) -> tuple[Slot, ...]:
    """Every slot of every office from `day` (a local date) on, `days` days long, in the order of offices and time.

    Weekly hours only: whether a date is a holiday or a make-up day is for the calendar to say.
    """
    assert 1 <= days <= SLOT_DAYS_MAX
    dates = [day + timedelta(days=ahead) for ahead in range(days)]
    return tuple(
        slot for office in OFFICES for desk in office.desks for on in dates for slot in _slots(office.slug, desk, on)
    )


def _slots(office: str, desk: Desk, on: date) -> Iterator[Slot]:
    length = timedelta(minutes=desk.slot_minutes)
    for opening in desk.openings:
        if opening.weekday != on.weekday():
            continue
        starts = datetime.combine(on, opening.opens, SHANGHAI)
        closes = datetime.combine(on, opening.closes, SHANGHAI)
        while starts + length <= closes:
            yield Slot(
                key=f"{office}/{desk.service}/{starts:%Y-%m-%dT%H:%M}+08:00",
                office=office,
                service=desk.service,
                starts_at=starts.astimezone(UTC),
                ends_at=(starts + length).astimezone(UTC),
                places=desk.places,
            )
            starts += length
