"""Whether people were let in as the gate promises, checked from what it publishes and what each phone was given.

Written anew from docs/RUSH.md rather than taken from the gate, so that it does not repeat its mistakes: who came before
the release is drawn by HMAC-SHA-256(seed, member), lowest first; who came later stands behind them, as they came.
"""

import hmac
import http.client
import time
from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any, Final

import msgspec

from city.bench.rush_plan import Heard, Plan, Somebody, Told
from city.bench.rush_supervised import Supervised
from city.environment import DEFAULT_HOST
from city.errors import CannotStart

MEMBER_BYTES: Final = 16
SCORE_BYTES: Final = 7
DRAWN_BITS: Final = 52
KNOWN_WITHIN_SECONDS: Final = 15.0
"""A fresh release is heard of by the next look at the slots."""
LOOKED_EVERY_SECONDS: Final = 0.2


class Published(msgspec.Struct, frozen=True):
    """What a release tells of its draw: the digest of the seed always, the seed after the release."""

    seed_sha256: str
    seed: str | None


def published(city: Supervised, plan: Plan, who: Somebody) -> Published:
    """What the city says of this release now. Raises CannotStart when it does not hear of it."""
    end = time.monotonic() + KNOWN_WITHIN_SECONDS
    while time.monotonic() < end:
        for one in _releases(city, plan, who):
            if one["release_id"] == str(plan.release_id):
                return Published(one["seed_sha256"], one["seed"])
        time.sleep(LOOKED_EVERY_SECONDS)
    raise CannotStart("The city does not hear of its own release.", "Look at its logs.")


def _releases(city: Supervised, plan: Plan, who: Somebody) -> list[dict[str, Any]]:
    asked = http.client.HTTPConnection(DEFAULT_HOST, city.settings.port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {who.token}", "X-Forwarded-For": who.address}
        asked.request("GET", f"/resident/releases?service_id={plan.service_id}", headers=headers)
        answer: dict[str, Any] = msgspec.json.decode(asked.getresponse().read())
    finally:
        asked.close()
    found: list[dict[str, Any]] = answer["releases"]
    return found


def unfair(plan: Plan, before: Published, after: Published, heard: Heard) -> dict[str, int]:
    """What was not as promised, each with how often."""
    seed = bytes.fromhex(after.seed or "")
    places = [_place_of(told) for told in heard.told]
    early = zip(heard.told[: plan.early], places, strict=False)
    misdrawn = sum(1 for told, place in early if not _is_drawn(seed, plan, told, place))
    admitted = [place[1] for told, place in zip(heard.told, places, strict=True) if told.admitted_at and place]
    passed_over = [place[1] for told, place in zip(heard.told, places, strict=True) if not told.admitted_at and place]
    first_passed_over = min(passed_over, default=1 << 62)
    return {
        "the seed told before the release": int(before.seed is not None),
        "another seed than was promised": int(not after.seed or sha256(seed).hexdigest() != before.seed_sha256),
        "drawn otherwise than by the seed": misdrawn,
        "came late and stood before the drawn": sum(
            1 for place in places[plan.early :] if place is not None and place[1] < 1 << DRAWN_BITS
        ),
        "let in before somebody who stood before them": sum(1 for score in admitted if score > first_passed_over),
    }


def _is_drawn(seed: bytes, plan: Plan, told: Told, place: tuple[bytes, int] | None) -> bool:
    """Whether somebody who set out early stands where the seed says; behind the drawn, or nowhere, only if too late."""
    came_late = told.joined_at >= plan.opens_at
    if place is None:
        return came_late
    member, score = place
    return score == _drawn(seed, member) or (came_late and score >= 1 << DRAWN_BITS)


def _place_of(told: Told) -> tuple[bytes, int] | None:
    """Who somebody is in the line, and where they stand, as their own ticket says."""
    if told.ticket is None:
        return None
    raw = urlsafe_b64decode(told.ticket + "=" * (-len(told.ticket) % 4))
    return raw[:MEMBER_BYTES], int.from_bytes(raw[MEMBER_BYTES : MEMBER_BYTES + SCORE_BYTES])


def _drawn(seed: bytes, member: bytes) -> int:
    return int.from_bytes(hmac.digest(seed, member, sha256)[:SCORE_BYTES]) >> (SCORE_BYTES * 8 - DRAWN_BITS)
