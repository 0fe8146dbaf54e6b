"""Anybody who runs the city audits its ledger with one command, whose exit code tells a script how it went."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from city import auditing_ledger
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.purposes import LEDGER
from kernel.sealing import Keys, make_key_file
from tests.builders_ledger import logged, many_recorded
from wallet.ledger.keys import LogKeys
from wallet.ledger.parts import erasing_key_of, origin_of
from wallet.ledger.proving import Prover

Command = Callable[..., int]


@pytest.fixture
async def audit(db: Database, database_url: str, tmp_path: Path) -> Command:
    """The command, on a city whose log has fifty records."""
    key_file = tmp_path / "keys.json"
    make_key_file(key_file)
    keys, clock = Keys.read(key_file), SystemClock()
    signing = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
    await signing.ensure()
    signer, listed = partial(signing.signer, LEDGER.name), partial(signing.trusted, LEDGER.name)
    of_log = LogKeys(origin_of(keys), signer, listed, erasing_key_of(keys))
    await many_recorded(db, clock, 50)
    await logged(db, clock, of_log)
    environ = {
        "SUISHENBAN_DATABASE_URL": database_url,
        "SUISHENBAN_REDIS_URL": "redis://127.0.0.1:1/0",
        "SUISHENBAN_KEY_FILE": str(key_file),
    }

    def run(*words: str, **other: str) -> int:
        parser = argparse.ArgumentParser()
        auditing_ledger.add_arguments(parser)
        args = parser.parse_args(words)
        args.environ = environ | other
        return auditing_ledger.run(args)

    return run


async def test_a_ledger_in_order_exits_with_nought(
    audit: Command, db: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text((await Prover(db).latest()).note, encoding="utf-8")
    assert await asyncio.to_thread(audit, "--checkpoint", str(kept)) == auditing_ledger.IN_ORDER
    said = capsys.readouterr()
    assert "everything is as it was logged" in said.out
    assert "50 records" in said.out
    assert await asyncio.to_thread(audit, "--json") == auditing_ledger.IN_ORDER
    answer = json.loads(capsys.readouterr().out)
    assert (answer["size"], answer["records"], answer["is_clean"], answer["findings"]) == (51, 50, True, [])


async def test_a_ledger_that_was_changed_exits_with_one_and_names_what(
    audit: Command, db: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text((await Prover(db).latest()).note, encoding="utf-8")
    gone = await db.fetchval(
        "DELETE FROM wallet.use WHERE code_hash = (SELECT min(code_hash) FROM wallet.use) RETURNING person_id"
    )
    assert await asyncio.to_thread(audit) == auditing_ledger.CHANGED
    said = capsys.readouterr().out
    assert "leaf_without_record: leaf " in said
    assert str(gone) not in said
    assert await asyncio.to_thread(audit, "--json", "--checkpoint", str(kept)) == auditing_ledger.CHANGED
    answer = json.loads(capsys.readouterr().out)
    assert [finding["sort"] for finding in answer["findings"]] == ["leaf_without_record"]


async def test_a_ledger_that_cannot_be_read_exits_with_two(
    audit: Command, db: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    unread = auditing_ledger.UNREAD
    assert await asyncio.to_thread(audit, "--checkpoint", str(tmp_path / "nothing")) == unread
    long = tmp_path / "long"
    long.write_bytes(b"x" * 10_000_000)
    assert await asyncio.to_thread(audit, "--checkpoint", str(long)) == unread
    nowhere = {"SUISHENBAN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert await asyncio.to_thread(audit, **nowhere) == unread
    assert await asyncio.to_thread(audit, SUISHENBAN_KEY_FILE=str(tmp_path / "no-keys")) == unread
    await db.fetch("DROP TABLE wallet.ledger_leaf")
    assert await asyncio.to_thread(audit) == unread
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") >= 5


@pytest.mark.parametrize(
    "command", [("verify-ledger",), ("keys", "signing"), ("keys", "roots"), ("keys", "leaked", "x")]
)
@pytest.mark.parametrize("is_there", [False, True])
def test_where_there_is_no_city_none_is_made_and_a_sentence_says_what_to_do(
    tmp_path: Path, command: tuple[str, ...], is_there: bool
) -> None:
    folder = tmp_path / "nobody"
    if is_there:
        folder.mkdir()
    environ = {name: text for name, text in os.environ.items() if not name.startswith("SUISHENBAN_")}
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "city", *command, "--data", str(folder)], capture_output=True, text=True,
        timeout=120, env=environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}, check=False,
    )  # fmt: skip
    assert answer.returncode == (auditing_ledger.UNREAD if command == ("verify-ledger",) else 1), answer.stderr
    assert answer.stdout == ""
    assert f"There is no city in {folder}." in answer.stderr
    assert "--data" in answer.stderr.splitlines()[1]
    assert list(tmp_path.rglob("*")) == ([folder] if is_there else [])
