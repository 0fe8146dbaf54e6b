"""Who works for the demo city: at every desk a clerk and a supervisor, issuers where that is shown, one operator."""

from typing import Final

from city.demo.codes import phone
from city.demo.model import Staff, StaffRole
from city.demo.offices import OFFICES, SERVICE_BY_SLUG

_FIRST_PHONE = 9001

_DESK_NAMES: Final = (
    ("褚文清", "Chu Wenqing"),
    ("柏一帆", "Bo Yifan"),
    ("水淼淼", "Shui Miaomiao"),
    ("窦建南", "Dou Jiannan"),
    ("云若谷", "Yun Ruogu"),
    ("喻小川", "Yu Xiaochuan"),
    ("鄢知秋", "Yan Zhiqiu"),
    ("郎晓波", "Lang Xiaobo"),
    ("花满庭", "Hua Manting"),
)

_SUPERVISOR_NAMES: Final = (
    ("邰望舒", "Tai Wangshu"),
    ("车行健", "Che Xingjian"),
    ("濮怀瑾", "Pu Huaijin"),
    ("戈壁青", "Ge Biqing"),
    ("缪承志", "Miao Chengzhi"),
    ("燕归来", "Yan Guilai"),
    ("苗春生", "Miao Chunsheng"),
    ("卞如海", "Bian Ruhai"),
    ("裘半山", "Qiu Banshan"),
)

_ISSUERS: Final = (
    ("police", "穆思远", "Mu Siyuan"),
    ("health", "娄静好", "Lou Jinghao"),
    ("civil_affairs", "禹长宁", "Yu Changning"),
    ("parks", "狄青岚", "Di Qinglan"),
)

OPERATOR: Final = Staff(
    key="s-operator",
    name="计万里",
    name_latin="Ji Wanli",
    phone=phone(_FIRST_PHONE),
    role=StaffRole.OPERATOR,
)


def _at_offices(role: StaffRole, names: tuple[tuple[str, str], ...], *, first_phone: int) -> tuple[Staff, ...]:
    """One of a role at every office, in the department of its first desk; their phones follow each other."""
    return tuple(
        Staff(
            key=f"s-{role}-{office.slug}",
            name=name,
            name_latin=name_latin,
            phone=phone(first_phone + ordinal),
            role=role,
            office=office.slug,
            department=SERVICE_BY_SLUG[office.desks[0].service].department,
        )
        for ordinal, (office, (name, name_latin)) in enumerate(zip(OFFICES, names, strict=True))
    )


_DESK_STAFF: Final = _at_offices(StaffRole.DESK, _DESK_NAMES, first_phone=_FIRST_PHONE + 1)

_DEPARTMENT_STAFF: Final = tuple(
    Staff(
        key=f"s-issuer-{department}",
        name=name,
        name_latin=name_latin,
        phone=phone(_FIRST_PHONE + ordinal),
        role=StaffRole.ISSUER,
        department=department,
    )
    for ordinal, (department, name, name_latin) in enumerate(_ISSUERS, start=len(_DESK_STAFF) + 1)
)

_SUPERVISORS: Final = _at_offices(
    StaffRole.SUPERVISOR, _SUPERVISOR_NAMES, first_phone=_FIRST_PHONE + 1 + len(_DESK_STAFF) + len(_DEPARTMENT_STAFF)
)

STAFF: Final = (OPERATOR, *_DESK_STAFF, *_DEPARTMENT_STAFF, *_SUPERVISORS)
STAFF_BY_KEY: Final = {person.key: person for person in STAFF}
