"""People and machines that keep a city busy, insist as phones and scanners do, and write down what it acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Self
from uuid import uuid4

import aiohttp
import msgspec

from city.journey import calling, issuing, signing_in, verifying
from city.journey.calling import Answer, Caller, CityAway
from city.journey.issuing import CONCESSION
from city.journey.showing import SCENARIO_OF
from city.journey.signing_in import SignedIn
from city.journey.stage import Phone, Stage, now
from city.journey.telling import Broken, Step, Story
from city.journey.verifying import Gate
from gateway.demo.cast import Cast, PlayedPerson
from notifications import templates

DEPARTMENT: Final = "department:culture_tourism"
SORT: Final = "museum"
SCENARIO: Final = SCENARIO_OF[CONCESSION]
PACE_SECONDS: Final = 0.2
BOOKING_PACE_SECONDS: Final = 1.0
"""So slow that nobody comes near `appointments.pacing.CHANGES_AT_ONCE_MAX` while a part is killed and heals."""
AGAIN_AFTER_SECONDS: Final = 0.05
TRIES_MAX: Final = 1_000
SMS_EACH_MAX: Final = 45
"""The demo outbox lists the newest 50 SMS of a phone."""
TURNS_MAX: Final = 90
"""The ledger lists the newest 100 uses of a certificate."""
PEOPLE: Final = 4


class OwedSms(msgspec.Struct, frozen=True):
    """An SMS that an acknowledged write owes: to whom, words to know it by, and when it was acknowledged."""

    phone: Phone
    words: str
    at: float


class _Silent:
    """Tells nothing of what is played."""

    def act(self, number: int, title: str) -> None: ...
    def begins(self, step: Step) -> None: ...
    def ends(self, number: int, step: Step, broken: Broken | None) -> None: ...


async def open_stage(http: aiohttp.ClientSession, url: str) -> Stage:
    """Where everybody plays, as a stranger finds it: by the city's address alone."""
    story = Story(_Silent())
    city = Caller(http, url, story)
    return Stage(story, city, msgspec.convert((await city.get("/demo/cast")).content, Cast))


async def insist(ask: Callable[[], Awaitable[Answer]], good: int) -> Answer:
    """Ask until answered well. Meanwhile the city may be gone, or say 503; nothing else."""
    for _ in range(TRIES_MAX):
        try:
            answer = await ask()
        except CityAway:
            await asyncio.sleep(AGAIN_AFTER_SECONDS)
            continue
        if answer.status == good:
            return answer
        assert answer.status == 503, answer.words()
        await asyncio.sleep(AGAIN_AFTER_SECONDS)
    raise AssertionError("never answered")


