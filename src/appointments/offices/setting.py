"""A department sets what it offers: the terms of its services, its desks' hours, and rules. Each act is recorded."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from appointments.errors import (
    DeskNotFound,
    NotYourService,
    OfficeNotFound,
    RuleIdTaken,
    RuleNotFound,
    ServiceNotFound,
)
from appointments.model import Desk, Office, Service
from appointments.offices import catalogue, offering, queries
from appointments.offices.errors import NotYourOffice
from appointments.offices.rules import Rule
from appointments.offices.trips.positions import Departments
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Keeper
from kernel.snapshots import announce


class WholeOffice(msgspec.Struct, frozen=True):
    """An office, the services it offers, and the rules that stand for all of it."""

    office: Office
    services: tuple[Service, ...]
    rules: tuple[Rule, ...]


class Setting:
    """What a keeper may set: their own department's services, and a supervisor those of their own office."""

    def __init__(self, db: Database, clock: Clock, departments: Callable[[], Departments]) -> None:
        self._db = db
        self._clock = clock
        self._departments = departments

    async def services_of(self, keeper: Keeper) -> list[Service]:
        """The services that the keeper's department answers for."""
        slug = await self._slug(keeper)
        async with self._db.connection() as conn:
            return [service for service in await queries.select_services(conn) if service.department == slug]

    async def owned(self, keeper: Keeper, service_id: ServiceId) -> Service:
        """Raises ServiceNotFound, NotYourService."""
        slug = await self._slug(keeper)
        async with self._db.connection() as conn:
            return await _owned(conn, slug, service_id)

    async def owned_at(self, keeper: Keeper, office_id: OfficeId, service_id: ServiceId) -> tuple[Office, Service]:
        """Raises ServiceNotFound, OfficeNotFound, NotYourService."""
        slug = await self._slug(keeper)
        async with self._db.connection() as conn:
            service = await _owned(conn, slug, service_id)
            offices = {office.office_id: office for office in await queries.select_offices(conn)}
        if office_id not in offices:
            raise OfficeNotFound
        if keeper.office_id not in (None, office_id):
            raise NotYourService
        return offices[office_id], service

    async def desk(self, keeper: Keeper, office_id: OfficeId, service_id: ServiceId) -> tuple[Desk, list[Rule]]:
        """A desk and the rules that stand for it. Raises DeskNotFound, and what `owned_at` raises."""
        await self.owned_at(keeper, office_id, service_id)
        async with self._db.connection() as conn:
            desks = {(desk.office_id, desk.service_id): desk for desk in await queries.select_desks(conn)}
            rules = await queries.select_rules(conn, in_shanghai(self._clock.now()).date())
        if (office_id, service_id) not in desks:
            raise DeskNotFound
        desk = desks[office_id, service_id]
        theirs = [rule for rule in rules if rule.office_id == office_id and rule.service_id in (None, service_id)]
        return desk, theirs

    async def whole(self, keeper: Keeper, office_id: OfficeId) -> WholeOffice:
        """An office as whoever speaks for all of it sees it: its supervisor, or the one department whose services are
        all that it offers. Raises OfficeNotFound, NotYourOffice."""
        slug = await self._slug(keeper)
        async with self._db.connection() as conn:
            offices = {office.office_id: office for office in await queries.select_offices(conn)}
            desks = [desk for desk in await queries.select_desks(conn) if desk.office_id == office_id]
            services = {service.service_id: service for service in await queries.select_services(conn)}
            rules = await queries.select_rules(conn, in_shanghai(self._clock.now()).date())
        if office_id not in offices:
            raise OfficeNotFound
        here = sorted((services[desk.service_id] for desk in desks), key=lambda service: service.slug)
        is_theirs = bool(here) and all(service.department == slug for service in here)
        if keeper.office_id != office_id and not (keeper.office_id is None and is_theirs):
            raise NotYourOffice
        standing = [rule for rule in rules if rule.office_id == office_id and rule.service_id is None]
        return WholeOffice(offices[office_id], tuple(here), tuple(standing))

    async def put_terms(self, keeper: Keeper, service_id: ServiceId, change: Callable[[Service], Service]) -> Service:
        """Change on what terms a service is booked; hours still ahead take on their new moments."""
        slug = await self._slug(keeper)
        async with self._db.transaction() as conn:
            kept = await _owned(conn, slug, service_id)
            service = change(kept)
            await offering.put_service(conn, service, kept)
            await self._changed(conn, keeper, "put_terms", f"service:{service_id}")
        return service

    async def put_desk(self, keeper: Keeper, desk: Desk) -> None:
        """Write a desk's weekly hours, new or changed. Raises what `owned_at` raises."""
        await self.owned_at(keeper, desk.office_id, desk.service_id)
        async with self._db.transaction() as conn:
            await queries.put_desk(conn, desk)
            await self._changed(conn, keeper, "put_desk", f"desk:{desk.office_id}/{desk.service_id}")

    async def put_rule(self, keeper: Keeper, rule: Rule) -> None:
        """Write a rule of a desk, or of a whole office. Raises RuleIdTaken, and what `desk` or `whole` raises."""
        if rule.service_id is None:
            await self.whole(keeper, rule.office_id)
        else:
            await self.desk(keeper, rule.office_id, rule.service_id)
        async with self._db.transaction() as conn:
            if not await queries.put_rule(conn, rule):
                raise RuleIdTaken
            await queries.plan_desks_anew(conn, rule.office_id, rule.service_id)
            await self._changed(conn, keeper, "put_rule", f"rule:{rule.rule_id}")

    async def withdraw_rule(self, keeper: Keeper, rule_id: UUID) -> Rule:
        """Let a rule count no more; withdrawing it again changes nothing.

        Raises RuleNotFound, NotYourService, NotYourOffice.
        """
        async with self._db.connection() as conn:
            rule = await queries.select_rule(conn, rule_id)
        if rule is None:
            raise RuleNotFound
        if rule.service_id is None:
            await self.whole(keeper, rule.office_id)
        else:
            await self.owned_at(keeper, rule.office_id, rule.service_id)
        async with self._db.transaction() as conn:
            await queries.withdraw_rule(conn, rule_id, now=self._clock.now())
            await queries.plan_desks_anew(conn, rule.office_id, rule.service_id)
            await self._changed(conn, keeper, "withdraw_rule", f"rule:{rule_id}")
        return rule

    async def _slug(self, keeper: Keeper) -> str | None:
        return keeper.slug or await self._departments().slug_of(keeper.department_id)

    async def _changed(self, conn: Connection, keeper: Keeper, act: str, subject: str) -> None:
        await announce(conn, catalogue.NAME)
        now = self._clock.now()
        await audit.record(conn, actor=keeper.actor, act=f"appointments.{act}", subject=subject, now=now)


async def _owned(conn: Connection, slug: str | None, service_id: ServiceId) -> Service:
    services = {service.service_id: service for service in await queries.select_services(conn)}
    if service_id not in services:
        raise ServiceNotFound
    if services[service_id].department != slug:
        raise NotYourService
    return services[service_id]
