"""Which network a number was given out by: one provider may reach one of them badly and the others well. Pure.

Mainland mobile segments: MIIT, 《电信网编号计划（2017年版）》, with what was assigned since (162, 165, 167, 172,
190-197). Numbers may be taken along to another network since 2019, so this says who gave a number out, not who serves
it: good enough to notice that a road is blocked. Numbers of elsewhere go by their country code (ITU-T E.164, list of
15.12.2016 with later amendments): two digits for those listed here, one for 1 and 7, three for the rest.
"""

from typing import Final, Literal

Network = Literal["mobile", "unicom", "telecom", "broadcast", "fixed"]

MAINLAND: Final = "+86"
_LENGTH: Final = len(MAINLAND)
_SEGMENTS: Final[dict[Network, str]] = {
    "mobile": "134 135 136 137 138 139 147 148 150 151 152 157 158 159 165 172 178 182 183 184 187 188 195 197 198",
    "unicom": "130 131 132 140 145 146 155 156 166 167 171 175 176 185 186 196",
    "telecom": "133 141 149 153 162 170 173 174 177 180 181 189 190 191 193 199",
    "broadcast": "192",
}
_WITHIN_SEGMENTS: Final[dict[Network, str]] = {
    "mobile": "1440 1703 1705 1706",
    "unicom": "1704 1707 1708 1709",
    "telecom": "1349",
}
"""Where a segment of three digits was given to several."""
_BY_THREE: Final = {digits: network for network, segments in _SEGMENTS.items() for digits in segments.split()}
_BY_FOUR: Final = {digits: network for network, segments in _WITHIN_SEGMENTS.items() for digits in segments.split()}
_TWO_DIGITS: Final = frozenset(
    str(code)
    for code in (20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67), 81, 82, 84, 86,
                 *range(90, 96), 98)
)  # fmt: skip


def group_of(phone: str) -> str:
    """The network of a mainland number, or `+` and the country code of another; E.164."""
    if phone.startswith(MAINLAND):
        digits = phone[_LENGTH : _LENGTH + 4]
        return _BY_FOUR.get(digits) or _BY_THREE.get(digits[:3]) or "fixed"
    code = phone[1:3]
    if code[:1] in ("1", "7"):
        return phone[:2]
    return phone[:3] if code in _TWO_DIGITS else phone[:4]
