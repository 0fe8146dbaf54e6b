"""A resident collects what a department's register has and the wallet has not, through the department's own server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jsonschema_rs
import pytest
import yaml

from city import loopback
from city.departments import parks, parks_register, serving
from city.departments.parks import Parks
from city.departments.token_checking import TokenChecker
from city.seeds import department_id_of
from gateway.departments import manifest as manifests
from gateway.departments import onboarding
from gateway.departments.errors import ServerNotReady
from gateway.departments.model import State
from gateway.departments.vouching import Vouching
from kernel.ids import AccountId, PersonId, SessionId
from kernel.people import Identity
from kernel.principal import Audience, Resident
from tests.builders_loading import DepartmentRegister, somebody
from tests.whole_city import Caller, TestCity, code_of
from wallet.loading.collecting import COLLECTIONS
from wallet.model import Field, FieldType, Issuer, Kind, Sensitivity, Words
from wallet.operators import cataloguing

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "openapi" / "department-app.yaml").read_text(encoding="utf-8"))
PARKS = department_id_of("parks")
KIND = parks_register.KIND
VOLUNTEERS = [somebody(number) for number in range(60)]
IN_IT, NOT_IN_IT = (
    next(who for who in VOLUNTEERS if parks_register.is_volunteer(who.id_number, date(2026, 3, 2)) is wanted)
    for wanted in (True, False)
)


@pytest.fixture(autouse=True)
async def catalogue(city: TestCity) -> None:
    fields = tuple(
        Field(one.name, one.label_zh, one.label_en, FieldType(one.type.value), Sensitivity(one.sensitivity.value))
        for one in KIND.fields
    )
    kind = Kind(KIND.code, Words(KIND.name_zh, KIND.name_en), fields, KIND.valid_days, "#000000", "card")
    other = Kind("11310000DEMA00160C009", Words("别的", "Other"), fields, None, "#000000", "card")
    async with city.parts.db.transaction() as conn:
        await onboarding.put_department(conn, PARKS, slug="parks", name_zh="绿化局", name_en="Parks")
    async with city.parts.db.transaction() as conn:
        codes = frozenset({kind.kind_code, other.kind_code})
        issuer = Issuer(KIND.code[:18], PARKS, Words("绿化局", "Parks"), codes)
        for one in (kind, other):
            await cataloguing.put_kind(conn, one)
        await cataloguing.put_issuer(conn, issuer, now=city.clock.now())
    await city.renew()


async def join(city: TestCity, home: str) -> None:
    """The parks department, with the manifest it really has."""
    port = home.rpartition(":")[2]
    manifest = onboarding.read_file(serving.MANIFEST, variables={serving.PORT_VARIABLE: port})
    await onboarding.register(city.parts.db, city.clock, manifest, actor="system:test")
    await city.parts.departments.go_live("parks", actor="system:test")
    await city.renew()


@asynccontextmanager
async def real_parks(city: TestCity) -> AsyncIterator[str]:
    """The demo department's own server, joined; it gets its keys from this very city."""

    async def fetch() -> bytes:
        return (await city.as_nobody().get("/.well-known/jwks.json")).content

    issuer = city.settings.public_origin
    checker = TokenChecker(issuer=issuer, audience="parks", clock=city.clock, fetch_keys=fetch)
    async with loopback.serving(Parks(checker, city.clock).app(), 0) as port:
        await join(city, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}{parks.REGISTER_PATH}"


@pytest.fixture
async def register(city: TestCity) -> AsyncIterator[DepartmentRegister]:
    """A register that answers as it is told to."""
    fake = DepartmentRegister("parks")
    async with loopback.serving(fake.app(), 0) as port:
        await join(city, f"http://127.0.0.1:{port}")
        yield fake


async def citizen(city: TestCity, who: Identity = IN_IT, audience: Audience = Audience.RESIDENT) -> Caller:
    async with city.parts.db.transaction() as conn:
        person_id = await city.parts.people.mint(conn, who, now=city.clock.now())
    return city.as_resident(PersonId(person_id), audience=audience)


async def collect(caller: Caller, kind_code: str = KIND.code) -> Any:
    return await caller.post("/collections", {"kind_code": kind_code})


def entry(who: Identity = IN_IT, **other: Any) -> dict[str, Any]:
    return {
        "reference": "V-1",
        "kind_code": KIND.code,
        "holder": {"id_number": who.id_number, "name": who.name},
        "values": {"name": who.name, "volunteer_hours": 40, "park_scope": "湿地"},
        "valid_from": "2026-01-01",
        "valid_until": "2026-12-31",
    } | other


