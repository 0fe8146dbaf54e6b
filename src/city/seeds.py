"""The demo city, planted: the same people, certificates, venues and desks in every city, each with the same ids.

Planting what is planted changes nothing, and what was broken off is completed. Everything goes in by the doors its
packages have: operators' catalogues, departments' registers, offices' hours. Nobody has an account yet: people sign in.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, TextIO

import msgspec

from appointments import model as desks
from city.demo.certificates import all_holdings, holdings
from city.demo.clients import DemoKeys, department_client, device_client
from city.demo.departments import DEPARTMENT_BY_SLUG, DEPARTMENTS
from city.demo.ids import department_id_of, device_id_of, staff_id_of, text_id_of, venue_id_of
from city.demo.kinds import KIND_BY_SLUG, KINDS
from city.demo.model import Holding, Kind, Person, Venue
from city.demo.model import Staff as DemoStaff
from city.demo.offices import OFFICES, SERVICE_BY_SLUG
from city.demo.people import PEOPLE
from city.demo.scenarios import SCENARIOS
from city.demo.service_key import service_key, service_secret
from city.demo.staff import STAFF
from city.demo.texts import TEXTS
from city.demo.venues import VENUES
from city.departments.serving import MANIFEST, PORT_VARIABLE
from city.planting_offices import offices, plant_offices
from city.planting_texts import plant_text
from city.progress import Progress
from gateway import recognising
from gateway.clients import proving
from gateway.clients.model import PublicKey
from gateway.departments import onboarding
from gateway.departments.model import State
from gateway.parts import CityParts
from gateway.residents.accounts import Accounts
from gateway.residents.model import Phone
from gateway.staff import staffing
from gateway.staff.model import StaffMember, StaffRole
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection
from kernel.people import Identity
from kernel.settings import Settings
from wallet import model as wallet
from wallet.departments.issue_policy import IssueRequest
from wallet.errors import CertificateNotFound
from wallet.operators import cataloguing

ACTOR: Final = "system:seeds"
REGISTERS_AT_ONCE_MAX: Final = 4
DEPARTMENTS_PORT_AFTER: Final = 2
"""The demo departments answer so many ports after the web process (`city.environment`)."""


async def plant(settings: Settings, *, clock: Clock | None = None, out: TextIO | None = None) -> None:
    """Plant the whole demo city; see the module. `clock` says which day it is, `out` is told how far it is."""
    progress = Progress(out or sys.stdout)
    parts = await CityParts.open(settings, process="seed", clock=clock)
    try:
        with progress.step("departments, kinds, scenarios, venues, staff and texts"):
            await plant_catalogue(parts)
            await _plant_staff(parts)
            await _plant_clients(parts)
            await _join_parks(parts, settings)
            await plant_texts(parts)
            await plant_service_key(parts)
        with progress.step("certificates") as step:
            total = await _issue(parts, step.tick)
            step.outcome = f"{total} issued" if total else "all there"
        with progress.step("offices and their hours") as step:
            step.outcome = f"{await plant_offices(parts)} new slots"
    finally:
        await parts.close()


async def plant_catalogue(parts: CityParts) -> None:
    """Departments, and what operators say there is; one transaction each, that is all reference tables."""
    now = parts.clock.now()
    async with parts.db.transaction() as conn:
        for one in DEPARTMENTS:
            department_id = department_id_of(one.slug)
            await onboarding.put_department(
                conn, department_id, slug=one.slug, name_zh=one.name_zh, name_en=one.name_en
            )
    async with parts.db.transaction() as conn:
        for kind in KINDS:
            await cataloguing.put_kind(conn, wallet_kind(kind))
        for one in DEPARTMENTS:
            codes = frozenset(kind.code for kind in KINDS if kind.department == one.slug)
            words = wallet.Words(one.name_zh, one.name_en)
            department_id = department_id_of(one.slug)
            issuer = wallet.Issuer(one.uscc, department_id, words, codes, one.sort, one.accredited_until)
            await cataloguing.put_issuer(conn, issuer, now=now)
        for scenario in _scenarios():
            await cataloguing.put_scenario(conn, scenario)
        for venue in VENUES:
            await cataloguing.put_venue(conn, _venue(venue))
            for device in venue.devices:
                words = wallet.Words(device.name_zh, device.name_en)
                await cataloguing.put_device(conn, device_id_of(device.slug), venue_id_of(venue.slug), words)
        await _plant_readers(conn)
    await parts.snapshots.read_all()


async def _plant_readers(conn: Connection) -> None:
    """Offices read codes at check-in: an identity card or a social security card tells who has come."""
    shown = [KIND_BY_SLUG[slug].code for slug in ("resident_id_card", "social_security_card")]
    for planned, office in zip(OFFICES, offices(), strict=True):
        department = DEPARTMENT_BY_SLUG[SERVICE_BY_SLUG[planned.desks[0].service].department]
        await recognising.open_reader(conn, office, credit_code=department.uscc, kind_codes=shown)


def wallet_kind(kind: Kind) -> wallet.Kind:
    """A kind of the demo city as an operator puts it."""
    fields = tuple(
        wallet.Field(
            field.name,
            field.label_zh,
            field.label_en,
            wallet.FieldType(field.type.value),
            wallet.Sensitivity(field.sensitivity.value),
        )
        for field in kind.fields
    )
    return wallet.Kind(
        kind_code=kind.code,
        name=wallet.Words(kind.name_zh, kind.name_en),
        fields=fields,
        valid_days=kind.valid_days,
        face_colour=kind.face_colour,
        layout=kind.layout.value,
        organ=wallet.Words(kind.organ_zh, kind.organ_en),
        face=kind.face,
        predicates=kind.predicates,
        is_offline=kind.is_offline,
        is_printable=kind.is_printable,
        proves_guardianship=kind.proves_guardianship,
    )


def _scenarios() -> Iterator[wallet.Scenario]:
    for one in SCENARIOS:
        yield wallet.Scenario(
            scenario_code=one.code,
            edition=cataloguing.FIRST_EDITION,
            name=wallet.Words(one.name_zh, one.name_en),
            purpose=wallet.Words(one.purpose_zh, one.purpose_en),
            grants={grant.kind_code: grant.fields for grant in one.grants},
        )


def _venue(venue: Venue) -> wallet.Venue:
    return wallet.Venue(
        venue_id=venue_id_of(venue.slug),
        sort=venue.sort.value,
        credit_code=venue.uscc,
        name=wallet.Words(venue.name_zh, venue.name_en),
        district=venue.district,
        address=venue.address,
        scenario_codes=frozenset(venue.scenarios),
        terms=venue.terms,
    )


async def _plant_staff(parts: CityParts) -> None:
    accounts = Accounts(parts.keys)
    async with parts.db.transaction() as conn:
        for one in STAFF:
            member, phone = _member(one), Phone(one.phone)
            if await staffing.find_by_phone(conn, accounts, phone, member.role.audience) != member:
                await staffing.put_staff(conn, parts.keys, member, name=one.name, phone=phone)


def _member(one: DemoStaff) -> StaffMember:
    return StaffMember(
        staff_id_of(one.key),
        StaffRole(one.role.value),
        None if one.department is None else department_id_of(one.department),
        None if one.office is None else desks.office_id_of(one.office),
    )


async def _plant_clients(parts: CityParts) -> None:
    """The public keys of every department's system and every venue's device; the private ones are nobody's row."""
    demo_keys = DemoKeys(parts.keys)

    def keys_of(client_id: str) -> list[PublicKey]:
        return [msgspec.convert(demo_keys.public_jwk(client_id), PublicKey)]

    async with parts.db.transaction() as conn:
        for one in DEPARTMENTS:
            client_id = department_client(one.slug)
            department_id = department_id_of(one.slug)
            await proving.put_department_system(conn, parts.clock, client_id, department_id, keys_of(client_id))
        for venue in VENUES:
            for device in venue.devices:
                client_id = device_client(device.slug)
                ids = device_id_of(device.slug), venue_id_of(venue.slug)
                await proving.put_device(conn, parts.clock, client_id, *ids, keys_of(client_id))


