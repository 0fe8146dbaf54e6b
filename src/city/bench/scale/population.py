"""Invented people by the million, and what each of them holds: doubles of the demo city's people under other names.

Everything follows from a person's number and the day, so that a load that was broken off goes on where it stopped.
Nobody living is meant: ID numbers have the order codes 996 to 999, which are kept for centenarians (`demo.codes`).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import Final

from msgspec import Struct

from city.demo.certificates import holdings
from city.demo.codes import id_number
from city.demo.departments import DEPARTMENTS
from city.demo.model import Holding, Sex, Value
from city.demo.names import GIVEN_NAMES, SURNAMES, Generation
from city.demo.people import PEOPLE
from kernel.people import Identity
from wallet.departments.issue_policy import IssueRequest

HELD: Final = (2, 3, 3, 3, 4, 4, 4, 4, 5, 5)
"""How many certificates ten people in a row hold: 3.7 each, as 92 million among the 24.9 million of a large city."""
HELD_BY_TEN: Final = sum(HELD)
REGIONS: Final = (
    "310101", "310104", "310105", "310106", "310107", "310109", "310110", "330122", "330127", "340121", "340421",
    "340621", "350121", "110102", "110105", "110106", "110107", "110108", "110109", "120102", "120103", "120104",
    "120105", "120106", "140121", "140122", "140123", "150121", "150122", "210224", "210321", "210421",
)  # fmt: skip
"""Regions whose code was the same all the time: whoever knows the codes' history accepts them with any birth date."""
FIRST_BIRTH: Final = date(1926, 1, 1)
BIRTH_DAYS: Final = (date(2026, 1, 1) - FIRST_BIRTH).days
_STRIDE: Final = 7_919
"""Coprime to the number of days, so that people in a row are of all ages."""
PEOPLE_MAX: Final = 4 * len(REGIONS) * BIRTH_DAYS
CERTIFICATES_MAX: Final = PEOPLE_MAX // len(HELD) * HELD_BY_TEN
CHUNK_PEOPLE_MAX: Final = 10_000
CHUNKS_WANTED: Final = 16
"""A small city is loaded in about so many chunks too, so that one that is broken off has not to begin again."""
_DOUBLES: Final = 5
_BEFORE: Final = (0, *accumulate(HELD))

_SEXES: Final = (Sex.FEMALE, Sex.MALE)
_GIVEN: Final = {sex: [name for generation in Generation for name, _ in GIVEN_NAMES[generation, sex]] for sex in _SEXES}

assert BIRTH_DAYS % 2 == 1, "regions (a power of two) and days, counted together, meet every pair once"
assert len(REGIONS) & (len(REGIONS) - 1) == 0
assert min(len(holdings(person, date(2026, 7, 1))) for person in PEOPLE) >= max(HELD)


class Somebody(Struct, frozen=True):
    """An invented person, by number from 0."""

    number: int
    sex: Sex
    born: date
    identity: Identity


class _Model(Struct, frozen=True):
    """A certificate of the demo city, and which of its values are the holder's own."""

    holding: Holding
    own: tuple[str, ...]


def somebody(number: int) -> Somebody:
    """The person with this number, at most `PEOPLE_MAX`."""
    assert 0 <= number < PEOPLE_MAX
    sex, twin, at = _SEXES[number & 1], number >> 1 & 1, number >> 2
    born = FIRST_BIRTH + timedelta(days=at * _STRIDE % BIRTH_DAYS)
    given = _GIVEN[sex]
    name = SURNAMES[at % len(SURNAMES)][0] + given[number // 3 % len(given)]
    return Somebody(number, sex, born, Identity(id_number(REGIONS[at % len(REGIONS)], born, sex, twin), name))


def certificates_before(number: int) -> int:
    """How many certificates the people with lower numbers hold."""
    return number // len(HELD) * HELD_BY_TEN + _BEFORE[number % len(HELD)]


def people_of(certificates: int) -> int:
    """How many people hold so many certificates; the last of them perhaps not all of theirs."""
    tens, rest = divmod(certificates, HELD_BY_TEN)
    return tens * len(HELD) + next(count for count, before in enumerate(_BEFORE) if before >= rest)


class Population:
    """The people of a city of `certificates` certificates, in chunks, with what departments issued until `today`."""

    def __init__(self, certificates: int, today: date) -> None:
        assert 1 <= certificates <= CERTIFICATES_MAX
        self.certificates = certificates
        self.people = people_of(certificates)
        wanted = self.people // CHUNKS_WANTED // len(HELD) * len(HELD)
        self._chunk_people = min(max(wanted, len(HELD)), CHUNK_PEOPLE_MAX)
        self.chunks = -(-self.people // self._chunk_people)
        self._models = cache(lambda sex, year: _models(sex, year, today))

    def registers(self, chunk: int) -> list[tuple[str, list[IssueRequest]]]:
        """What each department issues to the people of a chunk: always the same, in the same order, `last` the last."""
        registers: dict[str, list[IssueRequest]] = {one.slug: [] for one in DEPARTMENTS}
        for number in self._numbers(chunk):
            for department, request in self._held(somebody(number)):
                registers[department].append(request)
        registers[department] = registers.pop(department)
        return [(slug, requests) for slug, requests in registers.items() if requests]

    def last(self, chunk: int) -> tuple[str, IssueRequest]:
        """The certificate that is issued last, and by which department: where it is, all of the chunk are."""
        *_, last = self._held(somebody(self._numbers(chunk)[-1]))
        return last

    def in_chunk(self, chunk: int) -> int:
        """How many certificates a chunk has."""
        numbers = self._numbers(chunk)
        return min(certificates_before(numbers.stop), self.certificates) - certificates_before(numbers.start)

    def _numbers(self, chunk: int) -> range:
        first = chunk * self._chunk_people
        return range(first, min(first + self._chunk_people, self.people))

    def _held(self, person: Somebody) -> Iterator[tuple[str, IssueRequest]]:
        """What a person holds, each with the department that issues it."""
        doubles: list[list[_Model]] = self._models(person.sex, person.born.year)
        models = doubles[person.number // 7 % len(doubles)]
        count = min(HELD[person.number % len(HELD)], self.certificates - certificates_before(person.number))
        values: dict[str, Value] = {
            "name": person.identity.name,
            "id_number": person.identity.id_number,
            "birth_date": person.born.isoformat(),
        }
        for place in range(count):
            model = models[(person.number // 3 + place) % len(models)]
            yield model.holding.department, _request(person, model, values)


def _models(sex: Sex, year: int, today: date) -> list[list[_Model]]:
    """The certificates of the people of the demo city who are nearest to this age."""
    near = sorted((one for one in PEOPLE if one.sex is sex), key=lambda one: (abs(one.born.year - year), one.number))
    return [[_model(holding) for holding in holdings(one, today)] for one in near[:_DOUBLES]]


def _model(holding: Holding) -> _Model:
    return _Model(holding, tuple(name for name in ("name", "id_number", "birth_date") if name in holding.values))


def _request(person: Somebody, model: _Model, own: dict[str, Value]) -> IssueRequest:
    holding = model.holding
    serial = f"{person.number:08d}"
    values = dict(holding.values)
    for name in model.own:
        values[name] = own[name]
    return IssueRequest(
        reference=f"{holding.kind_slug}-{serial}",
        kind_code=holding.kind_code,
        holder=person.identity,
        values=values,
        valid_from=holding.valid_from,
        valid_until=holding.valid_until,
        serial=serial,
    )
