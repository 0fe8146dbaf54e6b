"""Builders for the wallet: a small catalogue, certificates in it, codes and scans."""

from datetime import date
from uuid import UUID, uuid4, uuid5

from city.demo.codes import id_number
from city.demo.model import Sex
from gateway.clients.registering import DeviceClients
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId, DeviceId, UseId, VenueId
from kernel.keys import SigningKeys
from kernel.limits import Limits
from kernel.people import Identity, People
from kernel.principal import VenueDevice
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.outbox import Outbox
from wallet.departments.issue_policy import IssueRequest
from wallet.model import (
    Certificate,
    Field,
    FieldType,
    Issuer,
    Kind,
    Scenario,
    Sensitivity,
    Venue,
    Verdict,
    Words,
)
from wallet.operators import cataloguing
from wallet.parts import Wallet

HOST = "127.0.0.1:8700"
ORIGIN = f"https://{HOST}"
POLICE = "11310000DEMA0001XX"
ID_CARD = f"{POLICE}001"
LICENCE = f"{POLICE}005"
HEALTH = "11310000DEMA0003XX"
HEALTH_CARD = f"{HEALTH}003"
_SPACE = UUID("6f1d2c3b-0000-4000-8000-000000000000")

POLICE_ID = DepartmentId(uuid5(_SPACE, "police"))
HEALTH_ID = DepartmentId(uuid5(_SPACE, "health"))
STATION, HOSPITAL, MUSEUM = (VenueId(uuid5(_SPACE, name)) for name in ("station", "hospital", "museum"))
SOMEBODY = Identity(id_number=id_number("310101", date(1990, 1, 1), Sex.FEMALE, 0), name="某甲")
SOMEBODY_ELSE = Identity(id_number=id_number("310104", date(1985, 5, 5), Sex.MALE, 0), name="某乙")

_TEXT, _DATE, _CODE, _INT = FieldType.TEXT, FieldType.DATE, FieldType.CODE, FieldType.INTEGER
_OPEN, _PERSONAL, _SENSITIVE = Sensitivity.OPEN, Sensitivity.PERSONAL, Sensitivity.SENSITIVE

KINDS = (
    Kind(
        ID_CARD,
        Words("居民身份证", "Resident identity card"),
        (
            Field("name", "姓名", "Name", _TEXT, _PERSONAL),
            Field("sex", "性别", "Sex", _CODE, _PERSONAL, ("male", "female")),
            Field("birth_date", "出生日期", "Date of birth", _DATE, _PERSONAL),
            Field("address", "住址", "Address", _TEXT, _SENSITIVE, is_required=False),
            Field("id_number", "公民身份号码", "ID number", _TEXT, _SENSITIVE),
        ),
        7300,
        "#2f6db5",
        "card",
    ),
    Kind(
        LICENCE,
        Words("机动车驾驶证", "Driving licence"),
        (
            Field("name", "姓名", "Name", _TEXT, _PERSONAL),
            Field("licence_class", "准驾车型", "Class", _CODE, _OPEN),
            Field("points", "记分", "Points", _INT, _OPEN, is_required=False),
        ),
        3650,
        "#333333",
        "card",
    ),
    Kind(
        HEALTH_CARD,
        Words("健康合格证明", "Health certificate"),
        (Field("name", "姓名", "Name", _TEXT, _PERSONAL), Field("fit", "合格", "Fit", FieldType.BOOLEAN, _OPEN)),
        None,
        "#118855",
        "sheet",
    ),
)
SCENARIOS = (
    Scenario("station.entry", 1, Words("实名进站", "Entering"), Words("核对票证人一致", "Ticket and traveller agree"),
             {ID_CARD: ("name", "id_number"), LICENCE: ("name",)}),
    Scenario("hospital.registration", 1, Words("挂号建档", "Registering"), Words("确认就诊人", "To know the patient"),
             {ID_CARD: ("name", "sex", "birth_date", "id_number", "identifier")}),
    Scenario("museum.entry", 1, Words("预约入馆", "Entering as booked"), Words("核对预约人", "To know who booked"),
             {ID_CARD: ("name",)}),
)  # fmt: skip


