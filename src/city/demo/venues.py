"""The venues of the demo city: three of each sort, each with its devices and the scenarios it was granted."""

from typing import Final

from city.demo.codes import DISTRICT_BY_CODE, credit_code
from city.demo.model import Device, Venue, VenueSort
from city.demo.questions import LIVES_IN
from city.demo.scenarios import NEIGHBOUR, SCENARIO_BY_CODE, SCENARIOS
from wallet.model import Terms

PUBLIC_INSTITUTION = "12"
COMPANY = "91"


def _venue(
    number: int,
    sort: VenueSort,
    slug: str,
    names: tuple[str, str],
    where: tuple[str, str],
    devices: dict[str, tuple[str, str]],
    without: tuple[str, ...] = (),
) -> Venue:
    """`where` is a district and a street; `without` names scenarios of its sort that it was not granted."""
    district, street = where
    authority = COMPANY if sort is VenueSort.AMUSEMENT_PARK else PUBLIC_INSTITUTION
    return Venue(
        slug=slug,
        sort=sort,
        uscc=credit_code(authority, district, f"DEMB{number:04d}"),
        name_zh=names[0],
        name_en=names[1],
        district=district,
        address=f"上海市{DISTRICT_BY_CODE[district].name_zh}{street}",
        devices=tuple(Device(f"{slug}-{place}", zh, en) for place, (zh, en) in devices.items()),
        scenarios=tuple(one.code for one in SCENARIOS if one.sort is sort and one.code not in without),
        terms=_terms(sort, district),
    )


def _terms(sort: VenueSort, district: str) -> dict[str, Terms]:
    """A museum may ask whether somebody lives in its own district, and in no other."""
    if sort is not VenueSort.MUSEUM:
        return {}
    asked = (LIVES_IN[district].name,)
    return {NEIGHBOUR: Terms(grants={grant.kind_code: asked for grant in SCENARIO_BY_CODE[NEIGHBOUR].grants})}


_COUNTER = {"counter-1": ("一号窗口", "Counter 1"), "counter-2": ("二号窗口", "Counter 2")}
_GATES = {"gate-1": ("一号闸机", "Gate 1"), "gate-2": ("二号闸机", "Gate 2"), "gate-3": ("三号闸机", "Gate 3")}
_DOOR = {"door-1": ("门卫手持机", "Porter's scanner")}
_ENTRY = {"gate-1": ("入口闸机", "Entrance gate"), "ticket-1": ("售票窗口", "Ticket window")}

_HOSPITAL, _SCHOOL, _STATION = VenueSort.HOSPITAL, VenueSort.SCHOOL, VenueSort.STATION
_MUSEUM, _SCENIC, _AMUSEMENT = VenueSort.MUSEUM, VenueSort.SCENIC_SPOT, VenueSort.AMUSEMENT_PARK

VENUES: Final = (
    _venue(1, _HOSPITAL, "qinghe-hospital", ("青禾医院", "Qinghe Hospital"), ("310104", "青禾路1号"), _COUNTER),
    _venue(
        2,
        _HOSPITAL,
        "xingyue-childrens-hospital",
        ("星月儿童医院", "Xingyue Children's Hospital"),
        ("310112", "星河湾路66号"),
        _COUNTER,
    ),
    _venue(
        3,
        _HOSPITAL,
        "jiading-community-clinic",
        ("嘉禾社区卫生服务中心", "Jiahe Community Clinic"),
        ("310114", "嘉禾里路20号"),
        _DOOR,
        without=("hospital.priority",),
    ),
    _venue(
        4, _SCHOOL, "zhixing-primary-school", ("知行小学", "Zhixing Primary School"), ("310110", "知行路8号"), _DOOR
    ),
    _venue(
        5, _SCHOOL, "yunshang-middle-school", ("云上中学", "Yunshang Middle School"), ("310115", "云上路18号"), _DOOR
    ),
    _venue(
        6,
        _SCHOOL,
        "xiaoman-kindergarten",
        ("小满幼儿园", "Xiaoman Kindergarten"),
        ("310107", "小满街3号"),
        _DOOR,
        without=("school.hiring",),
    ),
    _venue(
        7,
        _STATION,
        "suishen-railway-station",
        ("随申火车站", "Suishen Railway Station"),
        ("310106", "示范路1号"),
        _GATES,
    ),
    _venue(
        8,
        _STATION,
        "bailu-coach-station",
        ("白鹭长途汽车站", "Bailu Coach Station"),
        ("310113", "样板路100号"),
        _ENTRY,
        without=("station.car_rental",),
    ),
    _venue(
        9,
        _STATION,
        "ruyi-ferry-terminal",
        ("如意码头客运站", "Ruyi Ferry Terminal"),
        ("310109", "如意桥路2号"),
        _ENTRY,
        without=("station.car_rental",),
    ),
    _venue(
        10,
        _MUSEUM,
        "river-city-museum",
        ("江城博物馆", "River City Museum"),
        ("310101", "长乐坊路50号"),
        _ENTRY,
        without=("museum.borrowing",),
    ),
    _venue(
        11,
        _MUSEUM,
        "qingchuan-art-museum",
        ("晴川美术馆", "Qingchuan Art Museum"),
        ("310115", "晴川里路9号"),
        _ENTRY,
        without=("museum.borrowing",),
    ),
    _venue(12, _MUSEUM, "lantern-library", ("灯下图书馆", "Lantern Library"), ("310105", "青禾路77号"), _COUNTER),
    _venue(
        13,
        _SCENIC,
        "tingyu-ancient-garden",
        ("听雨古园", "Tingyu Ancient Garden"),
        ("310101", "小满街66号"),
        _ENTRY,
    ),
    _venue(
        14,
        _SCENIC,
        "hundred-herons-wetland",
        ("百鹭湿地公园", "Hundred Herons Wetland"),
        ("310113", "云上路200号"),
        _GATES,
    ),
    _venue(15, _SCENIC, "cloud-hill-park", ("云丘山景区", "Cloud Hill Park"), ("310117", "云上路500号"), _ENTRY),
    _venue(
        16,
        _AMUSEMENT,
        "paper-kite-park",
        ("纸鸢乐园", "Paper Kite Park"),
        ("310115", "星河湾路1号"),
        _GATES,
        without=("amusement_park.swimming",),
    ),
    _venue(
        17,
        _AMUSEMENT,
        "whale-water-park",
        ("鲸落水世界", "Whale Water Park"),
        ("310117", "晴川里路88号"),
        _ENTRY,
    ),
    _venue(
        18,
        _AMUSEMENT,
        "carousel-square",
        ("木马广场", "Carousel Square"),
        ("310112", "样板路30号"),
        _ENTRY,
        without=("amusement_park.swimming",),
    ),
)
VENUE_BY_SLUG: Final = {venue.slug: venue for venue in VENUES}
