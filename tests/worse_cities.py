"""Cities that break a promise of the journey each, and the acts in which that shows.

They are played all at once, each by residents of its own, and only as far as they are worse: acts that come before are
played where an act needs what they hand out.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, nullcontext
from datetime import datetime
from hashlib import sha256
from itertools import count
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from city import loopback
from city.journey import (
    at_the_desk,
    being_told,
    booking,
    family,
    from_mini_program,
    holding,
    issuing,
    joining_venue,
    looking_back,
    missing,
    neighbours,
    offline,
    on_paper,
    opening_app,
    operating,
    playing,
    presenting,
    proving,
    replanning,
    rushing,
    sending,
    showing,
    signing_in,
    verifying,
    waiting,
)
from city.journey.neighbours import Neighbour
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, now, somebody
from city.journey.telling import Broken, Step, Story
from city.journey.verifying import Gate, Seen
from gateway.demo.cast import PlayedPerson

JSON = "application/json"

Meddle = Callable[[Any, str], Any]
"""Changes the JSON of an answer; also given the caller's token."""


@asynccontextmanager
async def meddled(url: str, *meddles: tuple[str, Meddle]) -> AsyncIterator[str]:
    """The city at `url`, but for the answers under these paths."""
    patterns = [(re.compile(path), meddle) for path, meddle in meddles]

    async def pass_on(request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "content-length"}
        }
        body = await request.read()
        async with http.request(request.method, url + request.path_qs, data=body, headers=headers) as answer:
            status, media, content = answer.status, answer.content_type, await answer.read()
            told = {name: answer.headers[name] for name in ("ETag", "Check-Url", "Date") if name in answer.headers}
        for pattern, meddle in patterns:
            if pattern.fullmatch(f"{request.method} {request.path}") and status < 300:
                token = request.headers.get("Authorization", "").removeprefix("Bearer ")
                if media == JSON:
                    content = json.dumps(meddle(json.loads(content), token)).encode()
                else:
                    content = meddle(content, request.path)
        return web.Response(body=content, status=status, content_type=media, headers=told)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", pass_on)
    async with aiohttp.ClientSession() as http, loopback.serving(app, 0) as port:
        yield f"http://127.0.0.1:{port}"


def lives_here(one: int, of: int) -> Meddle:
    """The cast with its residents dealt out: those of one of so many plays."""
    return lambda cast, _: {**cast, "residents": cast["residents"][one::of]}


class Silent:
    """A teller that says nothing."""

    def act(self, number: int, title: str) -> None: ...
    def begins(self, step: Step) -> None: ...
    def ends(self, number: int, step: Step, broken: Broken | None) -> None: ...


def one_field_more(answer: Any, _token: str) -> Any:
    return {**answer, "fields": {**answer["fields"], "address": "someone's"}} if answer["fields"] else answer


def yes_instead_of(verdict: str) -> Meddle:
    return lambda answer, _: {**answer, "verdict": "valid"} if answer["verdict"] == verdict else answer


def told_twice(answer: Any, _token: str) -> Any:
    reminders = [one for one in answer["messages"] if "提醒" in one["text"]]
    return {"messages": [*reminders, *answer["messages"]]}


def the_residents_own_token(answer: Any, token: str) -> Any:
    return {**answer, "token_digest": sha256(token.encode()).hexdigest()}


def one_use_less(answer: Any, _token: str) -> Any:
    gone = next((use for use in answer["uses"] if use["route"] == "code"), None)
    return {**answer, "uses": [use for use in answer["uses"] if use is not gone]}


def a_birthday_too(answer: Any, _token: str) -> Any:
    is_asked = any(name.startswith("age_") for name in answer["fields"])
    return {**answer, "fields": answer["fields"] | {"birth_date": "1990-01-01"}} if is_asked else answer


def another_signature(body: bytes, _path: str) -> bytes:
    return body[:-10] + (b"A" if body[-10:-9] != b"A" else b"B") + body[-9:]


def nothing_found(answer: Any, _token: str) -> Any:
    return {"scans": [{**scan, "findings": []} for scan in answer["scans"]]}


def always_new(answer: Any, _token: str) -> Any:
    return {"scans": [{**scan, "is_new": True} for scan in answer["scans"]]}


def another_outcome(answer: Any, _token: str) -> Any:
    proved = answer["proved"]
    return {**answer, "proved": {**proved, "event": {**proved["event"], "outcome": "revoked"}}}


def a_match(answer: Any, _token: str) -> Any:
    return {**answer, "is_match": True}


def another_zone(body: bytes, _path: str) -> bytes:
    return body.replace(b"TZID=Asia/Shanghai", b"TZID=Asia/Tokyo")


def always_the_first(body: bytes, _path: str) -> bytes:
    return re.sub(rb"SEQUENCE:\d+", b"SEQUENCE:0", body)


def furthest_first(answer: Any, _token: str) -> Any:
    return {**answer, "slots": answer["slots"][::-1]}


