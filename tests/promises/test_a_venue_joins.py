"""An organisation asks to verify, an operator lets it, and an hour later its own device scans its first code."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.clients.errors import ClientNotProved, PublicKeyRefused
from kernel.clock import StoppedClock
from kernel.db import Connection
from kernel.ids import DeviceId, StaffId, VenueId
from kernel.principal import VenueDevice
from kernel.sealing import Keys
from notifications.outbox import Outbox
from tests.builders_joining import (
    AQUARIUM,
    NAME_ONLY,
    PHONE,
    STATION_WANTED,
    NewDevice,
    an_application,
    entrance_of,
    filed,
    granting,
)
from tests.builders_wallet import ID_CARD, LICENCE, MUSEUM, SOMEBODY, a_code, device_at, issued, scanned
from tests.wire_wallet import Wire
from wallet.model import NO_TERMS, Outcome
from wallet.onboarding.applying import Bounds
from wallet.onboarding.deciding import Deciding
from wallet.onboarding.forgetting import DECIDED_KEPT_FOR, forget_old
from wallet.onboarding.model import APPLICATIONS_OPEN_MAX, DEVICES_MAX, PublicJwk
from wallet.parts import Wallet


async def approved(wallet: Wallet, application_id: UUID, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    """What the operator hears; afterwards the process knows the venue, as it would within five seconds."""
    path = f"/venue-applications/{application_id}/approve"
    answer = await Wire(wallet).operator().post(path, json=body or granting())
    assert answer.status_code == status, answer.text
    await wallet.snapshots[0].refresh()
    return answer.json()


async def joined(wallet: Wallet, device: NewDevice, **terms: Any) -> dict[str, Any]:
    """What a venue that was let in reads: who it is now, and where to ask."""
    anybody = Wire(wallet).anybody()
    application_id, secret = await filed(anybody, an_application(device))
    await approved(wallet, application_id, granting(**terms))
    read = (await anybody.get(f"/venue-applications/{application_id}", headers=secret)).json()
    assert read["state"] == "approved"
    return dict(read["access"])


def proved(access: dict[str, Any]) -> VenueDevice:
    return VenueDevice(DeviceId(UUID(access["device_id"])), VenueId(UUID(access["venue_id"])))


async def test_a_venue_applies_is_approved_proves_its_device_and_verifies(wallet: Wallet, clock: StoppedClock) -> None:
    device = NewDevice()
    access = await joined(wallet, device)
    assert await device.token(entrance_of(wallet), access, clock)
    verdict = await scanned(wallet, await a_code(wallet, await issued(wallet)), proved(access))
    assert (verdict.outcome, verdict.fields["name"]) == (Outcome.VALID, SOMEBODY.name)
    venue = wallet.catalogue().venues[proved(access).venue_id]
    assert (venue.name.zh, venue.credit_code, venue.scenario_codes) == ("浅海水族馆", AQUARIUM, {"station.entry"})
    acts = {row["act"] for row in await wallet.db.fetch("SELECT act FROM kernel.audit")}
    assert {"wallet.file_venue_application", "wallet.approve_venue_application"} <= acts


async def test_a_lost_answer_is_heard_again_and_another_application_is_not_taken_for_it(
    wallet: Wallet, clock: StoppedClock
) -> None:
    anybody, body, path = Wire(wallet).anybody(), an_application(), f"/venue-applications/{uuid4()}"
    first, again = [await anybody.put(path, json=body) for _ in range(2)]
    assert first.json() == again.json()
    other = await anybody.put(path, json=an_application())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    clock.advance(timedelta(hours=25))
    late = await anybody.put(path, json=body)
    assert (late.status_code, late.json()["code"]) == (409, "wallet.application_known")
    assert (await anybody.put(path, json=an_application())).json()["code"] == "idempotency.key_reused"
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.venue_application") == 1


async def test_only_the_secret_opens_an_application_and_nobody_learns_whether_there_is_one(wallet: Wallet) -> None:
    anybody = Wire(wallet).anybody()
    application_id, secret = await filed(anybody, an_application())
    wrong = await anybody.get(f"/venue-applications/{application_id}", headers={"Application-Secret": "A" * 32})
    absent = await anybody.get(f"/venue-applications/{uuid4()}", headers=secret)
    assert wrong.status_code == absent.status_code == 404
    assert wrong.content == absent.content
    assert (await anybody.get(f"/venue-applications/{application_id}", headers=secret)).json()["state"] == "filed"
    assert (await anybody.get(f"/venue-applications/{application_id}")).status_code == 400


async def test_what_lies_in_the_database_tells_neither_the_contact_nor_the_secret(wallet: Wallet) -> None:
    application_id, secret = await filed(Wire(wallet).anybody(), an_application())
    lies = await wallet.db.fetchval("SELECT a::text FROM wallet.venue_application AS a")
    lies += await wallet.db.fetchval("SELECT string_agg(a::text, '') FROM kernel.idempotency AS a")
    assert str(application_id) in lies
    for told in (secret["Application-Secret"], PHONE, "闻人静"):
        assert told not in lies
        assert told.encode().hex() not in lies


@pytest.mark.parametrize(
    "change, status, code",
    [
        ({"organisation": {"credit_code": AQUARIUM[:-1] + "0"}}, 422, "wallet.credit_code_refused"),
        ({"device": {"public_key": {"x": "A" * 43, "y": "A" * 43}}}, 422, "wallet.device_key_refused"),
        ({"device": {"public_key": {"d": "A" * 43}}}, 400, "request.malformed"),
        ({"contact": {"phone": "+442071838750"}}, 400, "request.malformed"),
    ],
)  # fmt: skip
async def test_an_application_that_cannot_be_is_refused(
    wallet: Wallet, change: dict[str, Any], status: int, code: str
) -> None:
    body = an_application()
    for part, changed in change.items():
        for name, value in changed.items():
            old = body[part].get(name)
            body[part][name] = old | value if isinstance(old, dict) else value
    answer = await Wire(wallet).anybody().put(f"/venue-applications/{uuid4()}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "wanted, code",
    [
        ([STATION_WANTED | {"scenario_code": "no.such"}], "wallet.catalogue_incomplete"),
        ([STATION_WANTED, STATION_WANTED], "wallet.catalogue_incomplete"),
        ([STATION_WANTED | {"grants": {ID_CARD: ["birth_date"]}}], "wallet.terms_refused"),
        ([STATION_WANTED | {"opens": "09:00", "closes": "09:00"}], "wallet.terms_refused"),
        ([STATION_WANTED | {"opens": "09:00"}], "wallet.terms_refused"),
    ],
)
async def test_only_what_there_is_can_be_asked_for(wallet: Wallet, wanted: list[dict[str, Any]], code: str) -> None:
    answer = await Wire(wallet).anybody().put(f"/venue-applications/{uuid4()}", json=an_application(None, *wanted))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_operator_may_grant_less_than_was_asked_for_and_never_more(wallet: Wallet) -> None:
    anybody = Wire(wallet).anybody()
    asked = STATION_WANTED | {"grants": {ID_CARD: ["name", "id_number"]}}
    application_id, secret = await filed(anybody, an_application(None, asked))
    for beyond in (granting("museum.entry"), granting(grants={LICENCE: ["name"]})):
        assert (await approved(wallet, application_id, beyond, 422))["code"] == "wallet.terms_refused"
    looked = await approved(wallet, application_id, granting(**NAME_ONLY, quota_per_day=10))
    [granted] = looked["granted"]
    assert (granted["terms"]["grants"], granted["terms"]["quota_per_day"]) == ({ID_CARD: ["name"]}, 10)
    access = (await anybody.get(f"/venue-applications/{application_id}", headers=secret)).json()["access"]
    verdict = await scanned(wallet, await a_code(wallet, await issued(wallet)), proved(access))
    assert (verdict.outcome, verdict.fields) == (Outcome.VALID, {"name": SOMEBODY.name})


async def test_who_asked_for_less_is_not_granted_more_by_default(wallet: Wallet) -> None:
    application_id, _ = await filed(Wire(wallet).anybody(), an_application(None, STATION_WANTED | NAME_ONLY))
    [granted] = (await approved(wallet, application_id))["granted"]
    assert granted["terms"]["grants"] == {ID_CARD: ["name"]}


async def test_approving_twice_and_at_once_makes_one_venue(wallet: Wallet) -> None:
    application_id, _ = await filed(Wire(wallet).anybody(), an_application())
    before = len(wallet.catalogue().venues)
    looked = await asyncio.gather(*(approved(wallet, application_id) for _ in range(4)))
    assert len({one["application"]["venue_id"] for one in looked}) == 1
    assert len(wallet.catalogue().venues) == before + 1
    refused = await approved(wallet, application_id, granting(quota_per_day=1), 409)
    assert refused["code"] == "wallet.application_decided"


class FullRegistrar:
    """An entrance that cannot take one more key."""

    async def put(
        self, conn: Connection, client_id: str, device_id: DeviceId, venue_id: VenueId, key: PublicJwk
    ) -> None:
        raise PublicKeyRefused

    async def end(self, conn: Connection, device_id: DeviceId, *, now: datetime) -> None:
        raise PublicKeyRefused


async def test_a_venue_comes_with_its_device_and_its_key_or_not_at_all(
    wallet: Wallet, clock: StoppedClock, keys: Keys
) -> None:
    application_id, secret = await filed(Wire(wallet).anybody(), an_application())
    deciding = Deciding(wallet.db, clock, keys, Outbox(keys), FullRegistrar())
    with pytest.raises(PublicKeyRefused):
        await deciding.approve(application_id, {"station.entry": NO_TERMS}, by=StaffId(uuid4()))
    await wallet.snapshots[0].refresh()
    assert len(wallet.catalogue().venues) == 3
    read = await Wire(wallet).anybody().get(f"/venue-applications/{application_id}", headers=secret)
    assert read.json()["state"] == "filed"
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message") == 0
    await approved(wallet, application_id)


async def test_a_rejected_applicant_reads_why_and_is_told_by_sms(wallet: Wallet) -> None:
    wire = Wire(wallet)
    application_id, secret = await filed(wire.anybody(), an_application())
    path = f"/venue-applications/{application_id}"
    said = [await wire.operator().post(f"{path}/reject", json={"reason": "用途不清"}) for _ in range(2)]
    assert [one.status_code for one in said] == [200, 200]
    read = (await wire.anybody().get(path, headers=secret)).json()
    assert (read["state"], read["reason"], read["access"]) == ("rejected", "用途不清", None)
    assert (await approved(wallet, application_id, None, 409))["code"] == "wallet.application_decided"
    other = await wire.operator().post(f"{path}/reject", json={"reason": "别的"})
    assert other.status_code == 409
    [owed] = await wallet.db.fetch("SELECT template, person_id, address FROM notifications.message")
    assert (owed["template"], owed["person_id"]) == ("venue_application_decided", None)
    assert owed["address"] is not None


async def test_an_application_taken_back_forgets_whom_to_tell(wallet: Wallet) -> None:
    wire = Wire(wallet)
    application_id, secret = await filed(wire.anybody(), an_application())
    path = f"/venue-applications/{application_id}"
    assert [(await wire.anybody().delete(path, headers=secret)).status_code for _ in range(2)] == [204, 204]
    looked = (await wire.operator().get(path)).json()
    assert (looked["application"]["state"], looked["contact"]) == ("withdrawn", None)
    assert await wallet.db.fetchval("SELECT length(contact) FROM wallet.venue_application") == 0
    assert (await approved(wallet, application_id, None, 409))["code"] == "wallet.application_decided"


async def test_whoever_looks_at_a_contact_is_on_record_and_lists_show_none(wallet: Wallet) -> None:
    wire = Wire(wallet)
    ids = [(await filed(wire.anybody(), an_application()))[0] for _ in range(3)]
    page = (await wire.operator().get("/venue-applications?limit=2")).json()
    rest = (await wire.operator().get(f"/venue-applications?limit=2&cursor={page['next_cursor']}")).json()
    listed = [one["application_id"] for one in page["applications"] + rest["applications"]]
    assert sorted(listed) == sorted(map(str, ids))
    assert rest["next_cursor"] is None
    assert PHONE not in str(page)
    assert (await wire.operator().get("/venue-applications?cursor=AAAA")).status_code == 400
    looked = (await wire.operator().get(f"/venue-applications/{ids[0]}")).json()
    assert looked["contact"] == {"name": "闻人静", "phone": PHONE, "language": "zh"}
    read = "SELECT subject FROM kernel.audit WHERE act = 'wallet.read_venue_application'"
    assert [row["subject"] for row in await wallet.db.fetch(read)] == [f"venue_application:{ids[0]}"]


async def test_one_address_files_no_more_than_a_few_applications_an_hour(wallet: Wallet) -> None:
    anybody = Wire(wallet).anybody()
    most = Bounds().filed_by_address.permits
    answers = [await anybody.put(f"/venue-applications/{uuid4()}", json=an_application()) for _ in range(most + 1)]
    assert [one.status_code for one in answers] == [201] * most + [429]
    assert answers[-1].json()["code"] == "wallet.too_many_applications"
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_no_more_applications_wait_at_once_than_operators_can_answer(wallet: Wallet) -> None:
    await wallet.db.fetch(
        "INSERT INTO wallet.venue_application (application_id, secret_digest, body_digest, organisation, contact,"
        " wanted, device, state, filed_at)"
        " SELECT gen_random_uuid(), sha256(''), sha256(''), '{}', '', '[]', '{}', 'filed', now()"
        f" FROM generate_series(1, {APPLICATIONS_OPEN_MAX})"
    )
    refused = await Wire(wallet).anybody().put(f"/venue-applications/{uuid4()}", json=an_application())
    assert (refused.status_code, refused.json()["code"]) == (429, "wallet.too_many_applications")


async def test_a_venue_brings_its_next_device_once_however_often_it_asks(wallet: Wallet, clock: StoppedClock) -> None:
    access, second = await joined(wallet, NewDevice()), NewDevice()
    clock.advance(timedelta(seconds=1))
    gate = Wire(wallet).venue(proved(access))
    body, key = second.body(), {"Idempotency-Key": "gate-2"}
    first, again = [await gate.post("/devices", json=body, headers=key) for _ in range(2)]
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    other = await gate.post("/devices", json=NewDevice().body(), headers=key)
    assert other.json()["code"] == "idempotency.key_reused"
    await wallet.snapshots[0].refresh()
    enrolled = first.json()
    assert await second.token(entrance_of(wallet), enrolled, clock)
    verdict = await scanned(wallet, await a_code(wallet, await issued(wallet)), proved(access | enrolled))
    assert verdict.outcome is Outcome.VALID
    listed = (await gate.get("/devices")).json()["devices"]
    assert [(one["device_id"], one["is_this"]) for one in listed] == [
        (access["device_id"], True),
        (enrolled["device_id"], False),
    ]


async def test_a_withdrawn_device_gets_no_token_and_the_last_one_stays(wallet: Wallet, clock: StoppedClock) -> None:
    access, second = await joined(wallet, NewDevice()), NewDevice()
    gate = Wire(wallet).venue(proved(access))
    last = await gate.delete(f"/devices/{access['device_id']}")
    assert (last.status_code, last.json()["code"]) == (409, "wallet.last_device")
    enrolled = (await gate.post("/devices", json=second.body(), headers={"Idempotency-Key": "a"})).json()
    await second.token(entrance_of(wallet), enrolled, clock)
    assert (await gate.delete(f"/devices/{enrolled['device_id']}")).status_code == 204
    with pytest.raises(ClientNotProved):
        await second.token(entrance_of(wallet), enrolled, clock)
    assert await wallet.db.fetchval("SELECT count(*) FROM gateway.ended_session") == 1
    assert (await gate.delete(f"/devices/{enrolled['device_id']}")).json()["code"] == "wallet.device_not_found"


async def test_a_venue_neither_sees_nor_withdraws_another_s_devices(wallet: Wallet) -> None:
    gate = Wire(wallet).venue(proved(await joined(wallet, NewDevice())))
    theirs = device_at(MUSEUM).device_id
    assert (await gate.delete(f"/devices/{theirs}")).json()["code"] == "wallet.device_not_found"
    assert str(theirs) not in (await gate.get("/devices")).text
    assert theirs in wallet.catalogue().devices


async def test_two_devices_that_withdraw_each_other_leave_one(wallet: Wallet) -> None:
    access = await joined(wallet, NewDevice())
    gate = Wire(wallet).venue(proved(access))
    body = NewDevice().body()
    enrolled = (await gate.post("/devices", json=body, headers={"Idempotency-Key": "a"})).json()
    await wallet.snapshots[0].refresh()
    other = Wire(wallet).venue(proved(access | enrolled))
    answers = await asyncio.gather(
        gate.delete(f"/devices/{enrolled['device_id']}"), other.delete(f"/devices/{access['device_id']}")
    )
    assert sorted(one.status_code for one in answers) == [204, 403]
    left = "SELECT count(*) FROM wallet.device WHERE venue_id = $1 AND withdrawn_at IS NULL"
    assert await wallet.db.fetchval(left, UUID(access["venue_id"])) == 1


async def test_a_venue_has_only_so_many_devices_also_when_they_come_at_once(wallet: Wallet) -> None:
    access = await joined(wallet, NewDevice())
    await wallet.db.fetch(
        "INSERT INTO wallet.device (device_id, venue_id, name_zh, name_en) SELECT gen_random_uuid(), $1, 'x', 'x'"
        f" FROM generate_series(1, {DEVICES_MAX - 3})",
        UUID(access["venue_id"]),
    )
    gate = Wire(wallet).venue(proved(access))
    answers = await asyncio.gather(
        *(
            gate.post("/devices", json=NewDevice().body(), headers={"Idempotency-Key": str(number)})
            for number in range(6)
        )
    )
    assert sorted(one.status_code for one in answers) == [201, 201, 409, 409, 409, 409]
    codes = {one.json()["code"] for one in answers if one.status_code == 409}
    assert codes == {"wallet.too_many_devices"}


async def test_what_is_decided_is_forgotten_in_time_and_what_waits_is_not(wallet: Wallet, clock: StoppedClock) -> None:
    wire = Wire(wallet)
    decided, _ = await filed(wire.anybody(), an_application())
    waiting, _ = await filed(wire.anybody(), an_application())
    await approved(wallet, decided)
    clock.advance(DECIDED_KEPT_FOR - timedelta(minutes=1))
    await forget_old(wallet.db, clock)
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.venue_application") == 2
    clock.advance(timedelta(minutes=2))
    await forget_old(wallet.db, clock)
    left = await wallet.db.fetch("SELECT application_id FROM wallet.venue_application")
    assert [row["application_id"] for row in left] == [waiting]
    assert len(wallet.catalogue().venues) == 4
