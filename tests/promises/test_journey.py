"""The journey is played by a stranger over HTTP alone, and ends at the first promise that a city does not keep."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from city import loopback
from city.journey import playing
from city.journey.telling import Broken, Step, Story
from city.journey.throwaway import throwaway_city

SRC = str(Path(__file__).parents[2] / "src")
ENVIRON = {**os.environ, "PYTHONPATH": SRC}
JSON = "application/json"
ALONE = """
import sys
from city.cli import main
code = main(["journey", *sys.argv[1:]])
known = {"asyncpg", "redis", "litestar", "kernel.db", "kernel.settings"} & set(sys.modules)
sys.exit(code if not known else f"the journey knows {known}")
"""
PROMISES_MIN = 340
"""A few more the first time somebody plays it: their real name is checked then."""
ACTS = 26


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A whole city, brought up by the ordinary command."""
    with throwaway_city(ENVIRON, None, lambda: None) as address:
        yield address


def journey(*words: str) -> subprocess.CompletedProcess[str]:
    """The journey in a process of its own, which must not know how to speak to a database."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *words], env=ENVIRON, capture_output=True, text=True, timeout=120
    )


def test_a_city_keeps_every_promise_of_the_journey_however_often_it_is_played(url: str):
    for _ in range(2):
        played = journey("--url", url, "--json")
        assert played.returncode == 0, played.stdout[-2000:] + played.stderr
        *steps, end = map(json.loads, played.stdout.splitlines())
        assert len({step["act"] for step in steps}) == ACTS
        assert all(step["promises"] or step["exchanges"] for step in steps)
        assert end["broken"] is None
        assert end["promises_kept"] == sum(len(step["promises"]) for step in steps) + 1 >= PROMISES_MIN


def test_it_tells_people_what_was_sent_and_seen_and_no_secret(url: str):
    played = journey("--url", url)
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    assert re.search(r"→ POST /venue/verifications .*\n +← 200 .*\"verdict\": \"valid\"", played.stdout)
    assert "✓ a second device is told that it was used already, and nothing else" in played.stdout
    assert re.search(r"eyJ[\w-]+\.[\w-]+", played.stdout) is None


def test_a_city_that_is_not_there_is_a_plain_sentence():
    played = journey("--url", "http://127.0.0.1:9")
    assert played.returncode == 1
    assert played.stderr.startswith("The city does not answer")
    assert "Traceback" not in played.stderr


Meddle = Callable[[Any, str], Any]
"""Changes the JSON of an answer; also given the caller's token."""


@asynccontextmanager
async def meddled(url: str, path: str, meddle: Meddle) -> AsyncIterator[str]:
    """The city at `url`, but for the answers under `path`."""
    pattern = re.compile(path)

    async def pass_on(request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "content-length"}
        }
        body = await request.read()
        async with http.request(request.method, url + request.path_qs, data=body, headers=headers) as answer:
            status, media, content = answer.status, answer.content_type, await answer.read()
            told = {name: answer.headers[name] for name in ("ETag", "Check-Url", "Date") if name in answer.headers}
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


def nobody_is_hit(answer: Any, _token: str) -> Any:
    return {**answer, "conflicts": []}


COUNTED = count(1)
SCANS, UPLOADS = "POST /venue/verifications", "POST /venue/offline-scans"
BROKEN = (
    (SCANS, one_field_more, "the venue gets the fields its scenario allows and no other"),
    (SCANS, yes_instead_of("already_used"), "a second device is told that it was used already, and nothing else"),
    (SCANS, yes_instead_of("expired"), "an old code has expired, and says nothing else"),
    (SCANS, yes_instead_of("not_ours"), "a changed code is not ours"),
    ("GET /Q/.*", lambda page, path: page + path.encode(), "the page is the same for every code"),
    (
        "GET /resident/uses",
        one_use_less,
        "every yes is in the ledger, with the venue and the fields, and nothing else is",
    ),
    ("POST /demo/outbox/search", told_twice, "once"),
    ("GET /resident/apps/parks/me", the_residents_own_token, "it is never the resident's own"),
    ("GET /venue/asks/.*", one_field_more, "the venue gets just what was consented to"),
    ("GET /.well-known/trust-list", another_signature, "the trust list is signed by a root key, and its form is right"),
    (UPLOADS, nothing_found, "a revocation that a gate could not know is found"),
    (UPLOADS, always_new, "each scan is recorded once, and the answer is the same"),
    ("GET /resident/uses/.*/proof", another_outcome, "the record is in the log"),
    (SCANS, a_birthday_too, "it hears yes or no, and nothing else"),
    (SCANS, yes_instead_of("mandate_ended"), "the very next scan is refused"),
    ("POST /P/.*", a_match, "all of them hear the same: no match"),
    (SCANS, yes_instead_of("over_quota"), "as often as it was granted"),
    ("GET /resident/bookings/.*/calendar", another_zone, "at its hour, in the city's zone"),
    ("GET /public/calendars/.*", always_the_first, "the same entry, in its next sequence"),
)
IN_SHARED_HOURS = (
    ("GET /mini/slots", furthest_first, "the nearest office comes first"),
    ("PUT /mini/holds/.*", for_an_hour, "for ten minutes"),
    ("GET /mini/waiting", offered_for_ever, "kept for half an hour"),
    (
        "POST /department/desk/counters/./call",
        never_the_same_number,
        "called again after a lost answer, the same number",
    ),
    ("GET /department/appeals", nobody_appealed, "the appeal is on the list"),
    ("POST /department/offering/.*/preview", nobody_is_hit, "it sees who is booked then"),
    ("GET /mini/releases", the_seed_at_once, "the seed of the draw is fixed by its hash, and not told yet"),
    ("GET /mini/releases", another_draw, "it has the hash that was told before"),
    ("GET /mini/releases/.*/place", everybody_is_let_through, "as many as there are seats, never more"),
)


@pytest.mark.parametrize(("path", "meddle", "promise"), BROKEN, ids=[promise for _, _, promise in BROKEN])
async def test_a_city_that_breaks_a_promise_is_found_out(url: str, path: str, meddle: Meddle, promise: str):
    async with meddled(url, path, meddle) as worse:
        with pytest.raises(Broken) as found:
            await asyncio.wait_for(playing.play(worse, Story(Silent())), 60)
    assert found.value.promise == promise


@pytest.mark.parametrize(("path", "meddle", "promise"), IN_SHARED_HOURS, ids=[one for _, _, one in IN_SHARED_HOURS])
async def test_a_city_that_is_unfair_with_its_hours_is_found_out(url: str, path: str, meddle: Meddle, promise: str):
    async with meddled(url, path, meddle) as worse:
        with pytest.raises(Broken) as found:
            await asyncio.wait_for(playing.play_shared_hours(worse, Story(Silent())), 60)
    assert found.value.promise == promise
