"""Whatever people, clocks and dying processes do at once, in any order: what people were told is what the rows say."""

from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis.errors import Flaky

from kernel.sealing import Keys
from tests.conftest import named
from tests.model_booking.acting import CALLS
from tests.model_booking.city import City
from tests.model_booking.faulty import SOUND, Fault
from tests.model_booking.machine import SEED, Untrue, run_model
from tests.model_booking.planted import FAULTS
from tests.model_booking.turns import StillLoop

EXAMPLES = 32
EXAMPLES_TO_FIND = 32
EXAMPLES_TO_REPEAT = 2
STATEMENTS_MIN = 200

Opens = Callable[[Fault], City]


@pytest.fixture
def opens(servers, template, keys: Keys) -> Iterator[Opens]:
    """Opens a city with a fault in a database of its own, in a loop of its own."""
    loop = StillLoop()
    cities: list[tuple[City, str]] = []

    async def ask(statement: str) -> None:
        admin = await asyncpg.connect(servers.database_url)
        await admin.execute(statement)
        await admin.close()

    def city_with(fault: Fault) -> City:
        name = f"model_{len(cities)}_{id(loop)}"
        loop.run_until_complete(ask(f"CREATE DATABASE {name} TEMPLATE {template}"))
        city = City(loop, keys, fault)
        loop.run_until_complete(city.open(named(servers.database_url, name)))
        cities.append((city, name))
        return city

    yield city_with
    for city, name in cities:
        loop.run_until_complete(city.close())
        loop.run_until_complete(ask(f"DROP DATABASE {name} WITH (FORCE)"))
    loop.close()


def test_what_everybody_was_told_is_true_whatever_happens_at_once(opens):
    print(f"seed {SEED}")
    city = opens(SOUND)
    run_model(city, examples=EXAMPLES)
    assert city.found == []
    done = {kind for kind, outcome in city.tally if not issubclass(outcome, BaseException)}
    assert done == set(CALLS), "each act comes to what it is for, now and then"


def test_the_same_seed_plays_the_same_statements_in_the_same_order(opens):
    first, second = opens(SOUND), opens(SOUND)
    for city in (first, second):
        run_model(city, examples=EXAMPLES_TO_REPEAT)
    assert len(first.played) > STATEMENTS_MIN
    assert first.played == second.played


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_planted_fault_is_found(opens, fault):
    city = opens(fault)
    with pytest.raises((Untrue, Flaky)):
        run_model(city, examples=EXAMPLES_TO_FIND)
    assert city.found != []
