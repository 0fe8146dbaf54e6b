"""Load from `wrk`, on loopback, bounded in time; its own counts come back."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from city.errors import CannotStart

CONNECTIONS = 64
LATE_SECONDS = 30

_COUNTED = """
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
  local e = summary.errors
  local seen = {}
  for at = 1, #latency do
    local microseconds, times = latency(at)
    seen[at] = string.format("[%%d,%%d]", microseconds, times)
  end
  local said = ""
  for _, name in ipairs({%s}) do
    local sum = 0
    for _, thread in ipairs(threads) do sum = sum + (thread:get(name) or 0) end
    said = said .. (said == "" and "" or ",") .. string.format('"%%s":%%d', name, sum)
  end
  io.write(string.format(
    '\\n@@{"n":%%d,"seconds":%%.6f,"refused":%%d,"broken":%%d,"p50_ms":%%.3f,"p99_ms":%%.3f,"said":{%%s},"latencies":[%%s]}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, said, table.concat(seen, ",")))
end
"""


class Load(msgspec.Struct, frozen=True):
    """What wrk saw: answers, how long it ran, answers of status 400 and up, broken connections, latencies."""

    n: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float
    said: dict[str, int]
    """Globals of the script, which it counted by itself."""
    latencies: list[tuple[int, int]] = []
    """Every latency in microseconds, and how many answers had it."""


def find() -> str:
    """Where wrk is. Raises CannotStart."""
    found = shutil.which("wrk")
    if found is None:
        raise CannotStart("Benchmarks are driven by wrk, which is not installed.", "apt-get install wrk")
    return found


def load(url: str, script: str, *, seconds: int, counted: Sequence[str] = ()) -> Load:
    """Load `url` for `seconds` with the requests of a Lua script. Raises CannotStart when wrk cannot run it."""
    names = ", ".join(f"'{name}'" for name in counted)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.lua"
        file.write_text(_COUNTED % names + script, encoding="utf-8")
        words = [find(), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(file), url]
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + LATE_SECONDS, check=False)
    lines = [line[2:] for line in done.stdout.splitlines() if line.startswith("@@")]
    if done.returncode != 0 or not lines:
        raise CannotStart(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}", "Run it again.")
    return msgspec.json.decode(lines[-1], type=Load)
