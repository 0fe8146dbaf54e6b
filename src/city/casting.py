"""Who can be played in the demo city: named on the banner and the first page, told whole to whoever plays it."""

from pathlib import Path
from typing import Final

from city.demo.clients import DemoKeys, department_client, device_client
from city.demo.departments import DEPARTMENT_BY_SLUG, DEPARTMENTS
from city.demo.kinds import KINDS
from city.demo.model import Staff
from city.demo.offices import OFFICE_BY_SLUG
from city.demo.people import CAST, PEOPLE, PERSON_BY_KEY
from city.demo.service_key import service_key
from city.demo.staff import STAFF, STAFF_BY_KEY
from city.demo.venues import VENUE_BY_SLUG, VENUES
from gateway.demo.cast import Cast, PlayedClient, PlayedKey, PlayedPerson, PlayedStaff, Role
from kernel.sealing import Keys
from kernel.settings import Settings

_APPS: Final = ["parks"]
_PLAYED: Final = (
    ("resident", "a teacher: show a certificate, book, open the parks app"),
    ("cook", "a cook with a health certificate"),
    ("elder", "a pensioner with a senior citizen's card"),
    ("newcomer", "somebody new in the city, with a residence permit"),
)
_DESK: Final = "s-desk-pudong-service-centre"
_VENUE: Final = "suishen-railway-station"


def roles() -> list[Role]:
    """A few of everybody, each with how to sign in and what to try."""
    played = []
    for part, what in _PLAYED:
        person = PERSON_BY_KEY[CAST[part]]
        assert person.phone is not None
        how = f"phone {person.phone}, ID {person.id_number}"
        played.append(Role("resident", person.name, how, what))
    station, police = VENUE_BY_SLUG[_VENUE], DEPARTMENT_BY_SLUG["police"]
    gate = device_client(station.devices[0].slug)
    desk, operator = STAFF_BY_KEY[_DESK], STAFF_BY_KEY["s-operator"]
    assert desk.office is not None
    office = OFFICE_BY_SLUG[desk.office].name_en
    return [
        *played,
        Role("venue", station.name_zh, f"{gate}, key in /demo/cast", "scan a code; show one that asks"),
        Role("department", police.name_zh, f"{department_client(police.slug)}, key in /demo/cast", "issue, revoke"),
        Role("desk", desk.name, f"phone {desk.phone}", f"the counter of {office}"),
        Role("operator", operator.name, f"phone {operator.phone}", "audit, keys, alerts, apps"),
    ]


def who_is_who() -> list[tuple[str, str, str]]:
    """The same for the banner of `./run`: role, how, what."""
    codes = ("", "their sign-in codes", "are shown in the demo outbox, on the first page")
    return [*((f"{role.role} {role.who}", role.how, role.what) for role in roles()), codes]


def cast(settings: Settings) -> Cast:
    """Everybody, with the keys that this installation made for the demo. Raises KeyFileRefused."""
    keys = Keys.read(settings.key_file)
    demo_keys = DemoKeys(keys)
    first = [PERSON_BY_KEY[key] for key in CAST.values()]
    residents = first + [person for person in PEOPLE if person not in first]
    return Cast(
        roles=roles(),
        issuer=settings.public_origin,
        residents=[PlayedPerson(one.name, one.id_number, one.phone) for one in residents if one.phone is not None],
        staff=[PlayedStaff(one.name, one.phone, one.role.value, _office_of(one)) for one in STAFF],
        clients=[*_department_systems(demo_keys), *_devices(demo_keys)],
        chat_platform_url=settings.chat_platform_url,
        apps=_APPS,
        service_keys=[_played_key(keys)],
    )


def how_to_send(key_file: Path, url: str) -> list[tuple[str, str, str]]:
    """What a program written for GOV.UK Notify is given, for the banner. Raises KeyFileRefused."""
    key = _played_key(Keys.read(key_file))
    return [("base URL", url, ""), ("API key", key.key, "")]


def _played_key(keys: Keys) -> PlayedKey:
    key = service_key(keys)
    return PlayedKey(key.text, key.kind, DEPARTMENT_BY_SLUG[key.department].name_zh, key.department)


def _office_of(one: Staff) -> str:
    return "" if one.office is None else OFFICE_BY_SLUG[one.office].name_zh


def _department_systems(demo_keys: DemoKeys) -> list[PlayedClient]:
    return [
        PlayedClient(
            client_id=department_client(one.slug),
            audience="department",
            owner=one.name_zh,
            sort=one.slug,
            private_jwk=demo_keys.private_jwk(department_client(one.slug)),
            kinds=[kind.code for kind in KINDS if kind.department == one.slug],
        )
        for one in DEPARTMENTS
    ]


def _devices(demo_keys: DemoKeys) -> list[PlayedClient]:
    return [
        PlayedClient(
            client_id=device_client(device.slug),
            audience="venue",
            owner=venue.name_zh,
            sort=venue.sort.value,
            private_jwk=demo_keys.private_jwk(device_client(device.slug)),
            scenarios=list(venue.scenarios),
        )
        for venue in VENUES
        for device in venue.devices
    ]
