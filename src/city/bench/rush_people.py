"""What a resident's phone does in a rush: no more and no less than the app, told what to do by the city's answers."""

import asyncio
import random
import time
from collections import Counter
from typing import Any, Final
from uuid import UUID

import msgspec

from city.bench.rush_plan import Heard, Plan, Somebody, Told
from city.bench.rush_wire import Answer, Line, Lost, request

SEED: Final = 20260302
"""Which slot who tries first, and who calls a little later, is drawn anew in the same way in each run."""
AGAIN_SECONDS: Final = (0.1, 0.6)
"""How long a phone waits before it asks again after its connection was lost."""
SLOTS_SHOWN: Final = 100
FULL: Final = "appointments.slot_full"
NO_ADMISSION: Final = "appointments.admission_needed"
NOT_OPEN: Final = "appointments.not_released"
POLL_SECONDS: Final = 1.0
"""When an answer of the gate does not say how long to wait."""


class Crowd:
    """Everybody of a plan, and what they heard."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lines = [Line(plan.port) for _ in range(min(plan.connections, len(plan.people)))]
        self.heard = Heard(
            told=[Told() for _ in plan.people], statuses={}, codes={}, lost=0, began_at=0.0, ended_at=0.0, book_ms=[]
        )
        self.codes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.draw = random.Random(SEED)


class Phone:
    """One resident of a crowd."""

    def __init__(self, crowd: Crowd, number: int, line: Line | None = None) -> None:
        self._crowd = crowd
        self._plan = crowd.plan
        self._who: Somebody = crowd.plan.people[number]
        self._line = line or crowd.lines[number % len(crowd.lines)]
        self._draw = random.Random(SEED + number)
        self.told = crowd.heard.told[number]

    async def look(self) -> None:
        """Open the app some time before: see what can be booked. The city knows the token from then on."""
        answer = await self._ask("GET", "/resident/services")
        assert answer.status == 200, answer
        self.told.asked = 0

    async def book_in_turn(self) -> None:
        """Ask for a place in the first slot, and take the answer as it is."""
        code = await self._book(self._plan.slot_ids[0], None)
        self._end(code)

    async def rush_openly(self) -> None:
        """Ask for some slot when the release opens; when it is full look for another, until none is free."""
        slot_id = self._draw.choice(self._plan.slot_ids)
        code = await self._book(slot_id, None, at_release=True)
        while True:
            if code == FULL:
                free = await self._free_slots()
                if free:
                    slot_id = self._draw.choice(free)
                    code = await self._book(slot_id, None)
                    continue
            if code == NOT_OPEN:  # our clock is ahead of the city's
                await asyncio.sleep(self._draw.uniform(*AGAIN_SECONDS))
                code = await self._book(slot_id, None)
                continue
            self._end(code, slot_id)
            return

    async def rush_through_gate(self, *, early: bool) -> None:
        """Get in line, ask again when told to, and book when let in."""
        place = await self._at_gate("PUT", at_release=not early)
        self.told.joined_at = time.time()
        self._note(place)
        if early:
            place = await self._at_gate("GET", at_release=True)
        while True:
            self._note(place)
            match place.get("state"):
                case "admitted" if place.get("admission"):
                    if await self._book_admitted(str(place["admission"])):
                        return
                    place = await self._at_gate("GET")
                case "pooled" | "waiting" | "admitted":
                    await asyncio.sleep(float(place.get("poll_after_seconds") or POLL_SECONDS))
                    place = await self._at_gate("GET")
                case None:  # refused: forgotten when the gate lost its memory, or a refusal that is final
                    if place.get("status") != 404:
                        self._end(str(place.get("code")))
                        return
                    await asyncio.sleep(self._draw.uniform(*AGAIN_SECONDS))
                    place = await self._at_gate("PUT")
                case state:
                    self._end(str(state))
                    return

    def _note(self, place: dict[str, Any]) -> None:
        if self.told.position is None and place.get("state") == "waiting" and place.get("position") is not None:
            self.told.position = int(place["position"])
        self.told.ticket = place.get("ticket") or self.told.ticket
        if not self.told.admitted_at and place.get("state") == "admitted":
            self.told.admitted_at = time.time()

    async def _book_admitted(self, admission: str) -> bool:
        """Try slots until one is had or none is free; False: the gate is to be asked again."""
        slot_id = self._draw.choice(self._plan.slot_ids)
        while True:
            code = await self._book(slot_id, admission)
            if code == NO_ADMISSION:
                return False
            if code != FULL:
                self._end(code, slot_id)
                return True
            free = await self._free_slots()
            if not free:
                return False
            slot_id = self._draw.choice(free)

    async def _book(self, slot_id: UUID, admission: str | None, *, at_release: bool = False) -> str:
        """`booked`, or the code of the refusal. A retry carries the same id, as the app's does."""
        wanted = {"slot_id": slot_id} | ({} if admission is None else {"admission": admission})
        began = time.time()
        path = f"/resident/bookings/{self._who.booking_id}"
        answer = await self._ask("PUT", path, msgspec.json.encode(wanted), at_release=at_release)
        began = max(began, self.told.issued_at)  # what is kept for the release leaves then
        self._crowd.heard.book_ms.append((time.time() - began) * 1000)
        if answer.status in (200, 201):
            return "booked"
        return str(msgspec.json.decode(answer.body)["code"])

    async def _free_slots(self) -> list[UUID]:
        day = self._plan.day
        path = (
            f"/resident/slots?service_id={self._plan.service_id}&from={day}&to={day}&only_free=true&limit={SLOTS_SHOWN}"
        )
        answer = await self._ask("GET", path)
        return [UUID(slot["slot_id"]) for slot in msgspec.json.decode(answer.body)["slots"] if slot["free"]]

    async def _at_gate(self, method: str, *, at_release: bool = False) -> dict[str, Any]:
        path = f"/resident/releases/{self._plan.release_id}/place"
        ticket = self.told.ticket if method == "PUT" else None
        answer = await self._ask(method, path, ticket=ticket, at_release=at_release)
        place: dict[str, Any] = msgspec.json.decode(answer.body)
        return place

    async def _ask(
        self, method: str, path: str, body: bytes = b"", *, ticket: str | None = None, at_release: bool = False
    ) -> Answer:
        """An answer that is one: told to come back, or told nothing, the phone asks the same again a little later."""
        crowd, who = self._crowd, self._who
        asked = request(
            method, path, port=self._plan.port, token=who.token, address=who.address, ticket=ticket, body=body
        )
        while True:
            self.told.asked += 1
            try:
                answer = await (self._line.ask_at_release(asked) if at_release else self._line.ask(asked))
            except Lost:
                crowd.heard.lost += 1
                await asyncio.sleep(self._draw.uniform(*AGAIN_SECONDS))
                continue
            finally:
                if at_release:
                    at_release, self.told.issued_at = False, self._line.released_at
            crowd.statuses[answer.status] += 1
            if answer.status < 500 and answer.status != 429:
                if answer.status >= 400:
                    crowd.codes[f"{answer.status} {msgspec.json.decode(answer.body)['code']}"] += 1
                return answer
            await asyncio.sleep(answer.retry_after_seconds + self._draw.uniform(*AGAIN_SECONDS))

    def _end(self, outcome: str, slot_id: UUID | None = None) -> None:
        self.told.outcome = outcome
        self.told.ended_at = time.time()
        self.told.slot_id = slot_id if outcome == "booked" else None
