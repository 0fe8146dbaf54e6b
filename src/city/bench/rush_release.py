"""A release with everybody there: more people than places, all asking within a second, and what became of each."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from appointments.rush.model import release_id_of
from city.bench import rush_plan
from city.bench.queries import count_booked
from city.bench.rush_city import Release, release, residents, wrong_in
from city.bench.rush_fairness import Published, published, unfair
from city.bench.rush_hot import share_of
from city.bench.rush_plan import CONNECTIONS_MAX, ISSUED_WITHIN_SECONDS, Heard, Plan, Somebody, Sort
from city.bench.rush_supervised import Supervised
from city.errors import CannotStart
from kernel.ids import ServiceId

EARLY_SHARE: Final = 0.5
"""Of those who come through the gate, how many were in line before the release."""
LEAD_SECONDS: Final = 8.0
AHEAD_PER_SECOND: Final = 700
"""So many people a second open the app before a release, and as many get in line."""
LAST_ANSWER_WITHIN_SECONDS: Final = 180.0
CROWD_LATE_SECONDS: Final = 30.0
LOOKED_EVERY_SECONDS: Final = 0.01
HEALED_WITHIN_SECONDS: Final = 60.0


class Rush(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rush. Seconds are counted from the release moment.

    `outcomes`: how people ended; `codes`: refusals on the way; `wrong`: what must not be, each with how often.
    """

    gate: bool
    killed: str | None
    killed_after_seconds: float | None
    people: int
    places: int
    slots: int
    connections: int
    booked: int
    outcomes: dict[str, int]
    statuses: dict[int, int]
    codes: dict[str, int]
    requests: int
    lost: int
    issued_within_seconds: float
    last_booked_seconds: float
    last_answer_seconds: float
    told_p50_seconds: float
    told_p99_seconds: float
    book_p50_ms: float
    book_p99_ms: float
    wrong: dict[str, int]


class Size(msgspec.Struct, frozen=True):
    """How many come for how many places in how many slots; people are numbered from `first`."""

    people: int
    places: int
    slots: int
    first: int


def rush(city: Supervised, size: Size, *, gate: bool, kill: str | None, say: Callable[[str], None], slug: str) -> Rush:
    """One rush, from the residents to the verdict. `kill` names the part that is ended in the middle."""
    crowd = city.do(residents(city, size.first, size.people))
    early = int(size.people * EARLY_SHARE) if gate else 0
    ahead = LEAD_SECONDS + (size.people + early) / AHEAD_PER_SECOND
    opens_at = city.parts.clock.now() + timedelta(seconds=ahead)
    released = city.do(release(city, slug, slots=size.slots, places=size.places, opens_at=opens_at, is_gated=gate))
    plan = _plan(city, released, crowd, early=early, gate=gate)
    say(f"  {size.people:,} people for {size.places:,} places{' through the gate' if gate else ''} in {ahead:.0f} s")
    heard, told_before, killed_after = _come(city, plan, kill, places=size.places)
    _await_healed(city)
    wrong = city.do(wrong_in(city, released, crowd, heard))
    booked = city.do(_booked(city, released))
    late = max((told.issued_at for told in heard.told), default=0.0) - plan.opens_at
    wrong["places not booked, or booked beyond them"] = abs(booked - min(size.places, size.people))
    if kill != "web":  # while nobody listens nothing can leave: who comes then has asked once somebody does again
        wrong["first requests that left too late"] = int(late > ISSUED_WITHIN_SECONDS)
    if kill is None:
        wrong["answers of 500 and more"] = sum(n for status, n in heard.statuses.items() if status >= 500)
        if told_before is not None:
            wrong |= unfair(plan, told_before, published(city, plan, crowd[0]), heard)
    return _found(size, plan, heard, wrong, booked, kill=kill, killed_after=killed_after, late=late)


