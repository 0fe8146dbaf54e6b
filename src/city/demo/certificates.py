"""Which certificates a resident of the demo city holds, with values that agree with the person and the family.

Everything follows from the person and the day: seeded twice on one day, the city is the same; seeded next year,
yearly certificates are next year's. References and serials never depend on the day.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from city.demo.circumstances import household_place
from city.demo.codes import DISTRICT_BY_CODE
from city.demo.holders import RULES_OF_LIFE, Rule
from city.demo.holders_at_work import RULES_OF_WORK
from city.demo.holders_elsewhere import RULES_ELSEWHERE
from city.demo.kinds import KINDS
from city.demo.model import Holding, Kind, Person, Value
from city.demo.people import PEOPLE

EXPIRED: Final = frozenset({("p020", "health_certificate"), ("p103", "ride_hailing_driver")})
"""Who holds what lapsed a while ago, so that an expired certificate can be shown: person and kind."""

LAPSED_DAYS: Final = 20

_RULES: Final[dict[str, Rule]] = {**RULES_OF_LIFE, **RULES_OF_WORK, **RULES_ELSEWHERE}
_SERIAL_PRIME: Final = 9_999_991
assert max(len(PEOPLE), len(KINDS)) < _SERIAL_PRIME


def holdings(person: Person, today: date) -> tuple[Holding, ...]:
    """Every certificate this person holds on `today`, in the order of the kinds."""
    return tuple(
        _holding(kind, ordinal, person, today)
        for ordinal, kind in enumerate(KINDS, start=1)
        if _RULES[kind.slug].holds(person, today)
    )


def all_holdings(today: date) -> Iterator[tuple[Person, Holding]]:
    """Every certificate in the city with who holds it."""
    for person in PEOPLE:
        for holding in holdings(person, today):
            yield person, holding


def _holding(kind: Kind, ordinal: int, person: Person, today: date) -> Holding:
    rule = _RULES[kind.slug]
    valid_from, valid_until = _validity(kind, rule, person, today)
    values = _common_values(person, ordinal) | {"examined_on": valid_from.isoformat()} | rule.values(person, today)
    return Holding(
        kind_code=kind.code,
        kind_slug=kind.slug,
        department=kind.department,
        issuer_reference=f"{kind.slug}-{_serial(person, ordinal)}",
        serial=_serial(person, ordinal),
        values={name: values[name] for name in kind.field_names},
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _validity(kind: Kind, rule: Rule, person: Person, today: date) -> tuple[date, date | None]:
    """The period that `today` falls in: what lapses is renewed on the day, time after time."""
    since = rule.since(person)
    assert since <= today, "nobody holds what has not been issued yet"
    if kind.valid_days is None:
        return since, None
    length = timedelta(days=kind.valid_days)
    if (person.key, kind.slug) in EXPIRED:
        lapsed = today - timedelta(days=LAPSED_DAYS)
        return lapsed - length, lapsed
    latest = since + (today - since) // length * length
    return latest, latest + length


def _serial(person: Person, ordinal: int) -> str:
    """A serial that is unique within its kind and says nothing about the person's others."""
    return f"{(person.number * 7_919 + ordinal * 104_729) % _SERIAL_PRIME:08d}"


def _common_values(person: Person, ordinal: int) -> dict[str, Value]:
    district = DISTRICT_BY_CODE[person.district].name_zh
    return {
        "name": person.name,
        "name_latin": person.name_latin.upper(),
        "sex": person.sex.value,
        "birth_date": person.born.isoformat(),
        "ethnicity": person.ethnicity,
        "id_number": person.id_number,
        "address": person.address,
        "household_place": household_place(person),
        "issuing_authority": f"公安局{district}分局",
        "document_number": f"DEMO{_serial(person, ordinal)}",
    }
