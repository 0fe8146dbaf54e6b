"""What every act of the journey needs: the story, the way to the city, who can be played, and the SMS that arrive."""

import secrets
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import msgspec

from city.errors import CannotStart
from city.journey.calling import Caller, until
from city.journey.telling import Broken, Story
from gateway.demo.cast import Cast, PlayedClient, PlayedPerson

SHANGHAI: Final = timezone(timedelta(hours=8))
ARRIVES_WITHIN_SECONDS: Final = 15.0
"""How long an SMS or an inbox notice may take; most take a blink."""
NEARBY_MAX: Final = 60
"""So many residents may be asked whether they are free to play beside another one."""


class Sms(msgspec.Struct, frozen=True):
    """An SMS as the demo outbox shows it."""

    phone: str
    text: str
    shown_at: datetime


class Stage(msgspec.Struct, frozen=True):
    """Where a journey is played, and by whom."""

    story: Story
    city: Caller
    cast: Cast

    def client(self, client_id: str) -> PlayedClient:
        return next(one for one in self.cast.clients if one.client_id == client_id)

    def venue(self, sort: str, scenario: str, *, but: str = "") -> list[PlayedClient]:
        """The devices of one venue of a sort that may look under a scenario, at least two; not of the venue `but`."""
        for one in self.cast.clients:
            devices = [other for other in self.cast.clients if other.owner == one.owner]
            fits = one.audience == "venue" and one.sort == sort and scenario in one.scenarios and one.owner != but
            if fits and len(devices) > 1:
                return devices
        raise Broken(f"the city has a {sort} with two devices for {scenario}", "one", "none")

    async def phone_of(self, person: PlayedPerson) -> "Phone":
        """A person's phone, from now on."""
        phone = Phone(self, person.phone)
        await phone.forget()
        return phone


class Phone:
    """What arrives on one phone, read through the demo outbox's API."""

    def __init__(self, stage: Stage, number: str) -> None:
        self.number = number
        self._stage = stage
        self._seen_until: datetime | None = None

    async def messages(self) -> list[Sms]:
        """Every SMS shown to this phone, newest first."""
        answer = await self._stage.city.post("/demo/outbox/search", {"phone": self.number})
        return msgspec.convert(answer.content["messages"], list[Sms])

    async def forget(self) -> None:
        """From now on only what arrives later counts as new."""
        found = await self.messages()
        self._seen_until = found[0].shown_at if found else None

    async def fresh(self, *words: str) -> list[Sms]:
        """What arrived since, if it has all these words."""
        return [
            sms
            for sms in await self.messages()
            if (self._seen_until is None or sms.shown_at > self._seen_until) and all(word in sms.text for word in words)
        ]

    async def await_sms(self, promise: str, *words: str) -> Sms:
        """The next SMS with these words. Raises Broken when none comes in time."""

        async def look() -> Sms | None:
            found = await self.fresh(*words)
            return found[0] if found else None

        sms = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
        expected = f"an SMS with {', '.join(words)} within {ARRIVES_WITHIN_SECONDS:.0f} s"
        self._stage.story.holds(promise, sms is not None, expected=expected, seen="none")
        assert sms is not None
        return sms


class Issued(msgspec.Struct, frozen=True):
    """A certificate of this journey: who issued it, and what it says."""

    certificate_id: str
    kind_code: str
    name_zh: str
    values: dict[str, Any]
    department: PlayedClient


def somebody(cast: Cast, phone: str | None) -> PlayedPerson:
    """The resident with this phone, or any: bounds on codes and checks are kept per phone, so journeys take turns.

    Raises CannotStart for a phone nobody in the cast has.
    """
    found = [one for one in cast.residents if phone in (None, one.phone)]
    if not found:
        raise CannotStart("Nobody in this city's cast has that phone.", "GET /demo/cast names who can be played.")
    return secrets.choice(found)


def nearby(cast: Cast, person: PlayedPerson) -> list[PlayedPerson]:
    """Who may play beside this resident: those who follow in the cast, in any order. Two far apart share nobody."""
    at = next(place for place, one in enumerate(cast.residents) if one.phone == person.phone)
    following = (cast.residents[at + 1 :] + cast.residents[:at])[:NEARBY_MAX]
    return secrets.SystemRandom().sample(following, len(following))


def now() -> datetime:
    return datetime.now(SHANGHAI)


def moment(text: str) -> datetime:
    """A time of an answer (RFC 3339)."""
    return datetime.fromisoformat(text)