def for_an_hour(answer: Any, _token: str) -> Any:
    return {**answer, "hold_until": "2099-01-01T00:00:00+08:00"}


def offered_for_ever(answer: Any, _token: str) -> Any:
    waits = [
        {**one, "offer": {**one["offer"], "until": "2099-01-01T00:00:00+08:00"}} if one["offer"] else one
        for one in answer["waits"]
    ]
    return {"waits": waits}


def the_seed_at_once(answer: Any, _token: str) -> Any:
    return {**answer, "releases": [{**one, "seed": "00" * 32} for one in answer["releases"]]}


def another_draw(answer: Any, _token: str) -> Any:
    told = [{**one, "seed": one["seed"] and "00" * 32} for one in answer["releases"]]
    return {**answer, "releases": told}


def everybody_is_let_through(answer: Any, _token: str) -> Any:
    return {**answer, "state": "admitted", "admission": "A"}


def never_the_same_number(answer: Any, _token: str) -> Any:
    if answer["ticket"] is not None:
        answer["ticket"]["number"] = f"Y{next(COUNTED):03d}"
    return answer


def nobody_appealed(answer: Any, _token: str) -> Any:
    return {**answer, "appeals": []}


def filed_twice(answer: Any, _token: str) -> Any:
    return {**answer, "items": [one for one in answer["items"] for _ in range(2)]}


def nobody_knows_of_one(answer: Any, _token: str) -> Any:
    return {**answer, "unknown": 1}


def nobody_is_hit(answer: Any, _token: str) -> Any:
    return {**answer, "conflicts": []}


class Entered(msgspec.Struct):
    """A resident who has signed in, with what was issued to them since when."""

    person: PlayedPerson
    since: datetime
    issued: dict[str, Issued]
    me: SignedIn


async def enter(stage: Stage) -> Entered:
    person, since = somebody(stage.cast, None), now()
    issued = await issuing.play(stage, person)
    return Entered(person, since, issued, await signing_in.play(stage, person))


async def show_live(stage: Stage) -> tuple[Entered, list[Seen], list[Gate]]:
    one = await enter(stage)
    codes = await showing.play(stage, one.person, one.me, one.issued)
    return one, *await verifying.play(stage, one.person, one.me, one.issued, codes)


async def look_back(stage: Stage) -> None:
    one, seen, _ = await show_live(stage)
    await looking_back.play(stage, one.me, one.issued, seen, since=one.since)


async def show_offline(stage: Stage) -> None:
    one = await enter(stage)
    with ExitStack() as open_devices:
        await offline.play(stage, one.person, one.me, one.issued, open_devices)


async def prove(stage: Stage) -> None:
    one, _, station = await show_live(stage)
    with ExitStack() as open_devices:
        away = await offline.play(stage, one.person, one.me, one.issued, open_devices)
        await proving.play(stage, one.me, one.issued, station, away)


async def book(stage: Stage) -> None:
    await booking.play(stage, (await enter(stage)).me)


async def open_app(stage: Stage) -> None:
    one = await enter(stage)
    await opening_app.play(stage, one.person, one.me)


async def consent(stage: Stage) -> None:
    one, _, station = await show_live(stage)
    booked = await booking.play(stage, one.me)
    await from_mini_program.play(stage, one.person, one.me, one.issued, station, booked)


async def present(stage: Stage) -> None:
    one = await enter(stage)
    await presenting.play(stage, one.me, one.issued)


async def show_for_another(stage: Stage) -> None:
    one = await enter(stage)
    await family.play(stage, one.person, one.me, one.issued)


async def print_proof(stage: Stage) -> None:
    one = await enter(stage)
    await on_paper.play(stage, one.person, one.me)


async def join(stage: Stage) -> None:
    one = await enter(stage)
    await joining_venue.play(stage, one.me, one.issued)


async def be_told(stage: Stage) -> None:
    one = await enter(stage)
    await being_told.play(stage, one.person, one.me, None)


async def send(stage: Stage) -> None:
    one = await enter(stage)
    await sending.play(stage, one.person, one.me, await operating.sign_in(stage))


async def others(stage: Stage) -> list[Neighbour]:
    return await neighbours.sign_in(stage, 3, somebody(stage.cast, None))


async def hold(stage: Stage) -> None:
    first, second, _ = await others(stage)
    await holding.play(stage, first, second)


async def wait(stage: Stage) -> None:
    await waiting.play(stage, *await others(stage))


async def come_to_a_hall(stage: Stage) -> None:
    people = await others(stage)
    await at_the_desk.play(stage, await at_the_desk.enter(stage), *people)


async def miss(stage: Stage) -> None:
    one, _, _ = await others(stage)
    await missing.play(stage, await at_the_desk.enter(stage), one)


async def close_a_day(stage: Stage) -> None:
    first, second, _ = await others(stage)
    await replanning.play(stage, first, second)


