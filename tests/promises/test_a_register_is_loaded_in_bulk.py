"""A department's register is loaded in bulk: whole batches, nothing twice, nothing readable where it is kept."""

import asyncio
from datetime import date

import msgspec
import pytest

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import KeyFile, Keys, NotSealedHere, fresh_key
from tests.builders_wallet import (
    HEALTH_ID,
    ID_CARD,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    a_wallet,
    an_id_card,
    issued,
)
from wallet.departments.issue_policy import IssueRequest
from wallet.departments.issuing import BATCH_MAX
from wallet.errors import IdentifierTaken, KindNotEntitled, ReferenceReused
from wallet.parts import Wallet
from wallet.residents.holding import list_certificates


def a_register(size: int) -> list[IssueRequest]:
    numbers = [
        id_number("310101", date(1960 + n // 336, n // 28 % 12 + 1, n % 28 + 1), Sex.MALE, 0) for n in range(size)
    ]
    return [an_id_card(f"B-{at}", Identity(number, f"人{at}")) for at, number in enumerate(numbers)]


async def load(wallet: Wallet, requests: list[IssueRequest]) -> list[str]:
    issued_now = await wallet.issuing.issue_many(
        wallet.db, wallet.clock, wallet.catalogue(), POLICE_ID, requests, actor="system:test"
    )
    return [certificate.attributes.identifier for certificate in issued_now]


async def test_loading_again_issues_nothing_new(wallet: Wallet) -> None:
    register = a_register(BATCH_MAX + 20)
    first = await load(wallet, register)
    assert len(set(first)) == len(register)
    assert await load(wallet, register) == first
    assert await load(wallet, [register[3], register[3], *register[:2]]) == [first[3], first[3], *first[:2]]
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == len(register)
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message") == 0


async def test_one_reference_for_two_certificates_is_refused_with_its_batch(wallet: Wallet) -> None:
    register = [*a_register(5), an_id_card("B-1", SOMEBODY)]
    with pytest.raises(ReferenceReused):
        await load(wallet, register)
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == 0


async def test_one_serial_for_two_certificates_is_refused_with_its_batch(wallet: Wallet) -> None:
    before = await issued(wallet, msgspec.structs.replace(an_id_card("R-9", SOMEBODY), serial="SERIAL9"))
    register = [*a_register(5), msgspec.structs.replace(an_id_card("B-9", SOMEBODY_ELSE), serial="SERIAL9")]
    with pytest.raises(IdentifierTaken):
        await load(wallet, register)
    assert await wallet.db.fetchval("SELECT certificate_id FROM wallet.certificate") == before.certificate_id
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.issuer_reference") == 1
    assert len(await load(wallet, register[:-1])) == 5


async def test_two_loads_of_one_register_at_once_issue_it_once(wallet: Wallet) -> None:
    register = a_register(120)
    loads = await asyncio.gather(*(load(wallet, register[start:] + register[:start]) for start in (0, 30, 60, 90)))
    assert len({identifier for each in loads for identifier in each}) == len(register)
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == len(register)


async def test_a_department_loads_only_what_it_is_entitled_to(wallet: Wallet) -> None:
    with pytest.raises(KindNotEntitled):
        await wallet.issuing.issue_many(
            wallet.db, wallet.clock, wallet.catalogue(), HEALTH_ID, a_register(1), actor="system:test"
        )


async def test_a_reference_is_known_while_keys_are_rotated(db: Database, redis: Redis, clock: StoppedClock) -> None:
    old, new = fresh_key(), fresh_key()
    before = await a_wallet(db, redis, clock, Keys(KeyFile([old], [old])))
    first = await issued(before)
    after = await a_wallet(db, redis, clock, Keys(KeyFile([new, old], [new, old])), with_catalogue=False)
    assert await issued(after) == first
    issuer = after.catalogue().issuer_of(POLICE_ID, ID_CARD)
    assert issuer is not None
    assert await after.issuing.find(db, issuer, "R-1") == first


async def test_no_value_is_readable_where_certificates_are_kept(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    found = "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = ANY ($1)"
    tables = await wallet.db.fetch(found, ["wallet", "kernel", "notifications"])
    stored = ""
    for (table,) in tables:
        stored += "".join(row["body"] for row in await wallet.db.fetch(f"SELECT t::text AS body FROM {table} AS t"))
    assert str(certificate.certificate_id) in stored
    for value in (SOMEBODY.id_number, SOMEBODY.name, "如意桥路9号", certificate.attributes.identifier, "R-1"):
        assert f",{value}," not in stored
        assert value.encode().hex() not in stored


async def test_values_moved_to_another_certificate_do_not_open(wallet: Wallet) -> None:
    mine, theirs = await issued(wallet), await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    async with wallet.db.transaction() as conn:
        await conn.execute(
            "UPDATE wallet.certificate AS mine SET attributes = theirs.attributes FROM wallet.certificate AS theirs"
            " WHERE theirs.person_id = $1 AND mine.person_id = $2",
            theirs.person_id,
            mine.person_id,
        )
    with pytest.raises(NotSealedHere):
        await list_certificates(wallet.db, wallet.seals, mine.person_id)
