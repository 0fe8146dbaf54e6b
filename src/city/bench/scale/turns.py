"""Short turns of load on one city: residents who show, devices that verify; at a moderate rate, or as fast as it goes.

Each request is of a certificate drawn from the whole city, by a token that the city never saw: nothing is warm because
it was asked for a moment ago, and the tokens of a large city are not worse off than those of a small one. A code is
minted just before its turn, as it is in life.
"""

import asyncio
import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import Struct

from city.bench import wrk
from city.bench.acting import resident_token, token_of
from city.bench.scale.databases import Do
from city.bench.scale.queries import Good
from city.bench.wrk import Load
from city.errors import CannotStart
from gateway.parts import CityParts
from kernel.ids import CertificateId, PersonId
from kernel.principal import Audience, VenueDevice
from kernel.resp import RedisAway
from kernel.settings import Settings
from wallet.model import NO_TERMS
from wallet.venues.terms import terms_of

SHOW, VERIFY = "show", "verify"
OPERATIONS: Final = (SHOW, VERIFY)
PAUSE_MS: Final = (200, 440)
"""How long each of wrk's connections waits between an answer and its next request, in a moderate turn."""
PER_SECOND: Final = round(wrk.CONNECTIONS / (sum(PAUSE_MS) / 2 / 1000))
"""What that comes to: some sixty times what 300,000 calls a day are on average."""
FASTEST_PER_SECOND: Final = {SHOW: 6_000, VERIFY: 4_000}
"""More than one core answers: a turn must not run out of requests."""
FRESH_MAX: Final = 60_000
MINTED_AT_ONCE: Final = 100
MINTED_AGAIN_MAX: Final = 20
_STATUS: Final = {SHOW: 201, VERIFY: 200}
_YES: Final = {SHOW: "{", VERIFY: '"verdict":"valid"'}

_SCRIPT = """
local file = io.open("%s", "r")
local first, last = %d, %d
yes, refused = 0, 0
local line
function request()
  line = file:read("*l") or line
  local path, token, body = line:match("^(%%S+) (%%S+) (.+)$")
  return wrk.format("POST", path,
    {["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"}, body)
end
function response(status, headers, body)
  if status == %d and body:find('%s', 1, true) then yes = yes + 1 else refused = refused + 1 end
end
"""
_PAUSING = """
function delay() return math.random(first, last) end
"""


class Shown(Struct, frozen=True):
    """A certificate, and a scenario under which it is shown."""

    person_id: UUID
    certificate_id: UUID
    scenario_code: str


class Actors:
    """Who shows and who verifies in one city."""

    def __init__(self, url: str, settings: Settings, parts: CityParts, goods: Sequence[Good], do: Do) -> None:
        self.url = url
        self.settings = settings
        self.parts = parts
        self._do = do
        self._devices = _devices_of(parts)
        self._tokens: dict[VenueDevice, str] = {}
        allowed = {
            kind_code: scenario.scenario_code
            for scenario in parts.wallet.catalogue().scenarios.values()
            if scenario.scenario_code in self._devices
            for kind_code in scenario.grants
        }
        shown = [Shown(g.person_id, g.certificate_id, allowed[g.kind_code]) for g in goods if g.kind_code in allowed]
        if not shown:
            raise CannotStart("Nobody in this city holds anything to show.", "Choose larger --sizes.")
        random.Random(len(shown)).shuffle(shown)
        self._shown = shown
        self._next = 0

    def turn(self, operation: str, folder: Path, *, seconds: int, is_paced: bool) -> Load:
        """One turn of load. `said` counts the answers that were a yes, and those that were not."""
        per_second = 2 * PER_SECOND if is_paced else FASTEST_PER_SECOND[operation]
        wanted = min(FRESH_MAX, per_second * seconds + wrk.CONNECTIONS)
        self._sign_devices_in()
        lines = self._shows(wanted) if operation == SHOW else self._scans(wanted)
        path = folder / "requests"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        script = _SCRIPT % (path, *PAUSE_MS, _STATUS[operation], _YES[operation]) + (_PAUSING if is_paced else "")
        return wrk.load(self.url, script, seconds=seconds, counted=("yes", "refused"))

    def _sign_devices_in(self) -> None:
        """Tokens of machines last minutes, and a run lasts longer."""
        for device in {device for devices in self._devices.values() for device in devices}:
            client_id = str(device.device_id)
            self._tokens[device] = token_of(self, device, Audience.VENUE, client_id=client_id)

    def _draw(self, wanted: int) -> list[Shown]:
        """The next certificates in a round through all that were drawn from the city."""
        drawn = [self._shown[(self._next + at) % len(self._shown)] for at in range(wanted)]
        self._next += wanted
        return drawn

    def _shows(self, wanted: int) -> list[str]:
        return [
            f"/resident/certificates/{one.certificate_id}/codes {resident_token(self, one.person_id)} "
            f'{{"scenario_code":"{one.scenario_code}"}}'
            for one in self._draw(wanted)
        ]

    def _scans(self, wanted: int) -> list[str]:
        drawn = self._draw(wanted)
        return [
            f"/venue/verifications {self._tokens[secrets.choice(self._devices[one.scenario_code])]} "
            f'{{"code":"{text}","use_id":"{UUID(bytes=secrets.token_bytes(16), version=4)}"}}'
            for one, text in zip(drawn, self._do(self._mint(drawn)), strict=True)
        ]

    async def _mint(self, drawn: Sequence[Shown]) -> list[str]:
        minter = self.parts.wallet.minter

        async def one(shown: Shown) -> str:
            key = PersonId(shown.person_id), CertificateId(shown.certificate_id)
            for _ in range(MINTED_AGAIN_MAX):
                try:
                    return (await minter.mint(*key, shown.scenario_code, None)).text
                except RedisAway:  # a machine that is full answers late, and minting again is free
                    continue
            raise CannotStart("Redis does not answer.", "Close what else keeps this machine busy.")

        minted: list[str] = []
        for start in range(0, len(drawn), MINTED_AT_ONCE):
            minted += await asyncio.gather(*map(one, drawn[start : start + MINTED_AT_ONCE]))
        return minted


def _devices_of(parts: CityParts) -> dict[str, list[VenueDevice]]:
    """The devices that may redeem under a scenario at any hour, without a quota."""
    devices: dict[str, list[VenueDevice]] = {}
    for device in parts.wallet.catalogue().devices.values():
        for scenario_code in device.venue.scenario_codes:
            if terms_of(device.venue, scenario_code) is NO_TERMS:
                principal = VenueDevice(device.device_id, device.venue.venue_id)
                devices.setdefault(scenario_code, []).append(principal)
    return devices
