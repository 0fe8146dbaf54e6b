"""The parks department's own server: what it knows of a person is a subject that no other department sees.

It believes the token and no other header. Visits are kept in memory: this is a demo of joining, not of keeping.
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID, uuid4

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Meta

from city.departments import parks_register
from city.departments.refusing import Refused, problems
from city.departments.token_checking import Caller, TokenChecker
from kernel.clock import Clock, in_shanghai

SLUG: Final = "parks"
HEALTH_PATH: Final = "/suishenban/health"
REGISTER_PATH: Final = "/suishenban/register"
VEHICLE_PATH: Final = "/suishenban/vehicles/{vehicle}"
BODY_BYTES_MAX: Final = 16 * 1024
VISITS_MAX: Final = 100
VISITORS_MAX: Final = 10_000
SLOW_SECONDS_MAX: Final = 30.0

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Park(msgspec.Struct, frozen=True):
    slug: str
    name_zh: str
    name_en: str
    district: str


PARKS: Final = (
    Park("hundred-herons-wetland", "百鹭湿地公园", "Hundred Herons Wetland", "310113"),
    Park("cloud-hill-park", "云丘山景区", "Cloud Hill Park", "310117"),
    Park("tingyu-ancient-garden", "听雨古园", "Tingyu Ancient Garden", "310101"),
    Park("lantern-riverside", "灯下滨江绿地", "Lantern Riverside", "310110"),
)
_PARK_SLUGS: Final = frozenset(park.slug for park in PARKS)


BUSES: Final = frozenset({"park-bus-1", "park-bus-2"})
"""The vehicles of the demo's bookable park bus (`city.demo.offices`)."""
CENTRE: Final = (31.40, 121.49)
RADIUS: Final = 0.05
"""Where they go round, in degrees (WGS 84)."""


class VisitRequest(msgspec.Struct, forbid_unknown_fields=True):
    park: str


class Holder(msgspec.Struct, forbid_unknown_fields=True):
    id_number: Annotated[str, Meta(pattern=r"^[1-9][0-9]{16}[0-9X]$(?!\n)")]
    name: Annotated[str, Meta(min_length=1, max_length=80)]


class LookUp(msgspec.Struct, forbid_unknown_fields=True):
    kind_code: Annotated[str, Meta(min_length=1, max_length=21)]
    holder: Holder


class Visit(msgspec.Struct, frozen=True):
    visit_id: UUID
    park: str
    visited_at: datetime


class _Visitor(msgspec.Struct):
    """What is kept of one subject. `by_key` finds the visit that a repeated request made the first time."""

    visits: list[Visit]
    by_key: dict[str, Visit]


