"""`verify`: a venue redeems a code minted less than a minute before and never seen.

A part of the codes is sent twice, by another device: no code may be good twice. A yes without a record is a broken
promise too.
"""

import asyncio
import secrets
import time

from city.bench.acting import device_tokens, lua_list
from city.bench.floors import cpu_of, durable_use, proved_token, read_by_key, redis_get
from city.bench.measuring import Round
from city.bench.queries import count_valid_uses
from city.bench.rig import Rig
from city.bench.show import showable
from city.errors import CannotStart
from kernel.ids import CertificateId, PersonId

CODES_PER_SECOND = 7_000
"""More than one core redeems: a round must not run out of codes."""
CODES_MAX = 150_000
DOUBLED_EVERY = 50
MINTED_AT_ONCE = 500
FRESH_SECONDS = 60.0

_SCRIPT = """
local tokens = %s
local codes = %s
local file = io.open("%s", "r")
yes, no, refused, sent = 0, 0, 0, 0
local function uuid(n) return string.format("00000000-0000-7000-8000-%%012x", n) end
function request()
  local line = file:read("*l")
  if line == nil then wrk.thread:stop(); line = codes[1] end
  sent = sent + 1
  local scenario, code = line:match("^(%%S+) (%%S+)$")
  local own = tokens[scenario]
  return wrk.format("POST", "/venue/verifications",
    {["Authorization"] = "Bearer " .. own[sent %% #own + 1], ["Content-Type"] = "application/json"},
    '{"code":"' .. code .. '","use_id":"' .. uuid(sent + %d) .. '"}')
end
function response(status, headers, body)
  if status ~= 200 then refused = refused + 1
  elseif body:find('"valid"', 1, true) then yes = yes + 1
  else no = no + 1 end
end
"""


class Verify:
    """Devices redeem codes of the scenarios their venues may use."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        catalogue = rig.parts.wallet.catalogue()
        self._tokens: dict[str, list[str]] = {}
        for device, token in device_tokens(rig):
            for scenario in catalogue.devices[device.device_id].venue.scenario_codes:
                self._tokens.setdefault(scenario, []).append(token)
        self._shown = [shown for shown in rig.do(showable(rig)) if shown[2] in self._tokens]
        self._distinct = 0
        self._before = rig.do(self._recorded())
        self._rounds = 0

    def round(self, seconds: int) -> Round:
        wanted = min(CODES_MAX, CODES_PER_SECOND * seconds)
        started = time.monotonic()
        minted = self._rig.do(self._mint(wanted))
        if time.monotonic() - started + seconds > FRESH_SECONDS:
            raise CannotStart("Minting took so long that codes would be old.", "Choose fewer --seconds.")
        self._distinct += len(minted)
        self._rounds += 1
        path = self._rig.folder / f"codes-{self._rounds}"
        lines = []
        for at, line in enumerate(minted):
            lines.append(line)
            if at % DOUBLED_EVERY == 0:
                lines.append(line)
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        tokens = "{" + ",".join(f'["{scenario}"]={lua_list(own)}' for scenario, own in self._tokens.items()) + "}"
        script = _SCRIPT % (tokens, lua_list(minted[:1]), path, self._rounds * 10_000_000)
        return self._rig.load(script, seconds=seconds, counted=("yes", "no", "refused", "sent"))

    async def _mint(self, wanted: int) -> list[str]:
        minter = self._rig.parts.wallet.minter

        async def one(at: int) -> str:
            person_id, certificate_id, scenario = self._shown[at % len(self._shown)]
            shown = await minter.mint(PersonId(person_id), CertificateId(certificate_id), scenario, None)
            return f"{scenario} {shown.text}"

        minted: list[str] = []
        for start in range(0, wanted, MINTED_AT_ONCE):
            minted += await asyncio.gather(*(one(at) for at in range(start, min(wanted, start + MINTED_AT_ONCE))))
        return minted

    async def _recorded(self) -> int:
        async with self._rig.parts.db.connection() as conn:
            return await count_valid_uses(conn)

    def broken(self, rounds: list[Round]) -> tuple[int, list[str]]:
        said = {name: sum(turn.load.said[name] for turn in rounds) for name in ("yes", "no", "refused", "sent")}
        recorded = self._rig.do(self._recorded()) - self._before
        without_record = max(0, said["yes"] - recorded)
        doubled_sent = said["sent"] // (DOUBLED_EVERY + 1)
        distinct_sent_max = said["sent"] - doubled_sent + len(rounds)
        doubles = max(0, said["yes"] - distinct_sent_max)
        broken = without_record + doubles + said["refused"] + sum(turn.load.broken for turn in rounds)
        return broken, [
            f"no yes without a record ({said['yes']:,} yeses, {recorded:,} records)",
            f"no code good twice ({doubled_sent:,} codes sent twice)",
            "every scan was answered with 200",
        ]

    def floor(self) -> dict[str, float]:
        rig = self._rig
        sealer = rig.parts.keys.sealer("bench")
        sealed = sealer.seal(secrets.token_bytes(160), b"place")
        keys = [(person_id, certificate_id) for person_id, certificate_id, _ in self._shown]
        return {
            "a binding got from Redis, alone": rig.do(redis_get(rig)),
            "unsealing a binding": cpu_of(lambda: sealer.unseal(sealed, b"place")),
            "a certificate read by key, alone": rig.do(read_by_key(rig, keys)),
            "a use recorded durably, alone": rig.do(durable_use(rig, keys)),
            "a token's signature, once in its ten minutes": proved_token(rig, next(iter(self._tokens.values()))[0]),
        }


def prepare(rig: Rig) -> Verify:
    return Verify(rig)
