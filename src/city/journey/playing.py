"""The acts of the journey, in order."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import msgspec

from city.journey import (
    a_case,
    at_the_desk,
    being_told,
    booking,
    family,
    for_others,
    from_mini_program,
    holding,
    issuing,
    joining_venue,
    loading,
    looking_back,
    missing,
    neighbours,
    offline,
    on_paper,
    opening_app,
    presenting,
    proving,
    replanning,
    rushing,
    sending,
    showing,
    signing_in,
    taking_along,
    tidying,
    verifying,
    waiting,
)
from city.journey.calling import Caller, open_http
from city.journey.stage import Stage, now, somebody
from city.journey.telling import Broken, Story
from gateway.demo.cast import Cast, PlayedPerson


async def play(url: str, story: Story, *, phone: str | None = None) -> None:
    """Play the whole journey against the city at `url`, as the resident with `phone` or as anybody.

    Raises Broken at the first broken promise, CityAway, and CannotStart when nobody has that phone.
    """
    async with stage_of(url, story) as stage:
        await play_with(stage, phone)


@asynccontextmanager
async def stage_of(url: str, story: Story) -> AsyncIterator[Stage]:
    """The city at `url`, to play acts in. Raises Broken where it is no demo, CityAway."""
    async with open_http() as http:
        city = Caller(http, url, story)
        answer = await city.ask("GET", "/demo/cast", status=None)
        if answer.status != 200:
            raise Broken("the city was started as a demo, and says who can be played", "200", answer.words())
        yield Stage(story, city, msgspec.convert(answer.content, Cast))


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
        sender = await sending.play(stage, person, me, None if joined is None else joined.operator)
        await being_told.play(stage, person, me, sender)
        await a_case.play(stage, person, me, issued[issuing.IDENTITY_CARD], station[0])
        await offline.hear(stage, away)
    await share_hours(stage, person)
    await tidying.play(stage, me, issued, tidying.Left(station, booked, joined, loaded, sender))


async def share_hours(stage: Stage, person: PlayedPerson) -> None:
    """The acts in which others of the city, not `person`, book, wait, rush and come to a hall."""
    stage.story.act("Others who live here")
    first, second, third = people = await neighbours.sign_in(stage, 3, person)
    hall = await at_the_desk.enter(stage)
    with stage.story.step("A department announces seats that open in a few seconds"):
        sitting = await rushing.announce(stage)
    await holding.play(stage, first, second)
    await for_others.play(stage, first, second)
    await waiting.play(stage, first, second, third)
    await at_the_desk.play(stage, hall, first, second, third)
    await missing.play(stage, hall, second)
    await replanning.play(stage, third, first)
    await rushing.play(stage, sitting, people)
    with stage.story.step("The hall's staff sign out"):
        for staff in (hall.clerk, hall.supervisor):
            await staff.post("/department/sign-out", status=204)
