"""The resident sees in the ledger who saw which fields, when and why, and is told in the inbox."""

from datetime import datetime
from typing import Any, Final

from city.journey.calling import until
from city.journey.signing_in import SignedIn
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Issued, Stage, moment, now
from city.journey.verifying import Seen

SHOWN: Final = "certificate_shown"
CLOCKS_APART_SECONDS: Final = 120
"""How far the city's clock may be from ours: the journey may be played from another machine."""


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued], seen: list[Seen], *, since: datetime) -> None:
    """Compare the ledger and the inbox with what the venues saw."""
    story = stage.story
    story.act("The resident sees who saw what")
    with story.step("The ledger"):
        uses = await ledger_of(me, issued)
        story.equal(
            "every yes is in the ledger, with the venue and the fields, and nothing else is",
            expected=sorted((one.owner, one.scenario_code, sorted(one.fields)) for one in seen),
            seen=sorted(in_short(use) for use in uses),
        )
        story.holds(
            "each says what it was for",
            all(use["purpose_zh"] and use["scenario_zh"] for use in uses),
            expected="a purpose",
            seen=[use["purpose_zh"] for use in uses],
        )
        ages = [(moment(use["used_at"]) - since).total_seconds() for use in uses]
        latest = (now() - since).total_seconds() + CLOCKS_APART_SECONDS
        story.holds(
            "each says when",
            all(-CLOCKS_APART_SECONDS <= age <= latest for age in ages),
            expected=f"since {since.isoformat(timespec='seconds')}",
            seen=[use["used_at"] for use in uses],
        )
    with story.step("The inbox"):
        notices = await _notices(me, len(seen), since=since)
        for one in seen:
            text = next((notice["body"] for notice in notices if one.owner in notice["body"]), "")
            story.holds(f"the inbox tells that {one.owner} looked", bool(text), expected=one.owner, seen=notices)
        kinds = {name: name in str(await _bodies(me, "certificate_issued")) for name in issued}
        story.equal("and what was issued", expected=dict.fromkeys(issued, True), seen=kinds)
    with story.step("A notice, read"):
        read = (await me.app.post(f"/resident/inbox/{notices[0]['id']}/read")).content
        again = (await me.app.post(f"/resident/inbox/{notices[0]['id']}/read")).content
        story.equal("it stays read since the first time", expected=read, seen=again)


async def ledger_of(me: SignedIn, issued: dict[str, Issued]) -> list[dict[str, Any]]:
    """Every use of the certificates of this journey, as the resident reads it."""
    uses: list[dict[str, Any]] = []
    for one in issued.values():
        path = f"/resident/uses?certificate_id={one.certificate_id}&limit=100"
        uses += (await me.app.get(path)).content["uses"]
    return uses


async def _notices(me: SignedIn, count: int, *, since: datetime) -> list[dict[str, Any]]:
    """So many notices of certificates shown on this journey; fewer if they do not come in time."""
    found: list[dict[str, Any]] = []

    async def look() -> bool | None:
        found[:] = [one for one in await _bodies(me, SHOWN) if moment(one["arrived_at"]) >= since]
        return True if len(found) >= count else None

    await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
    return found


async def _bodies(me: SignedIn, kind: str) -> list[dict[str, Any]]:
    page = (await me.app.get("/resident/inbox?limit=50")).content
    return [one for one in page["items"] if one["kind"] == kind]


def in_short(use: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Who saw which fields under which scenario."""
    return use["venue_zh"], use["scenario_code"], sorted(field["name"] for field in use["fields"])