async def counted(city: TestCity) -> int:
    return int(await city.parts.db.fetchval("SELECT count(*) FROM wallet.certificate"))


@pytest.mark.parametrize("audience", [Audience.RESIDENT, Audience.MINI])
async def test_the_demo_departments_register_is_collected_from(city: TestCity, audience: Audience) -> None:
    async with real_parks(city):
        me = await citizen(city, audience=audience)
        assert [one["kind_code"] for one in (await me.get("/collections")).json()["kinds"]] == [KIND.code]
        for issued in (1, 0):
            answer = await collect(me)
            assert answer.status_code == 200, answer.text
            assert (answer.json()["outcome"], answer.json()["issued"]) == ("found", issued)
            [card] = answer.json()["certificates"]
            assert (card["kind_code"], card["state"]) == (KIND.code, "issued")
        listed = (await me.get("/certificates")).json()["certificates"]
        assert [one["certificate_id"] for one in listed] == [card["certificate_id"]]


async def test_the_demo_departments_register_answers_as_its_contract_says_and_to_nobody_else(city: TestCity) -> None:
    async with real_parks(city) as url, aiohttp.ClientSession() as http:
        vouching = Vouching(city.parts.signing_keys, b"pairwise", issuer=city.settings.public_origin)
        app = city.parts.departments.apps.by_slug["parks"]

        async def look_up(person: UUID | None, *, token: str | None = None, **other: Any) -> tuple[int, Any]:
            resident = Resident(AccountId(uuid4()), SessionId(uuid4()), None if person is None else PersonId(person))
            made = vouching.token(app, resident, Audience.RESIDENT, "POST", now=city.clock.now())
            headers = {"Authorization": f"Bearer {made if token is None else token}"}
            body = {"kind_code": KIND.code, "holder": {"id_number": IN_IT.id_number, "name": IN_IT.name}} | other
            async with http.post(url, json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        status, found = await look_up(uuid4())
        assert (status, len(found["certificates"])) == (200, 1)
        operation = CONTRACT["paths"][parks.REGISTER_PATH]["post"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema_rs.Draft202012Validator(schema | {"components": CONTRACT["components"]}).validate(found)
        assert await look_up(uuid4(), kind_code="1" * 21) == (200, {"certificates": []})
        assert (await look_up(None))[0] == 403
        assert (await look_up(uuid4(), token=""))[0] == 401
        assert (await look_up(uuid4(), holder={"id_number": "x", "name": "某"}))[0] == 400


async def test_that_nothing_was_found_is_an_answer(city: TestCity) -> None:
    async with real_parks(city):
        answer = await collect(await citizen(city, NOT_IN_IT))
        assert (answer.status_code, answer.json()) == (
            200,
            {"outcome": "nothing_found", "issued": 0, "certificates": []},
        )


async def test_a_register_is_asked_for_the_person_who_asks_and_with_a_token_made_for_it(
    city: TestCity, register: DepartmentRegister
) -> None:
    register.entries = [entry()]
    me = await citizen(city)
    await collect(me)
    [request] = register.asked
    assert request.body == {
        "kind_code": KIND.code,
        "holder": {"id_number": IN_IT.id_number, "name": IN_IT.name},
    }
    assert me.headers["Authorization"] not in request.headers.values()
    assert request.headers["Authorization"].startswith("Bearer ")
    [row] = await city.parts.db.fetch("SELECT act, detail FROM kernel.audit WHERE act = 'wallet.collect'")
    assert '"found"' in row["detail"]
    assert IN_IT.id_number not in row["detail"]


async def test_only_those_whose_real_name_was_checked_collect(city: TestCity, register: DepartmentRegister) -> None:
    answer = await collect(city.as_resident(None))
    assert code_of(answer) == "access.real_name_needed"
    assert register.asked == []


async def test_what_changed_in_the_register_since_supersedes_what_was_collected(
    city: TestCity, register: DepartmentRegister
) -> None:
    me = await citizen(city)
    register.entries = [entry()]
    await collect(me)
    register.entries = [entry(valid_until="2027-12-31")]
    for issued in (1, 0):
        answer = (await collect(me)).json()
        assert answer["issued"] == issued
        assert sorted(one["state"] for one in answer["certificates"]) == ["issued", "superseded"]


async def test_what_its_department_ended_is_not_collected_again(city: TestCity, register: DepartmentRegister) -> None:
    me = await citizen(city)
    register.entries = [entry()]
    [card] = (await collect(me)).json()["certificates"]
    department = city.as_department(PARKS, "parks")
    for step, reason in (("suspend", "lost"), ("revoke", "lost")):
        await department.post(f"/certificates/{card['certificate_id']}/{step}", {"reason": reason})
        register.entries = [entry(valid_until="2027-12-31")]
        answer = (await collect(me)).json()
        assert (answer["issued"], len(answer["certificates"])) == (0, 1)


BAD_ANSWERS: tuple[Any, ...] = (
    [entry(VOLUNTEERS[7])],
    [entry(), entry(VOLUNTEERS[7], reference="V-2")],
    [entry(kind_code="11310000DEMA00160C009")],
    [entry(values={"name": "某"})],
    [entry(valid_until="2020-01-01")],
    [entry() | {"nonsense": 1}],
    [entry(reference=f"V-{number}") for number in range(21)],
    [None],
    "nothing",
)


@pytest.mark.parametrize("entries", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
async def test_an_answer_that_may_not_be_issued_issues_nothing(
    city: TestCity, register: DepartmentRegister, entries: Any
) -> None:
    register.entries = entries
    answer = await collect(await citizen(city))
    assert (answer.status_code, code_of(answer)) == (502, "wallet.register_answer_refused")
    assert await counted(city) == 0
    acts = "SELECT count(*) FROM kernel.audit WHERE act = 'wallet.collect'"
    assert await city.parts.db.fetchval(acts) == 1


@pytest.mark.parametrize("status", [500, 401, 302, 429])
async def test_a_department_that_is_away_is_said_to_be_away(
    city: TestCity, register: DepartmentRegister, status: int
) -> None:
    register.status = status
    answer = await collect(await citizen(city))
    assert (answer.status_code, code_of(answer)) == (503, "wallet.register_away")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_department_that_goes_wrong_is_left_alone_for_a_while(
    city: TestCity, register: DepartmentRegister
) -> None:
    register.status = 500
    me, you = await citizen(city), await citizen(city, NOT_IN_IT)
    for caller in [me] * 4 + [you] * 4:
        assert (await collect(caller)).status_code == 503
    assert len(register.asked) == 5


async def test_a_suspended_app_is_not_asked(city: TestCity, register: DepartmentRegister) -> None:
    await onboarding.suspend(city.parts.db, city.clock, "parks", actor="system:test")
    await city.renew()
    me = await citizen(city)
    assert (await me.get("/collections")).json() == {"kinds": []}
    assert code_of(await collect(me)) == "wallet.kind_not_collected"
    assert register.asked == []


async def test_a_person_asks_so_often_and_no_oftener(city: TestCity, register: DepartmentRegister) -> None:
    me = await citizen(city)
    statuses = [(await collect(me)).status_code for _ in range(COLLECTIONS.permits + 2)]
    assert statuses == [200] * COLLECTIONS.permits + [429] * 2
    assert (await collect(await citizen(city, NOT_IN_IT))).status_code == 200


async def test_a_kind_that_no_register_offers_is_not_collected(city: TestCity, register: DepartmentRegister) -> None:
    me = await citizen(city)
    assert code_of(await collect(me, "11310000DEMA00160C009")) == "wallet.kind_not_collected"
    assert code_of(await collect(me, "1" * 21)) == "wallet.kind_not_found"


async def test_a_register_that_anybody_could_read_does_not_go_live(
    city: TestCity, register: DepartmentRegister
) -> None:
    register.is_guarded = False
    with pytest.raises(ServerNotReady, match="expected 401"):
        await city.parts.departments.go_live("parks", actor="system:test")
    register.is_guarded = True
    assert (await city.parts.departments.go_live("parks", actor="system:test")).state is State.LIVE


def test_the_manifest_names_kinds_by_their_codes() -> None:
    text = serving.MANIFEST.read_text(encoding="utf-8")
    read = manifests.read(text, variables={serving.PORT_VARIABLE: "8702"})
    assert read.registers == [KIND.code]
    with pytest.raises(manifests.ManifestRefused, match="registers"):
        manifests.read(text.replace(KIND.code, "park_volunteer"), variables={serving.PORT_VARIABLE: "8702"})


def test_whoever_the_seeds_made_a_volunteer_has_that_very_card(city: TestCity) -> None:
    today = city.clock.now().date()
    seeded = [
        (person, held)
        for person in parks_register.PEOPLE
        for held in parks_register.holdings(person, today)
        if held.kind_code == KIND.code
    ]
    assert len(seeded) >= 3
    for person, held in seeded:
        [found] = parks_register.entries_of(person.id_number, person.name, KIND.code, today)
        assert (found["reference"], found["values"]) == (held.issuer_reference, held.values)
