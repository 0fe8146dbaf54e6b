"""What a department suspends or revokes is not good at the very next scan, and the database keeps the state machine."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from kernel.clock import StoppedClock
from tests.builders_wallet import (
    HEALTH_ID,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    a_code,
    an_id_card,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet import identifier
from wallet.departments.issue_policy import IssueRequest
from wallet.errors import CertificateNotGood
from wallet.model import ALLOWED_STEPS, Certificate, Outcome, State
from wallet.parts import Wallet


async def step(wallet: Wallet, certificate: Certificate, act: str, reason: str = "holder_asked") -> Any:
    department = Wire(wallet).department(POLICE_ID)
    return await department.post(f"/certificates/{certificate.certificate_id}/{act}", json={"reason": reason})


@pytest.mark.parametrize("act, outcome", [("suspend", Outcome.SUSPENDED), ("revoke", Outcome.REVOKED)])
async def test_a_code_shown_before_is_refused_after_recorded_and_spent(
    wallet: Wallet, clock: StoppedClock, act: str, outcome: Outcome
) -> None:
    certificate = await issued(wallet)
    code, other = await a_code(wallet, certificate), await a_code(wallet, certificate)
    assert (await step(wallet, certificate, act)).status_code == 200
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (outcome, {})
    clock.advance(timedelta(seconds=1))
    if act == "suspend":
        await step(wallet, certificate, "restore")
        assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED
        assert (await scanned(wallet, other)).outcome is Outcome.VALID
    ledger = (await Wire(wallet).resident(certificate.person_id).get("/uses")).json()["uses"]
    assert ledger[-1]["outcome"] == outcome.value
    assert ledger[-1]["fields"] == []


async def test_a_device_hears_the_same_refusal_again(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    code, use_id = await a_code(wallet, certificate), uuid4()
    await step(wallet, certificate, "suspend")
    first = await scanned(wallet, code, use_id=use_id)  # type: ignore[arg-type]
    await step(wallet, certificate, "restore")
    assert await scanned(wallet, code, use_id=use_id) == first  # type: ignore[arg-type]


async def test_what_is_suspended_revoked_or_out_of_date_cannot_be_shown(wallet: Wallet, clock: StoppedClock) -> None:
    certificate = await issued(wallet)
    await step(wallet, certificate, "suspend")
    with pytest.raises(CertificateNotGood) as refused:
        await a_code(wallet, certificate)
    assert refused.value.members == {"state": "suspended"}
    await step(wallet, certificate, "restore")
    await a_code(wallet, certificate)
    clock.advance(timedelta(days=365 * 20))
    with pytest.raises(CertificateNotGood) as refused:
        await a_code(wallet, certificate)
    assert refused.value.members == {"state": "certificate_expired"}


async def test_a_certificate_is_good_through_its_last_day_on_the_citys_calendar(
    wallet: Wallet, clock: StoppedClock
) -> None:
    request = an_id_card("R-short")
    certificate = await issued(wallet, msgspec.structs.replace(request, valid_until=date(2026, 3, 2)))
    clock.advance(timedelta(hours=14, minutes=59))  # 23:59 in Shanghai
    code = await a_code(wallet, certificate)
    clock.advance(timedelta(minutes=1))
    assert (await scanned(wallet, code)).outcome is Outcome.CERTIFICATE_EXPIRED


async def test_steps_are_told_to_the_holder_once_and_recorded(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    for _ in range(2):
        assert (await step(wallet, certificate, "suspend", "lost")).json()["state"] == "suspended"
    await step(wallet, certificate, "restore")
    await step(wallet, certificate, "revoke", "holder_died")
    told = "SELECT count(*) FROM notifications.message WHERE template = 'certificate_state_changed'"
    assert await wallet.db.fetchval(told) == 3
    acts = await wallet.db.fetch("SELECT act FROM kernel.audit WHERE act LIKE 'wallet.%' ORDER BY act")
    assert [row["act"] for row in acts] == ["wallet.issue", "wallet.restore", "wallet.revoke", "wallet.suspend"]
    chain = await wallet.db.fetch("SELECT from_state, to_state, reason FROM wallet.certificate_change ORDER BY seq")
    assert [tuple(row) for row in chain] == [
        (None, "issued", "issued"), ("issued", "suspended", "lost"), ("suspended", "issued", "holder_asked"),
        ("issued", "revoked", "holder_died"),
    ]  # fmt: skip


async def test_what_is_final_stays_final(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    await step(wallet, certificate, "revoke")
    for act in ("suspend", "restore"):
        refused = await step(wallet, certificate, act)
        assert (refused.status_code, refused.json()["code"]) == (409, "wallet.step_not_allowed")
        assert refused.json()["state"] == "revoked"


async def test_another_department_cannot_touch_it(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    other = Wire(wallet).department(HEALTH_ID)
    refused = await other.post(f"/certificates/{certificate.certificate_id}/revoke", json={"reason": "lost"})
    assert (refused.status_code, refused.json()["code"]) == (404, "wallet.certificate_not_found")
    missing = await other.post(f"/certificates/{uuid4()}/revoke", json={"reason": "lost"})
    assert missing.json() == refused.json()


def body_of(**change: Any) -> dict[str, Any]:
    request = an_id_card()
    return {
        "reference": "R-next", "kind_code": request.kind_code, "values": request.values, "valid_from": "2026-03-02",
        "holder": {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name},
    } | change  # fmt: skip


async def test_a_new_version_supersedes_the_old_one(wallet: Wallet) -> None:
    old = await issued(wallet)
    department = Wire(wallet).department(POLICE_ID)
    code = await a_code(wallet, old)
    path = f"/certificates/{old.certificate_id}/supersede"
    new = await department.post(path, json=body_of())
    assert (new.status_code, new.json()["version"], new.json()["state"]) == (201, 2, "issued")
    was, now = identifier.read(old.attributes.identifier), identifier.read(new.json()["identifier"])
    assert (now.serial, now.version) == (was.serial, 2)
    assert (await department.post(path, json=body_of())).json() == new.json()
    assert (await scanned(wallet, code)).outcome is Outcome.SUPERSEDED
    taken = await department.post(path, json=body_of(reference="R-third"))
    assert taken.json()["code"] == "wallet.identifier_taken"
    stranger = await department.post(
        f"/certificates/{new.json()['certificate_id']}/supersede",
        json=body_of(reference="R-x", holder={"id_number": SOMEBODY_ELSE.id_number, "name": "某"}),
    )
    assert stranger.json()["code"] == "wallet.step_not_allowed"


async def test_a_revocation_and_many_scans_at_once_leave_no_yes_after_it(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    codes = [await a_code(wallet, certificate) for _ in range(60)]
    revoking = asyncio.create_task(step(wallet, certificate, "revoke"))
    before = await asyncio.gather(*(scanned(wallet, code) for code in codes[:30]))
    await revoking
    after = await asyncio.gather(*(scanned(wallet, code, device_at(STATION, 2)) for code in codes[30:]))
    assert {verdict.outcome for verdict in before} <= {Outcome.VALID, Outcome.REVOKED}
    assert {verdict.outcome for verdict in after} == {Outcome.REVOKED}


async def brought_to(wallet: Wallet, state: State, request: IssueRequest) -> Certificate:
    certificate = await issued(wallet, request)
    if state is State.SUPERSEDED:
        department = Wire(wallet).department(POLICE_ID)
        await department.post(f"/certificates/{certificate.certificate_id}/supersede", json=body_of())
    elif state is not State.ISSUED:
        await step(wallet, certificate, {State.SUSPENDED: "suspend", State.REVOKED: "revoke"}[state])
    return certificate


STEP = """
    WITH was AS (UPDATE wallet.certificate_change SET is_last = false
                  WHERE certificate_id = $1 AND is_last RETURNING person_id, certificate_id, seq, to_state),
         step AS (INSERT INTO wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last, from_seq,
                                                         from_state, had_successor, at, actor, reason)
                  SELECT person_id, certificate_id, seq + 1, $2, true, seq, to_state, false, now(), 'x', 'x' FROM was
                  RETURNING seq)
    UPDATE wallet.certificate SET state = $2, last_change = step.seq FROM step WHERE certificate_id = $1
