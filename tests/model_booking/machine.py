"""The model: people who act at once, time that passes, processes that die; after each step, whether all is true."""

from collections import Counter
from datetime import timedelta
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis import seed as seeded
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from msgspec.structs import replace

from tests.model_booking.acting import CALLS, Act, Kind, Naming
from tests.model_booking.city import MONDAY_NINE, PEOPLE, PROCESSES, SLOTS, City
from tests.model_booking.judging import Told, untruths
from tests.model_booking.offers import passed_by
from tests.model_booking.turns import Cut

SEED: Final = 20260302
"""What every run of the model begins from; another finds other orders of the same things."""
MINUTES_OF_A_HOLD: Final = 11
"""One more than a place is held."""
STEPS: Final = 25
ACTS_MAX: Final = 6
THURSDAY_SEVEN: Final = MONDAY_NINE + timedelta(days=2, hours=22)

OFTEN: Final = (Kind.BOOK, Kind.BOOK, Kind.HOLD, Kind.CONFIRM, Kind.CANCEL, Kind.MOVE, Kind.JOIN, Kind.ACCEPT)
"""What there is to do depends on these."""
PERSONS: Final = strategies.integers(0, PEOPLE - 1)
PLACES: Final = strategies.integers(0, len(SLOTS) - 1)
ACTS: Final = strategies.builds(
    Act,
    kind=strategies.sampled_from((*OFTEN, *CALLS)),
    process=strategies.integers(0, PROCESSES - 1),
    person=PERSONS,
    slot=PLACES,
)
TAKEN_BY: Final = strategies.sampled_from((Kind.BOOK, Kind.HOLD, Kind.MOVE, Kind.CONFIRM))
TO_ONE_BOOKING: Final = (Kind.CANCEL, Kind.CHECK_IN, Kind.MOVE)
BATCHES: Final = strategies.lists(ACTS, min_size=2, max_size=ACTS_MAX)
ORDERS: Final = strategies.integers(0, 2**16 - 1)


class Untrue(Exception):
    """What the model found."""


