"""`show`: a resident's phone asks for an online code."""

import secrets
from uuid import UUID

from city.bench.acting import lua_list, resident_token
from city.bench.floors import cpu_of, read_by_key, redis_set
from city.bench.measuring import Round
from city.bench.queries import goods_of_all
from city.bench.rig import Rig

RESIDENTS_MAX = 200
SAMPLE = 50

_SCRIPT = """
local tokens = %s
local paths = %s
local bodies = %s
refused = 0
local turn = 0
function request()
  turn = turn + 1
  local at = turn %% #tokens + 1
  return wrk.format("POST", paths[at],
    {["Authorization"] = "Bearer " .. tokens[at], ["Content-Type"] = "application/json"}, bodies[at])
end
function response(status) if status ~= 201 then refused = refused + 1 end end
"""


class Show:
    """Residents show certificates under scenarios that fit them."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.shown = rig.do(showable(rig))[:RESIDENTS_MAX]
        self._tokens = [resident_token(rig, person_id) for person_id, _, _ in self.shown]

    def round(self, seconds: int) -> Round:
        paths = [f"/resident/certificates/{certificate_id}/codes" for _, certificate_id, _ in self.shown]
        bodies = [f'{{\\"scenario_code\\":\\"{scenario}\\"}}' for _, _, scenario in self.shown]
        script = _SCRIPT % (lua_list(self._tokens), lua_list(paths), lua_list(bodies))
        return self._rig.load(script, seconds=seconds, counted=("refused",))

    def broken(self, rounds: list[Round]) -> tuple[int, list[str]]:
        refused = sum(turn.load.said["refused"] + turn.load.broken for turn in rounds)
        return refused, ["every resident was given a code"]

    def floor(self) -> dict[str, float]:
        rig = self._rig
        keys = [(person_id, certificate_id) for person_id, certificate_id, _ in self.shown]
        sealer, plain = rig.parts.keys.sealer("bench"), secrets.token_bytes(160)
        return {
            "a certificate read by key, alone": rig.do(read_by_key(rig, keys)),
            "a sealed binding set in Redis, alone": rig.do(redis_set(rig)),
            "sealing a binding": cpu_of(lambda: sealer.seal(plain, b"place")),
        }


async def showable(rig: Rig) -> list[tuple[UUID, UUID, str]]:
    """Certificates that are good now, each with a scenario that allows its kind: person, certificate, scenario."""
    scenario_of = {
        kind_code: scenario.scenario_code
        for scenario in rig.parts.wallet.catalogue().scenarios.values()
        for kind_code in scenario.grants
    }
    async with rig.parts.db.connection() as conn:
        goods = await goods_of_all(conn, today=rig.parts.clock.now().date())
    return [(g.person_id, g.certificate_id, scenario_of[g.kind_code]) for g in goods if g.kind_code in scenario_of]


def prepare(rig: Rig) -> Show:
    return Show(rig)
