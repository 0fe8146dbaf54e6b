"""The resident opens a department's own app through the entrance."""

import asyncio
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from city.journey.calling import Answer, Caller
from city.journey.signing_in import SignedIn
from city.journey.stage import Stage
from city.journey.telling import Broken
from gateway.demo.cast import PlayedPerson

APP: Final = "parks"
TOKEN_SECONDS_MAX: Final = 60
LATE_WITHIN_SECONDS: Final = 4.0
MEANWHILE_SECONDS_MAX: Final = 1.0
AWAY_WITHIN_SECONDS: Final = 75.0
"""Longer than the entrance ever leaves an app alone (60 s)."""
AWAY_PAUSE_SECONDS: Final = 0.5


async def play(stage: Stage, person: PlayedPerson, me: SignedIn) -> None:
    """Use the app, see what it learns, and see that its faults stay its own."""
    story = stage.story
    story.act("A department's own app, through the entrance")
    with story.step("The list of apps, and what this one does"):
        apps = (await me.app.get("/resident/apps")).content["apps"]
        story.holds("the app is on the list", APP in {app["slug"] for app in apps}, expected=APP, seen=apps)
        routes = (await me.app.get(f"/resident/apps/{APP}")).content["routes"]
        story.holds("its manifest names its routes", len(routes) > 1, expected="several", seen=routes)
    with story.step("The app answers"):
        parks = (await _ask(me.app, "/parks")).content["parks"]
        key, wanted = {"Idempotency-Key": str(uuid4())}, {"park": parks[0]["slug"]}
        first = (await _ask(me.app, "/me/visits", wanted, headers=key, status=201)).content
        again = (await _ask(me.app, "/me/visits", wanted, headers=key, status=201)).content
        story.equal("a visit noted twice with one key is one visit", expected=first, seen=again)
        visits = (await _ask(me.app, "/me/visits")).content["visits"]
        story.holds("it is there", first in visits, expected=first["visit_id"], seen=visits)
    await _see_what_it_learns(stage, person, me)
    with story.step("A route that the manifest does not name"):
        refused = await me.app.ask("GET", f"/resident/apps/{APP}/everybody", status=404)
        story.equal("it is not passed on", expected="departments.route_unknown", seen=refused.code)
    await _see_it_fail(stage, me)


async def _see_what_it_learns(stage: Stage, person: PlayedPerson, me: SignedIn) -> None:
    story = stage.story
    with story.step("What the department learns of its caller"):
        arrived = (await _ask(me.app, "/me")).content
        claims, token = arrived["claims"], me.app.token or ""
        story.equal("the token that arrives is made for it", expected=APP, seen=claims["aud"])
        own = sha256(token.encode()).hexdigest()
        story.holds(
            "it is never the resident's own",
            arrived["token_digest"] != own,
            expected="another token",
            seen="the resident's own",
        )
        lifetime = claims["exp"] - claims["iat"]
        story.holds(
            "it is short-lived", 0 < lifetime <= TOKEN_SECONDS_MAX, expected=f"{TOKEN_SECONDS_MAX} s", seen=lifetime
        )
        told = str(claims)
        names = [
            one for one in (person.name, person.id_number, person.phone, me.account_id, me.person_id) if one in told
        ]
        story.equal("it names nobody: a subject that only this department sees", expected=[], seen=names)
        later = (await _ask(me.app, "/me")).content["claims"]
        story.equal("the same subject next time", expected=claims["sub"], seen=later["sub"])
        story.holds("in another token", claims["jti"] != later["jti"], expected="another jti", seen=later["jti"])


async def _see_it_fail(stage: Stage, me: SignedIn) -> None:
    story = stage.story
    with story.step("The app goes wrong"):
        failed = await _ask(me.app, "/fail?how=error", status=502)
        story.equal("its fault is told as its own", expected="departments.app_failed", seen=failed.code)
    with story.step("The app is slow, and the city is not"):
        began = time.monotonic()
        slow = asyncio.create_task(_ask(me.app, "/slow?seconds=20", status=504))
        await asyncio.sleep(0)
        await me.app.get("/resident/certificates")
        meanwhile = time.monotonic() - began
        late = await slow
        took = time.monotonic() - began
        story.holds(
            "nobody else waits for it",
            meanwhile <= MEANWHILE_SECONDS_MAX,
            expected=f"within {MEANWHILE_SECONDS_MAX:.0f} s",
            seen=f"{meanwhile:.1f} s",
        )
        story.equal("its caller is told in time", expected="departments.app_late", seen=late.code)
        story.holds(
            "within the bound its manifest sets",
            took <= LATE_WITHIN_SECONDS,
            expected=f"within {LATE_WITHIN_SECONDS:.0f} s",
            seen=f"{took:.1f} s",
        )
    with story.step("The app is well again"):
        await _ask(me.app, "/parks")


async def _ask(
    app: Caller, path: str, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask the app. Another journey may have just shown how it goes wrong; then it is left alone for a while."""
    method, address = "GET" if body is None else "POST", f"/resident/apps/{APP}{path}"
    end = time.monotonic() + AWAY_WITHIN_SECONDS
    while True:
        answer = await app.ask(method, address, body, headers=headers, status=None)
        if answer.code != "departments.app_away" or time.monotonic() > end:
            break
        await asyncio.sleep(AWAY_PAUSE_SECONDS)
    if answer.status != status:
        raise Broken(f"{method} {address} is answered {status}", str(status), answer.words())
    return answer
