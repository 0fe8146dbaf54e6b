"""The acts of the journey, in order."""

from contextlib import ExitStack

import msgspec

from city.journey import (
    booking,
    family,
    from_mini_program,
    issuing,
    joining_venue,
    loading,
    looking_back,
    offline,
    on_paper,
    opening_app,
    presenting,
    proving,
    showing,
    signing_in,
    taking_along,
    tidying,
    verifying,
)
from city.journey.calling import Caller, open_http
from city.journey.stage import Stage, now, somebody
from city.journey.telling import Broken, Story
from gateway.demo.cast import Cast


async def play(url: str, story: Story, *, phone: str | None = None) -> None:
    """Play the whole journey against the city at `url`, as the resident with `phone` or as anybody.

    Raises Broken at the first broken promise, CityAway, and CannotStart when nobody has that phone.
    """
    async with open_http() as http:
        city = Caller(http, url, story)
        answer = await city.ask("GET", "/demo/cast", status=None)
        if answer.status != 200:
            raise Broken("the city was started as a demo, and says who can be played", "200", answer.words())
        await play_with(Stage(story, city, msgspec.convert(answer.content, Cast)), phone)


async def play_with(stage: Stage, phone: str | None = None) -> None:
    """One person's way through all acts; what one act hands out, the later ones need."""
    person, since = somebody(stage.cast, phone), now()
    issued = await issuing.play(stage, person)
    me = await signing_in.play(stage, person)
    codes = await showing.play(stage, person, me, issued)
    with ExitStack() as open_devices:
        away = await offline.play(stage, person, me, issued, open_devices)
        seen, station = await verifying.play(stage, person, me, issued, codes)
        held = issued | {offline.LICENCE: away.licence}
        await looking_back.play(stage, me, held, seen + away.seen, since=since)
        await proving.play(stage, me, issued, station, away)
        booked = await booking.play(stage, me)
        await opening_app.play(stage, person, me)
        await from_mini_program.play(stage, person, me, issued, station, booked)
        await presenting.play(stage, me, issued)
        await family.play(stage, person, me, issued)
        await taking_along.play(stage, me, issued, at=away.gate.now())
        await on_paper.play(stage, person, me)
        joined = await joining_venue.play(stage, me, issued)
        loaded = await loading.play(stage, person, me)
        await offline.hear(stage, away)
    await tidying.play(stage, me, issued, tidying.Left(station, booked, joined, loaded))