async def _join_parks(parts: CityParts, settings: Settings) -> None:
    """Register the parks department's manifest and let it go live; filed anew only when it, or its address, changed."""
    variables = {PORT_VARIABLE: str(settings.port + DEPARTMENTS_PORT_AFTER)}
    manifest = onboarding.read_file(MANIFEST, variables=variables)
    known = next((one for one in await onboarding.every_app(parts.db) if one.manifest.slug == manifest.slug), None)
    if known is None or known.manifest != manifest:
        known = await onboarding.register(parts.db, parts.clock, manifest, actor=ACTOR)
    if known.state is State.REGISTERED:
        await onboarding.go_live(parts.db, parts.clock, manifest.slug, actor=ACTOR)


async def plant_texts(parts: CityParts) -> None:
    """The departments' texts, approved."""
    for one in TEXTS:
        ids = department_id_of(one.department), text_id_of(one.slug)
        await plant_text(parts, *ids, one.sort, one.content, actor=ACTOR)
    await parts.snapshots.read_all()


async def plant_service_key(parts: CityParts) -> None:
    """The key with which programs of others send the parks department's texts."""
    key = service_key(parts.keys)
    service_id, secret = department_id_of(key.department), service_secret(parts.keys)
    await parts.services.keys.plant(service_id, key.name, key.kind, secret, actor=ACTOR)