class BookingModel(RuleBasedStateMachine):
    """`city` is the one under test. Each step ends with every question asked."""

    def __init__(self, city: City) -> None:
        super().__init__()
        self.city = city
        self._wait_for(city.begin())
        self._naming = Naming(city)
        self._asked: Counter[Any] = Counter()

    @initialize(wished=strategies.lists(PLACES, min_size=PEOPLE, max_size=PEOPLE), order=ORDERS)
    def people_have_booked(self, wished: list[int], order: int) -> None:
        acts = [Act(Kind.BOOK_AGAIN, nth % PROCESSES, nth, slot) for nth, slot in enumerate(wished)]
        self._wait_for(self._play(acts, order, None))

    @rule(acts=BATCHES, order=ORDERS)
    def people_act_at_once(self, acts: list[Act], order: int) -> None:
        self._wait_for(self._play(acts, order, None))

    @rule(acts=BATCHES, slot=PLACES, order=ORDERS)
    def everybody_wants_one_slot(self, acts: list[Act], slot: int, order: int) -> None:
        self._wait_for(self._play([replace(act, slot=slot) for act in acts], order, None))

    @rule(acts=BATCHES, person=PERSONS, order=ORDERS)
    def somebody_has_many_phones(self, acts: list[Act], person: int, order: int) -> None:
        self._wait_for(self._play([replace(act, person=person) for act in acts], order, None))

    @rule(people=strategies.permutations(range(PEOPLE)), kind=TAKEN_BY, slot=PLACES, order=ORDERS)
    def people_rush_for_one_slot(self, people: list[int], kind: Kind, slot: int, order: int) -> None:
        acts = [Act(kind if nth < 2 else Kind.BOOK, nth % PROCESSES, person, slot) for nth, person in enumerate(people)]
        self._wait_for(self._play(acts, order, None))

    @rule(act=ACTS, kinds=strategies.permutations(TO_ONE_BOOKING), order=ORDERS)
    def different_things_happen_to_one_booking(self, act: Act, kinds: list[Kind], order: int) -> None:
        acts = [replace(act, kind=kind, process=nth % PROCESSES) for nth, kind in enumerate(kinds[:2])]
        self._wait_for(self._play(acts, order, None))

    @rule(people=strategies.permutations(range(PEOPLE)), slot=PLACES, order=ORDERS)
    def places_are_held_and_forgotten_and_others_come(self, people: list[int], slot: int, order: int) -> None:
        holding, coming = people[: PEOPLE // 2 + 1], people[PEOPLE // 2 + 1 :]
        self._wait_for(self._play([Act(Kind.HOLD, 1, person, slot) for person in holding], order, None))
        self.time_passes(MINUTES_OF_A_HOLD)
        self._wait_for(self._play([Act(Kind.BOOK, 1, person, slot) for person in coming], order, None))

    @rule(person=PERSONS, slot=PLACES, order=ORDERS)
    def a_place_is_given_back_while_somebody_waits(self, person: int, slot: int, order: int) -> None:
        for kind in (Kind.JOIN, Kind.CANCEL):
            self._wait_for(self._play([Act(kind, 0, person, slot)], order, None))

    @rule(act=ACTS, order=ORDERS)
    def somebody_acts_alone(self, act: Act, order: int) -> None:
        self._wait_for(self._play([act], order, None))

    @rule(act=ACTS, times=strategies.integers(2, 4), order=ORDERS)
    def somebody_clicks_again_and_again(self, act: Act, times: int, order: int) -> None:
        again = replace(act, kind=Kind.BOOK_AGAIN if act.kind is Kind.BOOK else act.kind, process=1 - act.process)
        self._wait_for(self._play([act, again, act, again][:times], order, None))

    @rule(
        acts=BATCHES,
        order=ORDERS,
        process=strategies.integers(0, PROCESSES - 1),
        nth=strategies.integers(0, 40),
        is_sent=strategies.booleans(),
    )
    def a_process_dies_while_people_act(
        self, acts: list[Act], order: int, process: int, nth: int, is_sent: bool
    ) -> None:
        self._wait_for(self._play(acts, order, Cut(process, nth, is_sent=is_sent)))

    @rule(minutes=strategies.sampled_from([1, MINUTES_OF_A_HOLD, 31]))
    def some_time_passes(self, minutes: int) -> None:
        self.time_passes(minutes)

    def time_passes(self, minutes: int) -> None:
        if self.city.clock.now() + timedelta(minutes=minutes) < THURSDAY_SEVEN:
            self.city.clock.advance(timedelta(minutes=minutes))

    @rule()
    def the_day_comes(self) -> None:
        if self.city.clock.now() < THURSDAY_SEVEN:
            self.city.clock.advance(THURSDAY_SEVEN - self.city.clock.now())

    async def _play(self, acts: list[Act], order: int, cut: Cut | None) -> None:
        self.city.forget()
        before = await self.city.seen()
        deeds = [self._naming.deed(act, before) for act in acts]
        self._asked.update(deed.person_id for deed in deeds)
        calls = [deed.begin(self.city.processes[deed.act.process]) for deed in deeds]
        answers = await self.city.play(order, calls, cut)
        self.city.tally.update((deed.act.kind, type(answer)) for deed, answer in zip(deeds, answers, strict=True))
        after = await self.city.seen()
        told = Told(
            city=self.city, before=before, after=after, deeds=deeds, answers=answers,
            somebody_died=cut is not None, changes_of=dict(self._asked),
        )  # fmt: skip
        wrong = untruths(told) + passed_by(told) + [f"{rule}: {what}" for rule, what in await self.city.disagreements()]
        if wrong:
            self.city.found += wrong
            raise Untrue("\n".join(wrong))

    def _wait_for(self, what: Any) -> Any:
        return self.city.loop.run_until_complete(what)


def run_model(city: City, *, examples: int) -> None:
    """Play the model against a city. Raises Untrue, or what Hypothesis makes of it."""

    def begin() -> BookingModel:
        return BookingModel(city)

    how = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    run_state_machine_as_test(seeded(SEED)(begin), settings=how)
