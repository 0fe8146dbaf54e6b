"""`hello`: a small struct through the whole edge, authenticated. Asks nobody."""

from hashlib import sha256

from city.bench.acting import device_tokens, lua_list
from city.bench.floors import cpu_of, proved_token
from city.bench.measuring import Round
from city.bench.rig import Rig

PATH = "/venue/me"

_SCRIPT = """
local tokens = %s
refused = 0
local turn = 0
function request()
  turn = turn + 1
  return wrk.format("GET", "%s", {["Authorization"] = "Bearer " .. tokens[turn %% #tokens + 1]})
end
function response(status) if status ~= 200 then refused = refused + 1 end end
"""


class Hello:
    """Devices ask who they are."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._tokens = [token for _, token in device_tokens(rig)]

    def round(self, seconds: int) -> Round:
        script = _SCRIPT % (lua_list(self._tokens), PATH)
        return self._rig.load(script, seconds=seconds, counted=("refused",))

    def broken(self, rounds: list[Round]) -> tuple[int, list[str]]:
        refused = sum(turn.load.said["refused"] + turn.load.broken for turn in rounds)
        return refused, ["every authenticated request was answered with 200"]

    def floor(self) -> dict[str, float]:
        header = b"Bearer " + self._tokens[0].encode()
        return {
            "digest of the token": cpu_of(lambda: sha256(header).digest()),
            "its signature, once in its ten minutes": proved_token(self._rig, self._tokens[0]),
        }


def prepare(rig: Rig) -> Hello:
    return Hello(rig)
