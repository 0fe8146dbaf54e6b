"""Numbers of the demo city that carry check digits, composed so that real validators accept them."""

from datetime import date
from typing import Final

from stdnum.cn import ric, uscc

from city.demo.model import District, Sex

CITY_REGION = "310000"

_ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

PHONE_RANGE = "+861349000"
"""No carrier serves this range, yet its numbers are well formed: nobody's phone rings when a demo sends."""

DISTRICTS: Final = (
    District("310101", "黄浦区", "Huangpu"),
    District("310104", "徐汇区", "Xuhui"),
    District("310105", "长宁区", "Changning"),
    District("310106", "静安区", "Jing'an"),
    District("310107", "普陀区", "Putuo"),
    District("310109", "虹口区", "Hongkou"),
    District("310110", "杨浦区", "Yangpu"),
    District("310112", "闵行区", "Minhang"),
    District("310113", "宝山区", "Baoshan"),
    District("310114", "嘉定区", "Jiading"),
    District("310115", "浦东新区", "Pudong"),
    District("310117", "松江区", "Songjiang"),
)
DISTRICT_BY_CODE: Final = {district.code: district for district in DISTRICTS}

_REGION_SINCE: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    "310112": ((1982, "310112"), (0, "310201")),
    "310113": ((1989, "310113"), (1983, "310223"), (0, "310203")),
    "310114": ((1993, "310114"), (1983, "310222"), (0, "310202")),
    "310115": ((1993, "310115"), (1983, "310224"), (0, "310204")),
    "310117": ((1999, "310117"), (1983, "310227"), (0, "310207")),
}
"""Districts that were something else before: from which year of birth which code stands in an ID number."""


def region_at_birth(district: str, born: date) -> str:
    """The region code that an ID number of somebody born there and then begins with."""
    for since, code in _REGION_SINCE.get(district, ()):
        if born.year >= since:
            return code
    return district


def id_number(region: str, born: date, sex: Sex, twin: int) -> str:
    """An ID number that nobody living has: order codes 996 to 999 are kept for centenarians.

    `twin` (0 or 1) tells apart two people of one sex, region and day of birth.
    """
    order = {Sex.FEMALE: (996, 998), Sex.MALE: (997, 999)}[sex][twin]
    body = f"{region}{born:%Y%m%d}{order}"
    return body + ric.calc_check_digit(body + "0")


def credit_code(authority: str, region: str, body: str) -> str:
    """A unified social credit code around an 8-character organisation body; both check characters are right."""
    total = sum(
        _ORGANISATION_ALPHABET.index(character) * weight
        for character, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True)
    )
    organisation_check = "0123456789X0"[(11 - total % 11)]
    code = f"{authority}{region}{body}{organisation_check}"
    return code + uscc.calc_check_digit(code)


def phone(number: int) -> str:
    """The demo phone with this number, 0 to 9999, as E.164."""
    assert 0 <= number <= 9999
    return f"{PHONE_RANGE}{number:04d}"
