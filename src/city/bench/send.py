"""`send`: a department's program sends one SMS; what is answered is durable. No carrier is asked."""

import asyncio
import secrets
from typing import Final
from uuid import UUID, uuid4

from city.bench.acting import lua_list, token_of
from city.bench.floors import cpu_of
from city.bench.measuring import Round
from city.bench.rig import Rig
from kernel.ids import DepartmentId
from kernel.principal import Audience, DepartmentSystem
from kernel.snapshots import announce
from notifications.services.model import Allowance
from notifications.services.queries import count_requests
from notifications.texts import deciding, writing
from notifications.texts.model import Content, TextSort, Words
from notifications.texts.placeholders import Name, Text
from notifications.texts.reading import SNAPSHOT

ACTOR: Final = "operator:bench"
PROGRAMS: Final = 8
"""Departments that send side by side."""
HEARD_WITHIN_SECONDS: Final = 2.0
UNBOUNDED: Final = Allowance(per_minute=1_000_000, per_day=100_000_000)
"""High enough that the limits are asked at each message and never say no."""

_SCRIPT = """
local tokens = %s
local paths = %s
local round = "%s" .. tostring({}):sub(8)
refused = 0
local turn = 0
function request()
  turn = turn + 1
  local at = turn %% #tokens + 1
  local body = '{"phone":"+86138' .. string.format("%%08d", turn %% 100000000) ..
    '","values":{"name":"Wang Xiaoming","place":"Citizens Centre, hall ' .. turn %% 90 ..
    '"},"reference":"r' .. turn .. '"}'
  return wrk.format("POST", paths[at], {["Authorization"] = "Bearer " .. tokens[at],
    ["Content-Type"] = "application/json", ["Idempotency-Key"] = round .. "-" .. turn}, body)
end
function response(status) if status ~= 202 then refused = refused + 1 end end
"""


class Send:
    """Programs of a few departments send texts of theirs, each message under a key of its own."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._services = [DepartmentId(uuid4()) for _ in range(PROGRAMS)]
        self._paths = [f"/department/texts/{rig.do(_sendable(rig, one))}/messages" for one in self._services]
        self._tokens = [
            token_of(rig, DepartmentSystem(one, "bench", "测量"), Audience.DEPARTMENT, client_id=f"department:{one}")
            for one in self._services
        ]
        rig.do(_announced(rig))

    def round(self, seconds: int) -> Round:
        script = _SCRIPT % (lua_list(self._tokens), lua_list(self._paths), secrets.token_hex(8))
        return self._rig.load(script, seconds=seconds, counted=("refused",))

    def broken(self, rounds: list[Round]) -> tuple[int, list[str]]:
        refused = sum(turn.load.said["refused"] + turn.load.broken for turn in rounds)
        answered = sum(turn.load.n for turn in rounds) - refused
        lost = max(0, answered - self._rig.do(_kept(self._rig, self._services)))
        return int(refused + lost), ["every message was taken", "every message that was answered is in the database"]

    def floor(self) -> dict[str, float]:
        sealer, values, place = self._rig.parts.keys.sealer("bench"), secrets.token_bytes(60), secrets.token_bytes(16)
        return {"sealing its values and its number": cpu_of(lambda: sealer.seal(values, place)) * 2}


async def _sendable(rig: Rig, service_id: DepartmentId) -> UUID:
    """An approved text of a department that may send as much as it likes."""
    text_id, db, now = uuid4(), rig.parts.db, rig.parts.clock.now()
    content = Content(
        name="bench",
        lane="result",
        zh=Words("((name))，您的公园年票已办好，请到((place))领取。"),
        placeholders={"name": Name(), "place": Text(40)},
    )
    async with db.transaction() as conn:
        await writing.put_first(conn, service_id, text_id, TextSort.SMS, content, actor=ACTOR, now=now)
        await writing.submit(conn, service_id, text_id, 1, now=now)
        await deciding.approve(conn, text_id, 1, is_otp_meant=False, actor=ACTOR, now=now)
    await rig.parts.services.keys.allow(service_id, UNBOUNDED, actor=ACTOR)
    return text_id


async def _announced(rig: Rig) -> None:
    """Let the web process know the texts before anybody sends."""
    async with rig.parts.db.transaction() as conn:
        await announce(conn, SNAPSHOT)
    await asyncio.sleep(HEARD_WITHIN_SECONDS)


async def _kept(rig: Rig, services: list[DepartmentId]) -> int:
    async with rig.parts.db.connection() as conn:
        return sum([await count_requests(conn, one) for one in services])


def prepare(rig: Rig) -> Send:
    return Send(rig)
