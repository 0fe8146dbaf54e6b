"""Parcels are handed to one provider, side by side or all at once, with no transaction open."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from kernel.clock import Clock
from kernel.log import redact
from notifications.carrying.giving_way import GivingWay
from notifications.carrying.plans import Flight
from notifications.channels.provider import Accepted, Provider, Refused, SendsMany, Sms, fit_to_file
from notifications.ending.reasons import Reason
from notifications.model import MAY_REPEAT, DeliveryStage, Lane, Outcome, RefusalKind
from notifications.routing.carriers import Carriers
from notifications.routing.limiting import NumberLimits, Telling


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What an attempt came to. `stopped_as`: we held it back ourselves at the last moment, and that is its end."""

    flight: Flight
    outcome: Outcome
    refusal: RefusalKind | None = None
    provider_refs: tuple[str, ...] = ()
    reason: str | None = None
    stopped_as: DeliveryStage | None = None


class Offering:
    """Hands flights to their providers, and remembers how each did."""

    def __init__(self, clock: Clock, carriers: Carriers, limits: NumberLimits | None, way: GivingWay) -> None:
        self._clock = clock
        self._carriers = carriers
        self._limits = limits
        self._way = way

    async def offer(self, lane: Lane, provider: str, flights: Sequence[Flight], patience: timedelta) -> list[Answer]:
        """One attempt at each. Running late, or any surprise, means unknown: it may have left."""
        with self._way.passing(lane):
            held_back = await self._held_back(lane, flights)
        left = [one for place, one in enumerate(flights) if place not in held_back] if held_back else flights
        carrier = self._carriers.named(provider)
        if not left:
            said: Sequence[Accepted | Refused | BaseException] = []
        elif isinstance(carrier, SendsMany) and lane not in MAY_REPEAT:
            said = await _all_at_once(carrier, left, patience)
        else:
            said = await asyncio.gather(*(_one(carrier, flight, patience) for flight in left))
        answers = [*held_back.values()]
        now = self._clock.now()
        for flight, one in zip(left, said, strict=True):
            answer = _answer(flight, one)
            answers.append(answer)
            is_failure = answer.outcome is Outcome.UNKNOWN or answer.refusal in ("busy", "provider")
            self._carriers.note(provider, flight.group, is_failure=is_failure, now=now)
        return answers

    async def _held_back(self, lane: Lane, flights: Sequence[Flight]) -> dict[int, Answer]:
        """What we do not hand over after all, by its place: it would be late, or its number was told enough."""
        now = self._clock.now()
        held = {
            place: _held(flight, DeliveryStage.EXPIRED, Reason.TOO_LATE)
            for place, flight in enumerate(flights)
            if flight.expires_at <= now
        }
        if self._limits is not None:
            held |= await self._limited(lane, flights, now)
        return held

    async def _limited(self, lane: Lane, flights: Sequence[Flight], now: datetime) -> dict[int, Answer]:
        assert self._limits is not None
        places, tellings = [], []
        for place, flight in enumerate(flights):
            if isinstance(flight.parcel, Sms) and not flight.tried:
                places.append(place)
                tellings.append(Telling(flight.parcel.phone, flight.template, lane))
        over = await self._limits.over(tellings, now) if tellings else ()
        return {
            places[one]: _held(flights[places[one]], DeliveryStage.WITHDRAWN, Reason.TOLD_TOO_OFTEN) for one in over
        }


def _held(flight: Flight, stage: DeliveryStage, reason: str) -> Answer:
    return Answer(flight, Outcome.REJECTED, reason=reason, stopped_as=stage)


async def _one(carrier: Provider, flight: Flight, patience: timedelta) -> Accepted | Refused | Exception:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await carrier.send(flight.parcel)
    except Exception as surprise:  # noqa: BLE001 -- recorded with the attempt, and alerted
        return surprise


async def _all_at_once(
    carrier: SendsMany, flights: Sequence[Flight], patience: timedelta
) -> Sequence[Accepted | Refused | Exception]:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            said = await carrier.send_many([flight.parcel for flight in flights])
        if len(said) != len(flights):
            raise ValueError("not an answer for each")
    except Exception as surprise:  # noqa: BLE001 -- recorded with each attempt, and alerted
        return [surprise] * len(flights)
    return said


def _answer(flight: Flight, said: Accepted | Refused | BaseException) -> Answer:
    if isinstance(said, Accepted):
        refs = said.provider_refs
        if len(refs) == 1 and (ref := fit_to_file(refs[0])) is refs[0] and ref:
            return Answer(flight, Outcome.ACCEPTED, None, refs)
        return Answer(flight, Outcome.ACCEPTED, provider_refs=tuple(fit_to_file(one) for one in refs))
    if isinstance(said, Refused):
        return Answer(flight, Outcome.REJECTED, said.kind, reason=fit_to_file(redact(said.reason)))
    return Answer(flight, Outcome.UNKNOWN, reason=type(said).__name__)