"""


async def test_the_database_takes_every_allowed_step_and_refuses_every_other(wallet: Wallet) -> None:
    for number, from_state in enumerate(State):
        certificate = await brought_to(wallet, from_state, an_id_card(f"R-{number}"))
        for to_state in State:
            assert await is_taken(wallet, certificate, to_state) == (to_state in ALLOWED_STEPS[from_state])


async def is_taken(wallet: Wallet, certificate: Certificate, to_state: State) -> bool:
    """Whether the database takes the step, written by hand and taken back."""
    try:
        async with wallet.db.transaction() as conn:
            assert await conn.execute(STEP, certificate.certificate_id, to_state) == "UPDATE 1"
            raise TakenBack
    except asyncpg.CheckViolationError:
        return False
    except TakenBack:
        return True


class TakenBack(Exception):
    """Rolls a step back that the database took."""


NEXT_CHANGE = """
    INSERT INTO wallet.certificate_change
    SELECT person_id, certificate_id, {}, 'issued', true, {}, at, actor, reason
      FROM wallet.certificate_change WHERE seq = 2
"""
WAYS_BACK = (
    "UPDATE wallet.certificate SET state = 'issued'",
    "UPDATE wallet.certificate SET state = 'issued', last_change = 1",
    "UPDATE wallet.certificate SET last_change = 1",
    "UPDATE wallet.certificate SET is_of_last = false, state = 'issued', last_change = 1",
    "UPDATE wallet.certificate SET is_of_last = NULL, state = 'issued', last_change = 1",
    "UPDATE wallet.certificate SET state = NULL",
    "UPDATE wallet.certificate SET last_change = NULL",
    "UPDATE wallet.certificate_change SET to_state = 'issued' WHERE seq = 2",
    "UPDATE wallet.certificate_change SET is_last = true WHERE seq = 1",
    "UPDATE wallet.certificate_change SET is_last = false WHERE seq = 2",
    "UPDATE wallet.certificate_change SET had_successor = NULL WHERE seq = 2",
    "UPDATE wallet.certificate_change SET from_seq = NULL WHERE seq = 2",
    "DELETE FROM wallet.certificate_change WHERE seq = 2",
    "DELETE FROM wallet.certificate_change WHERE seq = 1",
    NEXT_CHANGE.format("1", "NULL, NULL, NULL"),
    NEXT_CHANGE.format("3", "2, 'revoked', false"),
    NEXT_CHANGE.format("3", "2, 'suspended', false"),
    NEXT_CHANGE.format("3", "NULL, NULL, NULL"),
    NEXT_CHANGE.format("3", "2, 'suspended', NULL"),
)


async def test_no_single_statement_brings_a_revoked_certificate_back(wallet: Wallet) -> None:
    await brought_to(wallet, State.REVOKED, an_id_card())
    async with wallet.db.connection() as conn:  # the constraints alone refuse it, whoever may write what
        await conn.execute("GRANT UPDATE, DELETE ON wallet.certificate_change TO CURRENT_USER")
    for statement in WAYS_BACK:
        async with wallet.db.connection() as conn:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await conn.execute(statement)
    assert await wallet.db.fetchval("SELECT state FROM wallet.certificate") == "revoked"


REWRITTEN_HISTORY = (
    """
    WITH step AS (UPDATE wallet.certificate_change SET to_state = 'suspended' WHERE seq = 2)
    UPDATE wallet.certificate SET state = 'suspended'
    """,
    """
    WITH cut AS (DELETE FROM wallet.certificate_change WHERE seq = 2),
         last AS (UPDATE wallet.certificate_change SET is_last = true WHERE seq = 1)
    UPDATE wallet.certificate SET state = 'issued', last_change = 1
    """,
    "TRUNCATE wallet.certificate_change CASCADE",
)


async def test_nobody_rewrites_the_history_of_a_certificate(wallet: Wallet) -> None:
    await brought_to(wallet, State.REVOKED, an_id_card())
    for statement in REWRITTEN_HISTORY:
        async with wallet.db.connection() as conn:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
    assert await wallet.db.fetchval("SELECT state FROM wallet.certificate") == "revoked"