class Parks:
    """The handlers and what they remember."""

    def __init__(self, checker: TokenChecker, clock: Clock) -> None:
        self._checker = checker
        self._clock = clock
        self._visitors: dict[str, _Visitor] = {}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_traced, problems])
        app.add_routes(
            [
                web.get(HEALTH_PATH, self.health, allow_head=False),
                web.post(REGISTER_PATH, self._for_caller(self.look_up)),
                web.get(VEHICLE_PATH, self._for_caller(self.vehicle), allow_head=False),
                web.get("/parks", self._for_caller(self.parks), allow_head=False),
                web.get("/me", self._for_caller(self.me), allow_head=False),
                web.get("/me/visits", self._for_caller(self.visits), allow_head=False),
                web.post("/me/visits", self._for_caller(self.note_visit)),
                web.get("/slow", self._for_caller(self.slow), allow_head=False),
                web.get("/fail", self._for_caller(self.fail), allow_head=False),
            ]
        )
        return app

    def _for_caller(self, work: Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]) -> Handler:
        """A handler that does its work only for somebody the entrance vouches for."""

        async def handler(request: web.Request) -> web.StreamResponse:
            return await work(request, await self._checker.caller(request.headers.get("Authorization")))

        return handler

    async def health(self, _request: web.Request) -> web.Response:
        """The one route without a token: the entrance asks it now and then."""
        return _answer({"status": "ok", "slug": SLUG})

    async def look_up(self, request: web.Request, caller: Caller) -> web.Response:
        """What our register has about the person whom the entrance names: they asked for it, by real name."""
        if caller.claims.get("assurance") != "real_name":
            raise Refused(403, "parks.real_name_needed", "The register is for those whose real name was checked")
        try:
            asked = msgspec.json.decode(await request.read(), type=LookUp)
        except msgspec.MsgspecError:
            raise Refused(400, "parks.body_malformed", "Send a kind, and whose entry to look for") from None
        today = in_shanghai(self._clock.now()).date()
        who = asked.holder
        return _answer({"certificates": parks_register.entries_of(who.id_number, who.name, asked.kind_code, today)})

    async def vehicle(self, request: web.Request, _caller: Caller) -> web.Response:
        """Where one of our buses is: invented, and said to be so (`is_stand_in`). It goes round once an hour."""
        if request.match_info["vehicle"] not in BUSES:
            raise Refused(404, "parks.vehicle_unknown", "There is no such bus")
        now = self._clock.now()
        turned = (now.minute * 60 + now.second) / 3600 * math.tau
        latitude, longitude = CENTRE[0] + RADIUS * math.sin(turned), CENTRE[1] + RADIUS * math.cos(turned)
        where = {"latitude": round(latitude, 5), "longitude": round(longitude, 5)}
        return _answer({**where, "as_of": now, "is_stand_in": True})

    async def parks(self, _request: web.Request, _caller: Caller) -> web.Response:
        return _answer({"parks": PARKS})

    async def me(self, _request: web.Request, caller: Caller) -> web.Response:
        """What the entrance said of this call: for showing how little a department learns."""
        return _answer({"claims": caller.claims, "token_digest": caller.token_digest})

    async def visits(self, _request: web.Request, caller: Caller) -> web.Response:
        """The latest visits of this subject, newest first."""
        visitor = self._visitors.get(caller.subject)
        return _answer({"visits": visitor.visits[::-1] if visitor else []})

    async def note_visit(self, request: web.Request, caller: Caller) -> web.Response:
        """Note a visit. The same `Idempotency-Key` of the same subject gets the first answer again."""
        key = request.headers.get("Idempotency-Key")
        if key is not None and _IDEMPOTENCY_KEY.fullmatch(key) is None:
            raise Refused(400, "parks.key_malformed", "The Idempotency-Key is not 1 to 255 visible characters")
        try:
            park = msgspec.json.decode(await request.read(), type=VisitRequest).park
        except msgspec.MsgspecError:
            raise Refused(400, "parks.body_malformed", "Send a park, by its slug") from None
        if park not in _PARK_SLUGS:
            raise Refused(422, "parks.park_unknown", "There is no such park")
        visitor = self._visitor(caller)
        earlier = visitor.by_key.get(key) if key is not None else None
        if earlier is not None and earlier.park != park:
            raise Refused(422, "parks.key_reused", "This Idempotency-Key was used for another visit")
        visit = earlier or self._enter(visitor, park, key)
        return _answer(visit, status=201)

    async def slow(self, request: web.Request, _caller: Caller) -> web.Response:
        """Answer late, by `seconds` (bounded): for showing that a slow department slows nobody else."""
        try:
            seconds = min(max(float(request.query.get("seconds", "5")), 0.0), SLOW_SECONDS_MAX)
        except ValueError:
            raise Refused(400, "parks.seconds_malformed", "`seconds` is a number") from None
        await asyncio.sleep(seconds)
        return _answer({"waited_seconds": seconds})

    async def fail(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """Go wrong in one of the ways servers do: `how` is error, garbage or hang_up."""
        how = request.query.get("how", "error")
        if how == "garbage":
            return web.Response(body=b'{"visits": [', content_type="application/json")
        if how == "hang_up" and request.transport is not None:
            request.transport.abort()
        raise Refused(500, "parks.failed_on_purpose", "This route fails on purpose")

    def _visitor(self, caller: Caller) -> _Visitor:
        """What is kept of a caller; of too many, the one seen first is forgotten."""
        found = self._visitors.get(caller.subject)
        if found is None:
            if len(self._visitors) >= VISITORS_MAX:
                del self._visitors[next(iter(self._visitors))]
            found = self._visitors[caller.subject] = _Visitor([], {})
        return found

    def _enter(self, visitor: _Visitor, park: str, key: str | None) -> Visit:
        visit = Visit(uuid4(), park, self._clock.now())
        visitor.visits = [*visitor.visits, visit][-VISITS_MAX:]
        if key is not None:
            visitor.by_key = dict([*visitor.by_key.items(), (key, visit)][-VISITS_MAX:])
        return visit


def _answer(content: object, *, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content),
        status=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


@web.middleware
async def _traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the trace context back that came with the request, if it is one: the two logs can be laid side by side."""
    answer = await handler(request)
    trace = request.headers.get("traceparent", "")
    if _TRACEPARENT.fullmatch(trace):
        answer.headers["traceparent"] = trace
    return answer