def a_venue(venue_id: VenueId, sort: str, name: str, *scenario_codes: str) -> Venue:
    granted = frozenset(scenario_codes)
    return Venue(venue_id, sort, "12310104DEMB0001XX", Words(name, sort), "310104", "样板路1号", granted)


VENUES = (
    a_venue(STATION, "station", "云上站", "station.entry"),
    a_venue(HOSPITAL, "hospital", "青禾医院", "hospital.registration"),
    a_venue(MUSEUM, "museum", "小满博物馆", "museum.entry"),
)


def device_at(venue_id: VenueId, number: int = 1) -> VenueDevice:
    """One of the three devices of each venue."""
    return VenueDevice(DeviceId(uuid5(venue_id, f"device {number}")), venue_id)


DEVICES_EACH = 3


async def a_catalogue(db: Database, clock: Clock) -> None:
    """Three kinds of two issuers, three scenarios, three venues with their devices."""
    async with db.transaction() as conn:
        for kind in KINDS:
            await cataloguing.put_kind(conn, kind)
        police = Issuer(POLICE, POLICE_ID, Words("公安局", "Police"), frozenset({ID_CARD, LICENCE}))
        health = Issuer(HEALTH, HEALTH_ID, Words("卫生健康委员会", "Health"), frozenset({HEALTH_CARD}))
        for issuer in (police, health):
            await cataloguing.put_issuer(conn, issuer, now=clock.now())
        for scenario in SCENARIOS:
            await cataloguing.put_scenario(conn, scenario)
        for venue in VENUES:
            await cataloguing.put_venue(conn, venue)
            for number in range(1, DEVICES_EACH + 1):
                device = device_at(venue.venue_id, number)
                await cataloguing.put_device(conn, device.device_id, venue.venue_id, Words("闸机", "Gate"))


async def a_wallet(db: Database, redis: Redis, clock: Clock, keys: Keys, *, with_catalogue: bool = True) -> Wallet:
    """A wallet with its catalogue read."""
    if with_catalogue:
        await a_catalogue(db, clock)
    people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
    signing_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
    await signing_keys.ensure()
    wallet = Wallet(
        db=db, redis=redis, clock=clock, keys=keys, people=people, outbox=Outbox(keys), signing_keys=signing_keys,
        limits=Limits(redis, clock, subject_key=keys.derived("kernel.limits")), public_host=HOST, public_origin=ORIGIN,
        code_lifetime_seconds=60, registrar=DeviceClients(clock),
    )  # fmt: skip
    for snapshot in wallet.snapshots:
        await snapshot.refresh()
    return wallet


def an_id_card(reference: str = "R-1", holder: Identity = SOMEBODY) -> IssueRequest:
    return IssueRequest(
        reference=reference,
        kind_code=ID_CARD,
        holder=holder,
        values={
            "name": holder.name,
            "sex": "female",
            "birth_date": "1990-01-01",
            "address": "如意桥路9号",
            "id_number": holder.id_number,
        },
        valid_from=date(2020, 1, 1),
        valid_until=date(2040, 1, 1),
    )


async def issued(wallet: Wallet, request: IssueRequest | None = None) -> Certificate:
    """An identity card of somebody, unless another is asked for."""
    wanted = request or an_id_card()
    catalogue = wallet.catalogue()
    department_id = POLICE_ID if wanted.kind_code.startswith(POLICE) else HEALTH_ID
    return await wallet.issuing.issue(
        wallet.db,
        wallet.clock,
        catalogue.issuer_of(department_id, wanted.kind_code),
        catalogue.kinds.get(wanted.kind_code),
        wanted,
        actor=f"department:{department_id}",
    )


async def a_code(wallet: Wallet, certificate: Certificate, scenario: str = "station.entry", *fields: str) -> str:
    shown = await wallet.minter.mint(certificate.person_id, certificate.certificate_id, scenario, fields or None)
    return shown.text


async def scanned(wallet: Wallet, text: str, device: VenueDevice | None = None, use_id: UseId | None = None) -> Verdict:
    """What a device of the station hears about a code, unless another device is named."""
    return await wallet.verifier.verify(device or device_at(STATION), text, use_id or UseId(uuid4()))
