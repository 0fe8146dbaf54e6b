"""A demo city of its own, brought up by the ordinary command and met over loopback, as other people's tools meet it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from datetime import time as hour
from typing import Final
from uuid import uuid4

import httpx
import msgspec

from appointments import model as desks
from appointments.offices import offering
from city.data_directory import DataDirectory
from gateway import tokens
from gateway.demo.cast import Cast
from gateway.parts import CityParts
from kernel.clock import in_shanghai
from kernel.ids import AccountId, DepartmentId, OfficeId, PersonId, SessionId, StaffId, uuid7
from kernel.principal import Audience, Operator, Principal, Resident, Staff
from kernel.settings import Settings, load
from tests.clients import library
from tests.running_city import running_city

ALWAYS_OPEN: Final = "always-open"
"""The slug of a service that has slots left today at any hour a test may run."""
DESK_OFFICE: Final = "pudong-service-centre"
DESK_DISTRICT: Final = "310115"
SOON: Final = timedelta(minutes=3)
SOON_SLOTS: Final = 12


class ServedCity:
    """A city that is up: its address, who can be played, and its parts opened here beside it, to prepare and look."""

    def __init__(self, url: str, directory: DataDirectory, parts: CityParts) -> None:
        self.url = url
        self.parts = parts
        self.directory = directory
        self.http = httpx.Client(base_url=url, timeout=20.0, trust_env=False)
        self.cast = msgspec.convert(self.http.get("/demo/cast").raise_for_status().json(), Cast)

    def minted(self, principal: Principal, audience: Audience) -> str:
        """An access token that nobody signed in for: one that can be thrown away."""
        session = getattr(principal, "session_id", None)
        now = self.parts.clock.now()
        return tokens.mint(
            self.parts.signing_keys,
            principal,
            issuer=self.parts.settings.public_origin,
            audience=audience,
            session_id=session or SessionId(uuid7(now)),
            now=now,
        ).text

    def somebody(self, audience: Audience) -> str:
        """The token of a person whom nothing rests on: an account, a member of staff or an operator of its own."""
        session = SessionId(uuid7(self.parts.clock.now()))
        fresh = uuid7(self.parts.clock.now())
        if audience is Audience.OPERATOR:
            return self.minted(Operator(StaffId(fresh), session), audience)
        if audience is Audience.DEPARTMENT:
            office = OfficeId(desks.office_id_of(DESK_OFFICE))
            return self.minted(Staff(StaffId(fresh), session, DepartmentId(fresh), office), audience)
        return self.minted(Resident(AccountId(fresh), session, None), audience)

    def a_citizen(self, audience: Audience) -> str:
        """The token of a resident whose real name was checked, and whom nothing rests on."""
        now = self.parts.clock.now()
        resident = Resident(AccountId(uuid7(now)), SessionId(uuid7(now)), PersonId(uuid4()))
        return self.minted(resident, audience)

    def said_by_web(self) -> str:
        """What the web process wrote into its log."""
        return (self.directory.logs / "web.log").read_text(encoding="utf-8", errors="replace")


@asynccontextmanager
async def served_city() -> AsyncIterator[ServedCity]:
    """A whole demo city, thrown away at the end; one address may ask it as often as it likes."""
    async with running_city({"SUISHENBAN_REQUESTS_PER_MINUTE": "10000000"}) as running:
        parts = await CityParts.open(_settings(running.at), process="test")
        try:
            with library.serving() as home:
                await library.join(parts, home)
                await _open_always(parts)
                city = ServedCity(running.url, running.at, parts)
                yield city
                city.http.close()
        finally:
            await parts.close()


def _settings(directory: DataDirectory) -> Settings:
    address = directory.address()
    assert address is not None, "a city that is up says where"
    return load(address.environ)


async def _open_always(parts: CityParts) -> None:
    """A desk that is open day and night, at the office whose staff the cast plays; soon with a slot every minute."""
    service = desks.Service(
        service_id=desks.service_id_of(ALWAYS_OPEN),
        slug=ALWAYS_OPEN,
        department="police",
        name_zh="全天服务",
        name_en="Day and night",
        bring_zh="",
        bring_en="",
    )
    desk = desks.Desk(
        office_id=desks.office_id_of(DESK_OFFICE),
        service_id=service.service_id,
        slot_minutes=30,
        places=20,
        openings=tuple(desks.Opening(weekday, hour(0, 0), hour(23, 59)) for weekday in range(7)),
    )
    await offering.plant(parts.db, services=[service], desks=[desk])
    await offering.offer_ahead(parts.db, parts.clock)
    if _day(parts.clock.now() + SOON) != _day(parts.clock.now()):
        await asyncio.sleep(SOON.total_seconds())  # a day that is as good as over: nobody could come today any more
    await offering.offer(parts.db, list(_every_minute(desk, parts.clock.now())))


def _every_minute(desk: desks.Desk, now: datetime) -> Iterator[desks.Slot]:
    """Slots of today that begin soon, one after the other."""
    minute = timedelta(minutes=1)
    first = in_shanghai(now).replace(second=0, microsecond=0) + SOON
    for starts_at in (first + nth * minute for nth in range(SOON_SLOTS)):
        if _day(starts_at) == _day(now):
            yield desks.Slot(
                slot_id=desks.slot_id_of(desk.office_id, desk.service_id, starts_at),
                office_id=desk.office_id,
                service_id=desk.service_id,
                district=DESK_DISTRICT,
                starts_at=starts_at,
                ends_at=starts_at + minute,
                places=desk.places,
            )


def _day(moment: datetime) -> date:
    return in_shanghai(moment).date()
