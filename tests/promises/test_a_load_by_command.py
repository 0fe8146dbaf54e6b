"""A department loads a file by one command, which goes on by itself where the connection was lost."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from city.demo.kinds import KIND_BY_SLUG
from city.line_files import INDEXED_EVERY_LINES, File
from tests.builders_loading import somebody

SRC = str(Path(__file__).parents[2] / "src")
KIND = KIND_BY_SLUG["resident_id_card"]
LINES = 900


def lines_of(reference: str, count: int) -> list[dict[str, Any]]:
    made = []
    for number in range(count):
        who = somebody(number)
        values = {field.name: "2020-01-01" if field.type.value == "date" else "示例" for field in KIND.fields}
        made.append(
            {
                "reference": f"{reference}-{number}",
                "kind_code": KIND.code,
                "holder": {"id_number": who.id_number, "name": who.name},
                "values": values,
                "valid_from": "2024-01-01",
            }
        )
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Lines of which three are bad; the last is not ended."""
    lines: list[Any] = lines_of(f"cli-{uuid4()}", LINES)
    lines[7]["values"] = {}
    lines[400]["holder"]["id_number"] = "310101199001010011"
    texts = [json.dumps(line, ensure_ascii=False) for line in lines]
    texts[650] = "not JSON"
    path = tmp_path / "lines.ndjson"
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


async def command(*words: str) -> tuple[int, str, str]:
    """`./run department issue …` in a process of its own."""
    whole = [sys.executable, "-P", "-m", "city", "department", "issue", *words]
    environ = {**os.environ, "PYTHONPATH": SRC}
    process = await asyncio.create_subprocess_exec(
        *whole, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Unsteady:
    """A slow way to the city, piece by piece, that breaks each of its first connections that carry many bytes."""

    def __init__(self, url: str, breaks: int) -> None:
        self._port = urlsplit(url).port
        self.breaks = breaks
        self.broken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass(reader, to_them, is_out=True), self._pass(theirs, writer, is_out=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_out: bool) -> None:
        passed = 0
        try:
            while chunk := await reader.read(8_192):
                passed += len(chunk)
                if is_out and passed > 150_000 and self.broken < self.breaks:
                    self.broken += 1
                    break
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, OSError) as gone:
            del gone  # either side may go first
        finally:
            writer.close()


@asynccontextmanager
async def unsteady(url: str, breaks: int) -> AsyncIterator[tuple[str, Unsteady]]:
    way = Unsteady(url, breaks)
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", way


async def test_a_file_is_loaded_over_a_connection_that_breaks_and_what_was_refused_is_reported(
    city_url: str, file: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.ndjson"
    async with unsteady(city_url, breaks=2) as (url, way):
        code, out, err = await command(str(file), "--department", "police", "--url", url, "--report", str(report))
    assert (code, err) == (3, "")
    assert way.broken == 2
    assert f"{LINES} lines: {LINES - 3} issued, 0 known before, 3 refused" in out
    refused = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [(one["line"], one["code"]) for one in refused] == [
        (8, "wallet.value_refused"),
        (401, "wallet.holder_refused"),
        (651, "request.malformed"),
    ]
    for one in refused:
        assert f"line {one['line']}" in out
    again = await command(str(file), "--department", "police", "--url", city_url)
    assert again[0] == 3
    assert f"{LINES - 3} issued, 0 known before, 3 refused" in again[1]
    other = await command(str(file), "--department", "police", "--url", city_url, "--load", str(uuid4()))
    assert f"0 issued, {LINES - 3} known before, 3 refused" in other[1]


async def test_what_cannot_be_sent_is_said_in_a_sentence(city_url: str, file: Path, tmp_path: Path) -> None:
    for words, said in (
        ((str(tmp_path / "nothing"), "--department", "police", "--url", city_url), "cannot be read"),
        ((str(file), "--department", "nobody", "--url", city_url), "no department nobody"),
        ((str(file), "--department", "police", "--url", "http://127.0.0.1:1"), "does not answer"),
    ):
        code, _, err = await command(*words)
        assert code == 1
        assert said in err
        assert "Traceback" not in err


async def test_any_line_of_a_file_is_found_again(tmp_path: Path) -> None:
    count = 2 * INDEXED_EVERY_LINES + 7
    path = tmp_path / "numbers"
    path.write_text("\n".join(str(number) for number in range(1, count + 1)), encoding="utf-8")
    read = File.read(path)
    assert read.lines == count
    for first in (1, 2, INDEXED_EVERY_LINES, INDEXED_EVERY_LINES + 1, INDEXED_EVERY_LINES + 2, count - 1, count):
        whole = b"".join([chunk async for chunk in read.from_line(first)])
        assert whole.split()[0] == str(first).encode()
        assert len(whole.split()) == count - first + 1
        assert whole.endswith(b"\n")
