"""Who carries the city's messages, for `check`: each carrier is asked how it is, without sending anything."""

import asyncio

from city.finding import Finding
from gateway.carriers.building import CityCarriers, Look, carriers_of, looks_of
from gateway.carriers.reading import CarriersRefused
from kernel.clock import SystemClock
from kernel.settings import Settings
from notifications.model import Channel

ASKED_WITHIN_SECONDS = 10.0
OUTSIDE: tuple[Channel, ...] = ("sms", "email", "subscribe")
_REMEDY = "docs/CARRIERS.md says what each line is; messages wait, or go by another, until it is well."


async def look(settings: Settings) -> list[Finding]:
    """A finding for each carrier, or one that says why there is none; nothing where the demo outbox carries all."""
    try:
        carriers = carriers_of(settings.carriers, SystemClock())
    except CarriersRefused as refusal:
        return [Finding("carriers", is_fine=False, found=str(refusal), remedy=_REMEDY)]
    try:
        return [*await _asked(carriers), *_nobody(carriers), *_doors(carriers, settings.public_origin)]
    finally:
        await carriers.close()


async def _asked(carriers: CityCarriers) -> list[Finding]:
    looks = looks_of(carriers)
    return list(await asyncio.gather(*(_finding(name, look_at) for name, look_at in looks.items())))


async def _finding(name: str, look_at: Look) -> Finding:
    part = f"carrier {name}"
    try:
        async with asyncio.timeout(ASKED_WITHIN_SECONDS):
            return Finding(part, is_fine=True, found=await look_at())
    except Exception as problem:  # noqa: BLE001 -- said to the operator
        said = str(problem).replace("\n", " ")[:160] or type(problem).__name__
        return Finding(part, is_fine=False, found=said, remedy=_REMEDY)


def _nobody(carriers: CityCarriers) -> list[Finding]:
    """The channels that a file of carriers leaves out: nothing goes that way, and nothing waits."""
    carried = {provider.channel for provider in carriers.providers}
    left = [channel for channel in OUTSIDE if carried and channel not in carried]
    return [
        Finding(f"carrier of {channel}", is_fine=True, found="nobody: nothing is sent that way") for channel in left
    ]


def _doors(carriers: CityCarriers, origin: str) -> list[Finding]:
    """Where callbacks are expected, to be entered in a cloud's console; the secret is not shown."""
    return [
        Finding(f"callbacks of {door.provider}", is_fine=True, found=f"{origin}/carriers/{door.cloud}/SECRET/{what}")
        for door in carriers.doors
        for what in ("reports", "replies")
    ]