async def rush(stage: Stage) -> None:
    people = await others(stage)
    await rushing.play(stage, await rushing.announce(stage), people)


class Worse(msgspec.Struct, frozen=True):
    """What a city does worse under a path, the acts in which that shows, and the promise that it breaks."""

    path: str
    meddle: Meddle
    acts: Callable[[Stage], Awaitable[Any]]
    promise: str


COUNTED = count(1)
SCANS, UPLOADS = "POST /venue/verifications", "POST /venue/offline-scans"
RELEASES = "GET /mini/releases"
IN_A_HALL = (
    Worse("POST /department/desk/counters/[0-9]+/call", never_the_same_number, come_to_a_hall,
          "called again after a lost answer, the same number"),
    Worse("GET /department/appeals", nobody_appealed, miss, "the appeal is on the list"),
)  # fmt: skip
"""One after the other: whoever enters a hall clears it."""
BY_THEMSELVES = (
    Worse(RELEASES, the_seed_at_once, rush, "the seed of the draw is fixed by its hash, and not told yet"),
    Worse(RELEASES, another_draw, rush, "it has the hash that was told before"),
    Worse("GET /mini/releases/.*/place", everybody_is_let_through, rush, "as many as there are seats, never more"),
    Worse(SCANS, one_field_more, show_live, "the venue gets the fields its scenario allows and no other"),
    Worse(SCANS, yes_instead_of("already_used"), show_live,
          "a second device is told that it was used already, and nothing else"),
    Worse(SCANS, yes_instead_of("expired"), show_live, "an old code has expired, and says nothing else"),
    Worse(SCANS, yes_instead_of("not_ours"), show_live, "a changed code is not ours"),
    Worse("GET /Q/.*", lambda page, path: page + path.encode(), show_live, "the page is the same for every code"),
    Worse("GET /resident/uses", one_use_less, look_back,
          "every yes is in the ledger, with the venue and the fields, and nothing else is"),
    Worse("POST /demo/outbox/search", told_twice, book, "once"),
    Worse("GET /resident/bookings/.*/calendar", another_zone, book, "at its hour, in the city's zone"),
    Worse("GET /public/calendars/.*", always_the_first, book, "the same entry, in its next sequence"),
    Worse("GET /resident/apps/parks/me", the_residents_own_token, open_app, "it is never the resident's own"),
    Worse("GET /venue/asks/.*", one_field_more, consent, "the venue gets just what was consented to"),
    Worse("GET /.well-known/trust-list", another_signature, show_offline,
          "the trust list is signed by a root key, and its form is right"),
    Worse(UPLOADS, nothing_found, show_offline, "a revocation that a gate could not know is found"),
    Worse(UPLOADS, always_new, show_offline, "each scan is recorded once, and the answer is the same"),
    Worse("GET /resident/uses/.*/proof", another_outcome, prove, "the record is in the log"),
    Worse(SCANS, a_birthday_too, present, "it hears yes or no, and nothing else"),
    Worse(SCANS, yes_instead_of("mandate_ended"), show_for_another, "the very next scan is refused"),
    Worse("POST /P/.*", a_match, print_proof, "all of them hear the same: no match"),
    Worse(SCANS, yes_instead_of("over_quota"), join, "as often as it was granted"),
    Worse("GET /resident/inbox", filed_twice, be_told, "it is in the inbox, once"),
    Worse("GET /department/batches/[^/]*", nobody_knows_of_one, send, "what became of each of them is known"),
    Worse("GET /mini/slots", furthest_first, hold, "the nearest office comes first"),
    Worse("PUT /mini/holds/.*", for_an_hour, hold, "for ten minutes"),
    Worse("GET /mini/waiting", offered_for_ever, wait, "kept for half an hour"),
    Worse("POST /department/offering/.*/preview", nobody_is_hit, close_a_day, "it sees who is booked then"),
)  # fmt: skip
WORSE = (*IN_A_HALL, *BY_THEMSELVES)
AT_ONCE = 8
"""Most of a play is waiting: for an SMS, a release, a gate's clock."""
PLAYED_WITHIN_SECONDS = 120


async def play_all(url: str) -> dict[str, BaseException | None]:
    """What ended the play in each city that is worse than the one at `url`, by the promise that it breaks."""
    room, hall = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    async def play(worse: Worse) -> None:
        mine = lives_here(WORSE.index(worse), len(WORSE))
        async with (
            hall if worse in IN_A_HALL else nullcontext(),
            room,
            meddled(url, (worse.path, worse.meddle), ("GET /demo/cast", mine)) as address,
            playing.stage_of(address, Story(Silent())) as stage,
        ):
            async with asyncio.timeout(PLAYED_WITHIN_SECONDS):
                await worse.acts(stage)

    ended = await asyncio.gather(*map(play, WORSE), return_exceptions=True)
    return {worse.promise: end for worse, end in zip(WORSE, ended, strict=True)}