class Crowd:
    """Four residents, a department and two scanners of a museum, each doing one thing again and again."""

    def __init__(self, stage: Stage, people: list[PlayedPerson], signed_in: list[SignedIn]) -> None:
        self.stage = stage
        self.people = people
        self.holder, self.booker, self.shower, self.reader = signed_in
        self.certificates: dict[str, str] = {}
        """What was issued to the holder, by reference."""
        self.bookings: dict[str, str] = {}
        """Each booking's stage."""
        self.verdicts: dict[str, list[str]] = {}
        """What each of two scanners heard of a code."""
        self.notices: dict[str, str] = {}
        """What was filed for the reader, by its words."""
        self.owed: list[OwedSms] = []
        self.latest: dict[str, float] = {}
        """When the newest acknowledged write of each sort began."""
        self._resting = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def gather(cls, stage: Stage, people: list[PlayedPerson]) -> Self:
        """Sign everybody in and prove every machine."""
        assert len(people) == PEOPLE
        crowd = cls(stage, people, await asyncio.gather(*(signing_in.play(_own(stage), one) for one in people)))
        client = stage.client(DEPARTMENT)
        crowd.department = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        crowd.gates = await verifying.open_gates(_own(stage), SORT, SCENARIO)
        crowd.kind = await issuing.kind_of(crowd.department, CONCESSION)
        crowd.hours = await _hours(crowd.booker)
        crowd.shown = (await crowd._issue(f"shown-{uuid4()}", people[2])).content["certificate_id"]
        return crowd

    department: Caller
    gates: list[Gate]
    kind: dict[str, Any]
    hours: list[dict[str, Any]]
    shown: str
    """The certificate that is shown again and again."""

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Everybody is busy for the block, or until they are to rest."""
        acts = (self._issue_one, self._book_one, self._redeem_one, self._notify_one)
        self._tasks = [asyncio.create_task(self._keep(act)) for act in acts]
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def rest(self) -> None:
        """Everybody finishes what they have begun: whatever was tried is acknowledged then."""
        self._resting.set()
        await asyncio.gather(*self._tasks)

    def has_all_done_since(self, moment: float) -> bool:
        """Whether a write of each sort that began after `moment` was acknowledged."""
        for task in self._tasks:
            if task.done():
                task.result()
        return len(self.latest) == len(self._tasks) and min(self.latest.values()) > moment

    async def is_told_since(self, moment: float) -> bool:
        """Whether an SMS arrived that was owed after `moment`."""
        fresh = [one.words for one in self.owed if one.phone is self.reader.phone and one.at > moment]
        return any(words in sms.text for sms in await self.reader.phone.messages() for words in fresh)

    async def _keep(self, act: Callable[[], Awaitable[float]]) -> None:
        for _ in range(TURNS_MAX):
            if self._resting.is_set():
                return
            began = time.monotonic()
            pause = await act()
            self.latest[act.__name__] = began
            await asyncio.sleep(pause)

    def _owe(self, phone: Phone, words: str) -> None:
        self.owed.append(OwedSms(phone, words, time.monotonic()))
        assert sum(1 for one in self.owed if one.phone is phone) <= SMS_EACH_MAX, "more than can be read back"

    async def _issue(self, reference: str, person: PlayedPerson) -> Answer:
        request = {**issuing.request_of(self.kind, person), "reference": reference}
        return await insist(lambda: self.department.ask("POST", "/department/certificates", request, status=None), 201)

    async def _issue_one(self) -> float:
        reference = f"busy-{uuid4()}"
        self.certificates[reference] = (await self._issue(reference, self.people[0])).content["certificate_id"]
        self._owe(self.holder.phone, f"您的“{CONCESSION}”已签发")
        return PACE_SECONDS

    async def _book_one(self) -> float:
        """Book an hour and give it back, except the last one."""
        hour, booking_id = self.hours.pop(), str(uuid4())
        app, path, wanted = self.booker.app, f"/resident/bookings/{booking_id}", {"slot_id": hour["slot_id"]}
        made = (await insist(lambda: app.ask("PUT", path, wanted, status=None), 201)).content
        self.bookings[booking_id] = made["stage"]
        when = templates.MOMENT.say(made["starts_at"], "zh")
        place = f"在{made['office']['name_zh']}办理“{made['service']['name_zh']}”"
        self._owe(self.booker.phone, f"您已预约{when}{place}")
        if not self._resting.is_set():
            given = (await insist(lambda: app.ask("DELETE", path, status=None), 200)).content
            self.bookings[booking_id] = given["stage"]
            self._owe(self.booker.phone, f"您{when}{place}的预约已取消")
        return BOOKING_PACE_SECONDS

    async def _redeem_one(self) -> float:
        """Show a code to two scanners at once, each of which insists with a use id of its own."""
        app, path = self.shower.app, f"/resident/certificates/{self.shown}/codes"
        shown = await insist(lambda: app.ask("POST", path, {"scenario_code": SCENARIO}, status=None), 201)
        code = shown.content["text"]
        self.verdicts[code] = list(await asyncio.gather(*(scan(gate, code) for gate in self.gates)))
        return PACE_SECONDS

    async def _notify_one(self) -> float:
        body, key = f"编号{uuid4()}。", {"Idempotency-Key": str(uuid4())}
        notice = {"id_number": self.people[3].id_number, "title": "来信", "body": body}
        path = "/department/messages"
        answer = await insist(lambda: self.department.ask("POST", path, notice, headers=key, status=None), 202)
        self.notices[body] = answer.content["message_id"]
        self._owe(self.reader.phone, body)
        return PACE_SECONDS


async def scan(gate: Gate, code: str) -> str:
    """One scan, asked again under its own use id until it is answered; the verdict."""
    body = {"code": code, "use_id": str(uuid4())}
    answer = await insist(lambda: gate.caller.ask("POST", "/venue/verifications", body, status=None), 200)
    return str(answer.content["verdict"])


def _own(stage: Stage) -> Stage:
    """The same stage with a story of one's own: several people act at once."""
    return Stage(Story(_Silent()), stage.city, stage.cast)


async def _hours(me: SignedIn) -> list[dict[str, Any]]:
    """Hours of one service, further ahead than anybody books on the journey, each with room for two."""
    first, last = (now() + timedelta(days=days) for days in (5, 13))
    days = f"from={first.date().isoformat()}&to={last.date().isoformat()}&limit=100"
    for service in (await me.app.get("/resident/services")).content["services"]:
        path = f"/resident/slots?service_id={service['service_id']}&{days}"
        free = [slot for slot in (await me.app.get(path)).content["slots"] if slot["free"] > 1]
        if len(free) > SMS_EACH_MAX // 2:
            return free
    raise AssertionError("no service with so many free hours")
