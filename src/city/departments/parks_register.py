"""The parks department's register of volunteers, invented: who is in it follows from the ID number and nothing else.

Two in three of those who are sixteen are in it. Whoever the demo city's seeds made a volunteer has that very card.
"""

import hashlib
from datetime import date
from typing import Any, Final

from city.demo.certificates import holdings
from city.demo.kinds import KIND_BY_SLUG
from city.demo.people import PEOPLE

KIND: Final = KIND_BY_SLUG["park_volunteer"]
VOLUNTEER_AGE: Final = 16
SCOPE: Final = "百鹭湿地公园"
_PERSON_BY_ID: Final = {person.id_number: person for person in PEOPLE}


def entries_of(id_number: str, name: str, kind_code: str, today: date) -> list[dict[str, Any]]:
    """What the register has about a person, as certificates to issue; of any other kind nothing."""
    if kind_code != KIND.code:
        return []
    holder = {"id_number": id_number, "name": name}
    person = _PERSON_BY_ID.get(id_number)
    for held in holdings(person, today) if person is not None else ():
        if held.kind_code == KIND.code:
            return [
                {
                    "reference": held.issuer_reference,
                    "kind_code": held.kind_code,
                    "holder": holder,
                    "values": dict(held.values),
                    "valid_from": held.valid_from,
                    "valid_until": held.valid_until,
                    "serial": held.serial,
                }
            ]
    if not is_volunteer(id_number, today):
        return []
    return [
        {
            "reference": f"volunteer-{hashlib.sha256(id_number.encode()).hexdigest()[:16]}",
            "kind_code": kind_code,
            "holder": holder,
            "values": {"name": name, "volunteer_hours": 12 + _sum_of_digits(id_number), "park_scope": SCOPE},
            "valid_from": date(today.year, 1, 1),
            "valid_until": date(today.year, 12, 31),
        }
    ]


def is_volunteer(id_number: str, today: date) -> bool:
    """Whether somebody is in the register beside those of the seeds."""
    born = int(id_number[6:14])
    age = (today.year * 10_000 + today.month * 100 + today.day - born) // 10_000
    return age >= VOLUNTEER_AGE and _sum_of_digits(id_number) % 3 != 0


def _sum_of_digits(id_number: str) -> int:
    return sum(int(digit) for digit in id_number[:17])