def _plan(city: Supervised, released: Release, crowd: list[Somebody], *, early: int, gate: bool) -> Plan:
    opens_at = released.opens_at
    return Plan(
        sort=Sort.GATED if gate else Sort.OPEN,
        port=city.settings.port,
        connections=CONNECTIONS_MAX,
        people=crowd,
        service_id=released.service_id,
        slot_ids=released.slot_ids,
        day=released.day,
        opens_at=opens_at.timestamp(),
        ends_at=opens_at.timestamp() + LAST_ANSWER_WITHIN_SECONDS,
        release_id=release_id_of(ServiceId(released.service_id), opens_at) if gate else None,
        early=early,
    )


def _come(
    city: Supervised, plan: Plan, kill: str | None, *, places: int
) -> tuple[Heard, Published | None, float | None]:
    """The crowd comes; in the middle of it, when half the places are booked, a part is killed.

    What was heard, what the gate published before the release, and when something was killed.
    """
    plan_file, heard_file = city.folder / "plan", city.folder / "heard"
    rush_plan.write(plan_file, plan)
    words = (sys.executable, "-P", "-m", "city.bench.rush_crowd", str(plan_file), str(heard_file))
    coming = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        before = published(city, plan, plan.people[0]) if plan.sort is Sort.GATED else None
        killed_after = None if kill is None else _kill_in_the_middle(city, plan, kill, coming, places=places)
        _, said = coming.communicate(timeout=max(1.0, plan.ends_at - time.time()) + CROWD_LATE_SECONDS)
    finally:
        coming.kill()
        coming.wait()
    if coming.returncode:
        raise CannotStart(f"The crowd failed: {said.decode(errors='replace').strip()[-800:]}", "Run it again.")
    return rush_plan.read_heard(heard_file), before, killed_after


def _kill_in_the_middle(
    city: Supervised, plan: Plan, kill: str, coming: "subprocess.Popen[bytes]", *, places: int
) -> float | None:
    while coming.poll() is None and time.time() < plan.ends_at:
        if city.do(_counted(city, plan)) * 2 >= places:
            city.kill(kill)
            return time.time() - plan.opens_at
        time.sleep(LOOKED_EVERY_SECONDS)
    return None


async def _counted(city: Supervised, plan: Plan) -> int:
    async with city.parts.db.connection() as conn:
        return await count_booked(conn, plan.service_id)


async def _booked(city: Supervised, released: Release) -> int:
    async with city.parts.db.connection() as conn:
        return await count_booked(conn, released.service_id)


def _await_healed(city: Supervised) -> None:
    end = time.monotonic() + HEALED_WITHIN_SECONDS
    while not city.is_ready():
        if time.monotonic() > end:
            raise CannotStart("The city did not heal after the rush.", "Look at its logs.")
        time.sleep(LOOKED_EVERY_SECONDS)


def _found(
    size: Size,
    plan: Plan,
    heard: Heard,
    wrong: dict[str, int],
    booked: int,
    *,
    kill: str | None,
    killed_after: float | None,
    late: float,
) -> Rush:
    told = heard.told
    ends = sorted(one.ended_at - plan.opens_at for one in told if one.ended_at)
    book_ms = sorted(heard.book_ms)
    wrong = wrong | ({"nothing was killed": 1} if kill is not None and killed_after is None else {})
    return Rush(
        gate=plan.sort is Sort.GATED,
        killed=kill,
        killed_after_seconds=None if killed_after is None else round(killed_after, 2),
        people=size.people,
        places=size.places,
        slots=size.slots,
        connections=min(plan.connections, size.people),
        booked=booked,
        outcomes=dict(Counter(one.outcome for one in told)),
        statuses=heard.statuses,
        codes=heard.codes,
        requests=sum(one.asked for one in told),
        lost=heard.lost,
        issued_within_seconds=round(late, 3),
        last_booked_seconds=_last(told, plan, "booked"),
        last_answer_seconds=round(ends[-1], 2) if ends else 0.0,
        told_p50_seconds=share_of(ends, 0.5),
        told_p99_seconds=share_of(ends, 0.99),
        book_p50_ms=share_of(book_ms, 0.5),
        book_p99_ms=share_of(book_ms, 0.99),
        wrong=wrong,
    )


def _last(told: Sequence[rush_plan.Told], plan: Plan, outcome: str) -> float:
    return round(
        max((one.ended_at for one in told if one.outcome == outcome), default=plan.opens_at) - plan.opens_at, 2
    )
