"""Each check of a printed proof that matches is in the holder's ledger, is proved, and is told; nothing of it leaks."""

import io
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
import structlog

from kernel import log
from kernel.clock import StoppedClock
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.seals import Seals
from suishenban_verify import ledger
from tests.builders_proofs import (
    a_printable_card,
    about,
    asked_to_print,
    checked,
    checked_by_hand,
    stepped,
    written,
)
from tests.builders_wallet import ID_CARD, SOMEBODY_ELSE, an_id_card, issued
from tests.leak_scanner import Scanner
from tests.wire_wallet import Wire
from wallet.ledger.http import ProofView
from wallet.model import Certificate, State
from wallet.online_code import unspell
from wallet.parts import Wallet

FINDABLE = Identity(id_number=SOMEBODY_ELSE.id_number, name="司马青")
"""Somebody whose name is long enough to be looked for."""


@pytest.fixture
async def card(wallet: Wallet) -> Certificate:
    return await a_printable_card(wallet)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    structlog.reset_defaults()


async def uses_of(wire: Wire, card: Certificate, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await wire.resident(card.person_id).get("/uses", params=filters)).json()["uses"]
    return found


async def told(wallet: Wallet, keys: Keys) -> list[dict[str, str]]:
    """The values of what the holder was told of checks."""
    rows = await wallet.db.fetch(
        "SELECT message_id, sealed_values FROM notifications.message WHERE template = 'proof_checked' ORDER BY owed_at"
    )
    return [Seals(keys).open_values(row["message_id"], row["sealed_values"]) for row in rows]


async def test_each_check_that_matches_is_one_record_that_its_holder_sees(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    path = await written(wire, card)
    for check in (checked, checked_by_hand):
        await check(wire, path)
        await check(wire, path, about(last_four="0000"))
        clock.advance(timedelta(minutes=1))
    await stepped(wire, card, State.SUSPENDED)
    await checked(wire, path)
    newest, *before = await uses_of(wire, card)
    assert len(before) == 2
    assert before == await uses_of(wire, card, route="paper", outcome="valid")
    for use in (newest, *before):
        assert (use["route"], use["kind_code"]) == ("paper", ID_CARD)
        assert (use["venue_zh"], use["venue_en"]) == ("持证明者核验", "Holder of the paper")
        assert (use["scenario_zh"], use["scenario_en"]) == ("纸质证明核验", "Check of a printed proof")
        assert "核对其是否属实" in use["purpose_zh"]
    assert [field["name"] for field in before[0]["fields"]] == ["name", "sex", "birth_date", "address", "id_number"]
    assert (newest["outcome"], newest["fields"]) == ("suspended", [])
    csv = (await wire.resident(card.person_id).get("/uses/export", params={"form": "csv"})).text
    assert csv.count("持证明者核验") == 3


async def test_a_check_is_proved_to_stand_in_the_public_log(wallet: Wallet, wire: Wire, card: Certificate) -> None:
    path = await written(wire, card)
    await checked(wire, path)
    await wallet.ledger_log.sequencer.append_waiting()
    code_hash = await wallet.db.fetchval("SELECT code_hash FROM wallet.use WHERE person_id = $1", card.person_id)
    proved = await wallet.ledger_log.prover.prove_for_person(card.person_id, code_hash)
    view = msgspec.json.decode(msgspec.json.encode(ProofView.of(proved)))
    event = ledger.proved_event(view, wallet.ledger_log.keys.every_key())
    assert (event.route, event.scenario_code, event.fields[0]) == ("paper", "proof.check", "name")
    assert (await wallet.ledger_log.auditor.audit([])).findings == []


async def test_the_holder_is_told_once_a_day_for_each_paper(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock, keys: Keys
) -> None:
    first, second = await written(wire, card), await written(wire, card)
    for _ in range(3):
        await checked(wire, first)
        await checked(wire, first, about(name="某乙"))
    assert await told(wallet, keys) == [{"kind": "居民身份证", "when": clock.now().isoformat()}]
    await checked(wire, second)
    assert len(await told(wallet, keys)) == 2
    clock.advance(timedelta(days=1))
    for _ in range(2):
        await checked(wire, first)
    assert len(await told(wallet, keys)) == 3


async def all_rows(database_url: str) -> bytes:
    """Everything in every table of ours, as text."""
    conn, out = await asyncpg.connect(database_url), io.BytesIO()
    tables = await conn.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    for table in tables:
        await conn.copy_from_query(f"SELECT * FROM {table['name']}", output=out)
    await conn.close()
    return out.getvalue()


@pytest.mark.usefixtures("logging_as_before")
async def test_nothing_personal_and_no_code_is_left_behind(
    wallet: Wallet, redis: Redis, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in tables, not in Redis, not in what is logged, even where everything is; and not in an address."""
    await a_printable_card(wallet)
    holder, wire = FINDABLE, Wire(wallet)
    card = await issued(wallet, an_id_card("R-2", holder))
    log.configure("debug", process="test")
    path = await written(wire, card)
    printed = await asked_to_print(wire, card)
    for check in (checked, checked_by_hand):
        assert (await check(wire, path, about(holder))).status_code == 200
        assert (await check(wire, path, about(holder, last_four="0000"))).status_code == 200
        assert (await check(wire, path, {"name": holder.name})).status_code == 400
    log.get_logger(__name__).info("the end", path=path)
    token = path.removeprefix("/P/")
    raw = unspell(token)
    assert raw is not None
    scanner = Scanner({holder.name, holder.id_number, token, raw.hex()})
    places = {
        "tables": await all_rows(database_url),
        "Redis": b"".join([part for key in await redis.ask(b"KEYS", b"*") for part in (key, b"\0")]),
        "logs": "".join(capsys.readouterr()).encode(),
        "addresses": (path.replace(token, "") + str(printed.headers)).encode(),
    }
    assert {place: scanner.found_in(content) for place, content in places.items()} == {place: set() for place in places}
    assert len(places["tables"]) > 1000
    assert b"wallet.print_proof" in places["tables"]
    assert b"the end" in places["logs"]
    assert scanner.found_in(f"{holder.name} {token}".encode()) == {holder.name, token}
