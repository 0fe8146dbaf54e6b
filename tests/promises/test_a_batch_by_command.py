"""A department sends a file by one command, which goes on by itself where the connection was lost, and steers it."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from city.demo.ids import text_id_of
from city.demo.texts import PARKS
from tests.promises.test_a_load_by_command import unsteady

SRC = str(Path(__file__).parents[2] / "src")
TEXT = str(text_id_of("parks/pass_ready"))
ROWS = 4_000
HEADER = "phone,name,until,place,reference"
ENDS_WITHIN_SECONDS = 90.0


def a_line(number: int, phone: str | None = None) -> str:
    return f"{phone or f'+8613{number:09d}'},人{number},2027-03-05,世纪公园,{uuid4()}"


def a_file(path: Path, rows: int, bad: tuple[int, ...] = ()) -> Path:
    """A file of so many rows, some of which name no number; it is like no other."""
    lines = [a_line(number, "nobody" if number in bad else None) for number in range(1, rows + 1)]
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return path


async def begun(*words: str) -> asyncio.subprocess.Process:
    """`./run department …` in a process of its own."""
    whole = [sys.executable, "-P", "-m", "city", "department", *words, "--department", PARKS]
    environ = {**os.environ, "PYTHONPATH": SRC}
    return await asyncio.create_subprocess_exec(
        *whole, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def command(*words: str) -> tuple[int, str, str]:
    return await ended(await begun(*words))


async def test_a_file_is_sent_over_a_connection_that_breaks_and_what_was_refused_is_mended(
    city_url: str, tmp_path: Path
) -> None:
    file, report = a_file(tmp_path / "rows.csv", ROWS, bad=(7, 3_000)), tmp_path / "report.ndjson"
    batch = str(uuid4())
    words = ("send", str(file), "--text", TEXT, "--kind", "test", "--batch", batch, "--no-start")
    async with unsteady(city_url, breaks=2) as (url, way):
        code, out, err = await command(*words, "--url", url, "--report", str(report))
    assert (code, err) == (3, "")
    assert way.broken == 2
    assert f"{ROWS} rows: {ROWS - 2} taken, 2 refused" in out
    refused = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [(one["row"], one["code"]) for one in refused] == [
        (7, "services.recipient_refused"),
        (3_000, "services.recipient_refused"),
    ]
    shown = await command("batch", "show", batch, "--url", city_url)
    assert f"{ROWS} rows came: {ROWS - 2} taken, 2 refused; 0 missing" in shown[1]
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[7], lines[3_000] = a_line(7), a_line(3_000)
    file.write_text("\n".join(lines), encoding="utf-8")
    code, out, err = await command(*words[:-1], "--url", city_url, "--wait")
    assert (code, err) == (0, "")
    assert f"{ROWS} taken, 0 refused" in out
    assert f"finished: {ROWS} sent" in out
    again = await command(*words[:-1], "--url", city_url, "--wait")
    assert again[0] == 0
    assert f"finished: {ROWS} sent" in again[1], "nobody is sent anything twice"


async def test_stopped_by_ctrl_c_it_goes_on_where_it_was_when_it_is_run_again(city_url: str, tmp_path: Path) -> None:
    file = a_file(tmp_path / "rows.csv", 10 * ROWS)
    words = ("send", str(file), "--text", TEXT, "--kind", "test", "--no-start")
    async with unsteady(city_url, breaks=0) as (url, _):
        process = await begun(*words, "--url", url)
        assert process.stdout is not None
        batch = (await process.stdout.readline()).decode().split()[1]
        await until_rows_came(batch, city_url)
        process.send_signal(signal.SIGINT)
        code, out, err = await ended(process)
    assert (code, err) == (130, "")
    assert "run the same again to go on from there" in out
    shown = (await command("batch", "show", batch, "--url", city_url))[1]
    came = int(shown.split(" rows came")[0].split()[-1])
    assert 0 < came < 10 * ROWS
    code, out, err = await command(*words, "--url", city_url)
    assert (code, err) == (0, "")
    assert f"batch {batch}" in out
    assert f"{10 * ROWS} taken, 0 refused" in out
    listed = (await command("batch", "list", "--url", city_url))[1]
    assert any(line.startswith(f"{batch}  open") for line in listed.splitlines())
    assert "rows.csv: cancelled" in (await command("batch", "cancel", batch, "--url", city_url))[1]


async def until_rows_came(batch: str, url: str) -> None:
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while True:
            code, out, _ = await command("batch", "show", batch, "--url", url)
            if code == 0 and " 0 rows came" not in out:
                return


async def test_a_batch_is_paused_resumed_and_cancelled_by_command(city_url: str, tmp_path: Path) -> None:
    file = a_file(tmp_path / "rows.csv", 20)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    words = ("send", str(file), "--text", TEXT, "--at", tomorrow, "--url", city_url)
    code, out, err = await command(*words)
    assert (code, err) == (0, "")
    batch = out.split()[1]
    assert out.rstrip().endswith("started")
    for step, state in (("pause", "paused"), ("pause", "paused"), ("resume", "started"), ("cancel", "cancelled")):
        code, out, err = await command("batch", step, batch, "--url", city_url)
        assert (code, err) == (0, "")
        assert f"rows.csv: {state}" in out
    code, _, err = await command("batch", "resume", batch, "--url", city_url)
    assert code == 1
    assert "notifications.batch_step_not_allowed" in err
    code, _, err = await command(*words)
    assert code == 1
    assert "batch_step_not_allowed" in err


@pytest.mark.parametrize(
    ("name", "rows", "other", "said"),
    [
        ("rows.csv", f"{HEADER}\n{a_line(1)}\n", ("--text", str(uuid4())), "services.text_not_in_use"),
        ("rows.csv", f"name,until\n{a_line(1)}\n", ("--text", TEXT), "names one column for recipients"),
        ("rows.csv", f"{HEADER}\n{a_line(1)}\n", (), f"--text {TEXT}  年票可领取"),
        ("rows.txt", "x\n", ("--text", TEXT), "is of no known form"),
        ("rows.csv", f"{HEADER}\n", ("--text", TEXT, "--at", "tomorrow"), "is no moment"),
    ],
    ids=["no such text", "no recipient", "no text named", "no known form", "no moment"],
)
async def test_what_cannot_be_sent_is_said_in_a_sentence(
    city_url: str, tmp_path: Path, name: str, rows: str, other: tuple[str, ...], said: str
) -> None:
    file = tmp_path / name
    file.write_text(rows, encoding="utf-8")
    code, _, err = await command("send", str(file), *other, "--url", city_url)
    assert code == 1
    assert said in err
    assert "Traceback" not in err