async def _issue(parts: CityParts, tick: Callable[[str], None]) -> int:
    """Load every department's register; how many certificates were issued now.

    The first register makes the people known, then several are loaded side by side: nobody is sought twice at once.
    """
    registers = _registers(await _first_day(parts))
    total = 0
    bound = asyncio.Semaphore(REGISTERS_AT_ONCE_MAX)

    async def load(slug: str, requests: list[IssueRequest]) -> None:
        nonlocal total
        async with bound:
            if not await _is_issued(parts, requests[-1]):
                issuing, catalogue = parts.wallet.issuing, parts.wallet.catalogue()
                department_id = department_id_of(slug)
                issued = await issuing.issue_many(
                    parts.db, parts.clock, catalogue, department_id, requests, actor=ACTOR
                )
                total += len(issued)
                tick(f"{total} issued")

    first, *others = registers.items()
    await load(*first)
    await asyncio.gather(*(load(*register) for register in others))
    return total


def _registers(today: date) -> dict[str, list[IssueRequest]]:
    """What each department has to issue, always in the same order; the police, who know everybody, first."""
    registers: dict[str, list[IssueRequest]] = {one.slug: [] for one in DEPARTMENTS}
    for person, holding in all_holdings(today):
        registers[holding.department].append(_request(person, holding))
    return {slug: requests for slug, requests in registers.items() if requests}


async def _first_day(parts: CityParts) -> date:
    """The day the certificates are as of: that of the very first one, if planting has begun before."""
    today = in_shanghai(parts.clock.now()).date()
    police = next(iter(DEPARTMENTS))
    person, holding = PEOPLE[0], next(one for one in holdings(PEOPLE[0], today) if one.department == police.slug)
    try:
        issuer = parts.wallet.catalogue().issuers[police.uscc]
        first = await parts.wallet.issuing.find(parts.db, issuer, _request(person, holding).reference)
    except CertificateNotFound:
        return today
    return in_shanghai(first.issued_at).date()


async def _is_issued(parts: CityParts, request: IssueRequest) -> bool:
    """Whether a certificate is there. Registers are loaded in batches and in order: the last one comes last."""
    [issuer] = [one for one in parts.wallet.catalogue().issuers.values() if request.kind_code in one.kind_codes]
    try:
        await parts.wallet.issuing.find(parts.db, issuer, request.reference)
    except CertificateNotFound:
        return False
    return True


def _request(person: Person, holding: Holding) -> IssueRequest:
    return IssueRequest(
        reference=holding.issuer_reference,
        kind_code=holding.kind_code,
        holder=Identity(id_number=person.id_number, name=person.name),
        values=dict(holding.values),
        valid_from=holding.valid_from,
        valid_until=holding.valid_until,
        serial=holding.serial,
    )
